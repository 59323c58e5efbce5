"""Poisson kernels against enumeration, exact arithmetic, scipy and the laws they must obey."""

import itertools
import math
import re
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, stats

from utils.poisson import (
    PRUSSIAN,
    RUTHERFORD_GEIGER,
    dispersion_split,
    dispersion_test,
    garwood_interval,
    gof_poisson,
    panjer,
    poisson_binomial_pmf,
    poisson_pmf,
    simulate_by_counts,
    simulate_homogeneous,
    simulate_thinning,
    tv_distance,
)

seeded = settings(derandomize=True, deadline=None, max_examples=60, database=None)
KICKS = np.array(list(PRUSSIAN.values()))
# VonBort of the R package vcd: one string a year, corps in the order of PRUSSIAN.
VON_BORT = """00000001100010 20001000000011 20000011001020 12211000001010 00011220100210
    03211100021430 10021001010000 12000010112141 00120121010300 30100001002011
    00000010020101 21001110010130 11210032110120 01100110000110 00110110012202
    12020112021122 00011101103310 13201130110110 01000102001300 10000000101100"""
PALM = np.array([0.0, 0.5, 0.3, 0.2])


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("mu", [1e-3, 0.61, 3.0, 40.0])
def test_pmf_by_multiplication(mu):
    with mpmath.workdps(30):
        want = [
            float(mpmath.exp(-mu) * mpmath.mpf(mu) ** n / mpmath.factorial(n))
            for n in range(60)
        ]
    assert_allclose(poisson_pmf(np.arange(60), mu), want, rtol=2e-13)


@pytest.mark.parametrize("mu", [1e-3, 3.0, 1e3, 1e5])
def test_pmf_is_scipys(mu):
    n = np.unique(np.r_[0, 1, 2, np.linspace(0.8 * mu, 1.2 * mu, 50)].astype(int))
    assert_allclose(poisson_pmf(n, mu), stats.poisson.pmf(n, mu), rtol=1e-9)


@pytest.mark.parametrize(
    ("n", "mu", "want"),
    [
        (3, 3.0, 0.22404180765538775),
        (6, 3.0, 0.05040940672246223),
        (0, 3.0, 0.049787068367863944),
        (0, 6.0, 0.0024787521766663585),
        (0, 1.5, 0.22313016014842982),
    ],
)
def test_pmf_values_of_the_explorer(n, mu, want):
    assert_allclose(poisson_pmf(n, mu), want, rtol=1e-13)


@pytest.mark.parametrize("mu", [0.5, 15.0, 16.0, 700.0, 1e6, 1e9, 5e15])
def test_pmf_at_any_size(mu):
    counts = sorted({int(mu + z * mu**0.5) for z in (-8, -3, -0.1, 0, 1, 5)} | {1, 2})
    counts = [n for n in counts if n >= 0]
    with mpmath.workdps(60):
        log = [n * mpmath.log(mu) - mu - mpmath.loggamma(n + 1) for n in counts]
        want = [float(mpmath.exp(x)) for x in log]
    assert_allclose(poisson_pmf(np.array(counts), mu), want, rtol=4e-14, atol=1e-300)
    assert_allclose(poisson_pmf(5 * 10**15, 5e15), 5.64190e-9, rtol=1e-5)


@pytest.mark.usefixtures("without_type_checks")
def test_integers_of_eight_bits_are_counts():
    low, high = garwood_interval(np.uint8([200, 255, 0]))
    assert_allclose(
        low, stats.chi2.ppf(0.025, [400, 510, 1]) / 2 * [1, 1, 0], rtol=1e-12
    )
    assert_allclose(high, stats.chi2.ppf(0.975, [402, 512, 2]) / 2, rtol=1e-12)
    assert_allclose(low[0], 173.24, atol=5e-3)
    assert_allclose(high[0], 229.72, atol=5e-3)
    assert_allclose(
        gof_poisson(np.uint8([200, 250, 150, 50]))[0],
        gof_poisson([200, 250, 150, 50])[0],
        rtol=0,
    )


