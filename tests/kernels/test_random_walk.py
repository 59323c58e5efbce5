"""Kernels of the random walk against enumeration, exact arithmetic, scipy and mpmath."""

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
from scipy import stats
from scipy.linalg import solve_banded, solve_triangular, toeplitz
from scipy.special import gamma

from utils.random_walk import (
    arcsine_pmf,
    first_returns,
    ftcs,
    gaussian_local,
    hitting_pmf,
    max_tail,
    polya_constant,
    return_probs,
    ruin,
    simulate_walks,
    walk_pmf,
)

METHODS = ["conv", "fft", "binom"]
seeded = settings(derandomize=True, deadline=None, max_examples=60, database=None)


def all_paths(n):
    """The 2^n paths of n steps as rows ``S_0 ... S_n``."""
    steps = np.array(list(itertools.product([-1, 1], repeat=n))).reshape(2**n, n)
    return np.hstack([np.zeros((2**n, 1), dtype=int), steps.cumsum(axis=1)])


def path_weights(paths, p):
    return np.prod(np.where(np.diff(paths) > 0, p, 1 - p), axis=1)


def first_time(hits):
    """Column of the first True in each row, -1 where there is none."""
    return np.where(hits.any(axis=1), hits.argmax(axis=1), -1)


def closed_walks(m_max, dim):
    """Exact ``u_{2m}``: closed walks have the exponential generating function ``I_0(2t)^dim``."""
    bessel = [Fraction(1, math.factorial(j) ** 2) for j in range(m_max + 1)]
    power = [Fraction(1)] + [Fraction(0)] * m_max
    for _ in range(dim):
        power = [
            sum(power[i] * bessel[m - i] for i in range(m + 1))
            for m in range(m_max + 1)
        ]
    return [
        float(c * math.factorial(2 * m) / (2 * dim) ** (2 * m))
        for m, c in enumerate(power)
    ]


def exact_ruin(i, N, p):
    """``h_i`` and ``E T`` in rational arithmetic."""
    p = Fraction(p)
    q = 1 - p
    if p == q:
        return float(Fraction(i, N)), float(i * (N - i))
    h = (1 - (q / p) ** i) / (1 - (q / p) ** N)
    return float(h), float((i - N * h) / (q - p))


@pytest.mark.parametrize("p", [0.5, 0.3])
@pytest.mark.parametrize("method", METHODS)
def test_pmf_weighs_every_path_once(method, p):
    paths = all_paths(12)
    want = [path_weights(paths, p)[paths[:, -1] == k].sum() for k in range(-12, 13)]
    k, pmf = walk_pmf(12, p, method)
    assert_array_equal(k, np.arange(-12, 13))
    assert_allclose(pmf, want, rtol=0, atol=1e-15)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("n", [0, 1, 2, 10, 100, 1000])
