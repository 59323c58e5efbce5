r"""Poisson law and Poisson processes: exact laws, simulation, and the tests that data must pass.

Paths are handed around as ``times, counts``: row ``i`` of ``times`` holds the ``counts[i]`` arrival
times of path ``i`` in increasing order, and ``inf`` behind them. The functions stand in the order of
the chapter.

Two historical data sets come along:

``PRUSSIAN``
    Deaths by horse kick in 14 corps of the Prussian army, corps -> 20 counts for 1875, ..., 1894.
    Von Bortkiewicz 1898; the same as ``prussian`` in the R package *pscl* and ``VonBort`` in *vcd*.
``RUTHERFORD_GEIGER``
    Number of intervals of 1/8 minute with 0, ..., 14 scintillations from polonium: 2608 intervals,
    10097 alpha particles. Rutherford, Geiger and Bateman 1910.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, Integer, Real
from scipy.special import gammainccinv, gammaincinv, gammaln, pdtr, pdtrc
from scipy.stats import chi2

from utils.special import exp_remainder
from utils.validate import integer, integers, real, reals, require, vector

_YEARS = {
    "G": "02210011030210010101",
    "I": "00020302000111020310",
    "II": "00020200110021100200",
    "III": "00011120200010121000",
    "IV": "01011110000100001100",
    "V": "00002100100101111110",
    "VI": "00102001201131110300",
    "VII": "10100010110020021020",
    "VIII": "10001001000010001101",
    "IX": "00000211102110120100",
    "X": "00110102020000213011",
    "XI": "00002401301111213131",
    "XIV": "11211304010321021100",
    "XV": "01000001011000220000",
}
PRUSSIAN = {corps: tuple(map(int, digits)) for corps, digits in _YEARS.items()}
SMALL = 40  # counts below it need no care
LOG_FACTORIAL = gammaln(np.arange(1, SMALL + 1))
RUTHERFORD_GEIGER = (57, 203, 383, 525, 532, 408, 273, 139, 45, 27, 10, 4, 0, 1, 1)


def poisson_pmf(
    n: Integer[np.ndarray, "*shape"] | int, mu: float
) -> Float[np.ndarray, "*shape"] | float:
    r"""Poisson law at any size of counts and mean.

    .. math:: & P(N=n) = e^{-\mu}\,\frac{\mu^n}{n!}
              = \frac{1}{\sqrt{2\pi n}}\; e^{-\delta(n) - D}, \\
              & D = n\log\frac n\mu - n + \mu = n\,k_3\Bigl(\frac\mu n\Bigr)

    The first form below 40, to a relative error of 3e-14; from there on Loader's, in which nothing large is
    subtracted: ``delta`` is the error of Stirling's formula, ``D`` the divergence of two Poisson laws.

    Parameters
    ----------
    n : counts, >= 0.
    mu : mean, >= 0.

    Returns
    -------
    ndarray
        Probabilities; for ``mu = 0`` all mass is at ``n = 0``.

    Raises
    ------
    ValueError
        If ``n`` has an entry that is not an integer >= 0, or ``mu`` is negative or not finite.

    References
    ----------
    Loader 2000; Kingman 1993, ch. 1. Equation :eq:`eq-poisson_processes-pmf`.

    Examples
    --------
    >>> np.round(poisson_pmf(np.arange(4), 1.0), 4).tolist()
    [0.3679, 0.3679, 0.1839, 0.0613]
    """
    n, mu = integers("n", n, 0), real("mu", mu)
    require(0 <= mu < np.inf, "mu must be finite and >= 0", mu)
    if mu == 0:
        return (n == 0).astype(np.float64)[()]
    if mu < SMALL and (n < SMALL).all():
        return np.exp(n * np.log(mu) - mu - LOG_FACTORIAL[n])
    x = np.maximum(n, 1.0)
    apart = (mu - x) / x
    log_r = np.where(
        apart > -0.5, np.log1p(np.maximum(apart, -0.5)), np.log(mu) - np.log(x)
    )
    law = np.exp(-x * exp_remainder(log_r) - _stirling_error(x)) / np.sqrt(
        2 * np.pi * x
    )
    return np.where(n == 0, np.exp(-mu), law)[()]


def _stirling_error(n):
    """``log n!`` minus Stirling's formula for it, ``n >= 1``."""
    z = 1 / (n * n)
    series = (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z / 1680))) / n
    few = np.minimum(n, SMALL - 1)
    exact = LOG_FACTORIAL[few.astype(np.int64)] - (few + 0.5) * np.log(few) + few
    return np.where(n < SMALL, exact - np.log(2 * np.pi) / 2, series)


