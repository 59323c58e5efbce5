r"""Simple random walks on the integer lattice: exact laws, their limits, and simulation.

A walker starts at ``S_0 = 0`` and moves ``+1`` with probability ``p`` and ``-1`` with probability
``q = 1 - p``, independently at every step. In ``d`` dimensions each step first picks one of the
``d`` axes at random. The functions stand in the order of the chapter.
"""

from functools import reduce
from math import factorial
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int32, Integer, Real
from scipy.integrate import quad
from scipy.special import i0e
from scipy.stats import binom

from utils.special import log_quotient
from utils.validate import integer, integers, real, require, vector


def _half_sum(n, k):
    """``floor((n + k) / 2)`` for integers whose sum may not fit, and whether the sum is even."""
    return n // 2 + k // 2 + (n & k & 1), (n ^ k) & 1 == 0


def _pmf_at(n, k, p: float):
    """Elementwise ``P(S_n = k)``: binomial in the number of steps up, zero for the wrong parity."""
    ups, even = _half_sum(n, k)
    return np.where(even, binom.pmf(ups, n, p), 0.0)[()]


def walk_pmf(
    n: int, p: float = 0.5, method: Literal["conv", "fft", "binom"] = "conv"
) -> tuple[Int[np.ndarray, " 2*{n}+1"], Float[np.ndarray, " 2*{n}+1"]]:
    r"""Law of ``S_n``: the coefficients of the generating function ``(p w + q/w)^n``.

    .. math:: P(S_n=k) = [w^k]\,(p\,w + q\,w^{-1})^n
              = \binom{n}{(n+k)/2}\, p^{(n+k)/2}\, q^{(n-k)/2}

    Parameters
    ----------
    n : number of steps, >= 0.
    p : probability of a step ``+1``, in [0, 1].
    method : ``"conv"`` multiplies the n factors, O(n^2); ``"fft"`` samples the generating function
        at 2n+1 points of the unit circle, O(n log n); ``"binom"`` shifts the binomial law, O(n).

    Returns
    -------
    k : positions ``-n, ..., n``.
    pmf : their probabilities. ``"conv"`` only adds and multiplies non-negative numbers, so its
        *relative* error stays small in the tails. ``"fft"`` has an *absolute* error (near 1e-16
        for ``p = 1/2``, below ``n`` times that for any ``p``); smaller probabilities drown in noise
        of either sign, which also fills the positions of the wrong parity.

    Raises
    ------
    ValueError
        If ``n`` is not an integer >= 0, ``p`` is not in [0, 1] or ``method`` is unknown.

    References
    ----------
    Feller 1968, ch. III.2 and XI.1. Equations :eq:`eq-random_walks-gf`, :eq:`eq-random_walks-pmf`.

    Examples
    --------
    >>> k, pmf = walk_pmf(2)
    >>> k.tolist()
    [-2, -1, 0, 1, 2]
    >>> pmf.tolist()
    [0.25, 0.0, 0.5, 0.0, 0.25]
    """
    n, p = integer("n", n, 0), real("p", p)
    require(0 <= p <= 1, "p must be in [0, 1]", p)
    require(
        method in ("conv", "fft", "binom"), "method must be conv, fft or binom", method
    )
    k, q = np.arange(-n, n + 1), 1 - p
    if method == "conv":
        pmf = reduce(np.convolve, [[q, 0.0, p]] * n, np.ones(1))
    elif method == "fft":
        theta = 2 * np.pi * np.arange(2 * n + 1) / (2 * n + 1)
        g = (p * np.exp(1j * theta) + q * np.exp(-1j * theta)) ** n
        pmf = np.fft.fftshift(np.fft.fft(g)).real / (2 * n + 1)
    else:
        pmf = _pmf_at(n, k, p)
    return k, pmf


def ftcs(v: Real[np.ndarray, " n"], r: float, n_steps: int) -> Float[np.ndarray, " n"]:
    r"""Heat equation, forward in time and centred in space; the field is zero outside the array.

    .. math:: v_j^{m+1} = v_j^m + r\,(v_{j+1}^m - 2 v_j^m + v_{j-1}^m),
              \qquad r = D\,\Delta t / \Delta x^2

    Parameters
    ----------
    v : initial values on the mesh, at least one.
    r : mesh ratio, >= 0. At ``r = 1/2``, the stability limit, the scheme is the symmetric walk.
    n_steps : number of time steps, >= 0.

    Returns
    -------
    ndarray
        The field after the last step; ``v`` itself is left as it was.

    Raises
    ------
    ValueError
        If ``v`` is empty, not one-dimensional or not finite, ``r`` is negative or not finite, or
        ``n_steps`` is not an integer >= 0.

    References
    ----------
    Equations :eq:`eq-random_walks-recursion`, :eq:`eq-random_walks-stability`.

    Examples
    --------
    >>> ftcs(np.array([0.0, 1.0, 0.0]), r=0.5, n_steps=1).tolist()
    [0.5, 0.0, 0.5]
    """
    v, r, n_steps = vector("v", v).copy(), real("r", r), integer("n_steps", n_steps, 0)
    require(0 <= r < np.inf, "r must be finite and >= 0", r)
    for _ in range(n_steps):
        v += r * np.diff(v, n=2, prepend=0.0, append=0.0)
    return v


