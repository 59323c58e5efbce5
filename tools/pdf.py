"""Print the built site as one PDF: every page in the order of the table of contents, with bookmarks.

``make pdf`` builds the site first. Chromium prints; formulas and code stay text, figures are images.
"""

import io
import re
import sys
from pathlib import Path

from chromium import require
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter

ROOT = Path(__file__).resolve().parents[1]
SITE, BOOK = ROOT / "_build" / "html", ROOT / "_build" / "random_walks_to_reasoning.pdf"
sys.path.insert(0, str(ROOT / "tests" / "site"))
from conftest import FLAGS, serve  # noqa: E402

MARGIN = {"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"}
LINE = '<div style="font-size: 7pt; width: 100%; text-align: center">{}</div>'
TITLE = LINE.format('<span class="title"></span>')
NUMBER = LINE.format('<span class="pageNumber"></span>')


def sheets(page, *, header: str = "<span></span>", footer: str = "<span></span>"):
    """What an open page prints."""
    printed = page.pdf(
        format="A4",
        margin=MARGIN,
        print_background=True,
        display_header_footer=True,
        header_template=header,
        footer_template=footer,
    )
    return PdfReader(io.BytesIO(printed))


def pages() -> list[str]:
    """Addresses within the site, in reading order; the book's own pages about itself stay out."""
    toc = (ROOT / "_toc.yml").read_text("utf-8")
    names = re.findall(r"(?:root|file): *(\S+)", toc)
    return [n for n in names if n.startswith(("index", "chapters", "notation"))]


def main() -> None:
    server, book = serve(SITE), PdfWriter()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require(), args=FLAGS)
        page = browser.new_page(color_scheme="light", reduced_motion="reduce")
        for name in pages():
            page.goto(f"http://127.0.0.1:{server.server_port}/{name}.html")
            page.evaluate(
                "document.querySelectorAll('img').forEach(i => i.loading = 'eager')"
            )
            page.wait_for_load_state("networkidle")
            first = len(book.pages)
            book.append(sheets(page, header=TITLE), import_outline=False)
            title = page.locator("h1").first.evaluate("e => e.firstChild.textContent")
            book.add_outline_item(title=title.strip(), page_number=first)
        # Chromium counts each page of the site anew: the book's numbers are printed on empty sheets.
        page.set_content('<p style="break-after: page">&nbsp;</p>' * len(book.pages))
        numbers = sheets(page, footer=NUMBER)
        for sheet, number in zip(book.pages, numbers.pages, strict=False):
            sheet.merge_page(number)
            sheet.compress_content_streams()
    server.shutdown()
    book.compress_identical_objects()
    book.add_metadata({"/Title": "Random Walks to Reasoning"})
    book.write(BOOK)
    print(f"{BOOK.name}: {len(book.pages)} pages, {BOOK.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