def poisson_binomial_pmf(p: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n+1"]:
    r"""Law of the number of successes among independent trials of unequal chances; O(n^2).

    .. math:: P(W=k) = [z^k] \prod_{i=1}^n (1 - p_i + p_i z)

    Parameters
    ----------
    p : chances of success, in [0, 1].

    Returns
    -------
    ndarray
        Probabilities of ``0, ..., n`` successes. Only non-negative numbers are added and
        multiplied, so small probabilities keep their relative accuracy.

    Raises
    ------
    ValueError
        If ``p`` is empty, not one-dimensional, or has an entry outside [0, 1].

    References
    ----------
    Le Cam 1960. Equation :eq:`eq-poisson_processes-lecam`.

    Examples
    --------
    >>> poisson_binomial_pmf(np.array([0.5, 0.5])).tolist()
    [0.25, 0.5, 0.25]
    """
    p = vector("p", p)
    require((p >= 0) & (p <= 1), "p must be in [0, 1]", p)
    pmf = np.ones(1)
    for chance in p:
        pmf = np.convolve(pmf, [1 - chance, chance])
    return pmf


def tv_distance(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    r"""Total variation distance of two laws on 0, 1, 2, ...: *half* the sum of differences.

    .. math:: \mathrm{TV}(a, b) = \sup_A |a(A) - b(A)| = \tfrac12 \sum_k |a_k - b_k|

    Parameters
    ----------
    a, b : probabilities of ``0, 1, ...``; the shorter one is continued by zeros.

    Returns
    -------
    float
        A number in [0, 1].

    Raises
    ------
    ValueError
        If ``a`` or ``b`` is empty, not one-dimensional, has a negative entry, or does not sum to 1
        within 1e-9.

    References
    ----------
    Barbour and Hall 1984. Equation :eq:`def-poisson_processes-tv`.

    Examples
    --------
    >>> tv_distance(np.array([0.5, 0.5]), np.array([0.25, 0.25, 0.5]))
    0.5
    """
    a, b = _pmf("a", a), _pmf("b", b)
    size = max(len(a), len(b))
    difference = np.pad(a, (0, size - len(a))) - np.pad(b, (0, size - len(b)))
    return float(np.abs(difference).sum() / 2)


def _pmf(name: str, law) -> np.ndarray:
    law = vector(name, law)
    require(law >= 0, f"{name} must be >= 0", law)
    total = law.sum()
    require(abs(total - 1) <= 1e-9, f"{name} must sum to 1", total)
    return law


def simulate_homogeneous(
    rate: float, t_end: float, n_paths: int, *, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "{n_paths} k"], Int[np.ndarray, " {n_paths}"]]:
    r"""Homogeneous process on ``[0, t_end]`` from independent exponential gaps.

    .. math:: T_k = E_1 + \dots + E_k, \qquad P(E_i > t) = e^{-\lambda t}

    Parameters
    ----------
    rate : events per unit of time, >= 0.
    t_end : length of the time interval, >= 0.
    n_paths : number of independent paths, >= 1.
    rng : source of randomness.

    Returns
    -------
    times : arrival times, padded with ``inf``.
    counts : number of arrivals of each path.

    Raises
    ------
    ValueError
        If ``rate`` or ``t_end`` is negative or not finite, their product overflows, or ``n_paths`` is not
        an integer >= 1.

    References
    ----------
    Kingman 1993, ch. 4. Equation :eq:`eq-poisson_processes-exponential`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> times, counts = simulate_homogeneous(3.0, 2.0, 10_000, rng=rng)
    >>> bool(abs(counts.mean() - 6) < 0.1), bool(abs(counts.var() - 6) < 0.4)
    (True, True)
    """
    rate, t_end, n_paths = _window(rate, t_end, n_paths)
    mean = rate * t_end
    block = int(mean + 10 * np.sqrt(mean) + 10)
    times = np.zeros((n_paths, 0))
    # Gaps are added until every path has left the interval: a fixed number would truncate the
    # longest paths in silence. Time runs in units of the mean gap, which rate 0 does not have.
    while not times.size or times[:, -1].min() <= mean:
        last = times[:, -1:] if times.size else 0.0
        gaps = rng.exponential(size=(n_paths, block))
        times = np.hstack([times, last + gaps.cumsum(axis=1)])
    return _compact(times / rate if rate else times + np.inf, t_end)


def simulate_by_counts(
    rate: float, t_end: float, n_paths: int, *, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "{n_paths} k"], Int[np.ndarray, " {n_paths}"]]:
    r"""The same law by another way: first the number of arrivals, then where they are.

    .. math:: & N \sim \mathrm{Poisson}(\lambda t), \\
              & (T_1,\dots,T_n)\mid N=n \;\sim\; \text{sorted uniform points of } [0, t]

    Parameters
    ----------
    rate : events per unit of time, >= 0.
    t_end : length of the time interval, >= 0.
    n_paths : number of independent paths, >= 1.
    rng : source of randomness.

    Returns
    -------
    times : arrival times, padded with ``inf``.
    counts : number of arrivals of each path.

    Raises
    ------
    ValueError
        If ``rate`` or ``t_end`` is negative or not finite, their product overflows, or ``n_paths`` is not
        an integer >= 1.

    References
    ----------
    Kingman 1993, ch. 2. Equation :eq:`eq-poisson_processes-conditional-uniform`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> times, counts = simulate_by_counts(3.0, 2.0, 10_000, rng=rng)
    >>> bool(abs(counts.mean() - 6) < 0.1), bool((times[:, 0] >= 0).all())
    (True, True)
    """
    rate, t_end, n_paths = _window(rate, t_end, n_paths)
    counts = rng.poisson(rate * t_end, size=n_paths)
    times = rng.uniform(0, t_end, size=(n_paths, counts.max()))
    times[np.arange(counts.max()) >= counts[:, None]] = np.inf
    return _compact(times, t_end)


