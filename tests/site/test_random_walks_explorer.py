"""The random-walk explorer computes what the kernels compute."""

import math

import numpy as np
import pytest
from conftest import control

from utils import random_walk


@pytest.fixture(scope="module")
def drawn_cases():
    """(n, p) with one k of the right parity each: 50 of every kind, the same in every run."""
    rng = np.random.default_rng(20260)
    n = rng.integers(1, 201, size=50)
    p = rng.uniform(0.05, 0.95, size=50).round(3)
    k = 2 * rng.integers(0, n + 1) - n
    return [(int(a), float(b), int(c)) for a, b, c in zip(n, p, k, strict=True)]


def test_lgamma_is_accurate_to_rounding(call):
    x = np.r_[np.linspace(0.5, 20, 200), np.linspace(20, 2001, 200)]
    want = np.array([math.lgamma(v) for v in x])
    got = np.array(call("random_walks", "lgamma", [[v] for v in x.tolist()]))
    assert np.max(np.abs(got - want) / np.maximum(1, np.abs(want))) < 1e-14


def test_pmf_agrees_with_the_specification_and_the_kernel(call, drawn_cases):
    known = {
        (10, 0.5, 2): 0.205078125,
        (100, 0.5, 0): 0.07958923738717877,
        (100, 0.5, 20): 0.01084386671163798,
        (40, 0.6, 8): 0.1279115243848201,
        (1000, 0.5, 50): 0.00723236188835887,
    }
    got = np.ravel(call("random_walks", "pmf", [[n, k, p] for n, p, k in known]))
    np.testing.assert_allclose(got, list(known.values()), rtol=1e-9)
    got = np.ravel(call("random_walks", "pmf", [[n, k, p] for n, p, k in drawn_cases]))
    # By convolution, which adds positive numbers only and so stays accurate in the tails.
    want = [random_walk.walk_pmf(n, p)[1][k + n] for n, p, k in drawn_cases]
    np.testing.assert_allclose(got, want, rtol=1e-9)
    assert np.ravel(
        call("random_walks", "pmf", [[10, 3, 0.5], [10, 12, 0.5]])
    ).tolist() == [0, 0]


def test_maximum_agrees_with_reflection_and_with_its_own_recursion(call, drawn_cases):
    fair = [(n, abs(k)) for n, _, k in drawn_cases]
    got = np.ravel(call("random_walks", "maxTail", [[n, r] for n, r in fair]))
    np.testing.assert_allclose(
        got, [random_walk.max_tail(n, r) for n, r in fair], rtol=1e-9
    )
    for n, p, _ in drawn_cases[:10]:
        law = np.ravel(call("random_walks", "maxPmf", [[n, p]]))
        tails = np.ravel(
            call("random_walks", "maxTail", [[n, r, p] for r in range(n + 1)])
        )
        np.testing.assert_allclose(law[::-1].cumsum()[::-1], tails, rtol=1e-9)


def test_last_zero_agrees_with_the_kernel_and_with_enumeration(call, drawn_cases):
    for n in {n - n % 2 for n, _, _ in drawn_cases} | {100}:
        got = np.ravel(call("random_walks", "lastZeroPmf", [[n]]))
        np.testing.assert_allclose(got, random_walk.arcsine_pmf(n // 2), rtol=1e-9)
        if n == 100:
            assert got[0] == pytest.approx(0.0795892374, rel=1e-9)
    np.testing.assert_allclose(
        np.ravel(call("random_walks", "lastZeroPmf", [[11, 0.3]])),
        enumerate_walks(11, 0.3)["last zero"][::2][:6],
        rtol=1e-9,
    )


def test_first_return_agrees_with_the_kernel_and_with_enumeration(call):
    want = random_walk.first_returns(random_walk.return_probs(100))
    np.testing.assert_allclose(
        np.ravel(call("random_walks", "firstReturnPmf", [[200]])), want, rtol=1e-9
    )
    law = enumerate_walks(11, 0.3)
    np.testing.assert_allclose(
        np.ravel(call("random_walks", "firstReturnPmf", [[11, 0.3]])),
        law["first return"][::2][:6],
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        np.ravel(call("random_walks", "noReturn", [[11, 0.3]]))[-1],
        law["never"],
        rtol=1e-9,
    )


def test_maximum_of_a_biased_walk_agrees_with_enumeration(call):
    np.testing.assert_allclose(
        np.ravel(call("random_walks", "maxPmf", [[11, 0.3]])),
        enumerate_walks(11, 0.3)["maximum"],
        rtol=1e-9,
    )


def enumerate_walks(n, p):
    """Weigh all 2^n walks of a small n one by one."""
    steps = 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) - 1
    S = np.c_[np.zeros(2**n, int), steps.cumsum(axis=1)]
    weight = p ** (steps > 0).sum(axis=1) * (1 - p) ** (steps < 0).sum(axis=1)
    back = S[:, 1:] == 0
    returns, first = back.any(axis=1), 1 + back.argmax(axis=1)
    last = n - (S == 0)[:, ::-1].argmax(axis=1)

    def count(values, mask=slice(None)):
        return np.bincount(values[mask], weight[mask], minlength=n + 1)

    return {
        "maximum": count(S.max(axis=1)),
        "last zero": count(last),
        "first return": count(first, returns),
        "never": weight[~returns].sum(),
    }


def test_bars_carry_the_numbers_they_show(explorer):
    host = explorer("random_walks")
    control(host, "slider", "steps n").fill("40")
    control(host, "slider", "up-step chance p").fill("0.6")
    bars = dict(
        host.locator("[data-p]").evaluate_all(
            "all => all.map(e => [Number(e.dataset.k), Number(e.dataset.p)])"
        )
    )
    assert bars[8] == pytest.approx(0.1279115243848201, rel=1e-9)
    shares = host.locator("circle[data-share]").evaluate_all(
        "all => all.map(e => Number(e.dataset.share))"
    )
    assert sum(shares) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("n", "p"), [(50, 0.5), (117, 0.62)])
def test_simulated_walks_obey_the_laws(call, n, p):
    walks = call("random_walks", "walk", [[1, i, n, p] for i in range(2520)])
    end = np.array([walk["position"] for walk in walks])
    top = np.array([walk["maximum"] for walk in walks])
    mean, sd = n * (2 * p - 1), np.sqrt(4 * n * p * (1 - p))
    assert abs(end.mean() - mean) < 4 * sd / np.sqrt(2520)
    law = np.ravel(call("random_walks", "maxPmf", [[n, p]]))
    mean, second = law @ np.arange(n + 1), law @ np.arange(n + 1) ** 2
    assert abs(top.mean() - mean) < 4 * np.sqrt((second - mean**2) / 2520)


def test_the_limit_ends_where_the_walk_can_go(explorer):
    host = explorer("random_walks")
    control(host, "slider", "steps n").fill("50")
    control(host, "slider", "up-step chance p").fill("0.9")
    furthest = host.locator("rect[data-k='50']").evaluate(
        "e => Number(e.getAttribute('x')) + Number(e.getAttribute('width')) / 2"
    )
    end = host.locator("polyline.ex-curve").evaluate(
        "e => Number(e.getAttribute('points').split(' ').at(-1).split(',')[0])"
    )
    assert end == pytest.approx(furthest, abs=0.5)
