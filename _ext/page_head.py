"""The head of each page: scripts that wait, what it may load, social preview; and in its text: pictures that
load late, unique ids, formulas that keep their punctuation.
"""

import re
from pathlib import Path

from docutils import nodes
from markupsafe import Markup, escape
from PIL import Image, ImageDraw

import chapters

# documentation_options.js stays as it is: an inline script of the theme reads it at once.
BLOCKING_BY_NEED = ("documentation_options.js",)
# Everything a page loads comes from the site. Inline are scripts and styles of the theme.
POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'"
)
TITLES = {"search": "Search", "404": "No such page"}
OWN_WORDS = {
    "search": "Search the chapters, kernels and equations of {}.",
    "404": "There is no page at this address. {} has a table of contents and a search.",
}

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


def describe(app, pagename, templatename, context, doctree) -> str:
    """What a page says of itself; those without text of their own are described here."""
    if pagename in OWN_WORDS:
        return OWN_WORDS[pagename].format(app.config.project)
    metas = doctree.findall(nodes.meta) if doctree else ()
    said = (meta["content"] for meta in metas if meta.get("name") == "description")
    return next(said, "")


def head(app, pagename, templatename, context, doctree) -> None:
    """Add what the page may load, its colours and the tags of Open Graph and of cards.

    A card's picture needs an absolute address: there is one if the site's is known.
    """
    if app.builder.name != "html":
        return
    title = TITLES.get(pagename, context.get("title", app.config.project))
    text = describe(app, pagename, templatename, context, doctree)
    properties = {
        "og:type": "article",
        "og:site_name": app.config.project,
        "og:title": Markup(title).striptags(),  # a numbered title has markup
        "og:description": text,
    }
    if context.get("pageurl"):
        properties["og:url"] = context["pageurl"]
    if app.config.html_baseurl:
        slugs = {c.docname: c.slug for c in chapters.all_chapters()}
        slug = slugs.get(pagename)
        picture = f"_static/posters/{slug}.png" if slug else "_static/home.png"
        properties["og:image"] = f"{app.config.html_baseurl.rstrip('/')}/{picture}"
    large = "og:image" in properties
    named = {"twitter:card": "summary_large_image" if large else "summary"}
    if pagename in OWN_WORDS:
        named["description"] = text
    tags = [
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />',
        *(
            f'<meta name="theme-color" content="{colour}"'
            f' media="(prefers-color-scheme: {scheme})" />'
            for scheme, colour in (("light", "#ffffff"), ("dark", "#14181e"))
        ),
        *(
            f'<meta {kind}="{key}" content="{escape(value)}" />'
            for kind, values in (("property", properties), ("name", named))
            for key, value in values.items()
            if value
        ),
    ]
    # The theme brings a viewport of its own.
    rest = re.sub(r'<meta [^>]*name="viewport"[^>]*>', "", context.get("metatags", ""))
    context["metatags"] = "\n".join([*tags, rest])


def icons(app, exception) -> None:
    """Draw favicon.svg's walk once more: browsers ask for /favicon.ico whatever a page says, telephones for a square."""
    if exception or app.builder.name != "html":
        return
    heights = (44, 36, 44, 28, 20, 28, 20, 12)
    walk = [(x, y) for i, y in enumerate(heights) for x in (8 + 6 * i, 14 + 6 * i)]
    for name, corner, sizes in (
        ("favicon.ico", 48, {"sizes": [(32, 32)]}),
        ("apple-touch-icon.png", 0, {}),  # its corners are cut by the telephone
    ):
        image = Image.new("RGBA", (256, 256))
        pen = ImageDraw.Draw(image)
        pen.rounded_rectangle((0, 0, 255, 255), corner, "#0072B2")
        pen.line([(4 * x, 4 * y) for x, y in walk], "white", 20, joint="curve")
        if not sizes:
            image = image.resize((180, 180)).convert("RGB")
        image.save(Path(app.outdir, name), **sizes)


def setup(app):
    app.connect("html-page-context", defer_scripts, priority=900)
    app.connect("html-page-context", leave_out_files, priority=900)
    app.connect("html-page-context", head)
    app.connect("doctree-resolved", lazy_images)
    app.connect("doctree-resolved", unique_ids)
    app.connect("doctree-resolved", keep_punctuation)
    app.connect("build-finished", icons)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