def simulate_thinning(
    rate_fn: Callable,
    rate_max: float,
    t_end: float,
    n_paths: int,
    *,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "{n_paths} k"], Int[np.ndarray, " {n_paths}"]]:
    r"""Inhomogeneous process by Lewis and Shedler's thinning of a homogeneous one.

    .. math:: \text{propose at rate } \lambda_{\max}, \qquad
              \text{keep a point at } t \text{ with probability } \lambda(t)/\lambda_{\max}

    Parameters
    ----------
    rate_fn : the rate ``lambda(t)``, called once with a vector of times; it returns as many rates, or one
        number for all of them.
    rate_max : an upper bound of it, >= 0. The looser the bound, the more proposals are wasted.
    t_end : length of the time interval, >= 0.
    n_paths : number of independent paths, >= 1.
    rng : source of randomness.

    Returns
    -------
    times : arrival times, padded with ``inf``.
    counts : number of arrivals of each path.

    Raises
    ------
    ValueError
        If ``rate_max`` or ``t_end`` is negative or not finite, ``n_paths`` is not an integer >= 1,
        or ``rate_fn`` leaves ``[0, rate_max]`` at a proposed point or returns another shape.

    References
    ----------
    Lewis and Shedler 1979. Equation :eq:`eq-poisson_processes-inhomogeneous`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> _, counts = simulate_thinning(lambda t: 3 * t, 6.0, 2.0, 10_000, rng=rng)
    >>> bool(abs(counts.mean() - 6) < 0.1)
    True
    """
    rate_max, t_end = real("rate_max", rate_max), real("t_end", t_end)
    require(0 <= rate_max < np.inf, "rate_max must be finite and >= 0", rate_max)
    times, _ = simulate_homogeneous(rate_max, t_end, n_paths, rng=rng)
    proposed = np.isfinite(times)
    at = times[proposed]
    rate = reals("rate_fn", rate_fn(at.copy()))
    fits = rate.ndim == 0 or rate.shape == at.shape
    rule = "rate_fn must return one rate for each time"
    require(fits, rule, f"shape {rate.shape} for {at.shape}")
    ok = (rate >= 0) & (rate <= rate_max * (1 + 1e-12))
    require(ok, f"rate_fn must be in [0, rate_max = {rate_max}]", rate)
    keep = rng.random(at.shape) * rate_max < rate  # a coin for each point
    times[proposed] = np.where(keep, at, np.inf)
    return _compact(times, t_end)


