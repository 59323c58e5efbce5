r"""Grids of noise levels: strictly decreasing, float64, by default with a last entry 0.

``n`` levels lead from ``sigma_max`` to ``sigma_min``; with ``zero`` a 0 follows, so that a sampler makes
``n`` steps. Without it there are ``n - 1`` steps, and ``n >= 2``.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from utils.diffusion.processes import Process
from utils.diffusion.validate import band, positive, positives, reached, require, vector
from utils.validate import integer


def _range(n, sigma_min, sigma_max, zero):
    return integer("n", n, 1 if zero else 2), *band(sigma_min, sigma_max)


def _ramp(n, start, end):
    return torch.linspace(start, end, n, dtype=torch.float64)


def _ended(sigmas, sigma_min, sigma_max, zero, name="n"):
    """The grid with exact ends, and 0 where it is asked for."""
    sigmas[-1] = sigma_min
    sigmas[0] = sigma_max  # in this order: a single level is the highest
    rule = f"{name} must leave the levels apart in float64"
    require(sigmas.diff() < 0, rule, sigmas[1:])
    return torch.cat([sigmas, sigmas.new_zeros(int(zero))])


def karras(
    n: int,
    sigma_min: float = 0.002,
    sigma_max: float = 80.0,
    rho: float = 7.0,
    zero: bool = True,
) -> Float[Tensor, " levels"]:
    r"""Levels that are equidistant after a power ``1/rho``: large ``rho`` puts more of them low.

    .. math:: \sigma_i = \Bigl(\sigma_{\max}^{1/\rho} + \frac{i}{n-1}
              \bigl(\sigma_{\min}^{1/\rho} - \sigma_{\max}^{1/\rho}\bigr)\Bigr)^{\rho},
              \qquad i = 0, \dots, n-1

    Parameters
    ----------
    n : number of positive levels.
    sigma_min, sigma_max : the lowest and the highest of them, 0 < ``sigma_min`` < ``sigma_max``.
    rho : exponent > 0; 1 is a uniform grid, infinity would be ``geometric``, and so is what is very large.
    zero : end with 0.

    Returns
    -------
    Tensor
        The grid, of ``n`` or with ``zero`` ``n + 1`` levels.

    Raises
    ------
    ValueError
        If ``n`` is not an integer, or too small, another value is not finite or out of its range, or
        ``rho`` is so small that levels coincide.

    References
    ----------
    Karras et al. 2022, equation 5.

    Examples
    --------
    >>> [round(sigma, 4) for sigma in karras(3, 0.01, 4.0, rho=2.0).tolist()]
    [4.0, 1.1025, 0.01, 0.0]
    """
    n, sigma_min, sigma_max = _range(n, sigma_min, sigma_max, zero)
    rho = positive("rho", rho)
    # As a share of sigma_max, through logarithms: roots of large rho would differ in no digit.
    share = math.expm1((math.log(sigma_min) - math.log(sigma_max)) / rho)
    logs = math.log(sigma_max) + rho * torch.log1p(_ramp(n, 0, 1) * share)
    return _ended(logs.exp(), sigma_min, sigma_max, zero, "rho")


def geometric(
    n: int, sigma_min: float = 0.002, sigma_max: float = 80.0, zero: bool = True
) -> Float[Tensor, " levels"]:
    r"""Levels that are equidistant in ``log sigma``: each is the same fraction of the one before.

    .. math:: \sigma_i = \sigma_{\max}\Bigl(\frac{\sigma_{\min}}{\sigma_{\max}}\Bigr)^{i/(n-1)},
              \qquad i = 0, \dots, n-1

    Parameters
    ----------
    n : number of positive levels.
    sigma_min, sigma_max : the lowest and the highest of them, 0 < ``sigma_min`` < ``sigma_max``.
    zero : end with 0.

    Returns
    -------
    Tensor
        The grid, of ``n`` or with ``zero`` ``n + 1`` levels.

    Raises
    ------
    ValueError
        If ``n`` is not an integer, too small, or so large that levels coincide, or a level is not
        finite or out of its range.

    References
    ----------
    Song and Ermon 2019, section 4.

    Examples
    --------
    >>> [round(sigma, 4) for sigma in geometric(3, 0.01, 1.0).tolist()]
    [1.0, 0.1, 0.01, 0.0]
    """
    n, sigma_min, sigma_max = _range(n, sigma_min, sigma_max, zero)
    logs = _ramp(n, math.log(sigma_max), math.log(sigma_min))
    return _ended(logs.exp(), sigma_min, sigma_max, zero)


def uniform_t(
    process: Process,
    n: int,
    sigma_min: float = 0.002,
    sigma_max: float = 80.0,
    zero: bool = True,
) -> Float[Tensor, " levels"]:
    r"""Levels at equidistant times of a process, such as VP time or flow-matching time.

    .. math:: & \sigma_i = \sigma\Bigl(t_{\max} + \frac{i}{n-1}\,(t_{\min} - t_{\max})\Bigr), \\
              & t_{\min} = \sigma^{-1}(\sigma_{\min}),\ t_{\max} = \sigma^{-1}(\sigma_{\max})

    Parameters
    ----------
    process : the clock.
    n : number of positive levels.
    sigma_min, sigma_max : the lowest and the highest of them, 0 < ``sigma_min`` < ``sigma_max``, both
        levels of the process.
    zero : end with 0.

    Returns
    -------
    Tensor
        The grid, of ``n`` or with ``zero`` ``n + 1`` levels; its times are ``process.sigma_inv`` of it.

    Raises
    ------
    ValueError
        If ``n`` is not an integer, too small, or so large that levels coincide, or a level is not
        finite, out of its range or never reached by the process.

    References
    ----------
    Karras et al. 2022, table 1.

    Examples
    --------
    >>> from utils.diffusion.processes import flow
    >>> [round(sigma, 4) for sigma in uniform_t(flow(), 3, 0.25, 4.0).tolist()]
    [4.0, 1.0, 0.25, 0.0]
    """
    n, sigma_min, sigma_max = _range(n, sigma_min, sigma_max, zero)
    low = reached("sigma_min", sigma_min, process)
    high = reached("sigma_max", sigma_max, process)
    sigmas = process.sigma(_ramp(n, process.sigma_inv(high), process.sigma_inv(low)))
    return _ended(sigmas, sigma_min, sigma_max, zero)


def ddpm_strided(
    sigmas: Float[Tensor, " T"],
    S: int,
    spacing: Literal["leading", "linspace"] = "leading",
) -> Float[Tensor, " {S}+1"]:
    r"""``S`` of the ``T`` levels of a trained chain, highest first, and 0.

    .. math:: & t_i = i\,\lfloor T/S\rfloor \ \text{(leading)} \qquad\text{or}\qquad
              t_i = \mathrm{round}\Bigl(i\,\frac{T-1}{S-1}\Bigr) \ \text{(linspace)}, \\
              & i = 0, \dots, S-1

    Parameters
    ----------
    sigmas : levels ``sigma_1 < ... < sigma_T`` of the chain in the order of its time, as
        ``alpha_bar_to_sigma`` gives them; ``t_i = 0`` in the formula is the first of them.
    S : number of sampling steps, 1 <= ``S`` <= ``T``.
    spacing : ``leading`` never reaches the highest level unless ``S = T``; ``linspace`` does, and with
        ``S = 1`` it is the only one.

    Returns
    -------
    Tensor
        A decreasing grid for the samplers.

    Raises
    ------
    ValueError
        If ``sigmas`` is empty, not finite, not > 0 or not strictly increasing, ``S`` is not an integer
        in its range or ``spacing`` is unknown.

    References
    ----------
    Song, Meng and Ermon 2021, appendix D.2.

    Examples
    --------
    >>> ddpm_strided(torch.tensor([0.25, 0.5, 1.0, 2.0]), 2).tolist()
    [1.0, 0.25, 0.0]
    >>> ddpm_strided(torch.tensor([0.25, 0.5, 1.0, 2.0]), 2, "linspace").tolist()
    [2.0, 0.25, 0.0]
    """
    sigmas, S = positives("sigmas", vector("sigmas", sigmas)), integer("S", S, 1)
    rise = sigmas.diff() > 0
    require(rise, "sigmas must be strictly increasing, as t is", sigmas[1:])
    T = len(sigmas)
    require(S <= T, f"S must be at most the number of levels {T}", S)
    ok = spacing in ("leading", "linspace")
    require(ok, "spacing must be leading or linspace", spacing)
    if spacing == "leading":
        t = torch.arange(S) * (T // S)
    else:
        t = _ramp(S, 0, T - 1).round().long()
        t[-1] = T - 1  # in a ramp of one point, too
    return torch.cat([sigmas[t].flip(0), sigmas.new_zeros(1)])
