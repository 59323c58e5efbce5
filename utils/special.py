r"""Elementary functions where the textbook's form loses digits: differences of nearly equal numbers.

Divergences of laws that are close, and probabilities of large counts, are built on them.
"""

from __future__ import annotations

from math import factorial

import numpy as np
from jaxtyping import Float, Real

from utils.validate import reals, require, together

SERIES = 0.25  # up to here a power series replaces exp(x) - 1 - x
BLOCK = 5120  # numbers whose intermediate results stay in the cache


def exp_remainder(
    x: Real[np.ndarray, "*shape"] | float,
) -> Float[np.ndarray, "*shape"] | float:
    r"""What its tangent at 0 leaves of the exponential function, to full relative accuracy.

    .. math:: e^x - 1 - x = \underbrace{\frac{E^2}{2(1+E)}}_{\cosh x-1}
              + (\sinh x - x), \qquad E = e^x - 1

    so near 0, where ``sinh x - x`` is an odd series of five terms; elsewhere nothing cancels in ``E - x``.

    Parameters
    ----------
    x : real numbers.

    Returns
    -------
    ndarray
        Values >= 0, infinite where the exponential overflows.

    Raises
    ------
    ValueError
        If an entry is not a finite real number.

    References
    ----------
    Equation :eq:`eq-kl_estimators-k3`: it is ``k3``, evaluated at ``log r``.

    Examples
    --------
    >>> f"{exp_remainder(1e-8):.4e}"
    '5.0000e-17'
    """
    x = reals("x", x)
    out = np.empty(x.shape)
    rows, found = x.reshape(-1), out.reshape(-1)
    room = np.empty((2, min(x.size, BLOCK)))
    with np.errstate(all="ignore"):  # in the branch that is not taken
        for i in range(0, x.size, BLOCK):
            y = rows[i : i + BLOCK]
            _remainder_of_block(y, found[i : i + BLOCK], *room[:, : len(y)])
    return out[()]


def _remainder_of_block(x, out, E, z):
    """Write ``e^x - 1 - x`` into ``out``; ``E`` and ``z`` are room to work in."""
    np.expm1(x, out=E)
    np.multiply(x, x, out=z)
    np.multiply(z, 1 / 39916800, out=out)
    for coefficient in (1 / 362880, 1 / 5040, 1 / 120, 1 / 6):
        out += coefficient
        out *= z
    out *= x  # sinh x - x
    np.add(E, 1, out=z)
    np.divide(E, z, out=z)
    z *= E
    z *= 0.5  # cosh x - 1
    out += z
    E -= x
    np.abs(x, out=z)
    np.putmask(out, z >= SERIES, E)


def sinh_remainder(
    x: Real[np.ndarray, "*shape"] | float,
) -> Float[np.ndarray, "*shape"] | float:
    r"""What its tangent at 0 leaves of the hyperbolic sine, to a relative error of 1e-14.

    .. math:: \sinh x - x = \frac{x^3}{3!} + \frac{x^5}{5!} + \dots

    Parameters
    ----------
    x : real numbers.

    Returns
    -------
    ndarray
        Values of the sign of ``x``, infinite where the hyperbolic sine overflows.

    Raises
    ------
    ValueError
        If an entry is not a finite real number.

    References
    ----------
    The odd part of :eq:`eq-kl_estimators-k3`.

    Examples
    --------
    >>> f"{sinh_remainder(1e-6):.4e}"
    '1.6667e-19'
    """
    x = reals("x", x)
    near = np.where(abs(x) < 1, x, 0.0)
    z, odd = near * near, 0.0
    for n in range(17, 1, -2):
        odd = 1 / factorial(n) + z * odd
    with np.errstate(over="ignore"):
        return np.where(abs(x) < 1, near * z * odd, np.sinh(x) - x)[()]


def log_quotient(
    a: Real[np.ndarray, "*#shape"] | float, b: Real[np.ndarray, "*#shape"] | float
) -> Float[np.ndarray, "*#shape"] | float:
    r"""Logarithm of a quotient, with all digits where it is close to 1 and without overflow.

    .. math:: \log\frac ab = \log\Bigl(1 + \frac{a-b}{b}\Bigr) = \log a - \log b

    by the first form for quotients between 1/2 and 3/2, by the last where the quotient itself is out of range.

    Parameters
    ----------
    a, b : positive numbers; shapes broadcast.

    Returns
    -------
    ndarray
        The logarithms.

    Raises
    ------
    ValueError
        If an entry is not finite or not positive, or the shapes do not broadcast.

    References
    ----------
    Equation :eq:`eq-kl_estimators-k1`, whose log-ratio it is.

    Examples
    --------
    >>> f"{log_quotient(1e-300, 1e300):.4f}"
    '-1381.5511'
    """
    a, b = together(a=a, b=b)
    require(a > 0, "a must be > 0", a)
    require(b > 0, "b must be > 0", b)
    with np.errstate(over="ignore", under="ignore"):
        apart, ratio = (a - b) / b, a / b
    close, far = abs(apart) < 0.5, (ratio < 1e-300) | np.isinf(ratio)
    log_ratio = np.log(np.where(close | far, 1.0, ratio))
    log_ratio += np.where(far, np.log(a) - np.log(b), 0.0)
    return np.where(close, np.log1p(np.where(close, apart, 0.0)), log_ratio)[()]
