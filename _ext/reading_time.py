"""The time it takes to read a chapter, beside the time it takes to run it."""

import math

from docutils import nodes

import chapters

# A minute reads so many words; a displayed formula and a figure take so many minutes each.
WORDS, FORMULA, FIGURE = 200, 0.25, 0.25
ROUND = 5  # minutes


def minutes(chapter: chapters.Chapter) -> int:
    """Text, displayed formulas and figures; who reads the code, too, takes longer."""
    pieces = chapter.markdown.split("$$")
    words = sum(len(text.split()) for text in pieces[::2])
    time = words / WORDS + FORMULA * (len(pieces) // 2) + FIGURE * len(chapter.figures)
    return ROUND * math.ceil(time / ROUND)


def show(app, doctree) -> None:
    """In the facts of a chapter, before "Runs in"."""
    by_name = {chapter.docname: chapter for chapter in chapters.all_chapters()}
    chapter = by_name.get(app.env.docname)
    if chapter is None:
        return
    for strong in doctree.findall(nodes.strong):
        if strong.astext() == "Runs in":
            line, place = strong.parent, strong.parent.index(strong)
            time = nodes.Text(f" about {minutes(chapter)} min. ")
            line[place:place] = [nodes.strong("", "Read in"), time]
            return


def setup(app):
    app.connect("doctree-read", show)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
