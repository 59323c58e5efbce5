"""``{finding}``: what checking found in the literature, in a post or in common belief; ``{findings}`` lists all.

In a chapter, as a block of its own in a text cell, readable also where nobody knows the directive::

    :::{finding} The misprint of a constant
    :kind: literature
    :evidence: eq-random_walks-polya

    One or two sentences: what is said there, and what is right.
    :::
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

import chapters

KINDS = {
    "literature": "In papers, books and programs",
    "post": "In the posts",
    "common belief": "In common belief",
}
BLOCK = re.compile(
    r"^:::\{finding\} (?P<title>.+)\n(?P<options>(?::.+\n)+)\n(?P<text>(?s:.+?))\n:::$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Finding:
    title: str
    kind: str
    evidence: tuple[str, ...]
    text: str

    @property
    def anchor(self) -> str:
        return f"finding-{nodes.make_id(self.title)}"


def read(chapter: chapters.Chapter) -> Iterator[Finding]:
    """The findings of a chapter, in reading order."""
    for block in BLOCK.finditer(chapter.markdown):
        options = dict(re.findall(r"^:(\w+): *(.*)$", block["options"], re.MULTILINE))
        yield Finding(
            block["title"],
            options.get("kind", ""),
            tuple(options.get("evidence", "").split()),
            " ".join(block["text"].split()),
        )


def wrong(chapter: chapters.Chapter) -> Iterator[str]:
    """What is wrong with the findings of a chapter, in words."""
    written = len(re.findall(r"^:+\{finding\}", chapter.markdown, re.MULTILINE))
    found = list(read(chapter))
    if written != len(found):
        yield f"{written} findings are begun and {len(found)} are of the form that _ext/findings.py shows"
    checked = {evidence["label"] for evidence in chapter.evidence}
    for finding in found:
        if finding.kind not in KINDS:
            yield f"finding {finding.title!r}: kind must be one of {', '.join(KINDS)}, got {finding.kind!r}"
        if not finding.evidence:
            yield f"finding {finding.title!r} names no evidence"
        for label in finding.evidence:
            if label not in checked:
                yield f"finding {finding.title!r}: evidence {label} has no check in the chapter"


def eq(labels: tuple[str, ...]) -> str:
    return ", ".join(f"{{eq}}`{label}`" for label in labels)


class FindingDirective(SphinxDirective):
    """A quiet box in the chapter."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar = {
        "kind": lambda text: directives.choice(text, tuple(KINDS)),
        "evidence": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        title, kind = self.arguments[0], self.options["kind"]
        evidence = tuple(self.options["evidence"].split())
        lines = [
            f"**{title}.** {' '.join(self.content)}",
            f"Checked by {eq(evidence)}; {{doc}}`all findings </findings>`",
        ]
        anchor = Finding(title, kind, evidence, "").anchor
        self.env.get_domain("std").note_hyperlink_target(
            anchor, self.env.docname, anchor, title
        )
        box = nodes.container(ids=[anchor], classes=["finding"])
        box += nodes.paragraph("", f"Finding · {kind}", classes=["finding-kind"])
        box += self.parse_text_to_nodes("\n\n".join(lines))
        return [box]


class FindingsDirective(SphinxDirective):
    """All findings of the book, by kind, one item each."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(
            "\n".join(self.lines()), allow_section_headings=True
        )

    def lines(self) -> Iterator[str]:
        book = chapters.all_chapters()
        for chapter in book:
            self.env.note_dependency(str(chapter.path))
        found = [(chapter, finding) for chapter in book for finding in read(chapter)]
        yield f"{len(found)} so far."
        for kind, heading in KINDS.items():
            yield f"\n## {heading}\n"
            for chapter, finding in found:
                if finding.kind == kind:
                    yield (
                        f"- {{ref}}`{finding.title} <{finding.anchor}>`. {finding.text}"
                        f" Checked by {eq(finding.evidence)} in {{doc}}`/{chapter.docname}`."
                    )


def setup(app):
    app.add_directive("finding", FindingDirective)
    app.add_directive("findings", FindingsDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
