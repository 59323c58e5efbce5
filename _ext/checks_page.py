"""Tie equations and checks together: marks beside equations, and the list of everything checked."""

from html import escape, unescape

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
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


class MarkChecks(SphinxPostTransform):
    """Link every checked equation to its check and back."""

    default_priority = 400  # after the outputs have been chosen for the builder
    formats = ("html",)

    def run(self, **kwargs) -> None:
        if self.app.builder.name not in ("html", "epub"):
            return
        equations = [
            node
            for node in self.document.findall(nodes.math_block)
            if node.get("label")
        ]
        first = self.link_checks({node["label"]: node["ids"][0] for node in equations})
        for equation in equations:
            if equation["label"] not in first:
                continue
            label, text = escape(equation["label"]), escape(first[equation["label"]])
            mark = (
                f'<a class="check-mark" href="#check-{label}" title="{text}"'
                f' aria-label="Checked by code: {text}">✓</a>'
            )
            wrapper = nodes.container(classes=["checked-equation"])
            place = equation.parent.index(equation)
            equation.parent[place] = wrapper
            wrapper += [equation, nodes.raw("", mark, format="html")]

    def link_checks(self, anchors: dict[str, str]) -> dict[str, str]:
        """Anchor the first check of each label, let each point to its equation; label -> summary."""
        first = {}
        for raw in self.document.findall(nodes.raw):
            text = raw.astext()
            if 'class="check" data-check="' not in text:
                continue
            label = text.split('data-check="', 1)[1].split('"', 1)[0]
            if label not in anchors:
                continue  # tests/book reports a check that names no equation
            if label not in first:
                first[label] = unescape(
                    text.split("</code>", 1)[1].removesuffix("</div>").strip()
                )
                text = text.replace("<div ", f'<div id="check-{label}" ', 1)
            code = f"<code>{label}</code>"
            text = text.replace(code, f'<a href="#{anchors[label]}">{code}</a>', 1)
            raw.children[:] = [nodes.Text(text)]
        return first


def setup(app):
    app.add_directive("verified", Verified)
    app.add_post_transform(MarkChecks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
