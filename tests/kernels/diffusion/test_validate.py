"""The doors of the package: what passes, what comes back, and what the refusals say."""

import math
import re

import pytest
import torch

from utils.diffusion.processes import flow, vp
from utils.diffusion.validate import (
    against,
    require_alike,
    require_grid,
    require_level,
    require_time,
)

X = torch.ones(3, 2, 5)


def grid(*levels):
    return torch.tensor(levels, dtype=torch.float64)


@pytest.mark.parametrize("level", [2, 2.0, torch.tensor(2.0), grid(2, 2, 2)])
def test_a_level_takes_the_kind_of_the_state(level):
    got = require_level("sigma", level, X)
    assert got.dtype == X.dtype
    assert got.shape in ((), (3,))
    assert (against(got, X) * X == 2).all()


def test_levels_stand_against_rows():
    got = against(require_level("sigma", grid(1, 2, 3), X), X) * X
    assert got[:, 1, 4].tolist() == [1, 2, 3]
    assert against(torch.ones(3), torch.ones(3)).shape == (3,)


def test_zero_passes_only_where_it_may():
    assert require_level("sigma", 0.0, X, zero=True) == 0
    require_grid("sigmas", grid(2, 1, 0))
    require_grid("sigmas", grid(1, 2), rising=True)


@pytest.mark.parametrize(
    ("door", "message"),
    [
        (lambda: require_level("sigma", 0.0, X), "sigma must be > 0, got 0.0"),
        (lambda: require_level("sigma", -1.0, X, zero=True), "sigma must be >= 0, got -1.0"),
        (lambda: require_level("sigma", grid(1, -2, 3), X), "sigma must be > 0, got -2.0"),
        (lambda: require_level("sigma", math.nan, X), "sigma must be finite, got nan"),
        (lambda: require_level("sigma", grid(1, 2), X), "sigma must be a number or have shape (3,), got shape (2,)"),
        (lambda: require_level("sigma", torch.ones(3, 1), X), "sigma must be a number or have shape (3,), got shape (3, 1)"),
        (lambda: require_time("t", 1.5, vp(), X), "t must be in [0, 1.0] with a finite sigma(t), got 1.5"),
        (lambda: require_time("t", 1.0, flow(), X), "t must be in [0, 1.0] with a finite sigma(t), got 1.0"),
        (lambda: require_time("t", -0.5, vp(), X), "t must be >= 0, got -0.5"),
        (lambda: require_grid("sigmas", grid()), "sigmas must be a non-empty vector, got shape (0,)"),
        (lambda: require_grid("sigmas", torch.ones(2, 2)), "sigmas must be a non-empty vector, got shape (2, 2)"),
        (lambda: require_grid("sigmas", grid(1)), "sigmas must have at least 2 entries, got 1"),
        (lambda: require_grid("sigmas", grid(1, math.inf)), "sigmas must be finite, got inf"),
        (lambda: require_grid("sigmas", grid(3, 1, 2)), "sigmas must be strictly decreasing, got 2.0"),
        (lambda: require_grid("sigmas", grid(3, 3)), "sigmas must be strictly decreasing, got 3.0"),
        (lambda: require_grid("sigmas", grid(1, 2)), "sigmas must be strictly decreasing, got 2.0"),
        (lambda: require_grid("sigmas", grid(3, 1, 2), rising=True), "sigmas must be strictly decreasing or increasing, got 2.0"),
        (lambda: require_grid("sigmas", grid(1, 2, 2), rising=True), "sigmas must be strictly decreasing or increasing, got 2.0"),
        (lambda: require_grid("sigmas", grid(0, 1), rising=True), "sigmas must be > 0 but for the last entry, got 0.0"),
        (lambda: require_grid("sigmas", grid(2, 0, -1)), "sigmas must be > 0 but for the last entry, got 0.0"),
        (lambda: require_grid("sigmas", grid(2, -1)), "sigmas must end at a value >= 0, got -1.0"),
        (lambda: require_grid("sigmas", grid(2, 0), zero=False), "sigmas must end at a value > 0, got 0.0"),
        (lambda: require_alike(x=X, eps=X[:2]), "eps must have the shape of x, got shape (2, 2, 5)"),
        (lambda: require_alike(x=X, eps=X * math.nan), "eps must be finite, got nan"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_type_checks")
def test_refusals_say_what_was_got(door, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        door()
