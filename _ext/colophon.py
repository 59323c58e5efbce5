"""Who wrote the book, under which licences it comes, and how to cite it: the foot of every page, and ``{notices}``."""

import re
from importlib.metadata import distribution
from typing import NamedTuple

from docutils import nodes
from markupsafe import Markup
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

import chapters

TITLE = "Random Walks to Reasoning"
SUBTITLE = "executable notes"
AUTHORS = f"The authors of {TITLE}"
YEAR = "2026"
LICENCE, LICENCE_URL = "CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"
RIGHTS = (
    f"© {YEAR} {AUTHORS}. Text and figures: {LICENCE}, {LICENCE_URL}. Code: MIT. "
    "Third-party parts keep their own licences."
)


class Part(NamedTuple):
    """Something in the published book that others made."""

    name: str
    use: str
    holder: str
    licence: str


PARTS = (
    Part(
        "MathJax 3.2.2, fonts and style sheet",
        "formulas of the site and the PDF",
        "The MathJax Consortium",
        "Apache-2.0",
    ),
    Part(
        "Font Awesome Free 6",
        "icons of the site: fonts, style sheet",
        "Fonticons, Inc.",
        "OFL-1.1",
    ),
    Part("Bootstrap 5", "menus of the site", "The Bootstrap Authors", "MIT"),
    Part("Popper 2", "menus of the site", "Federico Zivolo and contributors", "MIT"),
    Part("clipboard.js 2", "copy buttons of the site", "Zeno Rocha", "MIT"),
    Part("sphinx-copybutton", "copy buttons of the site", "Chris Holdgraf", "MIT"),
    Part("sphinx-togglebutton", "folded blocks of the site", "Chris Holdgraf", "MIT"),
    Part("sphinx-design", "style sheet of the site", "Chris Sewell", "MIT"),
    Part(
        "sphinx-exercise, sphinx-proof",
        "style sheets of the site",
        "ExecutableBookProject",
        "MIT",
    ),
    Part(
        "sphinx-book-theme",
        "layout of the site",
        "Chris Holdgraf",
        "BSD-3-Clause",
    ),
    Part("pydata-sphinx-theme", "layout of the site", "pandas", "BSD-3-Clause"),
    Part(
        "MyST-NB",
        "style sheet of the site",
        "ExecutableBookProject",
        "BSD-3-Clause",
    ),
    Part("Sphinx 7", "search; style sheet of the EPUB", "the Sphinx team", "BSD-2"),
    Part("Pygments", "colours of code", "the Pygments authors", "BSD-2"),
)
# Which file of an installed package carries the text of each licence, and the text's first and last words.
TEXTS = {
    "Apache-2.0": (
        "packaging",
        "LICENSE.APACHE",
        "Apache License",
        "END OF TERMS AND CONDITIONS",
    ),
    "OFL-1.1": (
        "fonttools",
        "LICENSE.external",
        "SIL OPEN FONT LICENSE",
        "IN THE FONT SOFTWARE.",
    ),
    "MIT": ("sphinx-exercise", "LICENSE", "Permission is hereby", "SOFTWARE."),
    "BSD-3-Clause": (
        "pydata-sphinx-theme",
        "LICENSE",
        "Redistribution and use",
        "SUCH DAMAGE.",
    ),
    "BSD-2": ("Sphinx", "LICENSE.rst", "Redistribution and use", "SUCH DAMAGE."),
}


def licence_text(licence: str) -> str:
    """The words of a licence.

    Raises
    ------
    sphinx.errors.ExtensionError
        If the package that carries them does not any more.
    """
    package, name, first, last = TEXTS[licence]
    for file in distribution(package).files or ():
        if file.name == name and "dist-info" in file.parts[0]:
            text = file.locate().read_text("utf-8")
            found = re.search(
                f"{re.escape(first)}.*?{re.escape(last)}", text, re.DOTALL
            )
            if found:
                return found[0]
    raise ExtensionError(f"{package} has no {name} with the text of {licence}")


class Notices(SphinxDirective):
    """A table of the third-party parts, and below it the texts of their licences."""

    def run(self) -> list[nodes.Node]:
        table = nodes.table(classes=["notices"])
        group = nodes.tgroup(cols=4)
        table += group
        group += [nodes.colspec(colwidth=w) for w in (30, 30, 25, 15)]
        head, body = nodes.thead(), nodes.tbody()
        group += [head, body]
        head += row("What", "Where", "Copyright", "Licence")
        for part in PARTS:
            body += row(*part)
        found = [table]
        for licence in TEXTS:
            text = re.sub(r"[ \t]+$", "", licence_text(licence), flags=re.MULTILINE)
            found += [
                nodes.rubric("", licence),
                nodes.literal_block(text.strip(), text.strip(), language="none"),
            ]
        return found


def row(*words: str) -> nodes.row:
    entries = (nodes.entry("", nodes.paragraph("", text)) for text in words)
    return nodes.row("", *entries)


def bibtex(key: str, title: str = "", url: str = "") -> str:
    """An entry for the book, or for the chapter of this title."""
    book = f"{TITLE}: {SUBTITLE}"
    fields = {"author": f"{{{AUTHORS}}}"}
    fields |= {"title": title, "booktitle": book} if title else {"title": book}
    fields |= {"year": YEAR} | ({"url": url} if url else {})
    lines = (f"  {name} = {{{value}}}," for name, value in fields.items())
    return "\n".join([f"@{'incollection' if title else 'book'}{{{key},", *lines, "}"])


def cite(app, pagename, templatename, context, doctree) -> None:
    """What the foot of a page says."""
    titles = {c.docname: c.title for c in chapters.all_chapters()}
    title, base = titles.get(pagename, ""), app.config.html_baseurl
    key = (
        f"{pagename.rsplit('/', 1)[-1]}_{YEAR}"
        if title
        else f"random_walks_to_reasoning_{YEAR}"
    )
    url = context.get("pageurl") if title else base
    context["colophon"] = {
        "what": "chapter" if title else "book",
        "bibtex": bibtex(key, title, url or ""),
        "authors": AUTHORS,
        "year": YEAR,
        "licence": LICENCE,
        "licence_url": Markup(LICENCE_URL),
    }


def setup(app):
    app.add_directive("notices", Notices)
    app.connect("html-page-context", cite)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
