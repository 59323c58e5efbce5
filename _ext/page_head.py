"""The head of each page: scripts that wait, social preview; and in its text: pictures that load late,
unique ids, formulas that keep their punctuation.
"""

import re
from pathlib import Path

from docutils import nodes
from markupsafe import Markup, escape
from PIL import Image, ImageDraw

import chapters

# documentation_options.js stays as it is: an inline script of the theme reads it at once.
BLOCKING_BY_NEED = ("documentation_options.js",)

# of sphinx-design the book takes the directive div, which needs neither style nor script
UNNEEDED = ("sphinx-design.min.css", "design-tabs.js")


def leave_out_files(app, pagename, templatename, context, doctree) -> None:
    """Load no style sheet and no script that no page uses."""
    for key in ("css_files", "script_files"):
        context[key] = [
            file
            for file in context.get(key, ())
            if not str(getattr(file, "filename", "")).endswith(UNNEEDED)
        ]


def defer_scripts(app, pagename, templatename, context, doctree) -> None:
    """Let scripts wait for the page; the search page's own inline scripts cannot wait for them."""
    for script in context.get("script_files", ()):
        name = getattr(script, "filename", None)
        if not name or str(name).endswith(BLOCKING_BY_NEED):
            continue
        if pagename == "search":
            script.attributes.pop("defer", None)  # the objects are shared by all pages
        else:
            script.attributes["defer"] = "defer"


def lazy_images(app, doctree, docname) -> None:
    """Load all pictures but the page's first one when they come into view."""
    if app.builder.name == "html":
        for image in list(doctree.findall(nodes.image))[1:]:
            image["loading"] = "lazy"


def unique_ids(app, doctree, docname) -> None:
    """Drop the ids that sphinx-exercise and sphinx-proof give to the content of every block alike."""
    for section in doctree.findall(nodes.section):
        section["ids"] = [
            name for name in section["ids"] if not name.endswith("-content")
        ]


def keep_punctuation(app, doctree, docname) -> None:
    """Tie a formula in the text to what touches it: a line must not begin with its full stop."""
    if app.builder.name != "html":
        return
    for math in list(doctree.findall(nodes.math)):
        home, i = math.parent, math.parent.index(math)
        before, after = (
            str(home[k])
            if 0 <= k < len(home) and isinstance(home[k], nodes.Text)
            else ""
            for k in (i - 1, i + 1)
        )
        left, right = re.search(r"\S*$", before)[0], re.match(r"\S*", after)[0]
        if not left + right:
            continue
        tied = [nodes.Text(left), math.deepcopy(), nodes.Text(right)]
        home[i] = nodes.inline("", "", *tied, classes=["tied"])
        if right:
            home[i + 1] = nodes.Text(after.removeprefix(right))
        if left:
            home[i - 1] = nodes.Text(before.removesuffix(left))


def describe_search(app, pagename, templatename, context, doctree) -> None:
    """Add a description to the search page; the others bring one of their own."""
    if pagename == "search":
        text = f"Search the chapters, kernels and equations of {app.config.project}."
        tag = f'<meta name="description" content="{escape(text)}" />\n'
        context["metatags"] = context.get("metatags", "") + tag


def social_preview(app, pagename, templatename, context, doctree) -> None:
    """Add Open Graph tags; the picture needs an absolute address, so the site's must be known."""
    tags = {"og:type": "article", "og:site_name": app.config.project}
    title = (
        "Search" if pagename == "search" else context.get("title", app.config.project)
    )
    tags["og:title"] = Markup(title).striptags()  # a numbered title has markup
    if context.get("pageurl"):
        tags["og:url"] = context["pageurl"]
    for chapter in chapters.all_chapters():
        if chapter.docname == pagename and app.config.html_baseurl:
            base = app.config.html_baseurl.rstrip("/")
            tags["og:image"] = f"{base}/_static/posters/{chapter.slug}.png"
    lines = (
        f'<meta property="{key}" content="{escape(value)}" />'
        for key, value in tags.items()
    )
    context["metatags"] = context.get("metatags", "") + "\n".join(lines)


def favicon_ico(app, exception) -> None:
    """Draw favicon.svg's walk once more: browsers ask for /favicon.ico whatever a page says."""
    if exception or app.builder.name != "html":
        return
    heights = (44, 36, 44, 28, 20, 28, 20, 12)
    walk = [(x, y) for i, y in enumerate(heights) for x in (8 + 6 * i, 14 + 6 * i)]
    image = Image.new("RGBA", (256, 256))
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((0, 0, 255, 255), 48, "#0072B2")
    pen.line([(4 * x, 4 * y) for x, y in walk], "white", 20, joint="curve")
    image.save(Path(app.outdir, "favicon.ico"), sizes=[(32, 32)])


def setup(app):
    app.connect("html-page-context", defer_scripts, priority=900)
    app.connect("html-page-context", leave_out_files, priority=900)
    app.connect("html-page-context", describe_search)
    app.connect("html-page-context", social_preview)
    app.connect("doctree-resolved", lazy_images)
    app.connect("doctree-resolved", unique_ids)
    app.connect("doctree-resolved", keep_punctuation)
    app.connect("build-finished", favicon_ico)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
