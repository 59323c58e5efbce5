"""The Poisson explorer computes what the kernels compute, and its streams obey the laws."""

import itertools
import math

import numpy as np
import pytest
from conftest import control

from utils.poisson import poisson_pmf

SLUG = "poisson_processes"
WINDOWS = 2500


@pytest.fixture(scope="module")
def drawn_cases():
    """50 sets (rate, hours, keep, n), the same in every run."""
    rng = np.random.default_rng(20261)
    rate, hours = rng.uniform(0.2, 10, 50).round(2), rng.uniform(0.1, 4, 50).round(2)
    keep = rng.uniform(0, 1, 50).round(2)
    n = rng.poisson(rate * hours * keep)
    return [
        (float(a), float(b), float(c), int(d))
        for a, b, c, d in zip(rate, hours, keep, n, strict=True)
    ]


def counts(call, rate, hours, keep, arrivals):
    rows = [[1, i, rate, hours, keep, arrivals] for i in range(WINDOWS)]
    return np.ravel(call(SLUG, "keptCount", rows)).astype(int)


def test_law_agrees_with_the_specification_and_the_kernel(call, drawn_cases):
    known = {
        (3, 1, 1, 3): 0.22404180765538775,
        (3, 1, 1, 6): 0.05040940672246223,
        (3, 2, 1, 0): 0.0024787521766663585,
        (3, 1, 0.5, 0): 0.22313016014842982,
    }
    got = np.ravel(call(SLUG, "keptPmf", [list(case) for case in known]))
    np.testing.assert_allclose(got, list(known.values()), rtol=1e-9)
    got = np.ravel(call(SLUG, "keptPmf", [list(case) for case in drawn_cases]))
    want = [float(poisson_pmf(n, a * b * c)) for a, b, c, n in drawn_cases]
    np.testing.assert_allclose(got, want, rtol=1e-9)
    assert np.ravel(call(SLUG, "pmf", [[0, 0], [0, 1]])).tolist() == [1, 0]


def test_gap_law_agrees_with_the_specification(call, drawn_cases):
    got = np.ravel(call(SLUG, "gapBetween", [[3, 0.25, 0.5]]))
    np.testing.assert_allclose(got, 0.24923639259258487, rtol=1e-9)
    cases = [[rate, hours, hours + keep] for rate, hours, keep, _ in drawn_cases]
    want = [math.exp(-a * b) * -math.expm1(-a * (c - b)) for a, b, c in cases]
    got = np.ravel(call(SLUG, "gapBetween", cases))
    np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-15)


def test_bars_carry_the_numbers_they_show(explorer):
    host = explorer(SLUG)
    for name, value in [("rate λ per hour", "3"), ("chance π to be kept", "1")]:
        control(host, "slider", name).fill(value)
    bars = dict(
        host.locator("[data-p]").evaluate_all(
            "all => all.map(e => [Number(e.dataset.k), Number(e.dataset.p)])"
        )
    )
    assert bars[6] == pytest.approx(0.05040940672246223, rel=1e-9)
    shares = host.locator("circle[data-share]").evaluate_all(
        "all => all.map(e => Number(e.dataset.share))"
    )
    assert sum(shares) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("rate", "hours", "keep"), [(6, 1, 0.5), (10, 2.5, 0.3), (3, 1, 1), (0.2, 0.2, 1)]
)
def test_by_chance_the_counts_are_poisson(call, rate, hours, keep):
    n, mu = counts(call, rate, hours, keep, "by chance"), rate * hours * keep
    assert abs(n.mean() - mu) < 4 * math.sqrt(mu / WINDOWS)
    fourth = 3 * mu**2 + mu  # central moment, for the spread of the variance
    assert abs(n.var() - mu) < 4 * math.sqrt((fourth - mu**2) / WINDOWS)


@pytest.mark.parametrize("keep", [1.0, 0.3])
@pytest.mark.parametrize("hours", [0.5, 2])
def test_in_groups_the_counts_spread_as_derived(call, hours, keep):
    n = counts(call, 6, hours, keep, "in groups")
    mu = 6 * hours * keep
    want = np.ravel(call(SLUG, "index", [[hours, keep, "in groups"]]))[0]
    assert want == pytest.approx(1 + 3 * keep * (1 - 0.2 / (3 * hours)))
    assert abs(n.mean() - mu) < 4 * math.sqrt(want * mu / WINDOWS)
    assert abs(n.var() / mu / want - 1) < 0.2


def test_thinning_shrinks_the_excess_in_proportion(call):
    got = np.ravel(call(SLUG, "thinned", [[0.1, 3.8], [0.25, 0.2], [1, 7]]))
    np.testing.assert_allclose(got, [1.28, 0.8, 7], rtol=1e-12)
    for arrivals, rate in itertools.product(["in groups", "evenly spaced"], [4, 10]):
        whole = counts(call, rate, 1, 1, arrivals)
        few = counts(call, rate, 1, 0.1, arrivals)
        want = 1 + 0.1 * (whole.var() / whole.mean() - 1)
        assert abs(few.var() / few.mean() - want) < 5 * want * math.sqrt(3 / WINDOWS)


def test_the_page_says_which_index_is_due(explorer):
    host = explorer(SLUG)
    control(host, "radio", "in groups").check(force=True)
    control(host, "slider", "chance π to be kept").fill("0.1")
    host.get_by_text("due 1.28").wait_for()


def test_evenly_spaced_counts_hardly_vary_until_they_are_thinned(call):
    whole = counts(call, 6, 1, 1, "evenly spaced")
    assert abs(whole.mean() - 6) < 0.05
    assert whole.var() < 0.3
    rare = counts(call, 10, 1, 0.1, "evenly spaced")
    assert abs(rare.var() / rare.mean() - 0.9) < 0.1


def test_thinning_moves_no_event(call):
    rows = [[7, i, 6, 1, "in groups"] for i in range(50)]
    first, again = call(SLUG, "row", rows), call(SLUG, "row", rows)
    assert first == again
    for events in first:
        times = [t for t, _ in events]
        assert times == sorted(times)
        assert all(0 < t <= 1 and 0 <= mark < 1 for t, mark in events)
    kept = [
        np.ravel(
            call(
                SLUG, "keptCount", [[7, i, 6, 1, keep, "in groups"] for i in range(50)]
            )
        )
        for keep in (0, 0.4, 0.8, 1)
    ]
    assert all((a <= b).all() for a, b in itertools.pairwise(kept))
    assert kept[-1].tolist() == [len(events) for events in first]
