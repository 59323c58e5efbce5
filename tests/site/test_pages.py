"""Every page of the built site, as a reader meets it."""

import page_rules
import pytest
from bs4 import BeautifulSoup
from conftest import SITE

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
