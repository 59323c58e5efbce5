"""The doors of the diffusion kernels: noise levels, grids of levels, tensors that go together."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from utils.validate import plain, require, require_finite, require_vector

Level = int | float | Float[Tensor, ""] | Float[Tensor, " B"]
Denoiser = Callable[[Tensor, Tensor], Tensor]


def require_level(name: str, level: Level, x: Tensor, zero: bool = False) -> Tensor:
    """A level, one for all or one for each row of ``x``, as a tensor of the kind of ``x``.

    Refused are values that are not finite or not > 0 (with ``zero``: negative), and other shapes.
    """
    seen, n = np.asarray(plain(level)), tuple(x.shape[:1])
    rule = f"{name} must be a number or have shape {n}"
    require(seen.shape in ((), n), rule, f"shape {seen.shape}")
    require_finite(name, seen)
    ok = seen >= 0 if zero else seen > 0
    require(ok, f"{name} must be >{'=' * zero} 0", seen)
    return torch.as_tensor(level, dtype=x.dtype, device=x.device)


def against(level: Tensor, x: Tensor) -> Tensor:
    """The level in the shape that broadcasts against ``x``, row by row."""
    return level.reshape(-1, *[1] * (x.ndim - 1)) if level.ndim else level


def require_time(name: str, t: Level, process: Any, x: Tensor) -> Tensor:
    """A time, or one for each row of ``x``; refused where the process is not defined."""
    value = require_level(name, t, x, zero=True)
    rounded = process.t_max * (1 + 1e-12)  # as sigma_inv may return it
    ok = (value <= rounded) & process.sigma(value).isfinite()
    require(ok, f"{name} must be in [0, {process.t_max}] with a finite sigma(t)", value)
    return value


def require_monotone(
    name: str, grid: Float[Tensor, " n"], *, rising: bool = False
) -> None:
    """Refuse what is not a strictly decreasing, or with ``rising`` increasing, grid of two or more."""
    require_vector(name, grid)
    require(len(grid) > 1, f"{name} must have at least 2 entries", len(grid))
    require_finite(name, grid)
    step = grid.diff()
    ok = (step < 0) | rising & (step[0] > 0) & (step > 0)
    rule = f"{name} must be strictly decreasing{' or increasing' * rising}"
    require(ok, rule, grid[1:])


def require_grid(
    name: str, grid: Float[Tensor, " n"], *, zero: bool = True, rising: bool = False
) -> None:
    """Refuse what is not a monotone grid of levels > 0, of which with ``zero`` the last may be 0."""
    require_monotone(name, grid, rising=rising)
    require(grid[:-1] > 0, f"{name} must be > 0 but for the last entry", grid[:-1])
    rule = f"{name} must end at a value >{'=' * zero} 0"
    require(grid[-1] >= 0 if zero else grid[-1] > 0, rule, grid[-1])


def require_alike(**tensors: Tensor) -> None:
    """Refuse tensors that are not finite, or not of the shape of the first."""
    (first, model), *_ = tensors.items()
    for name, x in tensors.items():
        got = f"shape {tuple(x.shape)}"
        require(x.shape == model.shape, f"{name} must have the shape of {first}", got)
        require_finite(name, x)
