"""Every exercise knows its answer: right is right, an empty stub is open, every planted mistake fails."""

import json

import numpy as np
import pytest

from chapters import all_chapters
from utils import exercises

LABELS = [label for chapter in all_chapters() for label in chapter.exercises]
every = pytest.mark.parametrize("label", LABELS)


@pytest.fixture
def found(label):
    return exercises.find(label)


@every
def test_the_answer_is_right_as_number_and_as_function(found):
    assert found.judge(found.value).state == "right"
    assert found.judge(found.value(*found.at[0])).state == "right"


@every
def test_an_empty_stub_is_open(found):
    assert found.judge(...).state == "open"
    assert found.judge(lambda *args: ...).state == "open"


@every
def test_mistakes_fail_with_their_own_remark(found):
    assert found.mistakes, "an exercise foresees at least one mistake"
    for remark, wrong in found.mistakes.items():
        value = wrong(*found.at[0]) if callable(wrong) else wrong
        verdict = found.judge(value)
        assert verdict.state == "wrong", remark
        assert verdict.remark.endswith(remark)
        if callable(wrong):
            assert found.judge(wrong).state == "wrong"


@every
def test_any_other_wrong_answer_gets_the_hint(found):
    want = found.value(*found.at[0])
    for value in (
        1.7 * want + 0.31,
        -2.3 * want - 0.77,
        want * (1 + 3 * found.rtol) + 0.0,
    ):
        verdict = found.judge(value)
        if value != want:
            assert verdict.state == "wrong"
            assert verdict.remark.endswith((found.hint, *found.mistakes))


@every
def test_words_are_whole_sentences(found):
    for words in (found.hint, *found.mistakes):
        assert words[0].isupper() or words[0] in "σελ"
        assert words.endswith((".", "?", "!"))
    assert found.ask
    assert not found.ask.endswith((".", "?", "="))


@every
def test_the_site_gets_the_same_numbers(found):
    key = json.loads(json.dumps(found.key()))
    assert found.judge(key["value"]).state == "right"
    for value, remark in key["mistakes"]:
        assert found.judge(value).remark.endswith(remark)


def test_the_stored_fields_are_those_of_today():
    for chapter in all_chapters():
        outputs = (o for cell in chapter.code_cells for o in cell["outputs"])
        stored = ["".join(o.get("data", {}).get("text/html", "")) for o in outputs]
        fields = [html for html in stored if "data-key" in html]
        attempts = [
            exercises.Attempt(label, exercises.find(label), exercises.Verdict("open"))
            for label in chapter.exercises
        ]
        now = [attempt._repr_mimebundle_()["text/html"] for attempt in attempts]
        assert fields == now, f"run `make execute CH={chapter.slug}`"


def test_every_answer_belongs_to_an_exercise():
    for label in LABELS:
        exercises.find(label)
    assert sorted(exercises.ANSWERS) == sorted(LABELS)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (
            "ex-random_walks-lazi",
            "no exercise 'ex-random_walks-lazi'; this chapter has ex-random_walks-",
        ),
        ("ex-no_chapter-x", "no exercises of a chapter 'no_chapter'"),
    ],
)
def test_an_unknown_exercise_is_refused(label, message):
    with pytest.raises(ValueError, match=message):
        exercises.attempt(label, 1)


@pytest.mark.parametrize(
    "value", ["one", None, np.ones(2), 1 + 2j, float("nan"), np.inf]
)
def test_an_answer_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="an answer is a"):
        exercises.attempt("ex-random_walks-drift", value)


def test_what_is_shown():
    drift = exercises.find("ex-random_walks-drift")
    shown = [
        exercises.Attempt("ex-random_walks-drift", drift, drift.judge(value))
        for value in (..., 2, 3)
    ]
    assert [str(attempt)[0] for attempt in shown] == ["○", "✓", "✗"]
    assert "The maximum may be 0." in str(shown[2])
    html = [attempt._repr_mimebundle_()["text/html"] for attempt in shown]
    assert ["data-key" in text for text in html] == [True, False, False]
    lazy = exercises.find("ex-random_walks-lazy").judge(lambda n: 1 / 3)
    assert lazy.remark.startswith("At 4 it gives 0.333333. ")
