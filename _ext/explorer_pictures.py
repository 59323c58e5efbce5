"""Put an explorer's static picture inside its element, for readers without JavaScript.

On a page that is no notebook, ``{explorer} slug`` with ``:picture:`` and ``:alt:`` does the same.
"""

import json
from html import escape
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from utils.explorers import read_repr


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
    """Put the stored picture of an explorer into the element that the loader brings alive."""

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
            plain, png = by_mime.get("text/plain"), by_mime.get("image/png")
            stored = read_repr(plain.astext()) if plain is not None else None
            if stored is None or png is None:
                continue
            slug, params = stored
            data = escape(json.dumps(params, sort_keys=True))
            opening = (
                f'<div class="explorer" data-explorer="{slug}" data-params="{data}">'
            )
            raw = [nodes.raw("", text, format="html") for text in (opening, "</div>")]
            bundle.replace_self([raw[0], *png.findall(nodes.image), raw[1]])


def setup(app):
    app.add_directive("explorer", ExplorerDirective)
    app.add_post_transform(ExplorerPictures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