def _window(rate, t_end, n_paths) -> tuple[float, float, int]:
    rate, t_end = real("rate", rate), real("t_end", t_end)
    require(0 <= rate < np.inf, "rate must be finite and >= 0", rate)
    require(0 <= t_end < np.inf, "t_end must be finite and >= 0", t_end)
    require(rate * t_end < np.inf, "rate times t_end must be finite", rate * t_end)
    return rate, t_end, integer("n_paths", n_paths, 1)


def _compact(times, t_end):
    """Sort each path, drop what lies beyond the end, and keep no more columns than needed."""
    times = np.sort(np.where(times <= t_end, times, np.inf), axis=1)
    counts = np.isfinite(times).sum(axis=1)
    return times[:, : counts.max()], counts


def panjer(
    mu: float, jump_pmf: Float[np.ndarray, " k"], n_max: int
) -> Float[np.ndarray, " {n_max}+1"]:
    r"""Law of a compound Poisson sum of positive integer jumps, by Panjer's recursion; O(k n_max).

    .. math:: g_0 = e^{-\mu}, \qquad g_s = \frac{\mu}{s} \sum_{j=1}^{s} j\,p_j\,g_{s-j}

    Parameters
    ----------
    mu : mean number of jumps, >= 0; below about 700, where ``exp(-mu)`` is still a number.
    jump_pmf : probabilities of the jump sizes ``0, 1, ...``. A jump of size 0 is no jump:
        ``jump_pmf[0]`` must be 0 (thin the process instead).
    n_max : largest sum wanted, >= 0.

    Returns
    -------
    ndarray
        ``g_0, ..., g_{n_max}``.

    Raises
    ------
    ValueError
        If ``mu`` is not in [0, 700], ``jump_pmf`` is not a vector of probabilities or has mass at
        0, or ``n_max`` is not an integer >= 0.

    References
    ----------
    Panjer 1981. Equation :eq:`eq-poisson_processes-panjer`.

    Examples
    --------
    >>> np.round(panjer(1.0, np.array([0.0, 0.5, 0.5]), 3), 4).tolist()
    [0.3679, 0.1839, 0.2299, 0.0996]
    """
    mu, jump_pmf = real("mu", mu), _pmf("jump_pmf", jump_pmf)
    require(0 <= mu <= 700, "mu must be in [0, 700]", mu)
    require(jump_pmf[0] == 0, "jump_pmf[0] must be 0", jump_pmf[0])
    n_max = integer("n_max", n_max, 0)
    weights = mu * np.arange(1, len(jump_pmf)) * jump_pmf[1:]
    g = np.zeros(n_max + 1)
    g[0] = np.exp(-mu)
    for s in range(1, n_max + 1):
        j = min(s, len(weights))
        g[s] = weights[:j] @ g[s - j : s][::-1] / s
    return g