def test_garwood_at_any_count():
    """Far out the interval is normal: N +- z sqrt(N) + (z^2 + 1 -+ 1) / 2 + O(1)."""
    z = stats.norm.ppf(0.975)
    for count in (10**8, 10**15):
        low, high = garwood_interval(count)
        assert_allclose(
            (np.array([low, high]) - count) / count**0.5, [-z, z], atol=3 / count**0.5
        )


def test_dispersion_does_not_square_what_is_small():
    x = np.array([1.0, 0.0, 3.0])
    D, *_ = dispersion_test(x)
    for scale in (1e-200, 1e200):
        assert_allclose(dispersion_test(scale * x)[0], scale * D, rtol=1e-14)


def test_a_constant_rate_is_one_coin_for_each_point():
    for seed in range(6):
        count = simulate_thinning(lambda t: 2.0, 4.0, 10.0, 100, rng=rng(seed))[
            1
        ].mean()
        assert abs(count - 20) < 4 * (20 / 100) ** 0.5
    whole = simulate_thinning(lambda t: 2.0 + 0 * t, 4.0, 10.0, 100, rng=rng(0))
    for got, want in zip(
        simulate_thinning(lambda t: 2, 4.0, 10.0, 100, rng=rng(0)), whole, strict=True
    ):
        assert_array_equal(got, want)
    listed = simulate_thinning(lambda t: [2.0] * len(t), 4.0, 10.0, 100, rng=rng(0))
    assert_array_equal(listed[0], whole[0])


def test_a_rate_function_may_write_into_its_times():
    def rate(t):
        t *= 0
        return t + 4.0

    times, _ = simulate_thinning(rate, 4.0, 10.0, 5, rng=rng(3))
    assert (np.sort(times, axis=1) == times).all()
    assert times[:, 0].min() > 0


def test_pmf_edges():
    assert poisson_pmf(np.arange(3), 0.0).tolist() == [1, 0, 0]
    assert poisson_pmf(np.arange(6).reshape(2, 3), 1.0).shape == (2, 3)
    assert poisson_pmf(np.arange(0), 1.0).shape == (0,)
    assert poisson_pmf(10**6, 10.0) == 0


@seeded
@given(mu=st.floats(0.01, 60), nu=st.floats(0.01, 60))
def test_pmf_laws(mu, nu):
    n = np.arange(260)
    a, b = poisson_pmf(n, mu), poisson_pmf(n, nu)
    assert_allclose(a.sum(), 1, rtol=1e-12)
    assert_allclose([a @ n, a @ (n - mu) ** 2], [mu, mu], rtol=1e-10)
    together = np.convolve(a, b)[:260]
    assert_allclose(together, poisson_pmf(n, mu + nu), rtol=0, atol=1e-14)
    assert_allclose(a[1:] * n[1:], mu * a[:-1], rtol=1e-10, atol=1e-300)


def test_poisson_binomial_by_enumeration():
    p = np.array([0.1, 0.5, 0.9, 0.3, 0.0, 1.0])
    want = np.zeros(7)
    for outcome in itertools.product([0, 1], repeat=6):
        want[sum(outcome)] += np.prod(np.where(outcome, p, 1 - p))
    assert_allclose(poisson_binomial_pmf(p), want, rtol=0, atol=1e-16)


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (20, 0.15), (200, 0.5)])
def test_poisson_binomial_of_equal_chances(n, p):
    want = stats.binom.pmf(np.arange(n + 1), n, p)
    assert_allclose(poisson_binomial_pmf(np.full(n, p)), want, rtol=1e-10)


@seeded
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_poisson_binomial_laws(chances):
    p = np.array(chances)
    pmf, k = poisson_binomial_pmf(p), np.arange(len(p) + 1)
    assert (pmf >= 0).all()
    assert_allclose(pmf.sum(), 1, rtol=1e-12)
    assert_allclose(pmf @ k, p.sum(), rtol=1e-12, atol=1e-14)
    assert_allclose(pmf @ k**2 - p.sum() ** 2, (p * (1 - p)).sum(), atol=1e-10)
    assert_allclose(poisson_binomial_pmf(1 - p), pmf[::-1], atol=1e-14)


