r"""Data that the diffusion chapters train on: the 8 x 8 digits."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from utils.diffusion.validate import require
from utils.validate import tensor

TOP = 16  # the grey levels of a pixel are 0, 1, ..., 16
WIDTH = 2 / TOP  # what one grey level is worth in [-1, 1]


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

    Examples
    --------
    >>> x_train, x_held, y_train, y_held = digits()
    >>> tuple(x_train.shape), tuple(x_held.shape)
    ((898, 64), (899, 64))
    >>> x_train.min().item(), x_train.max().item()
    (-1.0, 1.0)
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
        If an entry of ``x`` is not finite or not on a grey level.

    References
    ----------
    Theis et al. 2016, section 3.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.tensor([-1.0, 0.125, 1.0])
    >>> spread = dequantise(x, generator=generator)
    >>> bool((spread != x).all()), quantise(spread).tolist()
    (True, [-1.0, 0.125, 1.0])
    """
    level = (tensor("x", x).double() + 1) / WIDTH
    ok = (level == level.round()) & (level >= 0) & (level <= TOP)
    require(ok, "x must be on the grey levels -1, -7/8, ..., 1", x)
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

    Examples
    --------
    >>> quantise(torch.tensor([-1.3, 0.1, 0.2])).tolist()
    [-1.0, 0.125, 0.25]
    """
    level = (
        tensor("x", x).double() + 1
    ) / WIDTH  # in double: no rounding to a neighbour
    return ((level + 0.5).floor().clamp(0, TOP) * WIDTH - 1).to(x.dtype)
