"""Every page of the built site, as a reader meets it."""

import page_rules
import pytest
from conftest import SITE

PAGES = [
    path.relative_to(SITE).as_posix()
    for path in sorted(SITE.rglob("*.html"))
    if "_static" not in path.parts
]
CHAPTERS = [
    page
    for page in PAGES
    if page.startswith("chapters/") and not page.endswith("index.html")
]
MADE_BY_SPHINX = ("search.html", "prf-prf.html")
FIRST_VISIT_BYTES = 1_000_000


@pytest.mark.parametrize("path", PAGES)
def test_page_is_whole(open_page, path):
    page = open_page(path)
    assert page_rules.equations(page) == []
    assert page_rules.pictures(page) == []
    assert page.locator("h1:visible").count() == 1
    assert open_page.problems(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_page_fits_a_phone_and_its_menu_opens(open_page, path):
    page = open_page(path, width=390, height=844)
    assert page_rules.overflow(page) == []
    menu = page.locator("#pst-primary-sidebar-modal")
    assert not menu.is_visible()
    page.locator(".primary-toggle:visible").first.click()
    assert menu.is_visible()
    assert menu.locator("a:visible").count() >= 5
    assert open_page.problems(page) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_page_is_accessible(open_page, path, dark):
    assert page_rules.accessibility(open_page(path, dark=dark)) == []


def test_links_resolve_and_nothing_comes_from_elsewhere(site):
    assert page_rules.links(site) == []


@pytest.mark.parametrize("path", [page for page in PAGES if page not in MADE_BY_SPHINX])
def test_page_describes_itself(open_page, path):
    page = open_page(path, javascript=False)
    description = page.locator('meta[name="description"]').get_attribute("content")
    assert 50 <= len(description) <= 200
    assert page.locator('meta[property="og:title"]').get_attribute("content")


def test_search_finds(open_page):
    page = open_page("search.html?q=reflection")
    page.wait_for_selector("ul.search li")
    assert "Random walks" in page.locator("ul.search").inner_text()
    assert open_page.problems(page) == []


def test_theme_switches_and_figures_follow(open_page):
    page = open_page("chapters/foundations/random_walks.html", dark=True)
    figure = page.locator(".cell_output img").first
    assert "invert" in figure.evaluate("e => getComputedStyle(e).filter")
    page.locator("button.theme-switch-button:visible").first.click()
    page.locator("button.theme-switch-button:visible").first.click()
    theme = page.evaluate("document.documentElement.dataset.theme")
    expected = "invert" if theme == "dark" else "none"
    assert expected in figure.evaluate("e => getComputedStyle(e).filter")


def test_wide_equations_scroll_in_their_own_box(open_page):
    page = open_page("chapters/foundations/random_walks.html", width=390)
    page_rules.typeset(page)
    boxes = page.evaluate(
        """() => [...document.querySelectorAll("div.math")].map(
          e => [e.scrollWidth > e.clientWidth, getComputedStyle(e).overflowX])"""
    )
    assert any(wide for wide, _ in boxes)
    assert {overflow for _, overflow in boxes} == {"auto"}


@pytest.mark.parametrize("path", CHAPTERS)
def test_every_equation_mark_leads_to_its_check_and_back(open_page, path):
    page = open_page(path)
    marks = page.evaluate(
        """() => [...document.querySelectorAll(".check-mark")].map(mark => {
          const check = document.getElementById(mark.hash.slice(1));
          const back = check?.querySelector("a")?.hash;
          return [mark.hash, back && mark.parentElement.contains(document.getElementById(back.slice(1)))];
        })"""
    )
    assert marks
    assert [mark for mark, returns in marks if not returns] == []


@pytest.mark.parametrize("path", CHAPTERS)
def test_first_visit_is_light(browser, site_url, path):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    sizes = []
    page.on("requestfinished", lambda r: sizes.append(r.sizes()["responseBodySize"]))
    page.goto(site_url + path, wait_until="networkidle")
    context.close()
    assert sum(sizes) <= FIRST_VISIT_BYTES


@pytest.mark.parametrize("path", CHAPTERS)
def test_no_address_is_invented(open_page, path):
    html = open_page(path, javascript=False).content()
    for host in (
        "github.com",
        "mybinder.org",
        "colab.research.google.com",
        "example.org",
    ):
        assert f"https://{host}" not in html
