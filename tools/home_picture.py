"""Take the home page's picture for readers without JavaScript: three moments of its living figure.

Run ``.venv/bin/python tools/home_picture.py`` after a change to ``_static/explorers/home.mjs``.
"""

import base64
import io
import sys
from pathlib import Path

from chromium import require
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "site"))
from conftest import FLAGS, serve  # noqa: E402

MOMENTS, WIDTH = (0.2, 0.84, 1.0), 420
PICTURE = ROOT / "_static" / "home.png"
PAGE = """<!doctype html><link rel="stylesheet" href="explorers.css"><div id="figure"></div>"""
SHOW = """async (time) => {
  const {default: {render}, defaults} = await import("/explorers/home.mjs");
  const state = {...defaults, time}, el = document.querySelector("#figure");
  el.replaceChildren();
  render({model: {get: (key) => state[key], set(key, value) { state[key] = value; },
                  save_changes() {}, on() {}, off() {}}, el});
  await new Promise((done) => setTimeout(done, 500));
  return el.querySelector("canvas").toDataURL();
}"""


def main() -> None:
    server = serve(ROOT / "_static")
    address = f"http://127.0.0.1:{server.server_port}/"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require(), args=FLAGS)
        size = {"width": WIDTH + 16, "height": 600}
        page = browser.new_page(
            viewport=size, device_scale_factor=2, reduced_motion="no-preference"
        )
        page.route(
            "**/page.html",
            lambda route: route.fulfill(body=PAGE, content_type="text/html"),
        )
        page.goto(address + "page.html")
        shots = [page.evaluate(SHOW, moment) for moment in MOMENTS]
    server.shutdown()
    panels = [
        Image.open(io.BytesIO(base64.b64decode(shot.split(",")[1]))) for shot in shots
    ]
    width, height = panels[0].size
    whole = Image.new("RGB", (width * len(panels), height), "white")
    for i, panel in enumerate(panels):
        whole.paste(panel, (i * width, 0), panel)
    whole.thumbnail((1400, 1400))
    whole.quantize(256).save(PICTURE, optimize=True)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
