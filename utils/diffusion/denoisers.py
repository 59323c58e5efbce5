r"""What a network may predict, and the denoiser it amounts to.

All are affine in the denoised value ``D_x`` at a given state ``x = x_0 + sigma eps``, so that each can
be had from any other: noise, score, ``v`` and flow velocity are four coordinates of one prediction.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from utils.diffusion.validate import Denoiser, Level, against, level, require, states

Kind = Literal["eps", "score", "v", "velocity"]
KINDS = ("eps", "score", "v", "velocity")


def _kind(kind):
    require(kind in KINDS, f"kind must be one of {', '.join(KINDS)}", kind)
    return kind


def from_denoised(
    D_x: Float[Tensor, " B *event"],
    x: Float[Tensor, " B *event"],
    sigma: Level,
    kind: Kind,
) -> Float[Tensor, " B *event"]:
    r"""Noise, score, ``v`` or flow velocity, from the denoised value.

    .. math:: \hat\varepsilon = \frac{x-D}{\sigma}, \qquad
              \nabla\log p_\sigma(x) = \frac{D-x}{\sigma^2}, \qquad
              v = \frac{\hat\varepsilon - \sigma D}{\sqrt{1+\sigma^2}}, \qquad
              u = \hat\varepsilon - D

    Parameters
    ----------
    D_x : denoised value ``E[x_0 | x]``.
    x : noisy state in the unscaled coordinate, ``x = x_0 + sigma eps``, of the same shape.
    sigma : noise level > 0, one for all or one for each row.
    kind : ``eps``, ``score``, ``v`` (variance preserving: ``s eps - s sigma x_0``, ``s^2 = 1/(1 + sigma^2)``)
        or ``velocity`` (flow matching with data at t = 0: ``eps - x_0``).

    Returns
    -------
    Tensor
        The prediction.

    Raises
    ------
    ValueError
        If a value is not finite, shapes or dtypes do not go together, ``sigma`` is not > 0 or ``kind``
        is unknown.

    References
    ----------
    Karras et al. 2022, equation 3; Salimans and Ho 2022, section 4; Lipman et al. 2023, section 4.1.

    Examples
    --------
    >>> x, D_x = torch.tensor([[3.0]]), torch.tensor([[1.0]])
    >>> [from_denoised(D_x, x, 2.0, kind).item() for kind in ("eps", "score")]
    [1.0, -0.5]
    """
    x, D_x = states(x=x, D_x=D_x)
    sigma = level("sigma", sigma, x)
    eps = (x - D_x) / against(sigma, x)
    match _kind(kind):
        case "eps":
            value = eps
        case "score":
            value = -eps / against(sigma, x)
        case "v":
            s = (1 + sigma**2).rsqrt()
            value = against(s, x) * eps - against(s * sigma, x) * D_x
        case "velocity":
            value = eps - D_x
    return value.to(x.dtype)


def to_denoised(
    value: Float[Tensor, " B *event"],
    x: Float[Tensor, " B *event"],
    sigma: Level,
    kind: Kind,
) -> Float[Tensor, " B *event"]:
    r"""The denoised value, from noise, score, ``v`` or flow velocity.

    .. math:: D = x - \sigma\hat\varepsilon = x + \sigma^2\,\nabla\log p_\sigma(x)
              = \frac{x - \sigma\sqrt{1+\sigma^2}\,v}{1+\sigma^2} = \frac{x-\sigma u}{1+\sigma}

    Parameters
    ----------
    value : the prediction.
    x : noisy state in the unscaled coordinate, of the same shape.
    sigma : noise level > 0, one for all or one for each row.
    kind : what was predicted, see ``from_denoised``.

    Returns
    -------
    Tensor
        ``D_x``.

    Raises
    ------
    ValueError
        If a value is not finite, shapes or dtypes do not go together, ``sigma`` is not > 0 or ``kind``
        is unknown.

    References
    ----------
    Karras et al. 2022, table 1; Salimans and Ho 2022, section 4.

    Examples
    --------
    >>> x, eps = torch.tensor([[3.0]]), torch.tensor([[1.0]])
    >>> to_denoised(eps, x, 2.0, "eps").tolist()
    [[1.0]]
    """
    x, value = states(x=x, value=value)
    sigma = level("sigma", sigma, x)
    match _kind(kind):
        case "eps":
            c_skip, c_out = torch.ones_like(sigma), -sigma
        case "score":
            c_skip, c_out = torch.ones_like(sigma), sigma**2
        case "v":
            s = (1 + sigma**2).rsqrt()
            c_skip, c_out = s**2, -sigma * s
        case "velocity":
            c_skip, c_out = 1 / (1 + sigma), -sigma / (1 + sigma)
    return (against(c_skip, x) * x + against(c_out, x) * value).to(x.dtype)


class CountingDenoiser:
    """A denoiser that counts its calls: the price of sampling in network evaluations.

    Parameters
    ----------
    D : the denoiser that does the work.

    Attributes
    ----------
    nfe : number of calls so far, each for a whole batch.
    """

    def __init__(self, D: Denoiser):
        self.D, self.nfe = D, 0

    def __call__(self, x: Tensor, sigma: Level) -> Tensor:
        """Value of ``D``, and one more on the count."""
        self.nfe += 1
        return self.D(x, sigma)
