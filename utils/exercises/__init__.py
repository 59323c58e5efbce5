"""Exercises one can answer: a line of code tells right from wrong, and a wrong answer gets a hint.

The right answers stand in one module for each chapter, computed by a route of their own::

    @answer("ex-random_walks-lazy", ask="P(S₄ = 0)", hint="...", mistakes={"...": 3 / 8})
    def lazy():
        ...

In a notebook ``attempt("ex-random_walks-lazy", my_answer)`` judges a number or a function. On the
site, where no kernel is, ``_static/exercises.js`` judges the number that ``ask`` asks for.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from types import EllipsisType

from IPython.display import display

EXERCISE_MIME = "application/vnd.book.exercise+json"
ANSWERS: dict[str, Answer] = {}


@dataclass(frozen=True)
class Answer:
    """What is right, and what the common wrong answers have overlooked.

    Parameters
    ----------
    value : function that computes the right number, at each of the arguments ``at``.
    ask : the number a reader of the site types in, in a few words.
    hint : what to think of, for a wrong answer that is none of the mistakes.
    mistakes : remark -> the wrong number it explains, or the function that computes it.
    at : argument tuples at which a function is tried; ``ask`` means the first.
    rtol : relative tolerance; the default accepts three correct digits.
    """

    value: Callable[..., float]
    ask: str
    hint: str
    mistakes: Mapping[str, float | Callable[..., float]] = field(default_factory=dict)
    at: tuple[tuple, ...] = ((),)
    rtol: float = 5e-3

    def accepts(self, got: float, want: float) -> bool:
        """Whether ``got`` is ``want`` within the tolerance."""
        return bool(abs(got - want) <= self.rtol * (abs(want) or 1))

    def judge(self, given: object) -> Verdict:
        """Right, wrong with a remark, or not answered yet (``...``).

        Raises
        ------
        ValueError
            If ``given``, or what it returns, is not a real number.
        """
        for args in self.at:
            got = _at(given, args)
            if isinstance(got, EllipsisType):
                return Verdict("open")
            got, want = _number(got), self.value(*args)
            if not self.accepts(got, want):
                return Verdict("wrong", self._remark(got, args))
            if not callable(given):
                break
        return Verdict("right")

    def _remark(self, got: float, args: tuple) -> str:
        known = (
            remark
            for remark, wrong in self.mistakes.items()
            if self.accepts(got, _at(wrong, args))
        )
        where = f"At {', '.join(map(str, args))} it gives {got:.6g}. " if args else ""
        return where + next(known, self.hint)

    def key(self) -> dict:
        """What the site needs to judge a number, six digits of each."""

        def digits(what):
            return float(f"{_at(what, self.at[0]):.6g}")

        wrong = [[digits(what), remark] for remark, what in self.mistakes.items()]
        return {
            "value": digits(self.value),
            "rtol": self.rtol,
            "hint": self.hint,
            "mistakes": wrong,
        }


@dataclass(frozen=True)
class Verdict:
    """``open``, ``right`` or ``wrong``, with a remark on what is wrong."""

    state: str
    remark: str = ""


@dataclass(frozen=True)
class Attempt:
    """A verdict as it is shown: one line in a notebook, a field to type in on the site."""

    label: str
    answer: Answer
    verdict: Verdict

    def __repr__(self) -> str:
        return {
            "open": f"○ {self.label}: not answered yet ({self.answer.ask} = ?)",
            "right": f"✓ {self.label}: right",
            "wrong": f"✗ {self.label}: not yet. {self.verdict.remark}",
        }[self.verdict.state]

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        key = ""
        if self.verdict.state == "open":
            shown = self.answer.key() | {"ask": self.answer.ask}
            key = f' data-key="{escape(json.dumps(shown, ensure_ascii=False))}"'
        return {
            "text/plain": repr(self),
            "text/html": f'<div class="attempt {self.verdict.state}"'
            f' data-exercise="{self.label}"{key}>{escape(repr(self))}</div>',
            EXERCISE_MIME: {"label": self.label, "state": self.verdict.state},
        }


def answer(label: str, **about) -> Callable[[Callable], Callable]:
    """Register the decorated function as the right answer to the exercise ``label``.

    The keyword arguments are those of :class:`Answer`.
    """

    def register(value: Callable[..., float]) -> Callable[..., float]:
        ANSWERS[label] = Answer(value, **about)
        return value

    return register


def find(label: str) -> Answer:
    """The answer to an exercise, from the module of its chapter.

    Raises
    ------
    ValueError
        If there is no such exercise.
    """
    slug = label.removeprefix("ex-").split("-")[0]
    try:
        importlib.import_module(f"{__name__}.{slug}")
    except ModuleNotFoundError:
        raise ValueError(f"no exercises of a chapter {slug!r}, got {label!r}") from None
    if label not in ANSWERS:
        known = ", ".join(k for k in ANSWERS if k.startswith(f"ex-{slug}-"))
        raise ValueError(f"no exercise {label!r}; this chapter has {known}")
    return ANSWERS[label]


def attempt(label: str, given: object = ...) -> None:
    """Judge an answer to an exercise and show the verdict; ``...`` means not answered yet.

    Parameters
    ----------
    label : the exercise's label, ``ex-<slug>-<name>``.
    given : a number, or the function asked for.

    Raises
    ------
    ValueError
        If there is no such exercise, or the answer is no real number.
    """
    found = find(label)
    display(Attempt(label, found, found.judge(given)))


def _at(what: object, args: tuple) -> object:
    return what(*args) if callable(what) else what


def _number(value: object) -> float:
    try:
        number = float(value)  # one-element arrays and tensors, too
    except (TypeError, ValueError):
        raise ValueError(f"an answer is a number, got {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"an answer is a finite number, got {number}")
    return number
