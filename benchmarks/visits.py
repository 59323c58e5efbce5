"""A new reader's visit of a page: what it loads, when the first screen stands, and the last formula."""

import gzip
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / name) for name in ("_ext", "tools", "tests/site")]
import formulas  # noqa: E402
from chromium import require  # noqa: E402
from conftest import FLAGS, SITE, serve  # noqa: E402, F401

CDN = "https://cdn.jsdelivr.net/npm/mathjax@3/es5/"  # a plain book asks it for MathJax
TIMES = """async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return [paint.startTime / 1000, performance.now() / 1000];
}"""


class Visit(NamedTuple):
    """Compressed kilobytes; seconds to the first screen; seconds to the last formula."""

    kilobytes: float
    first: float
    last: float


def launch(playwright):
    """The system's Chromium."""
    return playwright.chromium.launch(executable_path=require(), args=FLAGS)


def visit(url: str, browser) -> Visit:
    """The best of three visits, each with an empty cache."""
    visits = [once(url, browser) for _ in range(3)]
    return Visit(*(min(values) for values in zip(*visits, strict=True)))


def once(url: str, browser) -> Visit:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, sizes = context.new_page(), []

    def mathjax(route):
        body = (formulas.folder() / route.request.url.removeprefix(CDN)).read_bytes()
        sizes.append(len(gzip.compress(body, 6)))
        route.fulfill(body=body, headers={"Access-Control-Allow-Origin": "*"})

    def response(response):
        if not response.url.startswith(CDN):  # counted above, compressed
            sizes.append(int(response.headers.get("content-length", 0)))

    page.route(f"{CDN}**", mathjax)
    page.on("response", response)
    page.goto(url, wait_until="load")
    first, last = page.evaluate(TIMES)
    context.close()
    return Visit(sum(sizes) / 1000, first, last)
