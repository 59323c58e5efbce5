"""``{gallery}``: a card for every finished chapter, with its first figure and one sentence.

``{gallery} foundations`` shows the chapters of one part.
"""

import base64
import io
from html import escape
from pathlib import Path

from docutils import nodes
from PIL import Image
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

import chapters

FOLDER = "_static/posters"
CARD_WIDTH = 640  # pixels, sharp on a card of half the width


class Gallery(SphinxDirective):
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        if self.env.app.builder.name != "html":
            return []
        folder = "/".join(["chapters", *self.arguments, ""])
        cards = []
        for chapter in chapters.all_chapters():
            if chapter.docname.startswith(folder):
                self.env.note_dependency(str(chapter.path))
                cards.append(card(chapter, "../" * self.env.docname.count("/")))
        return [
            nodes.raw("", f'<div class="gallery">{"".join(cards)}</div>', format="html")
        ]


def poster(chapter: chapters.Chapter) -> tuple[dict, str]:
    """``(cell, base64 png)`` of a chapter's first figure, which is its poster."""
    if not chapter.figures:
        raise ExtensionError(
            f"{chapter.slug} has no stored figure for its card:"
            f" run `make execute CH={chapter.slug}`"
        )
    return chapter.figures[0]


def card(chapter: chapters.Chapter, root: str) -> str:
    """The card's html on a page from which ``root`` leads to the site's first folder."""
    cell, _ = poster(chapter)
    alt = cell["metadata"]["mystnb"]["image"]["alt"]
    return (
        f'<a class="gallery-card" href="{root}{chapter.docname}.html">'
        f'<img src="{root}{FOLDER}/{chapter.slug}-card.png" alt="{escape(alt)}" loading="lazy">'
        f'<span class="gallery-title">{escape(chapter.title)}</span>'
        f'<span class="gallery-text">{escape(chapter.description)}</span></a>'
    )


def write_posters(app, exception) -> None:
    if exception or app.builder.name != "html":
        return
    folder = Path(app.outdir, FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    for chapter in chapters.all_chapters():
        _, png = poster(chapter)
        (folder / f"{chapter.slug}.png").write_bytes(base64.b64decode(png))
        image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
        image.thumbnail((CARD_WIDTH, CARD_WIDTH))
        image.quantize(128).save(folder / f"{chapter.slug}-card.png", optimize=True)


def setup(app):
    app.add_directive("gallery", Gallery)
    app.connect("build-finished", write_posters)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
