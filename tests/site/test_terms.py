"""Terms on the built pages: first uses lead to the glossary, and the glossary leads back."""

import pytest
from conftest import parsed

from chapters import all_chapters


@pytest.fixture(scope="module")
def pages(site):
    paths = {c.docname: f"{c.docname}.html" for c in all_chapters()}
    paths["glossary"] = "glossary.html"
    return {name: parsed(site / path) for name, path in paths.items()}


def test_first_uses_are_links_in_running_text_and_no_term_twice(pages):
    total = 0
    for chapter in all_chapters():
        marks = pages[chapter.docname].select(".first-use")
        total += len(marks)
        hrefs = [mark.a["href"] for mark in marks]
        assert len(hrefs) == len(set(hrefs)), chapter.slug
        for mark in marks:
            assert "glossary.html#term-" in mark.a["href"]
            assert mark.find_parent("p")
            assert not mark.find_parent(
                ["h1", "h2", "h3", "a", "code", "table", "figcaption"]
            )
    assert total > 50
    assert not pages["chapters/foundations/random_walks"].select(".first-use")


def test_the_glossary_names_the_chapters_that_use_a_term(pages):
    term = pages["glossary"].find(id="term-score")
    uses = term.find_next_sibling("dd").select_one(".term-uses")
    addresses = [a["href"] for a in uses.select("a")]
    assert "chapters/diffusion/score_matching.html#use-score" in addresses
    for address in addresses:
        page, anchor = address.split(".html#")
        assert pages[page].find(id=anchor)
