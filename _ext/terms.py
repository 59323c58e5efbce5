"""Terms: a chapter's first use of each is a link to the glossary, and the glossary says where it is used.

The glossary names with each term the equation, theorem or chapter that introduces it. In the chapters after
that one, in the order of ``_toc.yml``, the first place in a paragraph becomes the link; titles, captions,
tables, links, code and formulas stay as they are. A chapter needs nothing for this.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError

import chapters

PAGE = "glossary"
SOURCE = chapters.ROOT / f"{PAGE}.md"
# What introduces a term: a label of a chapter, eq-<slug>-name, or the chapter itself.
LABEL = re.compile(r"\{[a-z:]+\}`[a-z]+-([a-z_]+)-[a-z0-9-]+`|\{doc\}`[^`]*?/(\w+)>?`")
WORDLESS = (
    nodes.literal,
    nodes.math,
    nodes.reference,
    nodes.raw,
    addnodes.pending_xref,
)
ELSEWHERE = (nodes.caption, nodes.table, nodes.footnote, nodes.figure, nodes.field_list)


@dataclass(frozen=True)
class Entry:
    """The names of one entry of the glossary, and the slug of the chapter that introduces it."""

    names: tuple[str, ...]
    slug: str


def entries(text: str) -> list[Entry]:
    """What the glossary defines.

    Raises
    ------
    sphinx.errors.ExtensionError
        If a definition does not say where its term is introduced.
    """
    _, _, body = text.partition(":::{glossary}")
    found = []
    for block in re.split(r"\n\s*\n", body.partition("\n:::")[0].strip()):
        lines = block.splitlines()
        names = tuple(line for line in lines if not line.startswith((" ", ":")))
        definition = "\n".join(line for line in lines if line.startswith(" "))
        if not names:
            continue
        label = LABEL.search(definition)
        if label is None:
            raise ExtensionError(
                f"glossary: {names[0]!r} does not name the place that introduces it"
            )
        found.append(Entry(names, label[1] or label[2]))
    return found


def pattern(names: tuple[str, ...]) -> re.Pattern:
    """Any of the names, the longest first, as words of their own, in the plural or at a sentence's beginning."""
    forms = []
    for name in sorted(names, key=len, reverse=True):
        first, rest = re.escape(name[0]), re.escape(name[1:]).replace("'", "['’]")
        forms.append(f"(?:{first.upper()}|{first}){rest}")
    return re.compile(rf"(?<![\w-])(?P<name>{'|'.join(forms)})s?(?![\w-])")


class Terms:
    """What the glossary holds, as the chapter ``slug`` may use it.

    Longer names hide shorter ones, also those that the chapter may not use: "gradient descent" is no "gradient".
    """

    def __init__(self, text: str, slug: str):
        order = [chapter.slug for chapter in chapters.all_chapters()]
        before = order[: order.index(slug)]
        self.term, names = {}, []
        for entry in entries(text):
            names += entry.names
            if entry.slug in before:
                self.term |= {name.lower(): entry.names[0] for name in entry.names}
        self.pattern = pattern(tuple(names))

    def first(self, text: str, used: dict) -> tuple[re.Match, str] | None:
        """The first place in a text that uses a term not used before, and the term."""
        for hit in self.pattern.finditer(text):
            term = self.term.get(hit["name"].replace("’", "'").lower())
            if term is not None and term not in used:
                return hit, term
        return None


def link_first_uses(app, doctree) -> None:
    """While a chapter is read."""
    docname = app.env.docname
    if docname not in {chapter.docname for chapter in chapters.all_chapters()}:
        return
    app.env.note_dependency(str(SOURCE))
    terms = Terms(SOURCE.read_text("utf-8"), Path(docname).name)
    uses = app.env.term_uses[docname] = {}
    for paragraph in doctree.findall(nodes.paragraph):
        if not inside(paragraph, doctree, ELSEWHERE):
            for text in list(paragraph.findall(nodes.Text)):
                if not inside(text, paragraph, WORDLESS):
                    link(text, terms, uses, docname)


def inside(node: nodes.Node, top: nodes.Node, kinds: tuple) -> bool:
    """Whether a node below ``top`` stands in one of some kinds."""
    while node is not top and node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def link(text: nodes.Text, terms: Terms, uses: dict, docname: str) -> None:
    """Make links of the terms in a piece of text that were not met before."""
    found = terms.first(str(text), uses)
    if found is None:
        return
    hit, term = found
    uses[term] = f"use-{nodes.make_id(term)}"
    xref = addnodes.pending_xref(
        "", nodes.inline("", hit[0]), refdomain="std", reftype="term", reftarget=term
    )
    xref.attributes |= {"refexplicit": True, "refwarn": True, "refdoc": docname}
    mark = nodes.inline("", "", xref, ids=[uses[term]], classes=["first-use"])
    before, after = nodes.Text(text[: hit.start()]), nodes.Text(text[hit.end() :])
    text.parent.replace(text, [before, mark, after])
    link(after, terms, uses, docname)


def list_uses(app, doctree, docname) -> None:
    """On the glossary, below each definition: the chapters that use the term, each a link to the place."""
    if docname != PAGE or app.builder.name != "html":
        return
    titles = {chapter.docname: chapter.title for chapter in chapters.all_chapters()}
    for item in doctree.findall(nodes.definition_list_item):
        names = [term.astext() for term in item.findall(nodes.term)]
        line = nodes.paragraph("", "Used in ", classes=["term-uses"])
        for chapter, title in titles.items():
            anchor = app.env.term_uses.get(chapter, {}).get(names[0])
            if anchor is None:
                continue
            address = f"{app.builder.get_relative_uri(PAGE, chapter)}#{anchor}"
            line += nodes.reference("", title, refuri=address, internal=True)
            line += nodes.Text(", ")
        if len(line) > 1:
            line[-1] = nodes.Text(".")
            next(item.findall(nodes.definition)).append(line)


def setup(app):
    app.connect("builder-inited", lambda app: setattr(app.env, "term_uses", {}))
    app.connect("doctree-read", link_first_uses)
    app.connect("doctree-resolved", list_uses)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
