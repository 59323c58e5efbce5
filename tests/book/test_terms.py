"""The glossary, and how a chapter's first use of a term is found."""

import re

import pytest
from sphinx.errors import ExtensionError
from terms import SOURCE, Terms, entries

from chapters import all_chapters

TEXT = SOURCE.read_text("utf-8")
SMALL = """
:::{glossary}
gradient
  A column. {eq}`eq-gradients-linear`

gradient descent
  Steps. {eq}`eq-quadratic_forms-gd`

Newton's method
heavy ball
  Two names. {doc}`/chapters/foundations/quadratic_forms`
:::
"""


def found(text: str, slug: str, used: tuple[str, ...] = ()) -> str | None:
    hit = Terms(SMALL, slug).first(text, dict.fromkeys(used))
    return hit and hit[0][0]


def test_a_term_is_found_in_the_plural_and_with_either_apostrophe():
    assert found("All gradients vanish.", "kl_estimators") == "gradients"
    assert found("Newton’s method", "kl_estimators") == "Newton’s method"
    assert found("Heavy balls roll.", "kl_estimators") == "Heavy balls"


def test_a_longer_term_hides_a_shorter_one():
    assert found("gradient descent", "quadratic_forms") is None
    assert (
        found("gradient descent and a gradient", "kl_estimators", ())
        == "gradient descent"
    )
    later = Terms(SMALL, "quadratic_forms").first("gradient descent, a gradient", {})
    assert later[0].start() == len("gradient descent, a ")


def test_a_term_is_found_after_its_chapter_only_and_once():
    for slug in ("random_walks", "gradients"):
        assert found("the gradient", slug) is None
    assert found("the gradient", "quadratic_forms") == "gradient"
    assert found("the gradient", "quadratic_forms", ("gradient",)) is None
    assert found("a subgradient, a gradient-like field", "kl_estimators") is None


def test_a_definition_without_its_place_is_refused():
    with pytest.raises(ExtensionError, match="'rank' does not name the place"):
        entries(":::{glossary}\nrank\n  A number.\n:::\n")


def test_the_glossary_names_equations_that_exist_and_each_term_once():
    known = {label for chapter in all_chapters() for label, _ in chapter.equations}
    assert set(re.findall(r"\{eq\}`([^`]+)`", TEXT)) <= known
    names = [name for entry in entries(TEXT) for name in entry.names]
    assert len(names) == len(set(names)) >= 100
    slugs = {chapter.slug for chapter in all_chapters()} | {"verified"}
    assert {entry.slug for entry in entries(TEXT)} <= slugs
