"""Progress: what was read and solved is remembered in the browser, shown, and forgotten when asked."""

import json

import pytest
from conftest import until

KEY = "book-progress:/"
WALKS = "chapters/foundations/random_walks.html"
EXERCISE = "ex-random_walks-lazy"


@pytest.fixture
def visitor(browser, site_url):
    """``visitor(path, remembers=...)``: one browser that keeps its storage from page to page."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})

    def visit(path, remembers=None):
        page = context.new_page()
        if remembers is not None:
            page.goto(site_url + "search.html")
            page.evaluate("([k, v]) => localStorage.setItem(k, v)", [KEY, remembers])
        page.found = []
        page.on("pageerror", lambda error: page.found.append(str(error)))
        page.goto(site_url + path)
        return page

    yield visit
    context.close()


def kept(page):
    return json.loads(page.evaluate(f"localStorage.getItem('{KEY}')") or "{}")


def test_a_solved_exercise_and_a_chapter_read_to_its_end_are_remembered(visitor):
    page = visitor(WALKS + "?plain")
    host = page.locator(f"[data-exercise={EXERCISE}][data-key]")
    for answer, solved in (("3/8", []), ("19/81", [EXERCISE]), ("19/81", [EXERCISE])):
        host.get_by_role("textbox").fill(answer)
        host.get_by_role("textbox").press("Enter")
        assert kept(page).get(WALKS, {}).get("solved", []) == solved
    assert host.get_attribute("data-solved") == "true"
    assert not kept(page)[WALKS]["read"], "the end was not in view"
    page.locator("section#references").scroll_into_view_if_needed()
    until(page, f"JSON.parse(localStorage.getItem('{KEY}'))?.['{WALKS}']?.read")
    assert kept(page)[WALKS] == {"read": True, "solved": [EXERCISE], "of": 5}
    mark = page.locator("nav.bd-links a[href*='#'] .progress-mark")
    assert mark.get_attribute("aria-label") == "read, 1 of 5 exercises solved"
    assert page.found == []


def test_the_marks_are_shown_on_other_pages_and_forgotten(visitor):
    state = {WALKS: {"read": True, "solved": [EXERCISE], "of": 5}}
    page = visitor("index.html", remembers=json.dumps(state))
    card = page.locator(f"a.gallery-card[href='{WALKS}']")
    assert card.get_by_role("img", name="read, 1 of 5 exercises solved").is_visible()
    assert page.locator(".gallery-card .progress-mark").count() == 1
    contents = page.locator(f"nav.bd-links a[href='{WALKS}'] .progress-mark")
    assert contents.count() == 1
    summary = page.locator("[data-progress]")
    assert "read 1 chapter and solved 1 exercise" in summary.inner_text()
    summary.get_by_role("button", name="Forget").click()
    assert page.locator(".progress-mark").count() == 0
    assert kept(page) == {}
    assert summary.get_by_role("button").count() == 0


@pytest.mark.parametrize("nonsense", ["", "no json", "[1]", "null", '{"x": 1}'])
def test_nonsense_in_the_storage_does_no_harm(visitor, nonsense):
    page = visitor("index.html", remembers=nonsense)
    assert page.locator(".progress-summary").is_visible()
    assert page.found == []


def test_blocked_storage_does_no_harm(browser, site_url):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(
        """for (const name of ["getItem", "setItem", "removeItem"])
          Storage.prototype[name] = () => { throw new Error("blocked"); };"""
    )
    errors = []
    page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
    page.goto(site_url + WALKS + "?plain")
    host = page.locator(f"[data-exercise={EXERCISE}][data-key]")
    host.get_by_role("textbox").fill("19/81")
    host.get_by_role("textbox").press("Enter")
    assert host.locator("output").inner_text() == "Right."
    own = ("progress.js", "exercises.js", "cards.js")
    assert not [error for error in errors if any(name in error for name in own)]
    context.close()
