"""Lighthouse on every page of the built site: accessibility, best practices, SEO, and the time to show it.

Lighthouse comes from npm (``npx lighthouse@12.8.2``), so this needs Node; everything else is local.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright
from visits import FLAGS, SITE, launch, require, serve, visit

CATEGORIES = ("accessibility", "best-practices", "seo")
VERSION = "lighthouse@12.8.2"
REMARKS = """\
The first screen of a page, its formulas included, stands after half a second. The last formula of a chapter
takes two to three where the goal was one and a half: a chapter has some 60 000 nodes, a third of them in
formulas, and Chromium needs that long to lay them out. To lay out only what is in view would be quicker, but
the page would have to guess how long it is.
"""


def scores(url: str, chromium: str) -> tuple[list[int], list[str]]:
    """Scores of the categories, and the audits that cost points."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        flags = " ".join([*FLAGS, f"--user-data-dir={folder}/profile"])
        command = ["npx", "--yes", VERSION, url, "--quiet", "--output=json"]
        command += [f"--output-path={report}", f"--chrome-flags={flags}"]
        command += [f"--only-categories={','.join(CATEGORIES)}"]
        environment = os.environ | {"CHROME_PATH": chromium}
        subprocess.run(command, env=environment, capture_output=True, check=True)
        found = json.loads(report.read_text("utf-8"))
    lost = [
        reference["id"]
        for name in CATEGORIES
        for reference in found["categories"][name]["auditRefs"]
        if reference["weight"] and found["audits"][reference["id"]]["score"] == 0
    ]
    return [
        round(100 * found["categories"][name]["score"]) for name in CATEGORIES
    ], lost


def rows() -> Iterator[str]:
    yield "| page | accessibility | best practices | SEO | first screen, s | last formula, s | what costs points |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    chromium = require()
    if shutil.which("npx") is None:
        sys.exit("Lighthouse needs Node, and its npx is not there")
    server = serve(SITE)
    pages = sorted(p for p in SITE.rglob("*.html") if "_static" not in p.parts)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for path in pages:
            name = path.relative_to(SITE).as_posix()
            url = f"http://127.0.0.1:{server.server_port}/{name}"
            marks, lost = scores(url, chromium)
            cells = " | ".join(map(str, marks))
            _, first, last = visit(url, browser)
            yield f"| {name} | {cells} | {first:.1f} | {last:.1f} | {', '.join(lost)} |"
    server.shutdown()


if __name__ == "__main__":
    for row in rows():
        print(row, flush=True)
