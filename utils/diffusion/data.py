r"""Data that the diffusion chapters train on: two toys in the plane and the 8 x 8 digits."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from utils.validate import require, require_finite, require_integer

TOP = 16  # the grey levels of a pixel are 0, 1, ..., 16
WIDTH = 2 / TOP  # what one grey level is worth in [-1, 1]


def two_moons(
    n: int, noise: float = 0.05, *, generator: torch.Generator
) -> Float[Tensor, "n 2"]:
    r"""Two interleaved half circles of radius 1, uniform in the angle, blurred by a normal law.

    .. math:: (\cos\varphi, \sin\varphi) \ \text{or}\ (1 - \cos\varphi, \tfrac12 - \sin\varphi),
              \qquad \varphi \sim U(0, \pi)

    Parameters
    ----------
    n : number of points, >= 0.
    noise : standard deviation of the blur, >= 0.
    generator : source of randomness.

    Returns
    -------
    Tensor
        The points as rows; each moon has probability 1/2.

    Raises
    ------
    ValueError
        If ``n`` is not an integer >= 0 or ``noise`` is negative or not finite.

    References
    ----------
    Zhou et al. 2004, section 4.
    """
    require_integer("n", n, 0)
    require(0 <= noise < math.inf, "noise must be finite and >= 0", noise)
    like = _like(generator)
    phi = torch.pi * torch.rand(n, **like)
    upper = torch.stack([phi.cos(), phi.sin()], dim=1)
    lower = torch.tensor([1.0, 0.5], dtype=upper.dtype, device=upper.device) - upper
    moon = torch.where(torch.rand(n, 1, **like) < 0.5, upper, lower)
    return moon + noise * torch.randn(n, 2, **like)


def checkerboard(n: int, *, generator: torch.Generator) -> Float[Tensor, "n 2"]:
    r"""Uniform law on the eight dark unit squares of a 4 x 4 board around the origin.

    .. math:: p(x) = \tfrac18\ \text{where}\ |x_1|, |x_2| \le 2\ \text{and}\
              \lfloor x_1\rfloor + \lfloor x_2\rfloor\ \text{is even}

    Both coordinates are uniform on [-2, 2], and their covariance is 1/4.

    Parameters
    ----------
    n : number of points, >= 0.
    generator : source of randomness.

    Returns
    -------
    Tensor
        The points as rows.

    Raises
    ------
    ValueError
        If ``n`` is not an integer >= 0.

    References
    ----------
    Grathwohl et al. 2019, section 4.
    """
    require_integer("n", n, 0)
    like = _like(generator)
    x_1 = 4 * torch.rand(n, **like) - 2
    pair = 2 * (torch.rand(n, **like) < 0.5) - 2
    x_2 = pair + x_1.floor() % 2 + torch.rand(n, **like)
    return torch.stack([x_1, x_2], dim=1)


def digits() -> tuple[
    Float[Tensor, "n 64"], Float[Tensor, "m 64"], Int[Tensor, " n"], Int[Tensor, " m"]
]:
    r"""The 1797 handwritten digits of 8 x 8 pixels, split in two halves with equal shares of each digit.

    .. math:: x = \frac{k}{8} - 1, \qquad k \in \{0, 1, \dots, 16\}

    Returns
    -------
    x_train, x_held : 898 and 899 images as rows, in [-1, 1]. The standard deviation of all numbers of
        ``x_train`` is 0.7504, the book's ``sigma_data``; around the mean image it is 0.5405.
    y_train, y_held : which digit each one shows.

    References
    ----------
    Pedregosa et al. 2011; for the role of ``sigma_data``, Karras et al. 2022, table 1.
    """
    pixels, labels = load_digits(return_X_y=True)
    halves = train_test_split(
        pixels * WIDTH - 1,
        labels,
        test_size=0.5,
        stratify=labels,
        random_state=0,
    )
    x_train, x_held, y_train, y_held = (torch.as_tensor(part) for part in halves)
    return x_train, x_held, y_train, y_held


def dequantise(
    x: Float[Tensor, "*shape"], *, generator: torch.Generator
) -> Float[Tensor, "*shape"]:
    r"""Spread every grey level uniformly over its own interval, so that pixels have a density.

    .. math:: x + \tfrac18\,(u - \tfrac12), \qquad u \sim U(0, 1)

    The mean stays, and the variance of a pixel grows by 1/768. ``quantise`` undoes it.

    Parameters
    ----------
    x : pixels on the 17 grey levels -1, -7/8, ..., 1.
    generator : source of randomness.

    Returns
    -------
    Tensor
        The spread pixels, in the shape and precision of ``x``.

    Raises
    ------
    ValueError
        If an entry of ``x`` is not finite.

    References
    ----------
    Theis et al. 2016, section 3.
    """
    require_finite("x", x)
    u = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    return x + WIDTH * (u - 0.5)


def quantise(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Nearest of the 17 grey levels, which is what a metric should see of a generated digit.

    .. math:: \tfrac18 \min\bigl(\max\bigl(\lfloor 8 (x + 1) + \tfrac12\rfloor, 0\bigr), 16\bigr) - 1

    Parameters
    ----------
    x : pixels; what is outside [-1, 1] goes to the nearer end.

    Returns
    -------
    Tensor
        Pixels on the levels -1, -7/8, ..., 1, in the shape and precision of ``x``.

    Raises
    ------
    ValueError
        If an entry of ``x`` is not finite.

    References
    ----------
    Theis et al. 2016, section 3, whose ``dequantise`` it undoes.
    """
    require_finite("x", x)
    return ((x + 1) / WIDTH + 0.5).floor().clamp(0, TOP) * WIDTH - 1


def _like(generator):
    options = {"dtype": torch.float64, "device": generator.device}
    return {"generator": generator} | options