def test_tv_by_the_best_event():
    a, b = np.array([0.1, 0.4, 0.5]), np.array([0.3, 0.3, 0.2, 0.2])
    padded = np.array([0.1, 0.4, 0.5, 0.0])
    events = np.array(list(itertools.product([0, 1], repeat=4)))
    assert_allclose(tv_distance(a, b), (events @ (padded - b)).max(), rtol=1e-14)
    assert tv_distance(a, b) == tv_distance(b, a)
    assert tv_distance(a, a.copy()) == 0
    assert tv_distance(np.array([1.0]), np.array([0.0, 1.0])) == 1


@pytest.mark.parametrize(
    ("n", "want"),
    [(10, 0.86409), (30, 0.78543), (100, 0.76070), (1000, 0.75154), (10_000, 0.75064)],
)
def test_tv_of_the_binomial_limit(n, want):
    k = np.arange(n + 1)
    # One way alone: where the binomial is larger, the Poisson tail plays no part.
    gap = stats.binom.pmf(k, n, 3 / n) - stats.poisson.pmf(k, 3)
    assert_allclose(n * gap[gap > 0].sum(), want, rtol=0, atol=6e-6)
    a = stats.binom.pmf(k[:200], n, 3 / n)
    assert_allclose(
        n * tv_distance(a, poisson_pmf(np.arange(80), 3.0)), want, atol=2e-5
    )


SAMPLERS = [
    simulate_homogeneous,
    simulate_by_counts,
    lambda rate, t_end, n, *, rng: simulate_thinning(
        lambda t: np.full_like(t, rate), 1.7 * rate, t_end, n, rng=rng
    ),
]
each_sampler = pytest.mark.parametrize(
    "sampler", SAMPLERS, ids=["gaps", "by counts", "thinning"]
)


@each_sampler
def test_paths_are_well_formed(sampler):
    times, counts = sampler(3.0, 5.0, 400, rng=rng())
    assert times.shape == (400, counts.max())
    assert_array_equal(np.isfinite(times).sum(axis=1), counts)
    finite = np.isfinite(times)
    assert (finite == (np.arange(counts.max()) < counts[:, None])).all()
    assert (times[finite] > 0).all()
    assert (times[finite] <= 5).all()
    steps = np.diff(np.where(finite, times, np.arange(counts.max()) + 10.0), axis=1)
    assert (steps > 0).all()


@each_sampler
def test_counts_are_poisson_and_times_uniform(sampler):
    times, counts = sampler(3.0, 5.0, 20_000, rng=rng(1))
    seen = np.bincount(counts, minlength=60)
    edges = np.r_[0, np.arange(6, 26), 60]
    observed = np.add.reduceat(seen, edges[:-1])
    cdf = stats.poisson.cdf(edges[1:-1] - 1, 15)
    expected = 20_000 * np.diff(np.r_[0, cdf, 1])
    assert stats.chisquare(observed, expected).pvalue > 1e-4
    flat = times[np.isfinite(times)]
    assert stats.kstest(flat / 5, "uniform").pvalue > 1e-4
    early, late = (times <= 2).sum(axis=1), ((times > 2) & (times <= 5)).sum(axis=1)
    assert abs(np.corrcoef(early, late)[0, 1]) < 4 / math.sqrt(20_000)


@each_sampler
def test_gaps_are_exponential(sampler):
    times, _ = sampler(50.0, 20.0, 100, rng=rng(2))
    first = np.column_stack([np.zeros(100), times[:, :800]])
    assert np.isfinite(first).all()
    gaps = np.diff(first, axis=1).ravel()
    assert stats.kstest(50 * gaps, "expon").pvalue > 1e-4


@each_sampler
@pytest.mark.parametrize(("rate", "t_end"), [(0.0, 5.0), (3.0, 0.0), (0.0, 0.0)])
def test_nothing_happens_without_rate_or_time(sampler, rate, t_end):
    times, counts = sampler(rate, t_end, 4, rng=rng())
    assert times.shape == (4, 0)
    assert counts.tolist() == [0, 0, 0, 0]


@pytest.mark.usefixtures("without_type_checks")
def test_no_path_is_cut_short():
    class Lazy:
        """Gaps so short that the first block cannot reach the end."""

        def __init__(self):
            self.calls = 0

        def exponential(self, size):
            self.calls += 1
            return np.full(size, 0.01)

    lazy = Lazy()
    times, counts = simulate_homogeneous(2.0, 3.0, 2, rng=lazy)
    assert lazy.calls > 1
    assert counts.tolist() in ([599, 599], [600, 600])
    assert_allclose(times[0, :5], 0.005 * np.arange(1, 6), rtol=1e-12)


