"""Formulas are set when the book is built: by MathJax for the site, as MathML for the EPUB."""

import re

import formulas
import pytest
from epub import mathml
from formulas import chtml
from sphinx.errors import ExtensionError

import chapters

FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$\n]+?)\$", re.DOTALL)


@pytest.mark.parametrize("chapter", chapters.all_chapters(), ids=lambda c: c.slug)
def test_every_formula_becomes_mathml(chapter):
    text = re.sub(r"`[^`\n]*`", "", chapter.markdown)
    formulas = {block or inline for block, inline in FORMULA.findall(text)}
    assert len(formulas) > 50
    for formula in formulas:
        assert mathml(formula).startswith("<math")


def test_primes_and_powers_are_one_superscript():
    assert mathml("f''^2").count("<msup>") == 1


def test_a_formula_that_cannot_be_set_is_named():
    with pytest.raises(ExtensionError, match=r"no MathML for 'x\^2\^3'"):
        mathml("x^2^3")
    with pytest.raises(
        ExtensionError, match=r"MathJax cannot set .*: Undefined control sequence"
    ):
        chtml(r"x + \nothing")


def test_a_formula_on_the_site_carries_mathml_for_screen_readers():
    html = chtml(r"\sqrt{x}")
    assert html.startswith("<mjx-container")
    assert "<msqrt><mi>x</mi></msqrt>" in html
    assert 'display="true"' in chtml("x", display=True)


def test_a_package_that_is_not_the_official_one_is_refused(monkeypatch):
    monkeypatch.setattr(formulas, "PARTS", formulas.PARTS[:1])
    with pytest.raises(ExtensionError, match=r"is not the official 3\.2\.2: sha256"):
        formulas.folder()


def test_a_group_of_one_letter_is_the_letter():
    assert "<msub><mi>x</mi><mi>n</mi></msub>" in chtml("x_{n}")
    assert "<mrow" in chtml("x_{n+1}"), "a group of several stays one"


def test_a_gap_is_seen_and_not_heard():
    html = chtml(r"x\,y")
    assert "<mjx-mspace" in html
    assert "<mi>x</mi><mi>y</mi>" in html
    assert "<msup><mstyle" in chtml(r"\,^2"), "a base stays"