def garwood_interval(
    count: Integer[np.ndarray, "*shape"] | int, alpha: float = 0.05
) -> tuple[Float[np.ndarray, "*shape"] | float, Float[np.ndarray, "*shape"] | float]:
    r"""Exact confidence interval for a Poisson mean after one count (Garwood).

    .. math:: \Bigl[\tfrac12\chi^2_{\alpha/2,\,2N},\; \tfrac12\chi^2_{1-\alpha/2,\,2N+2}\Bigr]

    Half a chi-squared variable of ``2N`` degrees of freedom has the gamma law of shape ``N``.

    Parameters
    ----------
    count : what was counted, >= 0.
    alpha : allowed error, in (0, 1).

    Returns
    -------
    low, high : the interval; ``low`` is 0 at ``count = 0``. It covers the mean with probability
        at least ``1 - alpha``, whatever the mean.

    Raises
    ------
    ValueError
        If ``count`` has an entry that is not an integer >= 0, or ``alpha`` is not in (0, 1).

    References
    ----------
    Garwood 1936. Equation :eq:`eq-poisson_processes-garwood`.

    Examples
    --------
    >>> low, high = garwood_interval(10)
    >>> print(round(low, 2), round(high, 2))
    4.8 18.39
    """
    count, alpha = integers("count", count, 0), real("alpha", alpha)
    require(0 < alpha < 1, "alpha must be in (0, 1)", alpha)
    shape = count.astype(np.float64)
    # the gamma law of shape 0 is the constant 0, which scipy does not know
    low = np.where(shape > 0, gammaincinv(np.maximum(shape, 1), alpha / 2), 0.0)
    return low[()], gammainccinv(shape + 1, alpha / 2)


def dispersion_test(x: Real[np.ndarray, " n"]) -> tuple[float, int, float]:
    r"""Fisher's dispersion test of counts, whose variance should equal their mean.

    .. math:: D = \frac{(n-1)\,s^2}{\bar x} = \sum_i \frac{(x_i-\bar x)^2}{\bar x}
              \;\approx\; \chi^2_{n-1}

    Parameters
    ----------
    x : counts from n windows of equal length, n >= 2, not all zero.

    Returns
    -------
    D : the statistic; above ``dof`` for clustered counts, below it for regular ones.
    dof : ``n - 1``.
    p : two-sided p-value, twice the smaller tail.

    Raises
    ------
    ValueError
        If ``x`` is not a vector of at least two finite numbers >= 0 with a positive mean.

    References
    ----------
    Fisher 1925. Equation :eq:`eq-poisson_processes-dispersion`.

    Examples
    --------
    >>> D, dof, p = dispersion_test(np.array([1, 1, 1, 5]))
    >>> round(D, 4), dof, round(p, 4)
    (6.0, 3, 0.2232)
    """
    x = vector("x", x)
    require(len(x) >= 2, "x must have at least 2 entries", len(x))
    require(x >= 0, "x must be >= 0", x)
    mean, dof = x.mean(), len(x) - 1
    require(mean > 0, "x must have a positive mean", mean)
    D = float(((x - mean) / mean * (x - mean)).sum())
    return D, dof, float(2 * min(chi2.cdf(D, dof), chi2.sf(D, dof)))


