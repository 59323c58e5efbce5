"""Differences of nearly equal numbers, in 60 digits."""

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose

from utils.special import BLOCK, exp_remainder, log_quotient, sinh_remainder

X = np.concatenate(
    [s * 10.0 ** np.linspace(-300, 2, 200) for s in (-1, 1)]
    + [np.linspace(-0.4, 0.4, 401)]
)


def exact(f, *arrays):
    with mpmath.workdps(700):
        return [float(f(*map(mpmath.mpf, row))) for row in zip(*arrays, strict=True)]


@pytest.mark.parametrize(
    ("kernel", "f", "rtol"),
    [
        (exp_remainder, lambda x: mpmath.exp(x) - 1 - x, 2e-15),
        (sinh_remainder, lambda x: mpmath.sinh(x) - x, 1e-14),
    ],
)
def test_remainders_have_full_accuracy(kernel, f, rtol):
    x = X[abs(X) > 1e-100]
    assert_allclose(kernel(x), exact(f, x), rtol=rtol, atol=1e-307)


def test_remainder_is_square_where_it_is_smallest():
    assert exp_remainder(0.0) == 0
    assert_allclose(exp_remainder(np.array([1e-150, -1e-150])), 5e-301, rtol=1e-15)
    assert exp_remainder(800.0) == np.inf
    assert exp_remainder(-800.0) == 799


def test_blocks_leave_no_seam():
    x = np.linspace(-2, 2, 2 * BLOCK + 7)
    whole = exp_remainder(x.reshape(-1, 1))
    assert whole.shape == (len(x), 1)
    assert_allclose(whole[:, 0], [exp_remainder(v) for v in x], rtol=0)


def test_log_quotient():
    b = 10.0 ** np.linspace(-300, 300, 301)
    for factor in (1 + 1e-15, 1 - 1e-9, 1.49, 1.51, 0.51, 0.49, 1e-7):
        a = factor * b
        assert_allclose(
            log_quotient(a, b), exact(lambda x, y: mpmath.log(x / y), a, b), rtol=1e-14
        )
    assert_allclose(log_quotient(1e-200, 1e200), -400 * np.log(10), rtol=1e-15)
    assert log_quotient(3.0, 3.0) == 0


@pytest.mark.parametrize("a", [0.0, -1.0, np.inf])
def test_log_quotient_wants_positive_numbers(a):
    with pytest.raises(ValueError, match=r"a must be .*, got (0\.0|-1\.0|inf)"):
        log_quotient(a, 1.0)