def test_thinning_follows_the_rate():
    def rate(t):
        return 3 * (1 + 0.8 * np.sin(2 * np.pi * t / 5))

    def cumulative(t):
        return 3 * t + 6 / np.pi * (1 - np.cos(2 * np.pi * t / 5))

    times, counts = simulate_thinning(rate, 5.4, 10.0, 5000, rng=rng(3))
    assert abs(counts.mean() - 30) < 4 * math.sqrt(30 / 5000)
    assert abs(counts.var() / 30 - 1) < 4 * math.sqrt(2 / 5000)
    flat = times[np.isfinite(times)]
    assert stats.kstest(cumulative(flat) / 30, "uniform").pvalue > 1e-4
    windows = [(times <= b).sum(axis=1) for b in (1, 4, 7)]
    for b, seen in zip((1, 4, 7), windows, strict=True):
        assert abs(seen.mean() - cumulative(b)) < 4 * math.sqrt(cumulative(b) / 5000)


def test_thinning_keeps_all_at_the_bound_and_none_at_zero():
    everything = simulate_thinning(lambda t: 2.0 + 0 * t, 2.0, 4.0, 50, rng=rng(4))
    proposals = simulate_homogeneous(2.0, 4.0, 50, rng=rng(4))
    assert_array_equal(everything[0], proposals[0])
    nothing = simulate_thinning(lambda t: 0 * t, 2.0, 4.0, 50, rng=rng(4))
    assert nothing[1].sum() == 0


def test_panjer_by_enumeration():
    n = np.arange(40)
    want, power = np.zeros(41), np.ones(1)
    for k in n:
        size = min(len(power), 41)
        want[:size] += stats.poisson.pmf(k, 4) * power[:41]
        power = np.convolve(power, PALM)
    assert_allclose(panjer(4.0, PALM, 40), want, rtol=1e-10)


def test_panjer_values():
    g = panjer(4.0, PALM, 80)
    s = np.arange(81)
    assert_allclose(g.sum(), 1, rtol=1e-13)
    assert_allclose([g @ s, g @ (s - 6.8) ** 2], [6.8, 14.0], rtol=1e-12)
    assert_allclose(g[21:].sum(), 0.00166297, rtol=0, atol=5e-9)


def test_panjer_of_unit_jumps_is_poisson():
    got = panjer(3.0, np.array([0.0, 1.0]), 30)
    assert_allclose(got, stats.poisson.pmf(np.arange(31), 3), rtol=1e-12)


def test_panjer_of_logarithmic_jumps_is_negative_binomial():
    q, r = 0.4, 2.5  # a different law for the sum, in closed form
    j = np.arange(1, 200)
    jumps = np.r_[0, -(q**j) / (j * math.log(1 - q))]
    want = stats.nbinom.pmf(np.arange(31), r, 1 - q)
    assert_allclose(panjer(-r * math.log(1 - q), jumps, 30), want, rtol=1e-11)


def test_panjer_edges():
    assert panjer(0.0, PALM, 3).tolist() == [1, 0, 0, 0]
    assert_allclose(panjer(2.0, PALM, 0), [math.exp(-2)])
    assert panjer(2.0, np.array([0.0, 0.0, 1.0]), 5)[1::2].tolist() == [0, 0, 0]
    assert panjer(700.0, np.array([0.0, 1.0]), 2)[0] > 0


@pytest.mark.parametrize("count", [0, 1, 3, 10, 196])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_garwood_solves_the_tail_equations(count, alpha):
    low, high = garwood_interval(count, alpha)
    assert_allclose(stats.poisson.cdf(count, high), alpha / 2, rtol=1e-9)
    if count:
        assert_allclose(stats.poisson.sf(count - 1, low), alpha / 2, rtol=1e-9)
    else:
        assert low == 0
        assert_allclose(high, -math.log(alpha / 2), rtol=1e-12)
    assert low < max(count, 0.5) < high


