"""The overview of the kernels says by itself which chapters use each module; its entry in the contents unfolds."""

from docutils import nodes
from sphinx import addnodes

import chapters

PAGE = "api"


def name_chapters(app, doctree) -> None:
    """Add the numbers of its chapters to the line of each module, as links."""
    if app.env.docname != PAGE:
        return
    known = chapters.all_chapters()
    for chapter in known:
        app.env.note_dependency(str(chapter.path))
    for line in doctree.findall(nodes.list_item):
        module = next(line.findall(addnodes.pending_xref)).astext()
        users = [chapter for chapter in known if module in chapter.modules]
        line.children[-1] += used_in(users, known)


def used_in(users: list, known: list) -> list[nodes.Node]:
    """The sentence that names the chapters, out of all that there are."""
    if len(users) == len(known):
        return [nodes.Text(" All chapters.")]
    if not users:
        return [nodes.Text(" Used by other modules.")]
    words = [nodes.Text(" Chapter " if len(users) == 1 else " Chapters ")]
    for chapter in users:
        link = addnodes.pending_xref(
            "",
            nodes.inline("", str(known.index(chapter) + 1)),
            refdomain="std",
            reftype="doc",
            reftarget=f"/{chapter.docname}",
            refdoc=PAGE,
            refexplicit=True,
            refwarn=True,
        )
        words += [link, nodes.Text(", ")]
    return [*words[:-1], nodes.Text(".")]


def name_folds(app, pagename, templatename, context, doctree) -> None:
    """Give a name to what unfolds an entry of the contents: the theme shows an arrow and no word."""
    contents = context.get("generate_toctree_html")
    if contents is None:
        return

    def named(*args, **options):
        soup = contents(*args, **options)
        for fold in soup.select("summary") if hasattr(soup, "select") else ():
            entry = fold.find_parent("li").find("a")
            fold["aria-label"] = f"Pages below {entry.get_text(strip=True)}"
        return soup

    context["generate_toctree_html"] = named


def setup(app):
    app.connect("doctree-read", name_chapters)
    app.connect("html-page-context", name_folds, priority=900)  # after the theme
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
