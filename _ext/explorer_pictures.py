"""Put an explorer's static picture inside its element, for readers without JavaScript.

On a page that is no notebook, ``{explorer} slug`` with ``:picture:`` and ``:alt:`` does the same.
"""

from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective


class ExplorerDirective(SphinxDirective):
    required_arguments = 1
    option_spec: ClassVar = {
        "picture": directives.uri,
        "alt": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        image = nodes.image(uri=self.options["picture"], alt=self.options["alt"])
        opening = f'<div class="explorer" data-explorer="{self.arguments[0]}">'
        return [
            nodes.raw("", opening, format="html"),
            image,
            nodes.raw("", "</div>", format="html"),
        ]


class ExplorerPictures(SphinxPostTransform):
    """Replace the stored alt text of an explorer by its stored picture, which carries that text."""

    default_priority = (
        3  # just before myst-nb keeps one output of each bundle and drops the rest
    )
    formats = ("html",)

    def run(self, **kwargs) -> None:
        if self.app.builder.name != "html":
            return
        for bundle in list(self.document.findall(nodes.container)):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            by_mime = {child["mime_type"]: child for child in bundle.children}
            html, png = by_mime.get("text/html"), by_mime.get("image/png")
            if html is None or png is None or "data-explorer=" not in html.astext():
                continue
            opening, rest = html.astext().split("<p>", 1)
            alt, closing = rest.split("</p>", 1)
            image = next(iter(png.findall(nodes.image)))
            image["alt"] = alt
            raw = [nodes.raw("", text, format="html") for text in (opening, closing)]
            bundle.replace_self([raw[0], image, raw[1]])


def setup(app):
    app.add_directive("explorer", ExplorerDirective)
    app.add_post_transform(ExplorerPictures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
