"""Serve MathJax from the site itself: copy what tex-chtml needs out of a pinned package."""

import hashlib
from importlib.metadata import distribution
from pathlib import Path

from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset

PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")
# tex-chtml.js of the official npm package mathjax 3.2.2
DIGEST = "0a6ded5abbce13331658dd239f34382abd06492c74b71b61e8caa8112ec55fa5"


def source() -> Path:
    package = distribution("sphinx-mathjax-offline")
    folder = Path(package.locate_file("sphinx-mathjax-offline/static/mathjax"))
    digest = hashlib.sha256((folder / "tex-chtml.js").read_bytes()).hexdigest()
    if digest != DIGEST:
        raise ExtensionError(
            f"MathJax in sphinx-mathjax-offline {package.version} is not the official 3.2.2:"
            f" sha256 of tex-chtml.js is {digest}"
        )
    return folder


def copy_mathjax(app, exception):
    if exception or app.builder.name != "html":
        return
    folder, target = source(), Path(app.outdir, "_static", "mathjax")
    for part in PARTS:
        into = target / part
        into = into.parent if (folder / part).is_file() else into
        into.mkdir(parents=True, exist_ok=True)
        copy_asset(str(folder / part), str(into))


def setup(app):
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
