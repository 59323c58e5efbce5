"""The door of the diffusion kernels: states, noise levels, times, grids, and what a model returns.

States keep their precision; levels and times become float64, of which all coefficients are made.
``against`` brings a coefficient back to the precision of the states, at least single, and a kernel casts
its result last. So neither an integer nor a half-precision level ever decides the arithmetic.
"""

import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from jaxtyping import Real
from torch import Tensor, nn

from utils import validate as common
from utils.validate import integers, real, reals, tensor

Level = int | float | np.number | Real[Tensor, ""] | Real[Tensor, " B"]
Denoiser = Callable[[Tensor, Tensor], Tensor]
SLACK = 1e-12  # what rounding may add to a time
SMALLEST, LARGEST = 1e-150, 1e150  # levels of which the square is a number


def require(ok: Any, rule: str, got: Any) -> None:
    """The common ``require``, also where torch.func hides values from numpy, or from everybody."""
    if not isinstance(ok, Tensor):
        return common.require(ok, rule, got)
    with suppress(RuntimeError):  # under torch.func.vmap
        if not ok.all():
            if isinstance(got, Tensor):
                got = got.detach().expand_as(ok)[~ok].flatten()[0].item()
            raise ValueError(f"{rule}, got {got}")


def positive(name: str, x: Any, zero: bool = False) -> float:
    """A finite number > 0, with ``zero`` >= 0, as a float."""
    x = real(name, x.item() if isinstance(x, Tensor) and x.ndim == 0 else x)
    ok = 0 <= x < math.inf if zero else 0 < x < math.inf
    require(ok, f"{name} must be finite and >{'=' * zero} 0", x)
    return x


def band(sigma_min: Any, sigma_max: Any) -> tuple[float, float]:
    """The ends of a range of levels, 0 < ``sigma_min`` < ``sigma_max``, as floats."""
    low, high = positive("sigma_min", sigma_min), positive("sigma_max", sigma_max)
    require(high > low, f"sigma_max must be > sigma_min = {low}", high)
    return low, high


def state(name: str, x: Tensor) -> Tensor:
    """A batch of finite floating numbers, of which the first axis counts the samples."""
    try:
        tensor(name, x)
    except RuntimeError:  # numpy cannot look at what torch.func transforms
        require(x.isfinite(), f"{name} must be finite", x)
    if x.ndim == 0:
        raise ValueError(f"{name} must have an axis for the batch, got shape ()")
    return x


def states(**tensors: Tensor) -> tuple:
    """Batches of one shape, dtype and device."""
    (first, x), *others = tensors.items()
    state(first, x)
    for name, y in others:
        state(name, y)
        if y.shape != x.shape:
            got = f"got shape {tuple(y.shape)}"
            raise ValueError(f"{name} must have the shape of {first}, {got}")
        _same_kind(name, y, first, x)
    return tuple(tensors.values())


def _same_kind(name, y, first, x):
    for what in ("dtype", "device"):
        got, want = getattr(y, what), getattr(x, what)
        if got != want:
            raise ValueError(
                f"{name} must have the {what} of {first}, {want}, got {got}"
            )


def match_event(name: str, x: Tensor, event: tuple) -> None:
    """Refuse samples that are not of the shape ``event``."""
    if x.shape[1:] != event:
        want = f"({', '.join(['B', *map(str, event)])})"
        raise ValueError(f"{name} must have shape {want}, got shape {tuple(x.shape)}")


def clouds(least: int = 1, **tensors: Tensor) -> list:
    """Points as the rows of finite matrices, in as many dimensions and of one dtype; as float64."""
    (first, model), *_ = tensors.items()
    for name, x in tensors.items():
        state(name, x)
        got = f"shape {tuple(x.shape)}"
        require(x.ndim == 2 and x.shape[1] > 0, f"{name} must be a matrix", got)
        require(len(x) >= least, f"{name} must have {least} rows or more", got)
        d = model.shape[1]
        require(x.shape[1] == d, f"{name} must have the {d} columns of {first}", got)
        _same_kind(name, x, first, model)
    return [x.double() for x in tensors.values()]


def rows(x: Tensor) -> Tensor:
    """Each sample as one row of numbers, also where a sample is one number."""
    return x.flatten(1) if x.ndim > 1 else x[:, None]


def widened(x: Tensor) -> Tensor:
    """``x``, in single precision if it was less: for sums and squares."""
    return x.float() if x.dtype.itemsize < 4 else x


