"""Everything that is checked: counts, entries, and what narrows the list."""

import re

import pytest
from conftest import parsed, until

from chapters import all_chapters

BOOK = all_chapters()
PATH = "verified.html"
SHOWN = """() => [...document.querySelectorAll(".verified")]
  .filter(entry => entry.checkVisibility()).map(entry => entry.id)"""


def wanted(chapter="", method="", rivals=False) -> list[str]:
    """The labels that the list should show, from the stored evidence."""
    return [
        label
        for home in BOOK
        for label, _ in home.claims
        if chapter in ("", home.slug)
        and any(
            check["method"].startswith(method) and (check["rivals"] or not rivals)
            for check in home.evidence_for(label)
        )
    ]


@pytest.fixture
def listed(open_page):
    """The page, opened at a choice."""
    return lambda choice="", **how: open_page(f"{PATH}?plain{choice}", **how)


def test_the_counts_are_those_of_the_evidence(site):
    page = parsed(site / PATH)
    head, *rows = [
        [cell.text for cell in row.select("th, td")]
        for row in page.select(".verified-counts tr")
    ]
    assert [row[0] for row in rows] == [*(c.title for c in BOOK), "The book"]
    for chapter, row in zip(BOOK, rows, strict=False):
        counted = dict(zip(head, row, strict=True))
        found = chapter.evidence
        assert int(counted["equations"]) == len(chapter.claims)
        assert int(counted["checks"]) == len(found)
        assert int(counted["with rivals"]) == sum(bool(e["rivals"]) for e in found)
        for kind in ("equal", "sampled", "order", "holds"):
            of_kind = [e for e in found if e["method"].startswith(kind)]
            assert int(counted[kind]) == len(of_kind)
    for column in range(1, len(head)):
        *parts, total = [int(row[column]) for row in rows]
        assert sum(parts) == total
    assert page.article.table.find_previous("dl") is None, "the counts come first"


def test_each_equation_stands_once_with_its_words_and_its_link(site):
    entries = parsed(site / PATH).select(".verified")
    assert [entry["id"] for entry in entries] == wanted()
    for entry in entries:
        (link,) = entry.select("p a")
        assert link["href"].endswith(f"#equation-{entry['id'].replace('_', '-')}")
        assert re.match(r"\(\d+\.\d+\) holds", entry.p.text), entry.p.text
        numeric = set(entry["data-checks"].replace("+", "").split()) - {"holds"}
        assert bool(entry.select(".sees")) == bool(numeric)


CHOICES = [
    (chapter, method, rivals)
    for chapter in ("", "gradients")
    for method in ("", "equal", "sampled", "order", "holds")
    for rivals in (False, True)
]


def test_the_list_is_narrowed(listed):
    page = listed()
    status = page.locator(".verified-filter output")
    assert status.get_attribute("aria-live") == "polite"
    for choice in CHOICES:
        chapter, method, rivals = choice
        page.get_by_label("chapter").select_option(chapter)
        page.get_by_label("method").select_option(method)
        page.get_by_label("with rivals only").set_checked(rivals)
        want = wanted(*choice)
        assert page.evaluate(SHOWN) == want, choice
        assert status.inner_text() == f"{len(want)} of {len(wanted())} equations shown"
        headings = page.evaluate(
            """() => [...document.querySelectorAll("section:has(> .verified)")]
              .filter(section => section.checkVisibility()).map(section => section.id)"""
        )
        homes = dict.fromkeys(label.split("-")[1] for label in want)
        assert headings == list(homes), "a chapter without entries has no heading"
        assert bool(page.evaluate("location.hash")) == any(choice)
    assert page.found == []


@pytest.mark.parametrize("choice", [("gradients", "holds", True), ("", "order", False)])
def test_the_address_keeps_the_choice(listed, choice):
    page = listed()
    page.get_by_label("chapter").select_option(choice[0])
    page.get_by_label("method").select_option(choice[1])
    page.get_by_label("with rivals only").set_checked(choice[2])
    again = listed(page.evaluate("location.hash"))
    assert again.evaluate(SHOWN) == wanted(*choice)
    assert again.get_by_label("method").input_value() == choice[1]
    assert again.get_by_label("with rivals only").is_checked() == choice[2]


def test_the_keyboard_alone_narrows_the_list(listed):
    page = listed()
    page.get_by_label("chapter").focus()
    page.keyboard.press("Tab")
    page.keyboard.type("or")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.evaluate(SHOWN) == wanted(method="order", rivals=True)


@pytest.mark.parametrize("choice", ["#method=no", "#chapter=&x=%zz", "#%", "#rivals"])
def test_an_address_without_a_choice_shows_everything(listed, choice):
    page = listed(choice)
    assert page.evaluate(SHOWN) == wanted()
    assert page.found == []


def test_a_link_to_what_is_hidden_shows_it(listed):
    page = listed("#chapter=gradients")
    assert page.evaluate(SHOWN) == wanted("gradients")
    page.locator(".verified-counts a[href='#kl_estimators']").click()
    until(
        page,
        """() => {
          const { top } = document.getElementById("kl_estimators").getBoundingClientRect();
          return top >= 0 && top < innerHeight / 2;
        }""",
    )
    assert page.evaluate(SHOWN) == wanted()
    assert page.get_by_label("chapter").input_value() == ""


def test_without_a_script_everything_is_shown_and_nothing_offered(listed):
    page = listed("#chapter=gradients", javascript=False)
    assert page.locator(".verified").count() == len(wanted())
    assert page.locator(".verified").last.is_visible()
    assert not page.locator(".verified-filter").is_visible()