def gaussian_local(
    n: int, k: Integer[np.ndarray, "*shape"] | int, p: float = 0.5, order: int = 0
) -> Float[np.ndarray, "*shape"] | float:
    r"""Local limit law of ``S_n``: twice a Gaussian density, since the lattice has span 2.

    .. math:: & P(S_n=k) \approx \frac{2}{\sqrt{2\pi\cdot 4npq}}\, e^{-x^2/2}
              \Bigl[1 + \frac1n\Bigl(-\frac14 + \frac{x^2}{2} - \frac{x^4}{12}\Bigr)\Bigr], \\
              & x = \frac{k - n(p-q)}{\sqrt{4npq}}

    Parameters
    ----------
    n : number of steps, >= 1.
    k : positions; the result is zero where ``n + k`` is odd.
    p : probability of a step ``+1``, in (0, 1).
    order : 0 leaves the bracket out, 1 keeps it (Edgeworth correction, only for ``p = 1/2``).

    Returns
    -------
    ndarray
        Approximate probabilities, error ``O(n^{-3/2})`` for order 0 and ``O(n^{-5/2})`` for order 1
        when ``p = 1/2``; ``O(n^{-1})`` for order 0 otherwise.

    Raises
    ------
    ValueError
        If ``n`` is not an integer >= 1, ``k`` is not integer, ``p`` is not in (0, 1), ``order`` is
        neither 0 nor 1, or ``order = 1`` with ``p != 1/2``.

    References
    ----------
    Feller 1968, ch. VII.2-3. Equation :eq:`eq-random_walks-local-clt`.

    Examples
    --------
    >>> print(*(round(gaussian_local(100, 0, order=n), 4) for n in (0, 1)))
    0.0798 0.0796
    """
    n, k, p = integer("n", n, 1), integers("k", k), real("p", p)
    require(0 < p < 1, "p must be in (0, 1)", p)
    require(order in (0, 1), "order must be 0 or 1", order)
    require(order == 0 or p == 0.5, "order 1 needs p = 1/2", p)
    mean, var = n * (2 * p - 1), 4 * n * p * (1 - p)
    x = (k - mean) / np.sqrt(var)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi * var)
    bracket = 1 + order * (-1 / 4 + x**2 / 2 - x**4 / 12) / n
    return np.where(_half_sum(n, k)[1], 2 * density * bracket, 0.0)[()]


def return_probs(m_max: int, d: int = 1) -> Float[np.ndarray, " {m_max}+1"]:
    r"""Probability ``u_{2m} = P(S_{2m} = 0)`` of the symmetric walk, in any dimension.

    .. math:: & u_{2m} = \binom{2m}{m} 4^{-m} = \prod_{j=1}^m \Bigl(1-\frac{1}{2j}\Bigr),\qquad
              u^{(2)}_{2m} = u_{2m}^2, \\
              & u^{(d)}_{2m} = \sum_{j=0}^m \binom{2m}{2j}
              \frac{(d-1)^{2m-2j}}{d^{2m}}\; u_{2j}\; u^{(d-1)}_{2m-2j}

    In the plane the 45-degree rotation gives two independent walks; in general ``2j`` of the ``2m``
    steps, a binomial number, go along the last axis.

    Parameters
    ----------
    m_max : largest index, >= 0; the walk has ``2 m_max`` steps.
    d : dimension of the lattice, >= 1. O(m_max) up to d = 2, O(d m_max^2) above.

    Returns
    -------
    ndarray
        ``u_0, u_2, ..., u_{2 m_max}``.

    Raises
    ------
    ValueError
        If ``m_max`` is not an integer >= 0 or ``d`` is not an integer >= 1.

    References
    ----------
    Feller 1968, ch. III.2 and XIV.7. Equations :eq:`eq-random_walks-return-u`,
    :eq:`eq-random_walks-polya`.

    Examples
    --------
    >>> np.round(return_probs(3), 4).tolist()
    [1.0, 0.5, 0.375, 0.3125]
    >>> np.round(return_probs(3, d=2), 4).tolist()
    [1.0, 0.25, 0.1406, 0.0977]
    """
    m_max, d = integer("m_max", m_max, 0), integer("d", d, 1)
    m = np.arange(m_max + 1)
    line = np.cumprod(np.append(1.0, 1 - 0.5 / m[1:]))
    u = line if d == 1 else line**2
    for axes in range(3, d + 1):
        # along[i]: law of the even number of steps, of 2i, that go along the new axis
        along = [binom.pmf(2 * m[: i + 1], 2 * i, 1 / axes) for i in m]
        u = np.array([law * line[: i + 1] @ u[i::-1] for i, law in enumerate(along)])
    return u


