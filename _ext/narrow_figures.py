"""Let the browser pick: a figure stored in two widths (``utils.plotting.two_widths``) becomes a ``picture``."""

import struct
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

import chapters

FOLDER = "_images"
PHONE = "(max-width: 600px)"


class NarrowFigures(SphinxPostTransform):
    """Offer the narrow version beside the wide one, which MyST-NB has named by its sha256."""

    default_priority = 600  # the images are there
    formats = ("html",)

    def run(self, **kwargs) -> None:
        path = Path(self.env.doc2path(self.env.docname))
        if self.app.builder.name != "html" or path.suffix != ".ipynb":
            return
        narrow = chapters.Chapter(path).narrow_figures
        for image in list(self.document.findall(nodes.image)):
            png = narrow.get(Path(image["uri"]).stem)
            if png is None:
                continue
            name = f"{Path(image['uri']).stem}-narrow.png"
            target = Path(self.app.outdir, FOLDER, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(png)
            width, height = struct.unpack(">II", png[16:24])
            root = "../" * self.env.docname.count("/")
            source = (
                f'<source media="{PHONE}" srcset="{root}{FOLDER}/{name}"'
                f' width="{width}" height="{height}">'
            )
            image.replace_self(
                [
                    nodes.raw("", f"<picture>{source}", format="html"),
                    image.deepcopy(),
                    nodes.raw("", "</picture>", format="html"),
                ]
            )


def setup(app):
    app.add_post_transform(NarrowFigures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
