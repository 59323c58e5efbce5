"""An EPUB needs no script: equations are MathML, explorers are their pictures, solutions stand at the chapter's end."""

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from cover import cover
from docutils import nodes
from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number

COVER = "_static/cover.png"
STYLES = ("pygments.css", "epub.css")
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


def solutions_last(app, doctree, docname) -> None:
    """Move solutions to the end of their chapter, as no reader folds them, with links there and back."""
    if app.builder.name != "epub":
        return
    found = [e for e in doctree.findall(nodes.Element) if "solution" in classes(e)]
    found = [e for e in found if e.parent is not None and e["ids"]]
    if not found:
        return
    exercises = {e["ids"][0]: e for e in doctree.findall(nodes.Element) if e.get("ids")}
    heading = nodes.raw("", "<h2>Solutions</h2>\n", format="html")  # without a number
    last = nodes.section("", heading, ids=["solutions"])
    for solution in found:
        back = next(
            solution.findall(nodes.reference)
        )  # its title leads to the exercise
        link = nodes.reference("", "Solution", refid=solution["ids"][0], internal=True)
        exercise = back.get("refid") or back["refuri"].split("#")[1]
        exercises[exercise] += nodes.paragraph("", "", link)
        solution.parent.remove(solution)
        last += solution
    next(doctree.findall(nodes.section)).append(last)


def classes(element) -> list[str]:
    return element.get("classes", [])


def draw_cover(app) -> None:
    if app.builder.name == "epub":
        path = Path(app.outdir, COVER)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cover())
        app.config.epub_cover = (COVER, "epub-cover.html")


def leave_scripts_out(app) -> None:
    if app.builder.name == "epub":
        static = Path(app.srcdir, "_static")
        scripts = [*static.rglob("*.mjs"), *static.rglob("*.js")]
        # Readers' parsers are older than :has() and color-mix(), and epubcheck refuses both.
        styles = [*static.glob("*.css")]
        names = [p.relative_to(app.srcdir).as_posix() for p in (*scripts, *styles)]
        app.config.epub_exclude_files = [*app.config.epub_exclude_files, *names]


def keep_own_styles(app, pagename, templatename, context, doctree) -> None:
    """Link only style sheets that are in the EPUB; extensions copy theirs for html alone."""
    if app.builder.name == "epub":
        sheets = context["css_files"]
        context["css_files"] = [s for s in sheets if str(s.filename).endswith(STYLES)]


def valid(name: str, text: str, identifier: str) -> str:
    """A file of the EPUB as the standard wants it, where themes and Sphinx do not care."""
    if name.endswith(".xhtml"):
        # no list in a paragraph
        return re.sub(r"<p>(<ul.*?</ul>)\s*</p>", r"\1", text, flags=re.DOTALL)
    if name.endswith("toc.ncx"):
        return text.replace('content="BookId"', f'content="{identifier}"')
    if name.endswith(".opf"):  # nobody is called unknown
        text = re.sub(r"\s*<dc:contributor>unknown</dc:contributor>", "", text)
        return text.replace(
            f'href="{COVER}"', f'href="{COVER}" properties="cover-image"'
        )
    return text


def repair(app, exception) -> None:
    """Write the finished EPUB once more, valid."""
    if exception or app.builder.name != "epub":
        return
    path = Path(app.outdir, f"{app.config.epub_basename}.epub")
    with zipfile.ZipFile(path) as book:
        files = {item: book.read(item) for item in book.namelist()}
    for name in files:
        if name.endswith((".xhtml", ".ncx", ".opf")):
            text = valid(name, files[name].decode(), app.config.epub_identifier)
            files[name] = text.encode()
    (opf,) = (name for name in files if name.endswith(".opf"))
    text = files[opf].decode()
    for name, content in files.items():
        if b"<math" in content:
            text = text.replace(f'href="{name}"', f'href="{name}" properties="mathml"')
    files[opf] = text.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in files.items():  # the mimetype comes first, uncompressed
            kind = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            book.writestr(name, content, kind)


def setup(app):
    app.connect("build-finished", repair)
    app.connect("builder-inited", leave_scripts_out, priority=100)
    app.connect("builder-inited", draw_cover)
    app.connect("doctree-resolved", solutions_last)
    app.connect("html-page-context", keep_own_styles, priority=900)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    # Sphinx looks for <builder>_math_renderer before html_math_renderer.
    app.add_config_value("epub_math_renderer", "mathml", "env")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
