"""The switch "text · code": all code of a page opens or folds, nothing jumps, and everything opens without it."""

import pytest
from conftest import TWO_FRAMES

CHAPTER = "chapters/foundations/random_walks.html"
OPEN = "details.code-fold[open]"
NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("blocked", "SecurityError"); } })"""
PICTURES = """() => Promise.all([...document.images].map(image => {
  image.loading = "eager";
  return image.decode().catch(() => null);
}))"""
TO_THE_TOP = (
    """e => scrollBy({top: e.getBoundingClientRect().top - 70, behavior: "instant"})"""
)
PLACE = "e => e.getBoundingClientRect().top"


def states(page) -> list[str]:
    """Which of the two words is pressed."""
    return page.locator(".code-switch [aria-pressed=true]").all_inner_texts()


def press(page, word):
    """Press without the pointer: to reach the button, Playwright scrolls a page whose header stays."""
    page.get_by_role("button", name=word, exact=True).evaluate("e => e.click()")


def test_text_first_and_the_choice_is_kept(open_page):
    page = open_page(CHAPTER + "?plain")
    folds = page.locator("details.code-fold").count()
    assert folds > 30
    assert states(page) == ["text"]
    assert page.locator(OPEN).count() == 0
    press(page, "code")
    assert page.locator(OPEN).count() == folds
    assert states(page) == ["code"]
    page.reload()
    assert page.locator(OPEN).count() == folds, (
        "the next page opens as this one was left"
    )
    assert states(page) == ["code"]
    page.get_by_role("button", name="text", exact=True).focus()
    page.keyboard.press("Enter")
    assert page.locator(OPEN).count() == 0
    assert states(page) == ["text"]
    assert page.found == []


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_jumps(open_page, width):
    page = open_page(CHAPTER + "?plain", width=width)
    page.evaluate(PICTURES)
    heading = page.locator("h2").nth(5)
    heading.evaluate(TO_THE_TOP)
    page.evaluate(TWO_FRAMES)
    first = heading.evaluate(PLACE)
    for word in ("code", "text"):
        before = page.evaluate("scrollY")
        press(page, word)
        page.evaluate(TWO_FRAMES)
        assert heading.evaluate(PLACE) == pytest.approx(first, abs=1.5)
        assert abs(page.evaluate("scrollY") - before) > 1000, "much opened above"


def test_who_reads_code_and_folds_it_stays_at_its_line(open_page):
    page = open_page(CHAPTER + "?plain")
    page.evaluate(PICTURES)
    press(page, "code")
    fold = page.locator("details.code-fold").nth(20)
    fold.evaluate(
        """e => { const {bottom} = e.getBoundingClientRect();
             scrollBy({top: bottom - 100, behavior: "instant"}); }"""
    )
    page.evaluate(TWO_FRAMES)
    press(page, "text")
    page.evaluate(TWO_FRAMES)
    assert 0 < fold.evaluate(PLACE) < 120


def test_the_switch_works_where_storage_is_blocked(open_page, browser, site_url):
    context = browser.new_context()
    context.add_init_script(NO_STORAGE)
    page = context.new_page()
    page.goto(site_url + CHAPTER + "?plain")
    press(page, "code")
    assert page.locator(OPEN).count() == page.locator("details.code-fold").count()
    context.close()


def test_without_scripts_every_fold_opens_and_no_switch_is_shown(
    stage_without_scripts, site_url
):
    page = stage_without_scripts
    page.goto(site_url + CHAPTER + "?plain")
    assert not page.locator(".code-switch").is_visible()
    fold = page.locator(".evidence").first
    code = fold.locator("pre").first
    assert not code.is_visible()
    fold.locator("summary").click()
    assert code.is_visible()


def test_the_line_of_a_check_opens_its_code(open_page):
    page = open_page(CHAPTER + "?plain")
    fold = page.locator(".evidence").first
    line, code = fold.locator(".check").first, fold.locator("pre").first
    line.click(position={"x": 300, "y": 8})
    assert code.is_visible()
    line.click(position={"x": 300, "y": 8})
    assert not code.is_visible()
    line.locator("a").click()
    assert page.evaluate("location.hash").startswith("#equation-eq-random-walks")
    assert not code.is_visible()
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert code.is_visible()


def test_print_takes_what_the_switch_says(open_page):
    page = open_page(CHAPTER + "?plain")
    fold = page.locator(".evidence").first
    page.emulate_media(media="print")
    assert fold.locator(".check").first.is_visible()
    assert not fold.locator("pre").first.is_visible()
    named = page.locator("summary", has_text="code of the figure").first
    assert not named.is_visible(), "a name with nothing behind it is no use on paper"
    page.emulate_media(media="screen")
    press(page, "code")
    page.emulate_media(media="print")
    assert fold.locator("pre").first.is_visible()


def test_a_page_without_code_has_no_switch(open_page):
    assert open_page("sources.html").locator(".code-switch").count() == 0
