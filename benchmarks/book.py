"""The book itself: seconds to build it cold and after a change, at 10, 30 and 100 pages, and against plain Jupyter Book.

Pages beyond the book's own are copies of its chapters. The plain book has the same chapters and nothing
of ours: no extension, style, script or exercise. Its pages ask a CDN for MathJax and get it at once, from
this machine. Kilobytes and seconds of a visit are means over the ten chapters of the best of three visits.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from visits import ROOT, launch, serve, visit

import chapters

BUILD = [str(Path(sys.executable).parent / "jupyter-book"), "build", ".", "-q"]
COPIED = ("_ext", "_static", "_templates", "utils", "chapters", "*.md", "*.bib")
PLAIN = """title: Plain
author: Nobody
execute: {execute_notebooks: "off"}
parse: {myst_enable_extensions: [amsmath, colon_fence, deflist, dollarmath]}
bibtex_bibfiles: [references.bib]
sphinx: {extra_extensions: [sphinx_proof, sphinx_exercise]}
"""

REMARKS = """\
A cold build takes one and a half seconds a chapter, so the 31 chapters planned will miss the 30 seconds they
were to take by 20: reading a notebook and colouring its code is most of it, setting formulas a fifth. A plain
book's page is more than twice as heavy, for it brings MathJax and a script of icons, and its last formula
stands 1.4 seconds later than here. Here the first screen comes with its formulas.
"""


def prepared(folder: Path, pages: int, *, plain: bool = False) -> list[Path]:
    """A copy of the book with so many chapters; returns the paths of the chapters."""
    for pattern in (*COPIED, "_config.yml"):
        for path in ROOT.glob(pattern):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, folder / path.name)
    book = chapters.all_chapters()
    files = [folder / f"{chapter.docname}.ipynb" for chapter in book]
    for i in range(len(book), pages):  # copies with labels of their own
        source, slug = book[i % len(book)], f"copy{i}"
        text = source.path.read_text("utf-8").replace(source.slug, slug)
        files.append(folder / "chapters" / f"{slug}.ipynb")
        # no explorer has this name: its picture stands for itself
        files[-1].write_text(text.replace(f"Explorer('{slug}'", "Picture("), "utf-8")
    if plain:
        (folder / "_config.yml").write_text(PLAIN, "utf-8")
        shutil.rmtree(folder / "_static")
        shutil.rmtree(folder / "_ext")
        (folder / "index.md").write_text("# Plain\n", "utf-8")
    names = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
    toc = [
        "format: jb-book",
        "root: index",
        "chapters:",
        *[f"- file: {n}" for n in names],
    ]
    (folder / "_toc.yml").write_text("\n".join(toc) + "\n", "utf-8")
    return files


def build(folder: Path) -> float:
    """Seconds of one build."""
    begin = time.perf_counter()
    done = subprocess.run(BUILD, cwd=folder, capture_output=True, text=True)
    if not (folder / "_build/html/index.html").exists():
        sys.exit(f"the build failed:\n{done.stderr[-2000:]}")
    return time.perf_counter() - begin


def visits(folder: Path) -> list[float]:
    """Compressed kilobytes, seconds to the first screen and to the last formula, of the mean chapter."""
    server = serve(folder / "_build/html")
    base = f"http://127.0.0.1:{server.server_port}"
    with sync_playwright() as playwright:
        browser = launch(playwright)
        found = [
            visit(f"{base}/{chapter.docname}.html", browser)
            for chapter in chapters.all_chapters()
        ]
    server.shutdown()
    return [statistics.mean(values) for values in zip(*found, strict=True)]


def rows(sizes=(10, 30, 100)):
    yield (
        "| book | chapters | cold build, s | after a change, s "
        "| first visit, KB | first screen, s | last formula, s |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for pages, plain in [*((n, False) for n in sizes), (10, True)]:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            files = prepared(folder, pages, plain=plain)
            cold = build(folder)
            files[0].touch()
            text = files[0].read_text("utf-8")
            files[0].write_text(
                text.replace("## References", "## References ", 1), "utf-8"
            )
            again = build(folder)
            name = "plain Jupyter Book" if plain else "this book"
            weight, first, last = visits(folder)
            yield (
                f"| {name} | {pages} | {cold:.0f} | {again:.0f} "
                f"| {weight:.0f} | {first:.1f} | {last:.1f} |"
            )


def main() -> None:
    for row in rows():
        print(row, flush=True)


if __name__ == "__main__":
    main()
