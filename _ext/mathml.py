"""Equations of the EPUB as MathML, which EPUB 3 readers set without a script."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number


def visit_inline(translator, node):
    translator.body.append(convert(node.astext()))
    raise SkipNode


def visit_block(translator, node):
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})</span>')
    tex = node.astext()
    if r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    translator.body.append(convert(tex, display="block") + "</div>\n")
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    # Sphinx looks for <builder>_math_renderer before html_math_renderer.
    app.add_config_value("epub_math_renderer", "mathml", "env")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
