"""Cards: a reference shows what it refers to, by pointer, by keyboard and by touch."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import until, watched

SDES = "chapters/diffusion/diffusion_sdes.html?plain"
KL = "chapters/foundations/kl_estimators.html"
NO_FORMULAS = "sources.html"


@pytest.fixture(scope="module")
def opened(browser, site_url):
    """``opened(path)``: a page that several tests look at, with no card on it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    pages = {}

    def opened(path):
        if path not in pages:
            pages[path] = watched(context)
            pages[path].goto(site_url + path)
        pages[path].mouse.move(0, 0)
        pages[path].keyboard.press("Escape")
        return pages[path]

    yield opened
    context.close()


def card(page):
    return page.locator("#card")


def hover(page, selector):
    """Point at the first such link in the text, and wait for its card."""
    link = page.locator(f"main {selector}").first
    link.scroll_into_view_if_needed()
    link.hover()
    card(page).wait_for()
    return link


CASES = {
    "equation of another chapter": (
        SDES,
        "a[href*='score_functions.html#equation-eq-score-functions-pf-ode']",
        "mjx-container",
        "in 6. Score functions",
    ),
    "equation of this page": (
        KL,
        "a.reference[href^='#equation-eq']",
        "mjx-container",
        "(5.",
    ),
    "figure": (KL, "a.reference[href^='#fig-']", "img", "Fig. 5.1"),
    "exercise": (KL, "a.reference[href^='#ex-']", "mjx-container", "Exercise 5."),
    "term": (SDES, ".first-use a", "p", "law"),
    "citation": (SDES, "a.footnote-reference", "em", "."),
    "docstring's equation": (
        "api/random_walk.html",
        "a[href*='#equation-eq-random-walks-pmf']",
        "mjx-container",
        "in 1. Random walks",
    ),
}


@pytest.mark.parametrize(("path", "link", "inside", "words"), CASES.values(), ids=CASES)
def test_pointing_at_a_reference_shows_it(opened, path, link, inside, words):
    page = opened(path)
    hover(page, link)
    assert card(page).locator(inside).first.is_visible()
    assert words in card(page).inner_text()
    ids = card(page).evaluate("e => [...e.querySelectorAll('[id]')].map(x => x.id)")
    assert ids == [], "an id on the page twice"
    box = card(page).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    assert page.found == []


def test_a_card_stays_under_the_pointer_and_goes_with_it(opened):
    page = opened(KL)
    hover(page, "a.reference[href^='#equation-eq']")
    card(page).hover()
    page.wait_for_timeout(400)
    assert card(page).is_visible()
    page.mouse.move(2, 2)
    card(page).wait_for(state="detached")


def test_the_keyboard_shows_and_dismisses_a_card(opened):
    page = opened(KL)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.locator("main a.reference[href^='#equation-eq']").first.evaluate(
        """a => { const before = document.createElement("button"); a.before(before); before.focus(); }"""
    )
    page.keyboard.press("Tab")
    card(page).wait_for()
    described = page.evaluate("document.activeElement.getAttribute('aria-describedby')")
    assert described == card(page).get_attribute("id")
    assert card(page).get_attribute("role") == "tooltip"
    assert page.evaluate("document.documentElement.scrollHeight") <= height + 30
    page.keyboard.press("Escape")
    assert card(page).count() == 0
    assert (
        page.evaluate("document.activeElement.getAttribute('aria-describedby')") is None
    )


def test_a_page_is_fetched_once_and_links_of_the_card_lead_right(open_page):
    page = open_page(SDES)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for number in (0, 1):
        link = page.locator("main .first-use a").nth(number)
        link.scroll_into_view_if_needed()
        link.hover()
        card(page).wait_for()
        page.keyboard.press("Escape")
    pages = [url for url in asked if url.endswith(".html")]
    assert [url.rsplit("/", 1)[-1] for url in pages] == ["glossary.html"]
    hover(page, ".first-use a")
    address = card(page).locator("a").first.evaluate("a => a.href")
    assert "/chapters/foundations/random_walks.html#equation-" in address


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_on_a_phone_a_tap_shows_the_card_and_a_link(browser, site_url, dark):
    context = browser.new_context(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        color_scheme="dark" if dark else "light",
    )
    page = context.new_page()
    page.goto(site_url + SDES)
    link = page.locator("main a[href*='score_functions.html#equation']").first
    link.scroll_into_view_if_needed()
    address = link.evaluate("a => a.href")
    link.tap()
    card(page).wait_for()
    assert "diffusion_sdes" in page.url, "the first tap stays on the page"
    assert page.evaluate("document.activeElement.id") == "card", "it is announced"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    formula = card(page).locator("mjx-container").bounding_box()
    assert 0 < formula["width"] < card(page).bounding_box()["width"]
    page.evaluate(Axe().axe_script)
    found = page.evaluate(
        "async () => (await axe.run('#card', {resultTypes: ['violations']})).violations.map(v => v.id)"
    )
    assert found == []
    card(page).get_by_role("link", name="Go there").tap()
    page.wait_for_url(address)
    context.close()


def test_pictures_of_another_page_are_found_from_this_one(open_page):
    page = open_page(NO_FORMULAS)
    page.evaluate(
        """() => document.querySelector("main p").insertAdjacentHTML("beforeend",
          '<a class="reference internal" href="chapters/foundations/kl_estimators.html#fig-kl-estimators-poster">Fig. 5.1</a>')"""
    )
    hover(page, "a[href*='fig-']")
    until(page, "document.querySelector('#card img')?.naturalWidth > 0")
    sources = card(page).locator("source").evaluate_all("all => all.map(e => e.srcset)")
    assert all("/_images/" in url and "/../" not in url for url in sources)
    assert all(url.startswith("http") for url in sources)
    assert page.found == []


def test_a_formula_is_dressed_where_the_page_has_none(open_page):
    page = open_page(NO_FORMULAS)
    assert page.locator("link[href*='formulas.css']").count() == 0
    page.evaluate(
        """() => document.querySelector("main p").insertAdjacentHTML("beforeend",
          '<a class="reference internal" href="chapters/foundations/random_walks.html#equation-eq-random-walks-pmf">(1.3)</a>')"""
    )
    hover(page, "a[href*='equation']")
    until(
        page,
        "[...document.querySelectorAll('#card mjx-math')].some(e => getComputedStyle(e).fontFamily.includes('MJX'))",
    )


def test_what_leads_nowhere_and_what_needs_no_card_has_none(open_page):
    page = open_page(NO_FORMULAS)
    page.evaluate(
        """() => document.querySelector("main p").insertAdjacentHTML("beforeend",
          ["#equation-none", "notation.html#equation-none", "glossary.html", "#sources"].map(
            (href) => ` <a class="reference internal planted" href="${href}">x</a>`).join(""))"""
    )
    for link in page.locator(".planted").all():
        link.hover()
        page.wait_for_timeout(500)
        assert card(page).count() == 0
    assert page.found == []


def test_less_motion_is_respected(browser, site_url):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(site_url + SDES)
    hover(page, ".first-use a")
    assert card(page).evaluate("e => getComputedStyle(e).animationName") == "none"
    context.close()