def first_returns(u: Real[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    r"""First-return probabilities ``f`` from the return probabilities ``u``: ``F(s) = 1 - 1/U(s)``.

    .. math:: u_n = \sum_{j=1}^{n} f_j\, u_{n-j} \quad (n \ge 1), \qquad f_0 = 0

    Parameters
    ----------
    u : ``u[0] = 1`` and probabilities after it; one entry per step, or one per two steps as
        ``return_probs`` gives them (then ``f`` is indexed in the same way).

    Returns
    -------
    ndarray
        ``f[n]``, the probability that the first return happens at ``n``; O(n^2).

    Raises
    ------
    ValueError
        If ``u`` is empty, not finite or not one-dimensional, has an entry outside [0, 1], or ``u[0] != 1``.

    References
    ----------
    Feller 1968, ch. XIII.3. Equation :eq:`eq-random_walks-renewal`.

    Examples
    --------
    >>> np.round(first_returns(return_probs(3)), 4).tolist()
    [0.0, 0.5, 0.125, 0.0625]
    """
    u = vector("u", u)
    require((u >= 0) & (u <= 1), "u must be in [0, 1]", u)
    require(u[0] == 1, "u[0] must be 1", u[0])
    f = np.zeros(len(u))
    for n in range(1, len(u)):
        f[n] = u[n] - f[1:n] @ u[n - 1 : 0 : -1]
    return f


def hitting_pmf(
    a: int, n: Integer[np.ndarray, "*shape"] | int, p: float = 0.5
) -> Float[np.ndarray, "*shape"] | float:
    r"""Law of the first time ``T_a`` at level ``a > 0`` (hitting-time theorem).

    .. math:: P(T_a = n) = \frac{a}{n}\, P(S_n = a)

    The total mass is ``min(1, (p/q)^a)``; for a level below zero exchange ``p`` and ``q``.

    Parameters
    ----------
    a : level, >= 1.
    n : times, >= 0 (the probability at ``n = 0`` is zero).
    p : probability of a step ``+1``, in [0, 1].

    Returns
    -------
    ndarray
        ``P(T_a = n)``, with a relative error below 1e-10 at ``n = 10^9`` and 1e-7 at ``10^15``.

    Raises
    ------
    ValueError
        If ``a`` is not an integer >= 1, ``n`` has an entry that is not an integer >= 0, or ``p`` is
        not in [0, 1].

    References
    ----------
    Feller 1968, ch. III.7 and XIV.4. Equation :eq:`eq-random_walks-first-passage`.

    Examples
    --------
    >>> np.round(hitting_pmf(1, np.arange(6)), 4).tolist()
    [0.0, 0.5, 0.0, 0.125, 0.0, 0.0625]
    """
    a, n, p = integer("a", a, 1), integers("n", n, 0), real("p", p)
    require(0 <= p <= 1, "p must be in [0, 1]", p)
    return a / np.maximum(n, 1) * _pmf_at(n, a, p)


def max_tail(
    n: int, r: Integer[np.ndarray, "*shape"] | int
) -> Float[np.ndarray, "*shape"] | float:
    r"""Tail of the maximum ``M_n = max_{m <= n} S_m`` of the symmetric walk (reflection principle).

    .. math:: P(M_n \ge r) = P(T_r \le n) = P(S_n \ge r) + P(S_n > r)

    Parameters
    ----------
    n : number of steps, >= 0.
    r : levels, >= 0.

    Returns
    -------
    ndarray
        ``P(M_n >= r)``.

    Raises
    ------
    ValueError
        If ``n`` is not an integer >= 0 or ``r`` has an entry that is not an integer >= 0.

    References
    ----------
    Feller 1968, ch. III.7. Equation :eq:`eq-random_walks-reflection`.

    Examples
    --------
    >>> np.round(max_tail(2, np.arange(4)), 4).tolist()
    [1.0, 0.5, 0.25, 0.0]
    """
    n, r = integer("n", n, 0), integers("r", r, 0)
    ups, even = _half_sum(
        n, r
    )  # S_n > r means more steps up, S_n >= r may mean as many
    return binom.sf(ups - even, n, 0.5) + binom.sf(ups, n, 0.5)


def arcsine_pmf(m: int) -> Float[np.ndarray, " {m}+1"]:
    r"""Law of the last zero ``L_{2m}`` of the symmetric walk, and of the time it spends positive.

    .. math:: P(L_{2m} = 2k) = u_{2k}\, u_{2m-2k}, \qquad
              P(L_n \le y\,n) \to \tfrac{2}{\pi} \arcsin\sqrt{y}

    Parameters
    ----------
    m : half the number of steps, >= 0.

    Returns
    -------
    ndarray
        ``P(L_{2m} = 2k)`` for ``k = 0, ..., m``.

    Raises
    ------
    ValueError
        If ``m`` is not an integer >= 0.

    References
    ----------
    Feller 1968, ch. III.4. Equation :eq:`eq-random_walks-arcsine`.

    Examples
    --------
    >>> np.round(arcsine_pmf(2), 4).tolist()
    [0.375, 0.25, 0.375]
    """
    u = return_probs(integer("m", m, 0))
    return u * u[::-1]


def ruin(
    i: Integer[np.ndarray, "*shape"] | int, N: int, p: float
) -> tuple[Float[np.ndarray, "*shape"] | float, Float[np.ndarray, "*shape"] | float]:
    r"""Gambler's ruin: chance ``h_i`` to reach ``N`` before 0 from ``i``, mean duration ``E T``.

    .. math:: h_i = \frac{1-\rho^i}{1-\rho^N}, \quad \rho = \frac qp, \qquad
              (p-q)\, E\,T = N h_i - i \quad\text{(Wald)}

    with the limits ``h_i = i/N`` and ``E T = i (N - i)`` of the fair game. Where ``N log(rho)`` is
    below 1e-3, Wald's identity would subtract nearly equal numbers: there ``E T`` is summed as a
    series in ``log(rho)``, and the identity gives ``h_i`` instead.

    Parameters
    ----------
    i : initial capital, between 0 and ``N``.
    N : capital at which the game is won, >= 1.
    p : probability to win one round, in (0, 1).

    Returns
    -------
    prob : ``h_i``.
    duration : ``E T``, in rounds.

    Raises
    ------
    ValueError
        If ``N`` is not an integer >= 1, ``i`` has an entry that is not an integer in [0, N], or
        ``p`` is not in (0, 1).

    References
    ----------
    Feller 1968, ch. XIV.2-3. Equation :eq:`eq-random_walks-ruin`.

    Examples
    --------
    >>> prob, duration = ruin(np.array([2, 5]), 10, 0.5)
    >>> np.round(prob, 4).tolist(), np.round(duration, 4).tolist()
    ([0.2, 0.5], [16.0, 25.0])
    """
    i, N, p = integers("i", i, 0), integer("N", N, 1), real("p", p)
    require(i <= N, f"i must be <= N = {N}", i)
    require(0 < p < 1, "p must be in (0, 1)", p)
    i, N = i.astype(np.float64), float(N)  # their products need not fit into 64 bits
    x, log_rho = i / N, log_quotient(1 - p, p)
    t = N * log_rho
    if abs(t) < 1e-3:
        series = 1 + (x - 1 / 2) * t / 3 + (log_rho**2 - x * (1 - x) * t**2) / 12
        duration = i * (N - i) * series
        return (i + (2 * p - 1) * duration) / N, duration
    # for rho > 1 divide by rho^N, which would overflow
    growth = np.exp(-max(log_rho, 0.0) * (N - i))
    prob = growth * np.expm1(-abs(log_rho) * i) / np.expm1(-abs(t))
    return prob, abs(N * prob - i) / abs(2 * p - 1)


class Polya(NamedTuple):
    """Mean number ``G`` of visits to the origin, and probability ``p`` of ever returning to it."""

    G: float
    p: float


def polya_constant(d: int) -> Polya:
    r"""Polya's constant ``p_d``, the probability of return, and the mean number ``G_d`` of visits.

    .. math:: G_d = \sum_{m\ge0} u^{(d)}_{2m} = d\int_0^\infty \bigl[e^{-s} I_0(s)\bigr]^d\, ds,
              \qquad p_d = 1 - \frac{1}{G_d} = \frac{G_d - 1}{G_d}

    What is computed is ``G_d - 1``, the visits after time 0, which are about ``1/2d``: up to ``s = 1``, in
    the variable ``t = d s``, as the integral of ``e^{-t} (I_0(t/d)^d - 1)``. The integrand decays like
    ``s^{-d/2}`` only; with ``s = w^{-2}`` the part beyond becomes the integral of a smooth function over the
    unit interval.

    Parameters
    ----------
    d : dimension of the lattice, >= 1.

    Returns
    -------
    Polya
        ``G`` and ``p``: ``(inf, 1.0)`` for ``d <= 2``, where the walk is recurrent; else exact to about
        1e-13, ``p`` and ``G - 1`` relative to their own size.

    Raises
    ------
    ValueError
        If ``d`` is not an integer >= 1.

    References
    ----------
    Polya 1921; Watson 1939 for the integral of ``d = 3``; Montroll 1956. Equation :eq:`eq-random_walks-polya`.

    Examples
    --------
    >>> round(polya_constant(3).p, 4)
    0.3405
    >>> polya_constant(2)
    Polya(G=inf, p=1.0)
    """
    d = integer("d", d, 1)
    if d <= 2:
        return Polya(float("inf"), 1.0)

    def later(t):
        return np.exp(-t) * np.expm1(d * _log_i0(t / d))

    options = {"epsabs": 0, "epsrel": 1e-13}
    near, _ = quad(later, 0, min(d, 60), limit=200, **options)  # e^-60 is nothing
    far, _ = quad(lambda w: 2 * w**-3 * i0e(w**-2) ** d, 0, 1, **options)
    visits = float(near + d * far - np.exp(-float(d)))
    return Polya(1 + visits, visits / (1 + visits))


def _log_i0(s):
    """Logarithm of the Bessel function ``I_0`` on [0, 1], where it is close to 0."""
    coefficients = [1 / factorial(k) ** 2 for k in range(10, 0, -1)]
    z = s * s / 4
    return np.log1p(z * np.polyval(coefficients, z))


def simulate_walks(
    n_walks: int,
    n_steps: int,
    *,
    rng: np.random.Generator,
    p: float = 0.5,
    d: int = 1,
) -> (
    Int32[np.ndarray, "{n_walks} {n_steps}+1"]
    | Int32[np.ndarray, "{n_walks} {n_steps}+1 {d}"]
):
    r"""Sample paths ``S_0, ..., S_n`` of independent walks.

    .. math:: S_n = \sum_{m=1}^n X_m, \qquad X_m = \pm e_{A_m}, \quad
              A_m \text{ uniform on the axes}, \quad P(+) = p

    Parameters
    ----------
    n_walks : number of walks, >= 1.
    n_steps : steps of each walk, >= 0.
    rng : source of randomness. A call needs about four times the memory of its result; where that
        is too much, ask for fewer walks at a time with the same generator.
    p : probability that a step goes in the positive direction of its axis, in [0, 1].
    d : dimension of the lattice, >= 1.

    Returns
    -------
    ndarray
        Positions, int32, of shape ``(n_walks, n_steps + 1)`` for ``d = 1`` and
        ``(n_walks, n_steps + 1, d)`` otherwise.

    Raises
    ------
    ValueError
        If ``n_walks`` or ``d`` is not an integer >= 1, ``n_steps`` is not an integer >= 0, or
        ``p`` is not in [0, 1].

    References
    ----------
    Feller 1968, ch. III.1 and XIV.7. Equation :eq:`eq-random_walks-gf`.

    Examples
    --------
    >>> walks = simulate_walks(3, 4, rng=np.random.default_rng(0))
    >>> walks.shape, walks[:, 0].tolist()
    ((3, 5), [0, 0, 0])
    """
    n_walks, n_steps = integer("n_walks", n_walks, 1), integer("n_steps", n_steps, 0)
    p, d = real("p", p), integer("d", d, 1)
    require(0 <= p <= 1, "p must be in [0, 1]", p)
    signs = 2 * (rng.random((n_walks, n_steps)) < p).astype(np.int8) - 1
    if d > 1:  # each step goes along one of the axes
        axes = rng.integers(d, size=(n_walks, n_steps), dtype=np.int32)
        signs = signs[..., None] * (axes[..., None] == np.arange(d))
    walks = np.zeros((n_walks, n_steps + 1, *signs.shape[2:]), dtype=np.int32)
    np.cumsum(signs, axis=1, dtype=np.int32, out=walks[:, 1:])
    return walks