def _double(name, x):
    """Real numbers as a float64 tensor, whatever they came as."""
    if type(x) is float:
        return torch.scalar_tensor(x, dtype=torch.float64)
    if not isinstance(x, Tensor):
        return torch.tensor(reals(name, x))
    if x.is_complex() or x.dtype is torch.bool:
        raise ValueError(f"{name} must be real numbers, got {x.dtype}")
    return x.double()


def _extremes(x):
    """The least and the greatest value, NaN where there is one; of no values, or hidden ones, 1."""
    x = x.detach()
    try:
        return (float(x),) * 2 if x.ndim == 0 else tuple(map(float, x.aminmax()))
    except (RuntimeError, IndexError):  # empty, or under torch.func.vmap
        return 1.0, 1.0


def numbers(name: str, x: Any) -> Tensor:
    """Finite real numbers of any shape, as a float64 tensor."""
    x = _double(name, x)
    if not all(map(math.isfinite, _extremes(x))):
        require(x.isfinite(), f"{name} must be finite", x)
    return x


def vector(name: str, x: Any) -> Tensor:
    """A non-empty vector of finite real numbers, as a float64 tensor."""
    x = numbers(name, x)
    ok = x.ndim == 1 and len(x) > 0
    require(ok, f"{name} must be a non-empty vector", f"shape {tuple(x.shape)}")
    return x


def positives(name: str, x: Any, zero: bool = False) -> Tensor:
    """Levels > 0, with ``zero`` >= 0, of any shape, as a float64 tensor."""
    x = _double(name, x)
    least, greatest = _extremes(x)
    fits = least >= SMALLEST or (zero and least == 0)
    if not (fits and greatest <= LARGEST):  # look again, value by value
        require(x.isfinite(), f"{name} must be finite", x)
        require(x >= 0 if zero else x > 0, f"{name} must be >{'=' * zero} 0", x)
        fits = (x >= SMALLEST) & (x <= LARGEST) | (x == 0)
        require(fits, f"{name} must be in [{SMALLEST}, {LARGEST}]", x)
    return x


def one_or_each(name, level, x):
    """Refuse what is neither one number nor one for each row of ``x``."""
    if level.ndim and level.shape != x.shape[:1]:
        rule = f"{name} must be a number or have shape {tuple(x.shape[:1])}"
        raise ValueError(f"{rule}, got shape {tuple(level.shape)}")


def level(name: str, sigma: Level, x: Tensor, zero: bool = False) -> Tensor:
    """A noise level > 0, with ``zero`` >= 0, one for all or one for each row of ``x``, in float64."""
    if type(sigma) is float and SMALLEST <= sigma <= LARGEST:  # the usual case
        return torch.scalar_tensor(sigma, dtype=torch.float64, device=x.device)
    sigma = positives(name, sigma, zero)
    one_or_each(name, sigma, x)
    return sigma.to(x.device)


def against(coefficient: Tensor, x: Tensor) -> Tensor:
    """A coefficient, one or one for each row, in the shape and precision to multiply ``x`` with."""
    if coefficient.ndim == 0 and x.dtype.itemsize >= 4:
        return coefficient  # a 0-d tensor adapts itself
    wide = torch.promote_types(x.dtype, torch.float32)
    return coefficient.reshape(-1, *[1] * (x.ndim - 1)).to(wide)


def as_given(given: Any, value: Tensor) -> Tensor:
    """A float64 result in the precision of the tensor it was asked for with; float64 for numbers."""
    floating = isinstance(given, Tensor) and given.is_floating_point()
    return value.to(given.dtype) if floating else value


def steps(name: str, t: Any, x: Tensor, most: int) -> Tensor:
    """Steps from 1 to ``most``, one for each row of ``x``, as an int64 tensor."""
    whole = isinstance(t, Tensor) and not (t.is_floating_point() or t.is_complex())
    t = t.long() if whole else torch.as_tensor(integers(name, t, 1))
    rule = f"{name} must have shape {tuple(x.shape[:1])}"
    require(t.shape == x.shape[:1], rule, f"shape {tuple(t.shape)}")
    require(t >= 1, f"{name} must be an integer >= 1", t)
    require(t <= most, f"{name} must be <= {most}", t)
    return t.to(x.device)