def dispersion_split(
    table: Real[np.ndarray, "R C"], exposure: Real[np.ndarray, " R"]
) -> tuple[float, float, float]:
    r"""Dispersion of a table of counts, split into that of its rows, of its columns, and the rest.

    .. math:: & \sum_{cy} \frac{(x_{cy} - e_c)^2}{e_c}
              = \sum_c \frac{(x_{c+} - C e_c)^2}{C e_c} + \sum_y \frac{(x_{+y} - S/C)^2}{S/C} + D_{\text{rest}}, \\
              & e_c = S w_c / C

    with the sum ``S`` of all counts and the share ``w_c`` of row ``c`` in the exposure.

    Parameters
    ----------
    table : counts, R rows and C columns, both >= 2, not all zero.
    exposure : size of each row, > 0, in any unit; the same in every column.

    Returns
    -------
    rows, columns, rest : near chi-squared with ``R - 1``, ``C - 1`` and ``(R - 1)(C - 1)`` degrees of
        freedom for independent Poisson counts with means ``e_c``. Their sum has ``RC - 1``.

    Raises
    ------
    ValueError
        If ``table`` is not a table of finite numbers >= 0 with a positive sum, or ``exposure`` not a vector
        of as many numbers > 0 as there are rows.

    References
    ----------
    Fisher 1925. Equation :eq:`eq-poisson_processes-split`.

    Examples
    --------
    >>> table = np.array([[1, 3], [3, 6]])
    >>> parts = dispersion_split(table, exposure=np.array([1.0, 1.0]))
    >>> [round(D, 4) for D in parts]
    [1.9231, 1.9231, 0.0769]
    """
    table, exposure = reals("table", table), vector("exposure", exposure)
    rule = "table must have at least two rows and two columns"
    require(table.ndim == 2 and min(table.shape) >= 2, rule, f"shape {table.shape}")
    rule = "exposure must have one number for each row"
    require(len(exposure) == len(table), rule, f"{len(exposure)} for {len(table)}")
    require(table >= 0, "table must be >= 0", table)
    require(exposure > 0, "exposure must be > 0", exposure)
    total, share = table.sum(), (exposure / exposure.max())[:, None]
    require(total > 0, "table must have a positive sum", total)
    share, C = share / share.sum(), table.shape[1]
    expected = total * share / C
    rows = table.sum(1, keepdims=True) / C - expected
    columns = share * (table.sum(0) - total / C)
    rest = table - expected - rows - columns
    D = [(part**2 / expected).sum() for part in (rows, columns, rest)]
    return float(C * D[0]), float(D[1]), float(D[2])


def gof_poisson(
    observed: Real[np.ndarray, " n"], min_expected: float = 5.0
) -> tuple[float, int, float, Float[np.ndarray, "cells 3"]]:
    r"""Chi-squared test of a Poisson law with fitted mean, tails pooled.

    .. math:: \chi^2 = \sum_{\text{cells}} \frac{(O - E)^2}{E}, \qquad
              \text{d.o.f.} = \text{cells} - 1 - 1

    The second 1 is the price of the fitted mean. The first and the last cell take in the tails, as
    far as they must to expect ``min_expected`` events.

    Parameters
    ----------
    observed : how often 0, 1, 2, ... was observed.
    min_expected : smallest expectation of a tail cell, > 0.

    Returns
    -------
    chi2 : the statistic.
    dof : degrees of freedom.
    p : probability of a larger statistic.
    table : one row per cell: its first value (the first cell starts at 0), observed, expected.

    Raises
    ------
    ValueError
        If ``observed`` is not a vector of finite numbers >= 0 with a positive mean, ``min_expected``
        is not positive and finite, or fewer than three cells remain.

    References
    ----------
    Fisher 1925. Equation :eq:`eq-poisson_processes-gof`.

    Examples
    --------
    >>> statistic, dof, p, table = gof_poisson(np.array(RUTHERFORD_GEIGER))
    >>> round(statistic, 1), dof, round(p, 2)
    (13.0, 10, 0.23)
    """
    observed, min_expected = (
        vector("observed", observed),
        real("min_expected", min_expected),
    )
    require(observed >= 0, "observed must be >= 0", observed)
    require(0 < min_expected < np.inf, "min_expected must be positive", min_expected)
    k, total = np.arange(len(observed)), observed.sum()
    require(observed @ k > 0, "observed must have a positive mean", observed @ k)
    mu = observed @ k / total
    low = np.flatnonzero(total * pdtr(k, mu) >= min_expected)
    high = np.flatnonzero(total * pdtrc(k - 1.0, mu) >= min_expected)
    cells = high[-1] - low[0] + 1 if low.size and high.size else 0
    require(cells >= 3, "observed must leave at least three cells after pooling", cells)
    first = np.r_[0, np.arange(low[0] + 1, high[-1] + 1)]
    in_cell = np.add.reduceat(observed, first)
    survival = np.where(first > 0, pdtrc(np.maximum(first - 1.0, 0), mu), 1.0)
    expected = total * -np.diff(survival, append=0.0)
    statistic = float(np.sum((in_cell - expected) ** 2 / expected))
    dof = int(cells) - 2
    table = np.column_stack([first, in_cell, expected]).astype(float)
    return statistic, dof, float(chi2.sf(statistic, dof)), table
