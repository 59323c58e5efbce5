"""What web servers and search engines ask a site for: a page for wrong addresses, a map, rules for robots."""

from pathlib import Path
from urllib.parse import urlsplit

from markupsafe import escape

PAGE = "404"


def add_page(app) -> None:
    if app.builder.name == "html":
        app.config.html_additional_pages = {PAGE: f"{PAGE}.html"}


def absolute(app, pagename, templatename, context, doctree) -> None:
    """The page for wrong addresses is shown at any depth: its links count from the site's first folder."""
    if pagename == PAGE:
        context["base"] = urlsplit(app.config.html_baseurl).path or "/"
        context["title"] = "No such page"


def site_map(addresses: list[str]) -> str:
    """The map of a site as XML."""
    lines = (f"<url><loc>{escape(address)}</loc></url>" for address in addresses)
    schema = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<urlset xmlns="{schema}">',
            *lines,
            "</urlset>\n",
        ]
    )


def write(app, exception) -> None:
    """Write ``robots.txt``, and the map if the site's address is known: a map has absolute addresses."""
    if exception or app.builder.name != "html":
        return
    robots = "User-agent: *\nAllow: /\n"
    if app.config.html_baseurl:
        base = app.config.html_baseurl.rstrip("/") + "/"
        pages = sorted(app.env.all_docs)
        addresses = [base + app.builder.get_target_uri(name) for name in pages]
        Path(app.outdir, "sitemap.xml").write_text(site_map(addresses), "utf-8")
        robots += f"Sitemap: {base}sitemap.xml\n"
    Path(app.outdir, "robots.txt").write_text(robots, "utf-8")


def setup(app):
    app.connect("builder-inited", add_page)
    app.connect("html-page-context", absolute)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
