"""The page that lists everything that is checked; what a chapter shows of it is made by ``evidence.py``."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import chapters
from utils.checks import Evidence


class Verified(SphinxDirective):
    """``{verified}``: every equation of every chapter with the checks that were run on it."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(
            "\n".join(self.lines()), allow_section_headings=True
        )

    def lines(self):
        book = chapters.all_chapters()
        for chapter in book:
            self.env.note_dependency(str(chapter.path))
        evidence = [item for chapter in book for item in chapter.evidence]
        claims = sum(len(chapter.claims) for chapter in book)
        facing = {item["label"] for item in evidence if item["rivals"]}
        yield f"{claims} equations, {len(evidence)} checks; {len(facing)} equations face a rival."
        for chapter in book:
            yield f"\n## {chapter.title}\n"
            for label, tex in chapter.claims:
                yield f":::{{div}} verified\n$$\n{tex}\n$$\n"
                yield f"{{eq}}`{label}` in {{doc}}`/{chapter.docname}`, `{label}`\n"
                for item in chapter.evidence_for(label):
                    yield f"- {Evidence(**item).summary}"
                yield ":::\n"


def setup(app):
    app.add_directive("verified", Verified)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
