"""An EPUB needs no script: equations are MathML, explorers are their pictures."""

import re
from pathlib import Path
from xml.etree import ElementTree

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number

STYLES = ("pygments.css", "epub.css", "book.css")
DOUBLE_STRUCK = {"E": "𝔼", "N": "ℕ", "P": "ℙ", "R": "ℝ", "Z": "ℤ"}


def mathml(tex: str, display: str = "inline") -> str:
    """TeX as MathML.

    Raises
    ------
    sphinx.errors.ExtensionError
        If the converter does not understand the formula, or its result is not well-formed.
    """
    # What the converter does not know: the inner form of align, and letters of the blackboard.
    known = tex.replace("{aligned}", "{split}")
    known = re.sub(r"\\mathbb\s*\{?([ENPRZ])\}?", lambda m: DOUBLE_STRUCK[m[1]], known)
    # f''^2 is one superscript to TeX and two to the converter
    known = re.sub(
        r"('+)\^(\{[^{}]*\}|\w)",
        lambda m: "^{" + r"\prime" * len(m[1]) + " " + m[2].strip("{}") + "}",
        known,
    )
    if r"\\" in known and r"\begin" not in known:
        known = rf"\begin{{split}}{known}\end{{split}}"
    try:
        result = convert(known, display=display)
        ElementTree.fromstring(result)
    except Exception as error:  # the converter has a zoo of its own
        raise ExtensionError(f"no MathML for {tex!r}: {error!r}") from error
    return result


def visit_inline(translator, node):
    translator.body.append(mathml(node.astext()))
    raise SkipNode


def visit_block(translator, node):
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})</span>')
    translator.body.append(mathml(node.astext(), display="block") + "</div>\n")
    raise SkipNode


def leave_scripts_out(app) -> None:
    if app.builder.name == "epub":
        static = Path(app.srcdir, "_static")
        scripts = [*static.rglob("*.mjs"), *static.rglob("*.js")]
        names = [path.relative_to(app.srcdir).as_posix() for path in scripts]
        app.config.epub_exclude_files = [*app.config.epub_exclude_files, *names]


def keep_own_styles(app, pagename, templatename, context, doctree) -> None:
    """Link only style sheets that are in the EPUB; extensions copy theirs for html alone."""
    if app.builder.name == "epub":
        sheets = context["css_files"]
        context["css_files"] = [s for s in sheets if str(s.filename).endswith(STYLES)]


def setup(app):
    app.connect("builder-inited", leave_scripts_out, priority=100)
    app.connect("html-page-context", keep_own_styles, priority=900)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    # Sphinx looks for <builder>_math_renderer before html_math_renderer.
    app.add_config_value("epub_math_renderer", "mathml", "env")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