@pytest.mark.parametrize("method", METHODS)
def test_pmf_is_the_shifted_binomial(method, n, p):
    k, pmf = walk_pmf(n, p, method)
    want = np.where((n + k) % 2 == 0, stats.binom.pmf((n + k) // 2, n, p), 0)
    noise = 1e-16 * n if method == "fft" and p in (0, 1) else 5e-15
    assert_allclose(pmf, want, rtol=0, atol=noise)


@pytest.mark.parametrize(("p", "up", "down", "den"), [(0.5, 1, 1, 2), (0.25, 1, 3, 4)])
@pytest.mark.parametrize(("method", "rtol"), [("conv", 1e-14), ("binom", 1e-12)])
def test_pmf_keeps_its_relative_error_in_the_tails(method, rtol, p, up, down, den):
    n = 1000
    want = [
        float(Fraction(math.comb(n, j) * up**j * down ** (n - j), den**n))
        for j in range(n + 1)
    ]
    got = walk_pmf(n, p, method)[1][::2]
    normal = np.array(want) > 1e-290
    assert normal.sum() >= 800
    assert_allclose(got[normal], np.array(want)[normal], rtol=rtol)


def test_fft_is_noise_below_its_absolute_error():
    exact, fft = walk_pmf(1000)[1], walk_pmf(1000, method="fft")[1]
    assert abs(fft - exact).max() < 1e-15
    tail = (exact > 0) & (exact < 1e-20)
    assert np.median(abs(fft[tail] / exact[tail] - 1)) > 1
    assert fft.min() < 0


def test_pmf_defaults_are_the_fair_walk_by_convolution():
    assert_array_equal(walk_pmf(9)[1], walk_pmf(9, 0.5, "conv")[1])
    assert (walk_pmf(9)[1][1::2] == 0).all()
    assert_array_equal(walk_pmf(9, method="binom")[1][1::2], np.zeros(9))


@pytest.mark.parametrize(
    ("n", "p", "k", "want"),
    [
        (10, 0.5, 2, 0.205078125),
        (100, 0.5, 0, 0.07958923738717877),
        (100, 0.5, 20, 0.01084386671163798),
        (40, 0.6, 8, 0.1279115243848201),
        (1000, 0.5, 50, 0.00723236188835887),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_pmf_values_of_the_explorer(method, n, p, k, want):
    assert_allclose(walk_pmf(n, p, method)[1][n + k], want, rtol=1e-12)


@pytest.mark.parametrize(
    ("n", "want"), [(10, 2.4609375), (100, 7.958923738717876), (1000, 25.225018178)]
)
def test_mean_distance(n, want):
    k, pmf = walk_pmf(n)
    assert_allclose(abs(k) @ pmf, want, rtol=1e-10)
    assert_allclose(abs(k) @ pmf, n * math.comb(n, n // 2) / 2**n, rtol=1e-12)


@seeded
@given(n=st.integers(0, 60), p=st.floats(0, 1), method=st.sampled_from(METHODS))
def test_pmf_laws(n, p, method):
    k, pmf = walk_pmf(n, p, method)
    mean = k @ pmf
    assert_allclose(pmf.sum(), 1, rtol=0, atol=1e-12)
    assert_allclose(pmf[::-1], walk_pmf(n, 1 - p, method)[1], rtol=0, atol=1e-13)
    assert_allclose(mean, n * (2 * p - 1), rtol=0, atol=1e-11)
    assert_allclose((k - mean) ** 2 @ pmf, 4 * n * p * (1 - p), rtol=0, atol=1e-9)


def test_ftcs_at_one_half_is_the_walk():
    v = np.zeros(601)
    v[300] = 1
    j = np.arange(301)
    want = np.zeros(601)
    want[::2] = stats.binom.pmf(j, 300, 0.5)
    assert_allclose(ftcs(v, 0.5, 300), want, rtol=0, atol=1e-15)


@pytest.mark.parametrize("r", [0.1, 0.45, 0.55])
def test_ftcs_sine_mode_is_an_eigenvector(r):
    mode = np.sin(3 * np.pi * np.arange(1, 20) / 20)
    factor = 1 - 4 * r * np.sin(3 * np.pi / 40) ** 2
    assert_allclose(ftcs(mode, r, 50), factor**50 * mode, rtol=0, atol=1e-13)


def test_ftcs_is_a_matrix_power():
    v = np.random.default_rng(1).normal(size=7)
    A = np.eye(7) + 0.3 * (np.eye(7, k=1) - 2 * np.eye(7) + np.eye(7, k=-1))
    assert_allclose(
        ftcs(v, 0.3, 9), np.linalg.matrix_power(A, 9) @ v, rtol=0, atol=1e-14
    )


@pytest.mark.parametrize(
    ("r", "want"), [(0.45, 0.04195), (0.5, 0.07959), (0.55, 3.44e6)]
)
def test_ftcs_blows_up_beyond_one_half(r, want):
    v = np.zeros(203)
    v[101] = 1
    assert_allclose(abs(ftcs(v, r, 100)).max(), want, rtol=1e-3)


def test_ftcs_edges():
    v = np.array([1.0, 2.0])
    for same in (ftcs(v, 0.4, 0), ftcs(v, 0.0, 5)):
        assert_array_equal(same, v)
        assert same is not v
    assert_allclose(ftcs(np.array([3.0]), 0.4, 4), [3 * 0.2**4], rtol=1e-13)


@pytest.mark.usefixtures("without_type_checks")
def test_ftcs_of_whole_numbers():
    assert ftcs(np.array([0, 3, 0]), 0.25, 1).tolist() == [0.75, 1.5, 0.75]


def test_gaussian_local_by_hand():
    leading = math.sqrt(2 / (100 * math.pi)) * math.exp(-2)
    assert_allclose(gaussian_local(100, 20), leading, rtol=1e-14)
    corrected = leading * (1 + (-1 / 4 + 4 / 2 - 16 / 12) / 100)
    assert_allclose(gaussian_local(100, 20, order=1), corrected, rtol=1e-14)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.7])
def test_gaussian_local_is_twice_the_density_on_one_parity(p):
    n, k = 37, np.arange(-37, 38)
    density = stats.norm.pdf(k, n * (2 * p - 1), math.sqrt(4 * n * p * (1 - p)))
    got = gaussian_local(n, k, p)
    assert_allclose(got[::2], 2 * density[::2], rtol=1e-12)
    assert (got[1::2] == 0).all()


@pytest.mark.parametrize(
    ("n", "want"), [(10, 0.19668), (100, 0.19922), (400, 0.199409), (1000, 0.19945)]
)
def test_local_error_of_the_leading_term(n, want):
    k, pmf = walk_pmf(n)
    assert_allclose(
        n**1.5 * abs(pmf - gaussian_local(n, k)).max(), want, rtol=0, atol=6e-6
    )


def test_local_error_far_out():
    n = 10_000
    k, pmf = walk_pmf(n, method="binom")
    leading, corrected = gaussian_local(n, k), gaussian_local(n, k, order=1)
    assert_allclose(
        n**1.5 * abs(pmf - leading).max(), math.sqrt(2 / math.pi) / 4, rtol=1e-4
    )
    assert_allclose(n**2.5 * abs(pmf - corrected).max(), 0.0848, rtol=0, atol=5e-4)
    assert_allclose(n * abs(pmf - leading).sum() / 2, 0.1166906, rtol=0, atol=1e-7)


def test_biased_walk_is_local_to_order_1_over_n():
    err = [
        abs(walk_pmf(n, 0.3)[1] - gaussian_local(n, walk_pmf(n)[0], 0.3)).max()
        for n in (200, 800)
    ]
    assert_allclose(err[0] / err[1], 4, rtol=0.02)


def test_gaussian_local_shapes():
    assert gaussian_local(4, 2).shape == ()
    assert gaussian_local(4, np.arange(6).reshape(2, 3)).shape == (2, 3)
    assert gaussian_local(4, np.arange(0)).shape == (0,)
    assert gaussian_local(1, 1) > 0


def test_positions_and_capitals_beyond_64_bits():
    """Sums and products of integers need not fit where the integers do."""
    big = 2**62 + 1
    assert gaussian_local(big, 3) > 0
    assert gaussian_local(big, 2) == 0
    assert_allclose(
        hitting_pmf(1, big), 0.5 / big * 2 * math.sqrt(2 / math.pi / big), rtol=1e-6
    )
    assert_allclose(ruin(np.array([5 * 10**9]), 10**10, 0.5)[1], 2.5e19, rtol=1e-12)
    assert_allclose(ruin(np.int32([50000]), 100000, 0.5)[1], 2.5e9, rtol=1e-12)
    assert_allclose(max_tail(200, np.uint8([100])), 5.5687e-13, rtol=1e-4)
    assert_allclose(max_tail(big, 2**32), 2 * stats.norm.sf(2), rtol=1e-6)


def test_ruin_of_a_hopeless_and_of_a_certain_game():
    prob, duration = ruin(np.arange(4), 3, 1e-320)
    assert_allclose(prob, [0, 0, 0, 1], atol=1e-300)
    assert_allclose(duration, [0, 1, 2, 0])
    prob, duration = ruin(np.arange(4), 3, 1 - 1e-16)
    assert_allclose(prob, [0, 1, 1, 1])
    assert_allclose(duration, [0, 2, 1, 0])


@pytest.mark.parametrize("d", [3, 8, 9, 25, 59, 61])
def test_polya_by_multiple_precision(d):
    with mpmath.workdps(25):
        law = lambda t: (mpmath.besseli(0, t / d) * mpmath.exp(-t / d)) ** d  # noqa: E731
        edges = [0, 2, 8, 30, 100, 400]
        G = mpmath.quad(law, edges) + mpmath.quad(law, [400, mpmath.inf])
        want = float(G), float(1 - 1 / G)
    assert_allclose(polya_constant(d), want, rtol=2e-13)


@pytest.mark.parametrize("d", [400, 20_000, 10**6, 10**12])
def test_polya_from_closed_walks(d):
    """Closed walks of two, four and six steps are nearly all there are."""
    closed = [2 * d, 12 * d**2 - 6 * d, 120 * d**3 - 180 * d**2 + 80 * d]
    visits = float(
        sum(Fraction(c, (2 * d) ** (2 * m + 2)) for m, c in enumerate(closed))
    )
    G, p = polya_constant(d)
    assert_allclose(p, visits / (1 + visits), rtol=20 / d**3 + 1e-13)
    assert_allclose(G, 1 + visits, rtol=20 / d**4 + 1e-15)


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5, 6])
def test_return_probs_count_closed_walks(dim):
    assert_allclose(return_probs(20, dim), closed_walks(20, dim), rtol=1e-13)


@pytest.mark.parametrize(("dim", "n", "want"), [(1, 12, 924), (2, 6, 400), (3, 4, 90)])
def test_return_probs_by_enumeration(dim, n, want):
    units = np.vstack([np.eye(dim, dtype=int), -np.eye(dim, dtype=int)])
    ends = np.array(
        [
            units[list(c)].sum(axis=0)
            for c in itertools.product(range(2 * dim), repeat=n)
        ]
    )
    assert (ends == 0).all(axis=1).sum() == want
    assert_allclose(return_probs(n // 2, dim)[-1] * (2 * dim) ** n, want, rtol=1e-13)


def test_return_probs_are_the_middle_binomial():
    want = [math.comb(2 * m, m) / 4**m for m in range(501)]
    assert_allclose(return_probs(500), want, rtol=1e-13)
    assert_allclose(return_probs(500).sum(), 1001 * want[-1], rtol=1e-13)
    assert_allclose(return_probs(500).sum(), 25.2502432, rtol=1e-8)


@pytest.mark.parametrize("s", [0.3, 0.9, 0.99])
def test_return_probs_sum_to_the_binomial_series(s):
    u = return_probs(4000)
    assert_allclose(
        u @ s ** (2 * np.arange(4001)), 1 / math.sqrt(1 - s**2), rtol=0, atol=1e-12
    )


def test_landau_constants():
    total = return_probs(200, d=2).sum()
    assert_allclose(total, 2.7539745, rtol=0, atol=5e-8)
    assert_allclose(
        total, (math.log(200) + np.euler_gamma + math.log(16)) / math.pi, atol=1.3e-3
    )


def test_return_probs_in_space_decay():
    assert_allclose(
        return_probs(400, 3)[-1], 2 * (3 / (4 * math.pi * 400)) ** 1.5, rtol=1e-3
    )


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_return_probs_start_at_one(dim):
    assert return_probs(0, dim).tolist() == [1.0]
    assert_allclose(return_probs(1, dim), [1, 1 / (2 * dim)], rtol=1e-14)


def test_first_returns_by_enumeration():
    first = 1 + first_time(all_paths(12)[:, 1:] == 0)
    want = [(first == 2 * m).mean() for m in range(1, 7)]
    assert_allclose(first_returns(return_probs(6)), [0, *want], rtol=0, atol=1e-15)


def test_first_returns_closed_form():
    u = return_probs(200)
    f = first_returns(u)
    assert_allclose(f[1:], u[1:] / (2 * np.arange(1, 201) - 1), rtol=0, atol=1e-15)
    assert_allclose(1 - np.cumsum(f), u, rtol=0, atol=1e-14)
    assert_allclose(f[:21].sum(), 0.87462931, rtol=0, atol=5e-9)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_first_returns_are_the_power_series(dim):
    u = return_probs(60, dim)
    one = np.eye(61)[0]
    inverse = solve_triangular(toeplitz(u, 0 * u), one, lower=True)
    assert_allclose(first_returns(u), one - inverse, rtol=0, atol=1e-14)


def test_first_returns_step_by_step():
    u = np.zeros(41)
    u[::2] = return_probs(20)
    f = first_returns(u)
    assert (f[1::2] == 0).all()
    assert_allclose(f[::2], first_returns(return_probs(20)), rtol=0, atol=1e-15)


@pytest.mark.parametrize(("dim", "want"), [(1, 0.960131), (2, 0.645882), (3, 0.326201)])
def test_chance_to_return_within_400_steps(dim, want):
    assert_allclose(
        first_returns(return_probs(200, dim)).sum(), want, rtol=0, atol=5e-7
    )


@pytest.mark.parametrize(("m", "want"), [(50, 0.20223), (100, 0.20257), (200, 0.20274)])
def test_missing_returns_in_space(m, want):
    missing = 0.3405373295509991 - first_returns(return_probs(m, 3)).sum()
    assert_allclose(math.sqrt(m) * missing, want, rtol=0, atol=6e-6)


def test_biased_walk_returns_with_probability_1_minus_drift():
    m = np.arange(1500)
    f = first_returns(stats.binom.pmf(m, 2 * m, 0.6))
    assert_allclose(f.sum(), 0.8, rtol=0, atol=1e-12)


def test_first_returns_edges():
    assert first_returns(np.array([1.0])).tolist() == [0.0]
    assert first_returns(np.array([1.0, 1.0, 1.0])).tolist() == [0.0, 1.0, 0.0]
    assert first_returns(np.array([1.0, 0.0, 0.0])).tolist() == [0.0, 0.0, 0.0]


@seeded
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0, 0.99))
def test_first_returns_undo_renewal(weights, mass):
    f = np.array([0.0, *weights])
    f *= mass / max(f.sum(), 1)
    u = np.eye(len(f))[0]
    for n in range(1, len(f)):
        u[n] = sum(f[j] * u[n - j] for j in range(1, n + 1))
    got = first_returns(u)
    assert_allclose(got, f, rtol=0, atol=1e-14)
    assert got.sum() <= 1


@pytest.mark.parametrize("a", [1, 2, 3, 12])
@pytest.mark.parametrize("p", [0.5, 0.3])
def test_hitting_pmf_by_enumeration(a, p):
    paths = all_paths(12)
    first, weights = first_time(paths == a), path_weights(paths, p)
    want = [weights[first == n].sum() for n in range(13)]
    assert_allclose(hitting_pmf(a, np.arange(13), p), want, rtol=0, atol=1e-15)


def test_hitting_pmf_generating_function():
    n = np.arange(1000)
    got = hitting_pmf(3, n) @ 0.9**n
    assert_allclose(got, 0.246243123471228, rtol=0, atol=1e-14)
    assert_allclose(got, ((1 - math.sqrt(0.19)) / 0.9) ** 3, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("p", "a", "mass"), [(0.4, 1, 2 / 3), (0.4, 3, 8 / 27), (0.6, 3, 1)]
)
def test_hitting_pmf_total_mass(p, a, mass):
    assert_allclose(hitting_pmf(a, np.arange(4000), p).sum(), mass, rtol=1e-12)


def test_median_of_the_time_to_10():
    cdf = hitting_pmf(10, np.arange(300)).cumsum()
    assert cdf[219] < 0.5 <= cdf[220]


def test_hitting_pmf_edges():
    n = np.array([[0, 1, 2], [3, 4, 5]])
    assert hitting_pmf(3, n, 1.0).tolist() == [[0, 0, 0], [1, 0, 0]]
    assert (hitting_pmf(3, n, 0.0) == 0).all()
    assert_allclose(hitting_pmf(1, 3), 1 / 8, rtol=1e-14)
    assert hitting_pmf(1, np.arange(0)).shape == (0,)


@pytest.mark.parametrize("n", [0, 1, 11, 12])
def test_max_tail_by_enumeration(n):
    top = all_paths(n).max(axis=1)
    r = np.arange(n + 3)
    assert_allclose(
        max_tail(n, r), (top[:, None] >= r).mean(axis=0), rtol=0, atol=1e-14
    )


def test_max_tail_values():
    assert_allclose(max_tail(1000, 30), 0.3430270156, rtol=0, atol=5e-11)
    assert_allclose(max_tail(1000, 20), 0.527316, rtol=0, atol=5e-7)
    assert_allclose(
        max_tail(1000, 20), 2 * stats.norm.sf(20 / math.sqrt(1000)), atol=3e-4
    )


def test_max_tail_is_the_law_of_the_hitting_time():
    for n in (57, 58):
        want = [hitting_pmf(r, np.arange(n + 1)).sum() for r in range(1, 20)]
        assert_allclose(max_tail(n, np.arange(1, 20)), want, rtol=1e-12)


def test_mean_maximum():
    k, pmf = walk_pmf(1000)
    mean = max_tail(1000, np.arange(1, 1001)).sum()
    assert_allclose(mean, abs(k) @ pmf - (1 - pmf[1000]) / 2, rtol=1e-12)
    assert_allclose(mean / math.sqrt(1000), 0.7822726, rtol=0, atol=5e-8)


def test_arcsine_by_enumeration():
    paths = all_paths(12)
    last_zero = 12 - (paths[:, ::-1] == 0).argmax(axis=1)
    time_positive = ((paths[:, :-1] > 0) | (paths[:, 1:] > 0)).sum(axis=1)
    for time in (last_zero, time_positive):
        want = [(time == 2 * k).mean() for k in range(7)]
        assert_allclose(arcsine_pmf(6), want, rtol=0, atol=1e-15)


def test_arcsine_values():
    pmf = arcsine_pmf(500)
    assert_allclose(pmf.sum(), 1, rtol=1e-12)
    assert_allclose(pmf[:51].sum(), 0.206313, rtol=0, atol=5e-7)
    assert_allclose(pmf[:13].sum() + pmf[488:].sum(), 0.204, rtol=0, atol=5e-4)
    assert_allclose(arcsine_pmf(50)[0], 0.0795892374, rtol=0, atol=5e-11)
    assert arcsine_pmf(0).tolist() == [1.0]


def test_arcsine_limit():
    limit = stats.arcsine.cdf(0.3)
    err = [abs(arcsine_pmf(m)[: 3 * m // 10 + 1].sum() - limit) for m in (100, 1600)]
    assert err[1] < err[0] / 12  # the error falls like 1/m
    assert err[1] < 1e-3


@pytest.mark.parametrize("p", [0.3, 0.49, 0.5, 0.6])
def test_ruin_solves_the_linear_system(p):
    N = 100
    bands = np.ones((3, N + 1))
    bands[0, 2:], bands[2, :-2] = -p, p - 1
    bands[0, 1] = bands[2, -2] = 0
    prob, duration = ruin(np.arange(N + 1), N, p)
    end = np.eye(N + 1)[-1]
    assert_allclose(prob, solve_banded((1, 1), bands, end), rtol=0, atol=2e-14)
    inside = np.r_[0, np.ones(N - 1), 0]
    assert_allclose(duration, solve_banded((1, 1), bands, inside), rtol=0, atol=1e-10)


@pytest.mark.parametrize("N", [2, 3, 100])
@pytest.mark.parametrize(
    "shift",
    [
        0,
        2.0**-50,
        -3e-13,
        1e-9,
        -1e-9,
        2e-6,
        -2.4e-6,
        2.6e-6,
        -1e-5,
        1e-4,
        1e-3,
        -0.01,
        0.1,
        -0.4,
    ],
)
def test_ruin_in_rational_arithmetic(N, shift):
    i = np.unique([0, 1, N // 3, N // 2, N - 1, N])
    prob, duration = ruin(i, N, 0.5 + shift)
    want = np.array([exact_ruin(int(k), N, 0.5 + shift) for k in i])
    assert_allclose(prob, want[:, 0], rtol=5e-14)
    assert_allclose(duration, want[:, 1], rtol=1e-10)


@pytest.mark.parametrize("shift", [2.5e-3, -2e-5, 1e-4])
def test_ruin_series_next_to_the_fair_game(shift):
    want = exact_ruin(2, 3, 0.5 + shift)[1]
    assert_allclose(ruin(2, 3, 0.5 + shift)[1], want, rtol=2e-12)


@pytest.mark.parametrize(
    ("p", "want"), [(0.5, 0.5), (0.49, 0.119175), (18 / 38, 0.005127)]
)
def test_doubling_fifty(p, want):
    assert_allclose(ruin(50, 100, p)[0], want, rtol=0, atol=5e-7)


def test_ruin_values():
    prob, duration = ruin(50, 100, 0.49)
    assert_allclose(prob, 0.119174920, rtol=0, atol=5e-10)
    assert_allclose(duration, 1904.125, rtol=0, atol=5e-4)
    assert_allclose(ruin(50, 100, 0.5), (0.5, 2500), rtol=1e-15)


def test_ruin_against_a_large_bank():
    prob, duration = ruin(np.array([10, 19_990, 20_000]), 20_000, 18 / 38)
    assert_allclose(prob, [0, 0.9**10, 1], rtol=1e-12, atol=1e-300)
    assert_allclose(duration[0], 10 / (20 / 38 - 18 / 38), rtol=1e-12)
    prob, duration = ruin(10, 20_000, 20 / 38)
    assert_allclose(prob, 1 - 0.9**10, rtol=1e-12)


@pytest.mark.parametrize("shift", [1e-9, -1e-9])
def test_ruin_is_continuous_at_the_fair_game(shift):
    i = np.arange(101)
    prob, duration = ruin(i, 100, 0.5 + shift)
    slope = 2 * i * (100 - i) / 100  # d prob / d p at the fair game
    assert_allclose(prob, i / 100 + slope * shift, rtol=0, atol=1e-13)
    assert_allclose(duration, i * (100 - i), rtol=0, atol=1e-4)


@seeded
@given(N=st.integers(1, 300), p=st.floats(0.01, 0.99), data=st.data())
def test_ruin_laws(N, p, data):
    i = np.arange(N + 1)
    prob, duration = ruin(i, N, p)
    assert prob[0] == duration[0] == 0
    assert not np.signbit(np.r_[prob, duration]).any()  # no "-0." on the page
    assert_allclose((prob[-1], duration[-1]), (1, 0), rtol=0, atol=1e-9)
    assert (np.diff(prob) >= 0).all()
    assert (duration[1:-1] > 0).all()
    other_prob, other_duration = ruin(N - i, N, 1 - p)
    assert_allclose(prob + other_prob, 1, rtol=0, atol=1e-11)
    assert_allclose(duration, other_duration, rtol=1e-7, atol=1e-9)
    j = data.draw(st.integers(0, N))
    assert ruin(j, N, p) == (prob[j], duration[j])


def test_polya_in_space_is_watsons_integral():
    watson = (
        math.sqrt(6) / (32 * math.pi**3) * np.prod(gamma(np.array([1, 5, 7, 11]) / 24))
    )
    G, p = polya_constant(3)
    assert_allclose(G, watson, rtol=1e-14)
    assert_allclose(G, 1.5163860591519780, rtol=1e-14)
    assert_allclose(p, 0.3405373295509991, rtol=1e-14)


@pytest.mark.parametrize("d", [4, 5])
def test_polya_by_25_digit_quadrature(d):
    with mpmath.workdps(25):
        G = d * mpmath.quad(
            lambda s: (mpmath.besseli(0, s) * mpmath.exp(-s)) ** d,
            [0, 1, 4, 16, mpmath.inf],
        )
        want = float(G), float(1 - 1 / G)
    assert_allclose(polya_constant(d), want, rtol=1e-14)


@pytest.mark.parametrize(
    ("d", "want", "atol"),
    [
        (4, 0.193201673224984, 1e-14),
        (5, 0.135178, 1e-6),
        (6, 0.104715, 1e-6),
        (7, 0.0858449, 1e-7),
        (8, 0.0729126, 1e-7),
    ],
)
def test_polya_published(d, want, atol):
    assert_allclose(polya_constant(d)[1], want, rtol=0, atol=atol)


@pytest.mark.parametrize("d", [3, 5, 8])
def test_polya_sums_the_return_probabilities(d):
    m = 400
    tail = 2 * (d / (4 * math.pi)) ** (d / 2) * (m + 0.5) ** (1 - d / 2) / (d / 2 - 1)
    assert_allclose(
        return_probs(m, d).sum() + tail, polya_constant(d)[0], rtol=0, atol=2e-5
    )


def test_polya_in_many_dimensions():
    x = 1 / 1000
    want = x / 2 * (1 + x + 7 / 4 * x**2 + 35 / 8 * x**3)
    assert_allclose(polya_constant(1000)[1], want, rtol=0, atol=1e-12)


def test_polya_recurrent():
    assert polya_constant(1) == polya_constant(2) == (math.inf, 1.0)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_simulated_walks_move_one_step_along_one_axis(dim):
    walks = simulate_walks(50, 40, rng=np.random.default_rng(2), d=dim)
    assert walks.dtype == np.int32
    assert walks.shape == ((50, 41) if dim == 1 else (50, 41, dim))
    walks = walks.reshape(50, 41, dim)
    assert (walks[:, 0] == 0).all()
    steps = np.diff(walks, axis=1)
    assert (abs(steps).sum(axis=2) == 1).all()
    assert {tuple(step) for step in steps.reshape(-1, dim)} == {
        tuple(sign * row) for row in np.eye(dim, dtype=int) for sign in (-1, 1)
    }


def test_simulated_walks_use_the_generator_given():
    first, again = (
        simulate_walks(5, 6, rng=np.random.default_rng(3)) for _ in range(2)
    )
    assert_array_equal(first, again)
    rng = np.random.default_rng(3)
    assert_array_equal(first, simulate_walks(5, 6, rng=rng))
    assert (first != simulate_walks(5, 6, rng=rng)).any()


def test_simulated_walks_edges():
    rng = np.random.default_rng(4)
    assert_array_equal(
        simulate_walks(2, 1000, rng=rng, p=1.0), np.tile(np.arange(1001), (2, 1))
    )
    assert (simulate_walks(2, 300, rng=rng, p=0.0)[:, -1] == -300).all()
    assert simulate_walks(3, 0, rng=rng).tolist() == [[0], [0], [0]]
    assert simulate_walks(1, 2, rng=rng, d=2).shape == (1, 3, 2)


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_simulated_walks_have_the_exact_law(p):
    ends = simulate_walks(20_000, 9, rng=np.random.default_rng(5), p=p)[:, -1]
    counts = np.bincount((ends + 9) // 2, minlength=10)
    want = 20_000 * stats.binom.pmf(np.arange(10), 9, p)
    big = want > 5
    chi2 = ((counts - want) ** 2 / want)[big].sum()
    assert stats.chi2.sf(chi2, big.sum() - 1) > 1e-3


def test_simulated_walks_in_space_choose_axes_evenly():
    walks = simulate_walks(4000, 30, rng=np.random.default_rng(6), p=0.8, d=3)
    used = abs(np.diff(walks, axis=1)).sum(axis=(0, 1))
    assert stats.chisquare(used).pvalue > 1e-3
    ends = walks[:, -1]
    z = (ends.mean(axis=0) - 30 * 0.6 / 3) / (
        ends.std(axis=0, ddof=1) / math.sqrt(4000)
    )
    assert abs(z).max() < 4


@pytest.mark.parametrize(("dim", "want"), [(1, 0.960131), (2, 0.645882), (3, 0.326201)])
def test_simulated_returns(dim, want):
    walks = simulate_walks(4000, 400, rng=np.random.default_rng(7), d=dim)
    home = (walks.reshape(4000, 401, dim)[:, 1:] == 0).all(axis=2).any(axis=1).mean()
    assert abs(home - want) < 4 * math.sqrt(want * (1 - want) / 4000)


def test_simulated_maximum_obeys_reflection():
    top = simulate_walks(5000, 1000, rng=np.random.default_rng(8)).max(axis=1)
    want = 0.3430270156
    assert abs((top >= 30).mean() - want) < 4 * math.sqrt(want * (1 - want) / 5000)


NAN, INF = math.nan, math.inf
HEAT = {"v": np.array([1.0, 0.5]), "r": 0.5, "n_steps": 1}
WALKS = {"n_walks": 1, "n_steps": 1, "rng": np.random.default_rng(9)}


@pytest.mark.parametrize(
    ("kernel", "args", "message"),
    [
        (walk_pmf, {"n": -1}, "n must be an integer >= 0, got -1"),
        (walk_pmf, {"n": 2.0}, "n must be an integer >= 0, got 2.0"),
        (walk_pmf, {"n": NAN}, "n must be an integer >= 0, got nan"),
        (walk_pmf, {"n": 3, "p": 1.3}, "p must be in [0, 1], got 1.3"),
        (walk_pmf, {"n": 3, "p": -0.1}, "p must be in [0, 1], got -0.1"),
        (walk_pmf, {"n": 3, "p": NAN}, "p must be in [0, 1], got nan"),
        (walk_pmf, {"n": 3, "p": INF}, "p must be in [0, 1], got inf"),
        (
            walk_pmf,
            {"n": 3, "method": "dft"},
            "method must be conv, fft or binom, got dft",
        ),
        (
            ftcs,
            HEAT | {"v": np.ones(0)},
            "v must be a non-empty vector, got shape (0,)",
        ),
        (
            ftcs,
            HEAT | {"v": np.ones((2, 1))},
            "v must be a non-empty vector, got shape (2, 1)",
        ),
        (ftcs, HEAT | {"v": np.array([0, NAN])}, "v must be finite, got nan"),
        (ftcs, HEAT | {"v": np.array([0, -INF])}, "v must be finite, got -inf"),
        (ftcs, HEAT | {"r": -0.1}, "r must be finite and >= 0, got -0.1"),
        (ftcs, HEAT | {"r": INF}, "r must be finite and >= 0, got inf"),
        (ftcs, HEAT | {"r": NAN}, "r must be finite and >= 0, got nan"),
        (ftcs, HEAT | {"n_steps": -1}, "n_steps must be an integer >= 0, got -1"),
        (gaussian_local, {"n": 0, "k": 0}, "n must be an integer >= 1, got 0"),
        (
            gaussian_local,
            {"n": 4, "k": np.array([2.5])},
            "k must be an integer, got 2.5",
        ),
        (gaussian_local, {"n": 4, "k": NAN}, "k must be an integer, got nan"),
        (gaussian_local, {"n": 4, "k": 0, "p": 0.0}, "p must be in (0, 1), got 0.0"),
        (gaussian_local, {"n": 4, "k": 0, "p": 1.0}, "p must be in (0, 1), got 1.0"),
        (gaussian_local, {"n": 4, "k": 0, "p": NAN}, "p must be in (0, 1), got nan"),
        (gaussian_local, {"n": 4, "k": 0, "order": 2}, "order must be 0 or 1, got 2"),
        (
            gaussian_local,
            {"n": 4, "k": 0, "p": 0.4, "order": 1},
            "order 1 needs p = 1/2, got 0.4",
        ),
        (return_probs, {"m_max": -1}, "m_max must be an integer >= 0, got -1"),
        (return_probs, {"m_max": INF}, "m_max must be an integer >= 0, got inf"),
        (return_probs, {"m_max": 3, "d": 0}, "d must be an integer >= 1, got 0"),
        (
            return_probs,
            {"m_max": 3, "d": 1.5},
            "d must be an integer >= 1, got 1.5",
        ),
        (
            first_returns,
            {"u": np.ones(0)},
            "u must be a non-empty vector, got shape (0,)",
        ),
        (
            first_returns,
            {"u": np.ones((1, 2))},
            "u must be a non-empty vector, got shape (1, 2)",
        ),
        (first_returns, {"u": np.array([1, 0.5, 1.5])}, "u must be in [0, 1], got 1.5"),
        (first_returns, {"u": np.array([1, -0.5, 2])}, "u must be in [0, 1], got -0.5"),
        (first_returns, {"u": np.array([1, NAN])}, "u must be finite, got nan"),
        (first_returns, {"u": np.array([0.5, 1])}, "u[0] must be 1, got 0.5"),
        (hitting_pmf, {"a": 0, "n": 3}, "a must be an integer >= 1, got 0"),
        (
            hitting_pmf,
            {"a": 1, "n": np.array([3, -2])},
            "n must be an integer >= 0, got -2",
        ),
        (
            hitting_pmf,
            {"a": 1, "n": np.array([3.5])},
            "n must be an integer >= 0, got 3.5",
        ),
        (hitting_pmf, {"a": 1, "n": 3, "p": 1.5}, "p must be in [0, 1], got 1.5"),
        (hitting_pmf, {"a": 1, "n": 3, "p": -1.5}, "p must be in [0, 1], got -1.5"),
        (hitting_pmf, {"a": 1, "n": 3, "p": NAN}, "p must be in [0, 1], got nan"),
        (max_tail, {"n": -3, "r": 1}, "n must be an integer >= 0, got -3"),
        (
            max_tail,
            {"n": 3, "r": np.array([1, -1])},
            "r must be an integer >= 0, got -1",
        ),
        (max_tail, {"n": 3, "r": NAN}, "r must be an integer >= 0, got nan"),
        (arcsine_pmf, {"m": -1}, "m must be an integer >= 0, got -1"),
        (arcsine_pmf, {"m": NAN}, "m must be an integer >= 0, got nan"),
        (ruin, {"i": 0, "N": 0, "p": 0.5}, "N must be an integer >= 1, got 0"),
        (ruin, {"i": -1, "N": 5, "p": 0.5}, "i must be an integer >= 0, got -1"),
        (ruin, {"i": np.array([1, 6]), "N": 5, "p": 0.5}, "i must be <= N = 5, got 6"),
        (ruin, {"i": 0.5, "N": 5, "p": 0.5}, "i must be an integer >= 0, got 0.5"),
        (ruin, {"i": 1, "N": 5, "p": 0.0}, "p must be in (0, 1), got 0.0"),
        (ruin, {"i": 1, "N": 5, "p": 1.0}, "p must be in (0, 1), got 1.0"),
        (ruin, {"i": 1, "N": 5, "p": NAN}, "p must be in (0, 1), got nan"),
        (polya_constant, {"d": 0}, "d must be an integer >= 1, got 0"),
        (polya_constant, {"d": 2.5}, "d must be an integer >= 1, got 2.5"),
        (polya_constant, {"d": NAN}, "d must be an integer >= 1, got nan"),
        (
            simulate_walks,
            WALKS | {"n_walks": 0},
            "n_walks must be an integer >= 1, got 0",
        ),
        (
            simulate_walks,
            WALKS | {"n_steps": -1},
            "n_steps must be an integer >= 0, got -1",
        ),
        (simulate_walks, WALKS | {"p": 1.1}, "p must be in [0, 1], got 1.1"),
        (simulate_walks, WALKS | {"p": -0.1}, "p must be in [0, 1], got -0.1"),
        (simulate_walks, WALKS | {"p": NAN}, "p must be in [0, 1], got nan"),
        (simulate_walks, WALKS | {"d": 0}, "d must be an integer >= 1, got 0"),
    ],
)
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(kernel, args, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kernel(**args)