def test_garwood_finds_its_root():
    want = optimize.brentq(lambda mu: stats.poisson.cdf(5, mu) - 0.025, 5, 30)
    assert_allclose(garwood_interval(5)[1], want, rtol=1e-9)


def test_garwood_covers():
    n = np.arange(120)
    low, high = garwood_interval(n)
    mus = np.linspace(0.1, 20, 200)
    covers = (low <= mus[:, None]) & (mus[:, None] <= high)
    coverage = [stats.poisson.pmf(n, mu) @ c for mu, c in zip(mus, covers, strict=True)]
    assert_allclose([min(coverage), max(coverage)], [0.95236, 0.99640], atol=5e-6)


def test_data_are_the_published_ones():
    by_year = np.array([[int(d) for d in year] for year in VON_BORT.split()])
    assert_array_equal(KICKS, by_year.T)
    assert KICKS.sum() == 196
    assert np.bincount(KICKS.ravel()).tolist() == [144, 91, 32, 11, 2]
    assert sum(RUTHERFORD_GEIGER) == 2608
    assert np.arange(15) @ RUTHERFORD_GEIGER == 10_097


@pytest.mark.parametrize(
    ("counts", "min_expected", "chi2", "dof", "p"),
    [
        (RUTHERFORD_GEIGER, 5.0, 12.9613, 10, 0.2258),
        (RUTHERFORD_GEIGER, 10.0, 12.8726, 9, 0.1685),
        ((144, 91, 32, 11, 2), 5.0, 1.9518, 2, 0.377),
        ((109, 65, 22, 3, 1), 4.0, 0.3235, 2, 0.851),
    ],
)
def test_gof_values(counts, min_expected, chi2, dof, p):
    got = gof_poisson(np.array(counts), min_expected)
    assert_allclose(got[0], chi2, rtol=0, atol=6e-5)
    assert got[1] == dof
    assert_allclose(got[2], p, rtol=0, atol=6e-4)


def test_gof_is_scipys_on_the_pooled_table():
    counts = np.random.default_rng(5).poisson(12, 500)
    chi2, dof, p, table = gof_poisson(np.bincount(counts))
    want = stats.chisquare(table[:, 1], table[:, 2], ddof=1)
    assert_allclose([chi2, p], [want.statistic, want.pvalue], rtol=1e-10)
    assert dof == len(table) - 2
    assert_allclose(table[:, 1:].sum(axis=0), 500, rtol=1e-12)
    first, mu = table[:, 0].astype(int), counts.mean()
    assert first[0] == 0
    assert_array_equal(np.diff(first[1:]), 1)
    low, high = first[1] - 1, first[-1]
    assert low > 0  # there was a left tail to pool
    assert 500 * stats.poisson.cdf(low, mu) >= 5 > 500 * stats.poisson.cdf(low - 1, mu)
    assert 500 * stats.poisson.sf(high - 1, mu) >= 5 > 500 * stats.poisson.sf(high, mu)
    inside = 500 * stats.poisson.pmf(first[1:-1], mu)
    assert_allclose(table[1:-1, 2], inside, rtol=1e-9)
    for (a, observed, _), b in zip(table, [*first[1:], 99], strict=True):
        assert observed == ((counts >= a) & (counts < b)).sum()


def test_gof_has_its_level_and_power():
    draw = np.random.default_rng(6)
    null = [gof_poisson(np.bincount(draw.poisson(2.0, 300)))[2] for _ in range(600)]
    assert abs(np.mean(np.array(null) < 0.1) - 0.1) < 4 * math.sqrt(0.09 / 600)
    mixed = [
        gof_poisson(np.bincount(draw.negative_binomial(2, 0.5, 300)))[2]
        for _ in range(100)
    ]
    assert np.mean(np.array(mixed) < 0.05) > 0.9


@pytest.mark.parametrize(
    ("x", "D", "dof", "p"),
    [
        (KICKS.ravel(), 304.0, 279, 0.2908),
        (KICKS.sum(axis=1), 27.286, 13, 0.0227),
        (KICKS.sum(axis=0), 37.469, 19, 0.0139),
        (np.repeat(np.arange(15), RUTHERFORD_GEIGER), 2488.92, 2607, 0.0987),
    ],
)
def test_dispersion_values(x, D, dof, p):
    got = dispersion_test(x)
    assert_allclose(got[0], D, rtol=2e-5)
    assert got[1] == dof
    assert_allclose(got[2], p, rtol=0, atol=6e-5)