def on_clock(name: str, t: Any, t_max: float) -> Tensor:
    """Times in [0, ``t_max``], of any shape, as a float64 tensor."""
    t = numbers(name, t)
    least, greatest = _extremes(t)
    end = t_max * (1 + SLACK)
    if not (least >= 0 and greatest <= end):
        require((t >= 0) & (t <= end), f"{name} must be in [0, {t_max}]", t)
    return t


def reached(name: str, sigma: Level, process: Any) -> Tensor:
    """Levels of a process as a float64 tensor; refused is what it does not reach."""
    value = positives(name, sigma, zero=True)
    low, high = float(process.sigma(0.0)), float(process.sigma(process.t_max))
    # rounded to single precision, the first and the last level are still levels
    slack = torch.finfo(as_given(sigma, value).dtype).eps + SLACK
    ok = (value >= low * (1 - slack)) & (value <= high * (1 + slack))
    require(ok, f"{name} must be in [{low:.6g}, {high:.6g}] for {process.name}", value)
    return value


def times(name: str, t: Any, process: Any) -> Tensor:
    """Times at which a process has a finite level, of any shape, as a float64 tensor."""
    t = on_clock(name, t, process.t_max)
    sigma = process.sigma(t)
    if not math.isfinite(_extremes(sigma)[1]):
        require(sigma.isfinite(), f"{name} must be a time with a finite sigma(t)", t)
    return t


def time(name: str, t: Level, process: Any, x: Tensor) -> Tensor:
    """A time with a finite level, one for all or one for each row of ``x``, in float64."""
    t = times(name, t, process)
    one_or_each(name, t, x)
    return t.to(x.device)


def monotone(name: str, grid: Any, *, rising: bool = False) -> Tensor:
    """A strictly decreasing, or with ``rising`` increasing, grid of two numbers or more, in float64."""
    grid = vector(name, grid)
    require(len(grid) > 1, f"{name} must have at least 2 entries", len(grid))
    step = grid.diff()
    falls = step < 0
    if not (falls.all() or (rising and (step > 0).all())):
        rule = f"{name} must be strictly decreasing{' or increasing' * rising}"
        up = rising and step[0] > 0
        require(step > 0 if up else falls, rule, grid[1:])
    return grid


def levels(name: str, grid: Any, *, zero: bool = True, rising: bool = False) -> Tensor:
    """A monotone grid of levels > 0, of which with ``zero`` the last may be 0, in float64."""
    grid = monotone(name, grid, rising=rising)
    require(grid[:-1] > 0, f"{name} must be > 0 but for the last entry", grid[:-1])
    ok = grid[-1] >= 0 if zero else grid[-1] > 0
    require(ok, f"{name} must end at a value >{'=' * zero} 0", grid[-1])
    return grid


def model(
    name: str, F: Callable | None, x: Tensor, *, one_each: bool = False
) -> Callable:
    """``F``, held to its promise: a value for each entry of what it is given, in the same precision.

    With ``one_each`` it is one value for each row. It is called in the precision of ``x``, whatever a
    kernel calculates in. A level goes on to it in float64 where there is one for all, and in the precision
    of ``x`` where each row has its own.
    """
    if isinstance(F, nn.Module):
        match_dtype(F, name, "x", x)
    dtype, cast = x.dtype, x.dtype.itemsize < 4

    def held(y, *level):
        if level and level[0].ndim and level[0].is_floating_point():
            level = (level[0].to(dtype),)
        try:
            value = F(y.to(dtype) if cast else y, *level)
        except RuntimeError as error:
            # torch's own, where a network inside has another precision
            if not re.search("dtype|scalar type", str(error)):
                raise
            raise ValueError(f"{name} must work in {dtype}, got {error}") from error
        shape = y.shape[:1] if one_each else y.shape
        if getattr(value, "shape", None) != shape or value.dtype != dtype:
            kind = getattr(value, "dtype", type(value).__name__)
            got = f"got {kind} of shape {tuple(getattr(value, 'shape', ()))}"
            want = f"{dtype} of shape {tuple(shape)}"
            raise ValueError(f"{name} must return {want}, {got}")
        return value.to(y.dtype) if cast else value

    return held


def match_dtype(net: nn.Module, owner: str, name: str, x: Tensor) -> None:
    """Refuse data of another precision than the weights of a network, which torch would not mix."""
    for weight in net.parameters():
        if weight.is_floating_point() and weight.dtype != x.dtype:
            rule = f"{name} must have the dtype of {owner}, {weight.dtype}"
            raise ValueError(f"{rule}, got {x.dtype}")
        return
