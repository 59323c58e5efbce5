"""Every formula of the book can be set without MathJax, as the EPUB does it."""

import re

import pytest
from epub import mathml
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