def test_dispersion_in_rational_arithmetic():
    x = [3, 1, 4, 1, 5]
    mean = Fraction(sum(x), 5)
    D = float(sum((v - mean) ** 2 for v in x) / mean)
    assert_allclose(dispersion_test(np.array(x))[0], D, rtol=1e-14)
    assert_allclose(
        dispersion_test(np.array(x, dtype=float))[2],
        2 * stats.chi2.cdf(D, 4) if D < 4 else 2 * stats.chi2.sf(D, 4),
        rtol=1e-12,
    )
    assert dispersion_test(np.array([2, 2, 2])) == (0.0, 2, 0.0)


def test_dispersion_is_the_two_sample_test_for_two_counts():
    D, dof, p = dispersion_test(np.array([10, 20]))
    z = (20 - 10) / math.sqrt(30)
    assert_allclose([D, p], [z**2, 2 * 2 * stats.norm.sf(z)], rtol=1e-12)
    assert dof == 1


def _two_sided(x):
    D, dof, _ = dispersion_test(x)
    return D, dof


@seeded
@given(st.lists(st.integers(0, 30), min_size=2, max_size=30), st.integers(0, 10**6))
def test_dispersion_does_not_depend_on_order(counts, seed):
    x = np.array(counts)
    if x.sum():
        shuffled = np.random.default_rng(seed).permutation(x)
        assert_allclose(_two_sided(shuffled), _two_sided(x), rtol=1e-12, atol=1e-12)
        assert_allclose(
            _two_sided(x)[0], (len(x) - 1) * x.var(ddof=1) / x.mean(), atol=1e-10
        )


def test_split_of_the_kicks_with_equal_exposure_is_the_dispersion_of_margins():
    parts = dispersion_split(KICKS, np.ones(14))
    assert_allclose(parts, (27.286, 37.469, 239.245), rtol=2e-5)
    assert_allclose(sum(parts), dispersion_test(KICKS.ravel())[0], rtol=1e-12)


def test_split_agrees_with_pearson_of_the_margins_and_adds_up():
    draw = np.random.default_rng(8)
    for _ in range(30):
        table, exposure = draw.poisson(2.0, (5, 7)), draw.uniform(0.2, 4.0, 5)
        rows, columns, rest = dispersion_split(table, exposure)
        due = table.sum() * exposure / exposure.sum()
        assert_allclose(rows, stats.chisquare(table.sum(1), due)[0], rtol=1e-11)
        assert_allclose(columns, stats.chisquare(table.sum(0))[0], rtol=1e-11)
        cells = stats.chisquare(table, np.tile(due[:, None] / 7, 7), axis=None)[0]
        assert_allclose(rows + columns + rest, cells, rtol=1e-11)
        assert_allclose(dispersion_split(table, 7 * exposure)[0], rows, rtol=1e-11)


def test_split_of_a_product_table_is_nothing():
    table = np.outer([10, 20, 40], [1, 1])
    assert_allclose(dispersion_split(table, np.array([1, 2, 4])), 0, atol=1e-12)


