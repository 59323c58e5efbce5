"""Set every formula when the site is built: a reader's browser receives it finished and runs no script for it.

MathJax does it, the official 3.2.2, in the JavaScript engine of mini-racer. Its script stays here; the site
carries its style sheet and its fonts.
"""

import atexit
import hashlib
import json
import re
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from docutils.nodes import SkipNode
from py_mini_racer import MiniRacer
from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset
from sphinx.util.math import get_node_equation_number

PARTS = (
    "startup.js",
    "core.js",
    "adaptors/liteDOM.js",
    "input/tex-full.js",
    "output/chtml.js",
    "output/chtml/fonts/tex.js",
    "a11y/assistive-mml.js",
)
FONTS = "output/chtml/fonts/woff-v2"
# of the parts, one after another, as they are in the official npm package mathjax 3.2.2
DIGEST = "df103ba25d5054973eea54e1c6c5f6adf29922c39a871a7dcd0c9985ca0075c3"
SETTINGS = {
    "startup": {"typeset": False, "adaptor": "liteAdaptor"},
    "tex": {"packages": {"[-]": ["noundefined", "noerrors"]}},  # errors are errors
    "chtml": {"fontURL": "woff-v2", "adaptiveCSS": False},  # one style for all pages
}
SET = """(tex, display) => MathJax.startup.adaptor.outerHTML(MathJax.tex2chtml(tex, {display}))"""
WIDTH = """tex => {
  const page = MathJax.startup.document;
  const math = new page.options.MathItem(tex, page.inputJax[0], true);
  math.setMetrics(16, 8, 1280, 1e6, 1);
  math.compile(page);
  return page.outputJax.getBBox(math, page).w;
}"""
# MathJax's letters are made for a text whose x is 0.442 em high; another font's is taken from the page.
SIZE = "mjx-container[jax='CHTML'] { font-size: calc(1ex / 0.442); }\n"
STYLE = "mathjax/formulas.css"
FIRST = (
    "MathJax_Main-Regular.woff",
    "MathJax_Math-Italic.woff",
)  # every page needs them
# a group of one letter in the MathML, which says nothing more than the letter
LONE = re.compile(r"<mrow[^<>]*>(<(m[ino])\b[^<>]*>[^<>]*</\2>)</mrow>")

# a gap in the MathML, which nobody hears, where it is not the base of a script
GAP = re.compile(
    r"(<m(?:su[bp]|subsup|under|over|underover|frac|root)\b[^<>]*>)?"
    r"<mstyle[^<>]*><mspace[^<>]*></mspace></mstyle>"
)


def folder() -> Path:
    """Where the pinned package keeps MathJax.

    Raises
    ------
    sphinx.errors.ExtensionError
        If it is not the official one.
    """
    package = distribution("sphinx-mathjax-offline")
    path = Path(package.locate_file("sphinx-mathjax-offline/static/mathjax"))
    digest = hashlib.sha256(
        b"".join((path / p).read_bytes() for p in PARTS)
    ).hexdigest()
    if digest != DIGEST:
        raise ExtensionError(
            f"MathJax in sphinx-mathjax-offline {package.version} is not the official 3.2.2:"
            f" sha256 of its parts is {digest}"
        )
    return path


@cache
def mathjax() -> MiniRacer:
    """MathJax, ready to set formulas."""
    engine, path = MiniRacer(), folder()
    # Left to be collected, it waits at the interpreter's end for a thread that has ended already.
    atexit.register(engine.close)
    engine.eval(f"var global = globalThis, MathJax = {json.dumps(SETTINGS)};")
    engine.eval("MathJax.startup.ready = () => {};")  # its parts come from here
    for part in PARTS:
        engine.eval((path / part).read_text("utf-8"))
    engine.eval("MathJax.startup.getComponents(); MathJax.startup.makeMethods();")
    engine.eval(f"var set = {SET}, width = {WIDTH};")
    return engine


@cache
def chtml(tex: str, display: bool = False) -> str:
    """A formula as html, with MathML for screen readers.

    Raises
    ------
    sphinx.errors.ExtensionError
        If MathJax does not understand it.
    """
    html = mathjax().call("set", tex, display)
    if "data-mjx-error" in html:
        why = html.split('data-mjx-error="', 1)[1].split('"', 1)[0]
        raise ExtensionError(f"MathJax cannot set {tex!r}: {why}")
    html = GAP.sub(lambda gap: gap[0] if gap[1] else "", html)
    return LONE.sub(r"\1", html)


@cache
def width(tex: str) -> float:
    """How wide a display formula is, in em of its own letters."""
    return mathjax().call("width", tex)


def visit_inline(translator, node):
    begin = translator.starttag(node, "span", "", CLASS="math notranslate nohighlight")
    translator.body.append(f"{begin}{chtml(node.astext())}</span>")
    raise SkipNode


def visit_block(translator, node):
    tex = node.astext()
    if r"\\" in tex and not node["nowrap"]:
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    begin = translator.starttag(
        node,
        "div",
        CLASS="math notranslate nohighlight",
        style=f"--w: {width(tex):.2f}",  # book.css sets it smaller on a phone, to fit
    )
    translator.body.append(begin)
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append(chtml(tex, True) + "</div>\n")
    raise SkipNode


def write_style(app) -> None:
    """Before the pages are written: they name the style sheet with its checksum."""
    if app.builder.name != "html":
        return
    target = Path(app.outdir, "_static", STYLE)
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet = "MathJax.startup.adaptor.textContent(MathJax.chtmlStylesheet())"
    target.write_text(mathjax().eval(sheet) + SIZE, "utf-8")
    copy_asset(str(folder() / FONTS), str(target.parent / "woff-v2"))


def link_style(app, pagename, templatename, context, doctree) -> None:
    if app.builder.name == "html" and app.env.get_domain("math").has_equations(
        pagename
    ):
        app.add_css_file(STYLE)
        for font in FIRST:  # on their way before a formula asks for them
            address = context["pathto"](f"_static/mathjax/woff-v2/{font}", 1)
            context["metatags"] = context.get("metatags", "") + (
                f'<link rel="preload" href="{address}" as="font" type="font/woff"'
                " crossorigin />\n"
            )


def setup(app):
    app.add_html_math_renderer("chtml", (visit_inline, None), (visit_block, None))
    app.connect("builder-inited", write_style)
    app.connect("html-page-context", link_style)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
