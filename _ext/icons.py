"""The icons that the site shows as a font of their own: the theme's holds two thousand and weighs 156 KB.

A browser takes an icon that is not in this one from the theme's font; ``tests/site`` says so when that happens.
"""

import re
from pathlib import Path

import pydata_sphinx_theme
from fontTools import subset
from sphinx.errors import ExtensionError

NAMES = [
    "angle-left",
    "angle-right",
    "arrow-up",
    "bars",
    "chevron-down",
    "circle-half-stroke",
    "compress",
    "download",
    "expand",
    "file",
    "file-code",
    "file-pdf",
    "lightbulb",
    "list",
    "magnifying-glass",
    "moon",
    "pencil",
    "rocket",
    "sun",
]
STATIC = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
FONT = STATIC / "vendor/fontawesome/webfonts/fa-solid-900.ttf"
SHEET = "icons/icons.css"
FACE = """@font-face {
  font-family: "Font Awesome 6 Free"; font-style: normal; font-weight: 900; font-display: block;
  src: url("icons.woff") format("woff");
}
"""


def codes() -> set[int]:
    """The code points of the named icons, and of those that the theme puts before its admonitions."""
    css = (STATIC / "styles/pydata-sphinx-theme.css").read_text("utf-8")
    found = set(map(ord, re.findall(r'--pst-icon-[\w-]+:"(.)"', css)))
    for name in NAMES:
        shown = re.search(rf'\.fa-{name}:before[^{{}}]*{{content:"\\(\w+)', css)
        if shown is None:
            raise ExtensionError(
                f"the theme has no icon {name!r}: see NAMES in icons.py"
            )
        found.add(int(shown[1], 16))
    return found


def write_icons(app) -> None:
    """Before the pages are written: they name the style sheet with its checksum."""
    if app.builder.name != "html":
        return
    folder = Path(app.outdir, "_static", SHEET).parent
    folder.mkdir(parents=True, exist_ok=True)
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    font = subset.load_font(str(FONT), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=codes())
    subsetter.subset(font)
    subset.save_font(font, str(folder / "icons.woff"), options)
    Path(app.outdir, "_static", SHEET).write_text(FACE, "utf-8")
    app.add_css_file(SHEET)


def setup(app):
    app.connect("builder-inited", write_icons)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