BAD = [
    (
        dispersion_split,
        (np.ones((1, 3)), np.ones(1)),
        "table must have at least two rows and two columns, got shape (1, 3)",
    ),
    (
        dispersion_split,
        (np.ones((2, 3)), np.ones(3)),
        "exposure must have one number for each row, got 3 for 2",
    ),
    (
        dispersion_split,
        (np.ones((2, 2)), np.array([1.0, 0.0])),
        "exposure must be > 0, got 0.0",
    ),
    (
        dispersion_split,
        (np.zeros((2, 2)), np.ones(2)),
        "table must have a positive sum, got 0.0",
    ),
    (
        dispersion_split,
        (np.array([[1, -1], [1, 1]]), np.ones(2)),
        "table must be >= 0, got -1",
    ),
    (poisson_pmf, (-1, 1.0), "n must be an integer >= 0, got -1"),
    (poisson_pmf, (1.5, 1.0), "n must be an integer >= 0, got 1.5"),
    (poisson_pmf, (1, -0.5), "mu must be finite and >= 0, got -0.5"),
    (poisson_binomial_pmf, (np.array([0.5, 1.2]),), "p must be in [0, 1], got 1.2"),
    (
        poisson_binomial_pmf,
        (np.zeros((2, 2)),),
        "p must be a non-empty vector, got shape (2, 2)",
    ),
    (tv_distance, (np.array([0.5, 0.4]), np.ones(1)), "a must sum to 1, got 0.9"),
    (tv_distance, (np.ones(1), np.array([1.5, -0.5])), "b must be >= 0, got -0.5"),
    (tv_distance, (np.ones((1, 1)), np.ones(1)), "a must be a non-empty vector"),
    (panjer, (-1.0, PALM, 3), "mu must be in [0, 700], got -1.0"),
    (panjer, (701.0, PALM, 3), "mu must be in [0, 700], got 701.0"),
    (panjer, (1.0, np.array([0.5, 0.5]), 3), "jump_pmf[0] must be 0, got 0.5"),
    (panjer, (1.0, np.array([0.0, 0.5]), 3), "jump_pmf must sum to 1, got 0.5"),
    (panjer, (1.0, PALM, -1), "n_max must be an integer >= 0, got -1"),
    (garwood_interval, (-1,), "count must be an integer >= 0, got -1"),
    (garwood_interval, (1, 0.0), "alpha must be in (0, 1), got 0.0"),
    (garwood_interval, (1, 1.0), "alpha must be in (0, 1), got 1.0"),
    (dispersion_test, (np.array([1]),), "x must have at least 2 entries, got 1"),
    (dispersion_test, (np.array([0, 0]),), "x must have a positive mean, got 0.0"),
    (dispersion_test, (np.array([1, -1]),), "x must be >= 0, got -1"),
    (gof_poisson, (np.array([5, -1]),), "observed must be >= 0, got -1"),
    (gof_poisson, (np.array([5, 0]),), "observed must have a positive mean, got 0"),
    (gof_poisson, (np.array([5, 5]), 0.0), "min_expected must be positive, got 0.0"),
    (
        gof_poisson,
        (np.array([5, 5]),),
        "observed must leave at least three cells after pooling, got",
    ),
    (
        gof_poisson,
        (np.array([1, 1]), 50.0),
        "observed must leave at least three cells after pooling, got 0",
    ),
]


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(("kernel", "args", "message"), BAD)
def test_bad_input_is_refused(kernel, args, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        kernel(*args)


BAD_SAMPLING = [
    ((-1.0, 1.0, 5), "rate must be finite and >= 0, got -1.0"),
    ((1.0, -1.0, 5), "t_end must be finite and >= 0, got -1.0"),
    ((1.0, 1.0, 0), "n_paths must be an integer >= 1, got 0"),
    ((1.0, 1.0, 2.5), "n_paths must be an integer >= 1, got 2.5"),
]


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(("args", "message"), BAD_SAMPLING)
@pytest.mark.parametrize("kernel", [simulate_homogeneous, simulate_by_counts])
def test_bad_sampling_is_refused(kernel, args, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        kernel(*args, rng=rng())


@pytest.mark.parametrize(
    ("rate_fn", "rate_max", "message"),
    [
        (lambda t: 2 + 0 * t, 1.0, "rate_fn must be in [0, rate_max = 1.0], got 2.0"),
        (lambda t: 0 * t - 1, 1.0, "rate_fn must be in [0, rate_max = 1.0], got -1.0"),
        (lambda t: np.nan * t, 1.0, "rate_fn must be finite, got nan"),
        (
            lambda t: np.ones((len(t), 1)),
            1.0,
            "rate_fn must return one rate for each time",
        ),
        (lambda t: t, -1.0, "rate_max must be finite and >= 0, got -1.0"),
    ],
)
def test_bad_rates_are_refused(rate_fn, rate_max, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        simulate_thinning(rate_fn, rate_max, 20.0, 3, rng=rng())


def test_the_bound_itself_is_allowed():
    # rounding may lift a rate above its own bound
    times, _ = simulate_thinning(lambda t: 1 + 5e-13 + 0 * t, 1.0, 20.0, 3, rng=rng())
    assert times.size
