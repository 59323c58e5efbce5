"""The page that lists everything that is checked; what a chapter shows of it is made by ``evidence.py``.

Its list is narrowed by ``_static/verified.js``, which finds in ``data-checks`` the kinds of an equation's checks,
each with a ``+`` if one of them faces a rival.
"""

from html import escape

from docutils import nodes
from evidence import KINDS, count, kind_of, raw, sees, words
from sphinx.util.docutils import SphinxDirective

import chapters

COLUMNS = ("equations", "checks", "with rivals", *KINDS)


def numbers(chapter: chapters.Chapter) -> list[int]:
    """What the chapter adds to each column of the table."""
    found = chapter.evidence
    kinds = [kind_of(check) for check in found]
    rivals = sum(bool(check["rivals"]) for check in found)
    return [len(chapter.claims), len(found), rivals, *map(kinds.count, KINDS)]


def table(book: list[chapters.Chapter]) -> str:
    """The counts of each chapter, and of all."""
    rows = {
        f'<a class="reference internal" href="#{c.slug}">{escape(c.title)}</a>': numbers(
            c
        )
        for c in book
    }
    rows["The book"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    head = "".join(f'<th scope="col">{name}</th>' for name in ("chapter", *COLUMNS))
    body = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(f"<td>{count(n)}</td>" for n in row)
        + "</tr>\n"
        for name, row in rows.items()
    )
    return (
        '<div class="pst-scrollable-table-container"><table class="table verified-counts">'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def choice(name: str, options: dict[str, str]) -> str:
    values = "".join(
        f'<option value="{value}">{escape(shown)}</option>'
        for value, shown in {"": "all", **options}.items()
    )
    return f'<label>{name} <select name="{name}" autocomplete="off">{values}</select></label>'


def controls(book: list[chapters.Chapter]) -> str:
    """What narrows the list; hidden until the script is there."""
    return (
        '<div class="verified-filter" role="group" aria-label="Narrow the list" hidden>'
        + choice("chapter", {chapter.slug: chapter.title for chapter in book})
        + choice("method", {kind: kind for kind in KINDS})
        + '<label><input type="checkbox" name="rivals" value="only" autocomplete="off">'
        " with rivals only</label>"
        '<output aria-live="polite"></output></div>'
    )


def entry(chapter: chapters.Chapter, label: str) -> tuple[str, str]:
    """The beginning of an equation's entry, and what its checks found, both as html."""
    checks = chapter.evidence_for(label)
    kinds = {kind_of(check) for check in checks}
    facing = {kind_of(check) for check in checks if check["rivals"]}
    found = " ".join(kind + "+" * (kind in facing) for kind in KINDS if kind in kinds)
    opening = (
        f'<div class="verified" id="{escape(label)}" data-chapter="{chapter.slug}"'
        f' data-checks="{found}">'
    )
    seen = sees(checks)
    sight = f'<span class="sees">Would be seen: {seen}</span>' if seen else ""
    return opening, f" {words(checks)}{sight}"


class Book(SphinxDirective):
    def book(self) -> list[chapters.Chapter]:
        book = chapters.all_chapters()
        for chapter in book:
            self.env.note_dependency(str(chapter.path))
        return book


class Counts(Book):
    """``{verified-counts}``: how many equations and checks of each kind there are."""

    def run(self) -> list[nodes.Node]:
        return [raw(table(self.book()))]


class Verified(Book):
    """``{verified}``: every equation of every chapter with the checks that were run on it."""

    def run(self) -> list[nodes.Node]:
        book = self.book()
        narrow = [] if self.env.app.builder.name == "epub" else [raw(controls(book))]
        return narrow + [self.section(chapter) for chapter in book]

    def section(self, chapter: chapters.Chapter) -> nodes.section:
        section = nodes.section("", nodes.title("", chapter.title), ids=[chapter.slug])
        link = f"{{doc}}`Read the chapter </{chapter.docname}>`"
        section += self.parse_text_to_nodes(link)
        for label, tex in chapter.claims:
            section += self.entry(chapter, label, tex)
        return section

    def entry(self, chapter, label: str, tex: str) -> list[nodes.Node]:
        opening, told = entry(chapter, label)
        content = self.parse_text_to_nodes(f"$$\n{tex}\n$$\n\n{{eq}}`{label}`")
        content[-1] += raw(told)
        return [raw(opening), *content, raw("</div>")]


def setup(app):
    app.add_directive("verified-counts", Counts)
    app.add_directive("verified", Verified)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
