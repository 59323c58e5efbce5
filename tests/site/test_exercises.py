"""Exercises on the site: typed into the field, a right number is right and a wrong one gets its hint."""

import pytest

from chapters import all_chapters
from utils import exercises

BOOK = all_chapters()


def reply(host, text):
    """Type ``text`` into the field, press Enter, and return what is said."""
    host.get_by_role("textbox").fill(text)
    host.get_by_role("textbox").press("Enter")
    return host.locator("form").get_attribute("data-state"), host.locator(
        "output"
    ).inner_text()


JUDGED = """([label, texts]) => {
  const host = document.querySelector(`[data-exercise="${label}"][data-key]`);
  const field = host.querySelector("input"), form = host.querySelector("form");
  return [field.labels[0].innerText, texts.map((text) => {
    field.value = text;
    form.requestSubmit();
    return [form.dataset.state, host.querySelector("output").textContent];
  })];
}"""


@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.slug)
def test_answers_are_judged_without_a_kernel(open_page, page_of, chapter):
    page = open_page(page_of(chapter.slug) + "?plain")
    for label in chapter.exercises:
        known = exercises.find(label)
        want = known.value(*known.at[0])
        mistakes = known.key()["mistakes"]
        texts = [f"{want:.5g}", f"{1.7 * want + 0.31:.5g}", "no number"]
        texts += [f"{wrong:.6g}" for wrong, _ in mistakes]
        asked, verdicts = page.evaluate(JUDGED, [label, texts])
        assert known.ask in asked
        assert verdicts[0] == ["right", "Right."]
        assert [state for state, _ in verdicts[1:3]] == ["wrong", "open"]
        remarks = [["wrong", f"Not yet. {remark}"] for _, remark in mistakes]
        assert verdicts[3:] == remarks
    assert page.found == []


def test_fractions_and_commas_are_numbers(open_page, page_of):
    page = open_page(page_of("random_walks") + "?plain")
    host = page.locator("[data-exercise=ex-random_walks-lazy][data-key]")
    for text in ("19/81", "0,2346", " .2346 ", "-19/-81", "−19/−81"):
        assert reply(host, text)[0] == "right", text
    for text in ("", "1/0", "1/2/3", "1/", "Infinity", "0x"):
        assert reply(host, text)[0] == "open", text
    host.get_by_role("textbox").fill("19/81")
    host.get_by_role("button", name="Check").click()
    assert host.locator("output").inner_text() == "Right."


def test_without_javascript_the_question_remains(open_page, page_of):
    page = open_page(page_of("random_walks") + "?plain", javascript=False)
    host = page.locator("[data-exercise=ex-random_walks-lazy]").first
    assert "not answered yet" in host.inner_text()
