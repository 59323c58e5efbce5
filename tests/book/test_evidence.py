"""What a chapter's page says of its checks: sentences made of the stored evidence."""

from types import SimpleNamespace

import evidence
import pytest
from docutils import nodes

import chapters
from utils import checks as utils_check


def check(method, tolerance, count, *rivals, blind=""):
    return {
        "label": "eq-a-b",
        "method": method,
        "tolerance": tolerance,
        "count": count,
        "rivals": [*rivals],
    } | ({"blind": blind} if blind else {})


SENTENCES = {
    "equal, absolute": (
        [check("equal", "atol 1e-14", 25, "p and q exchanged")],
        "holds at 25 values to 10⁻¹⁴; <em>p and q exchanged</em> is rejected",
    ),
    "equal, relative": ([check("equal", "rtol 0.003", 1)], "holds at 1 value to 0.3 %"),
    "equal, both": (
        [check("equal", "rtol 2e-10 atol 1e-12", 3)],
        "holds at 3 values to 2·10⁻¹⁰ relative (10⁻¹² near 0)",
    ),
    "exact": ([check("equal", "exact", 12)], "holds at 12 values exactly"),
    "sampled": (
        [check("sampled", "4 s.e., resolves 0.6", 20000, "2 P(S_n > r)")],
        "holds for the mean of 20\u202f000 draws within 4 standard errors (at most 0.6);"
        " <em>2 P(S_n &gt; r)</em> is rejected",
    ),
    "order": (
        [check("order -0.5", "slope within 0.005", 3)],
        "holds with order −0.5, measured to ±0.005 over 3 points",
    ),
    "holds": (
        [check("holds", "200 random wards", 200, "sigma^2", "h", "1/2")],
        "holds: 200 random wards; <em>σ²</em>, <em>h</em> and <em>1/2</em> are rejected",
    ),
    "cases": ([check("holds", "it grows", 2)], "holds: it grows (2 cases)"),
    "blind": (
        [check("equal", "exact", 1, blind="ten draws")],
        "holds at 1 value exactly; it does not see 10 %: ten draws",
    ),
    "alike, they become one": (
        [check("equal", "atol 1e-09", 4, "a"), check("equal", "atol 1e-09", 5, "a")],
        "holds at 9 values to 10⁻⁹; <em>a</em> is rejected",
    ),
    "of several kinds": (
        [
            check("holds", "always", 1),
            check("order 1", "slope within 0.02", 5),
            check("order 2", "slope within 0.02", 5),
            check("equal", "exact", 2, "b"),
        ],
        "holds at 2 values exactly; with orders 1 and 2, measured to ±0.02 over 5 points,"
        " in 2 fits; always; <em>b</em> is rejected",
    ),
}


@pytest.mark.parametrize(("checks", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_checks_are_told_in_words(checks, sentence):
    assert evidence.words(checks) == sentence


SIGHTS = {
    "": [check("holds", "within a factor 5, p > 1e-4", 4, "h")],
    "any error": [check("equal", "exact", 12)],
    "an error of 2·10⁻¹⁴": [check("equal", "atol 1e-14", 25)],
    "an error of 0.6 %": [check("equal", "rtol 0.003", 1)],
    "an error of 10 %": [check("equal", "rtol 0.06", 1)],
    "an error of 4·10⁻¹⁰ relative (2·10⁻¹² near 0)": [
        check("equal", "rtol 2e-10 atol 1e-12", 3)
    ],
    "a mean off by 1.2": [check("sampled", "4 s.e., resolves 0.6", 20000, "a")],
    "an order off by 0.01": [check("order -0.5", "slope within 0.005", 3)],
    "an error of 2·10⁻⁹, 2 %; an order off by 0.1": [
        check("order 2", "slope within 0.05", 3),
        check("equal", "atol 1e-09", 4),
        check("equal", "rtol 0.01", 4),
        check("equal", "atol 1e-09", 5),
    ],
}


@pytest.mark.parametrize(("sentence", "checks"), SIGHTS.items())
def test_what_would_be_seen_is_twice_the_tolerance(sentence, checks):
    assert evidence.sees(checks) == sentence


@pytest.mark.parametrize("sign", [1, -1])
def test_a_check_sees_what_it_is_said_to_see(sign):
    """The other side may be off by the tolerance, in the direction of the error."""
    got, tolerance = 1 + sign * 0.999 * 1e-3, 1e-3
    utils_check.equal("eq-a-b", got, 1.0, atol=tolerance)
    with pytest.raises(AssertionError):
        utils_check.equal("eq-a-b", got, 1.0 + sign * 2 * tolerance, atol=tolerance)


def test_an_unknown_kind_is_named():
    with pytest.raises(
        ValueError, match="eq-a-b: there are no words for a check 'guess'"
    ):
        evidence.words([check("guess", "exact", 1)])


@pytest.mark.parametrize("chapter", chapters.all_chapters(), ids=lambda c: c.slug)
def test_every_stored_check_has_words_without_jargon(chapter):
    for item in chapter.evidence:
        told = evidence.plain(evidence.words([item]))
        assert told.startswith("holds")
        for jargon in (
            "rtol",
            "atol",
            "s.e.",
            "e-1",
            "e-0",
            "slope within",
            item["label"],
        ):
            assert jargon not in told, told


def test_only_where_it_can_be_opened_code_is_folded():
    code = nodes.literal_block("", "x = 1")

    def html(builder, name):
        app = SimpleNamespace(builder=SimpleNamespace(name=builder))
        return [node.astext() for node in evidence.folded(app, name, [code])]

    line = '<div class="check" data-check="eq-a-b">(1.2) holds</div>'
    opening, body, closing = html("html", line)
    assert opening.startswith(
        f'<div class="evidence">{line}<details class="code-fold">'
    )
    assert (body, closing) == ("x = 1", "</details></div>")
    name = "code of the figure"
    fold = f'<details class="code-fold"><summary>{name}</summary>'
    assert html("html", name) == [fold, "x = 1", "</details>"]
    assert html("epub", line) == [line, "x = 1"]
    assert html("epub", name) == ["x = 1"]
