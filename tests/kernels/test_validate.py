"""The common door: what is refused, and in which words."""

import numpy as np
import pytest
import torch

from utils.validate import require, require_finite, require_integer, require_vector


def test_require_names_the_first_value_that_breaks_the_rule():
    x = np.array([0.0, 2.0, -1.0, -3.0])
    with pytest.raises(ValueError, match=r"^x must be >= 0, got -1\.0$"):
        require(x >= 0, "x must be >= 0", x)
    with pytest.raises(ValueError, match=r"^d must be odd, got 4$"):
        require(False, "d must be odd", 4)
    require(x < 5, "x must be < 5", x)
    require(True, "d must be odd", 3)


@pytest.mark.parametrize("bad", [1.5, 2.0, "3", np.array([1.0])])
def test_integers_only(bad):
    with pytest.raises(ValueError, match=r"^n must be an integer, got "):
        require_integer("n", bad)


def test_integers_below_the_least_are_refused():
    with pytest.raises(ValueError, match=r"^n must be an integer >= 1, got 0$"):
        require_integer("n", np.array([3, 0, 2]), 1)
    require_integer("n", np.array([1, 2]), 1)
    require_integer("n", -7)
    require_integer("n", np.int64(4), 4)
    with pytest.raises(ValueError, match=r"^n must be an integer >= 1, got 0$"):
        require_integer("n", torch.tensor([3, 0]), 1)
    require_integer("n", torch.tensor([3, 1]), 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_finite_values_only(bad):
    with pytest.raises(ValueError, match=rf"^x must be finite, got {bad}$"):
        require_finite("x", np.array([1.0, bad]))
    with pytest.raises(ValueError, match=rf"^x must be finite, got {bad}$"):
        require_finite("x", torch.tensor([1.0, bad], requires_grad=True))
    require_finite("x", np.array([1.0, -2.0]))
    require_finite("x", torch.ones(2, dtype=torch.bfloat16))


@pytest.mark.parametrize(
    "bad", [np.zeros(0), np.zeros((2, 2)), 3.0, torch.ones(0), torch.ones(1, 2)]
)
def test_vectors_only(bad):
    with pytest.raises(
        ValueError, match=r"^u must be a non-empty vector, got shape \("
    ):
        require_vector("u", bad)
    require_vector("u", np.zeros(1))
    require_vector("u", torch.ones(2))
