"""Every page of the built site, as a reader meets it."""

import page_rules
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT, SITE

PAGES = [
    path.relative_to(SITE).as_posix()
    for path in sorted(SITE.rglob("*.html"))
    if "_static" not in path.parts
]
MADE_BY_SPHINX = ("prf-prf.html",)
CHAPTER = "chapters/foundations/random_walks.html"


@pytest.mark.parametrize("path", PAGES)
def test_page_obeys_the_rules(open_page, path):
    assert page_rules.problems(open_page(path)) == []


def test_links_resolve_and_nothing_comes_from_elsewhere(site):
    assert page_rules.links(site) == []


@pytest.mark.parametrize("path", [page for page in PAGES if page not in MADE_BY_SPHINX])
def test_page_describes_itself(site, path):
    head, _ = (site / path).read_text("utf-8").split("</head>")
    head = BeautifulSoup(head, "html.parser").head
    description = head.select_one('meta[name="description"]')["content"]
    assert 50 <= len(description) <= 200
    title = head.select_one('meta[property="og:title"]')["content"]
    assert title
    assert head.title.text.startswith(title), "the preview's title is the page's"
    shared = head.select_one('meta[property="og:description"]')["content"]
    assert shared == description
    assert head.select_one('meta[name="twitter:card"]')
    assert len(head.select('meta[name="theme-color"]')) == 2
    assert len(head.select('meta[name="viewport"]')) == 1
    icon = head.select_one('link[rel="apple-touch-icon"]')["href"]
    assert (site / path).parent.joinpath(icon).is_file()


@pytest.mark.parametrize("path", PAGES)
def test_page_may_load_from_the_site_alone(site, path):
    head = BeautifulSoup(
        (site / path).read_text("utf-8").split("</head>")[0], "html.parser"
    )
    policy = head.select_one('meta[http-equiv="Content-Security-Policy"]')
    assert policy["content"].startswith("default-src 'self'; ")
    assert "http" not in policy["content"]
    assert not policy.find_previous(["script", "link"]), (
        "it comes before what it is for"
    )


@pytest.mark.parametrize("path", PAGES)
def test_page_ends_with_licence_and_citation(site, path):
    html = (site / path).read_text("utf-8")
    foot = BeautifulSoup(html[html.index("bd-footer-content") :], "html.parser")
    assert "© 2026 The authors of Random Walks to Reasoning" in foot.text
    assert foot.select_one('a[rel="license"]').text == "CC BY 4.0"
    notices = foot.find("a", string="all licences and notices")["href"]
    assert notices.endswith("licences.html") or path == "licences.html"
    kind = "chapter" if "chapters/" in path and "index" not in path else "book"
    assert foot.summary.text == f"Cite this {kind}"
    entry = foot.pre.text
    assert entry.startswith("@incollection{" if kind == "chapter" else "@book{")
    assert entry.count("{") == entry.count("}")


def test_notices_name_every_font_and_script_of_others(site):
    notices = (site / "licences.html").read_text("utf-8")
    static = site / "_static"
    own = {path.name for path in (ROOT / "_static").rglob("*")}
    known = {  # what is published, and the part under which it is named
        "mathjax": "MathJax",
        "fontawesome": "Font Awesome",
        "icons/icons": "Font Awesome",
        "scripts/bootstrap": "Bootstrap",
        "scripts/pydata": "pydata-sphinx-theme",
        "scripts/sphinx-book": "sphinx-book-theme",
        "clipboard": "clipboard.js",
        "copybutton": "sphinx-copybutton",
        "togglebutton": "sphinx-togglebutton",
        "design-tabs": "sphinx-design",
        "doctools": "Sphinx 7",
        "searchtools": "Sphinx 7",
        "language_data": "Sphinx 7",
        "documentation_options": "Sphinx 7",
        "sphinx_highlight": "Sphinx 7",
    }
    for path in sorted(static.rglob("*")):
        name = path.relative_to(static).as_posix()
        if path.suffix in (".js", ".woff", ".woff2", ".ttf") and path.name not in own:
            parts = [part for key, part in known.items() if key in name]
            assert parts, f"{name} is published, and nobody knows whose it is"
            assert all(part in notices for part in parts)
    for words in ("Apache License", "SIL OPEN FONT LICENSE", "Permission is hereby"):
        assert words in notices


@pytest.mark.parametrize("path", PAGES)
def test_page_fits_the_narrowest_window(open_page, path):
    assert page_rules.overflow(open_page(f"{path}?plain", width=320)) == []


def test_a_browser_that_keeps_nothing_meets_no_error(open_page, site_url):
    page = open_page("sources.html?plain")
    page.add_init_script(
        """Object.defineProperty(window, "localStorage", {configurable: true,
          get() { throw new DOMException("blocked", "SecurityError"); }})"""
    )
    page.goto(f"{site_url}search.html?q=reflection")
    page.wait_for_selector("ul.search li")
    page.goto(f"{site_url}{CHAPTER}?plain")
    page.locator("button.theme-switch-button:visible").first.click()
    assert page.found == []


@pytest.mark.parametrize("word", ["polya", "Pólya", "cramer", "Cramér"])
def test_search_knows_letters_without_their_accents(open_page, word):
    page = open_page(f"search.html?q={word}")
    page.wait_for_selector("ul.search li")
    wanted = "Random walks" if word.lower().startswith("p") else "Poisson processes"
    assert wanted in page.locator("ul.search").inner_text()
    assert page.found == []


@pytest.mark.parametrize("path", PAGES)
def test_no_address_is_invented(site, path):
    html = (site / path).read_text("utf-8")
    for host in (
        "github.com",
        "mybinder.org",
        "colab.research.google.com",
        "example.org",
    ):
        assert f"https://{host}" not in html


def test_search_finds(open_page):
    page = open_page("search.html?q=reflection")
    page.wait_for_selector("ul.search li")
    assert "Random walks" in page.locator("ul.search").inner_text()
    assert page.found == []


def test_theme_switches_and_figures_follow(open_page):
    page = open_page(CHAPTER + "?plain", dark=True)
    figure = page.locator(".cell_output img").first
    assert "invert" in figure.evaluate("e => getComputedStyle(e).filter")
    page.locator("button.theme-switch-button:visible").first.click()
    page.locator("button.theme-switch-button:visible").first.click()
    theme = page.evaluate("document.documentElement.dataset.theme")
    expected = "invert" if theme == "dark" else "none"
    assert expected in figure.evaluate("e => getComputedStyle(e).filter")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_light_or_dark_is_chosen_before_anything_is_drawn(open_page, dark):
    # The page's own line is left.
    page = open_page("sources.html", dark=dark, blocked="**/*.js*")
    chosen = page.evaluate("document.documentElement.dataset.theme")
    assert chosen == ("dark" if dark else "light")
