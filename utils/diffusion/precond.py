r"""Preconditioning: how a network ``F`` becomes a denoiser ``D``, for each habit of the literature.

Every habit is one column of Karras et al. 2022, table 1, or an addition to it in the same form.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from utils.diffusion.validate import Level, against, require_alike, require_level
from utils.validate import require, require_finite, require_integer

Coefficient = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Precond:
    r"""The four functions of the noise level that turn a network into a denoiser.

    .. math:: D(x; \sigma) = c_{\mathrm{skip}}(\sigma)\,x + c_{\mathrm{out}}(\sigma)\,
              F\bigl(c_{\mathrm{in}}(\sigma)\,x;\ c_{\mathrm{noise}}(\sigma)\bigr)

    Parameters
    ----------
    c_skip, c_out, c_in, c_noise : functions that map a tensor of levels ``sigma > 0`` to a tensor of
        the same shape.
    sigma_data : standard deviation of the data that they are made for.

    Raises
    ------
    ValueError
        If ``sigma_data`` is not positive and finite.

    References
    ----------
    Karras et al. 2022, equation 7.
    """

    c_skip: Coefficient
    c_out: Coefficient
    c_in: Coefficient
    c_noise: Coefficient
    sigma_data: float = 1.0

    def __post_init__(self):
        _require_scale(self.sigma_data)

    def target(
        self,
        x_0: Float[Tensor, " B *event"],
        eps: Float[Tensor, " B *event"],
        sigma: Level,
    ) -> Float[Tensor, " B *event"]:
        r"""What ``F`` has to predict at ``x = x_0 + sigma eps`` (Karras et al. 2022, equation 8).

        .. math:: \frac{x_0 - c_{\mathrm{skip}}\,(x_0 + \sigma\,\varepsilon)}{c_{\mathrm{out}}}
        """
        require_alike(x_0=x_0, eps=eps)
        sigma = against(require_level("sigma", sigma, x_0), x_0)
        c_skip = self.c_skip(sigma)
        return ((1 - c_skip) * x_0 - c_skip * sigma * eps) / self.c_out(sigma)

    def weight(self, sigma: Float[Tensor, "*levels"]) -> Float[Tensor, "*levels"]:
        r"""Weight of the denoising loss under which ``F`` sees a plain squared error.

        .. math:: \lambda(\sigma) = c_{\mathrm{out}}(\sigma)^{-2}

        All columns of Karras et al. 2022, table 1, have this weight: ``1 / sigma^2`` for VP and VE.
        """
        require_finite("sigma", sigma)
        require(sigma > 0, "sigma must be > 0", sigma)
        return self.c_out(sigma) ** -2


class Preconditioned(nn.Module):
    r"""Denoiser ``D(x, sigma)`` made of a network and a preconditioning.

    .. math:: D(x; \sigma) = c_{\mathrm{skip}}\,x + c_{\mathrm{out}}\,
              F(c_{\mathrm{in}}\,x;\ c_{\mathrm{noise}})

    Parameters
    ----------
    F : network; ``F(x, c)`` has the shape of ``x``, ``c`` is one number or one for each sample.
    precond : the four functions.

    Raises
    ------
    ValueError
        When called: if a level is not positive and finite, or neither one number nor one for each
        sample.

    References
    ----------
    Karras et al. 2022, equation 7.
    """

    def __init__(self, F: nn.Module, precond: Precond):
        super().__init__()
        self.F, self.precond = F, precond

    def forward(
        self, x: Float[Tensor, " B *event"], sigma: Level
    ) -> Float[Tensor, " B *event"]:
        """Estimate of ``E[x_0 | x_0 + sigma eps = x]``."""
        p, level = self.precond, require_level("sigma", sigma, x)
        sigma = against(level, x)
        F_x = self.F(p.c_in(sigma) * x, p.c_noise(level))
        return p.c_skip(sigma) * x + p.c_out(sigma) * F_x


def _require_scale(sigma_data):
    rule = "sigma_data must be finite and > 0"
    require(0 < sigma_data < math.inf, rule, sigma_data)


def _quarter_log(sigma):
    return sigma.log() / 4


def edm(sigma_data: float = 0.5) -> Precond:
    r"""Unit variance of input and target, with the least amplification of the network's errors.

    .. math:: c_{\mathrm{skip}} = \frac{\sigma_d^2}{\sigma^2 + \sigma_d^2}, \quad
              c_{\mathrm{out}} = \frac{\sigma\,\sigma_d}{\sqrt{\sigma^2 + \sigma_d^2}}, \quad
              c_{\mathrm{in}} = \frac{1}{\sqrt{\sigma^2 + \sigma_d^2}}, \quad
              c_{\mathrm{noise}} = \tfrac14 \log\sigma

    Parameters
    ----------
    sigma_data : standard deviation of the data, > 0.

    Returns
    -------
    Precond
        The four functions.

    Raises
    ------
    ValueError
        If ``sigma_data`` is not positive and finite.

    References
    ----------
    Karras et al. 2022, table 1 and appendix B.6.
    """

    _require_scale(sigma_data)

    def total(sigma):
        return (sigma**2 + sigma_data**2).sqrt()

    return Precond(
        c_skip=lambda sigma: (sigma_data / total(sigma)) ** 2,
        c_out=lambda sigma: sigma * sigma_data / total(sigma),
        c_in=lambda sigma: 1 / total(sigma),
        c_noise=_quarter_log,
        sigma_data=sigma_data,
    )


def eps_vp(M: int = 1000) -> Precond:
    r"""The network predicts the noise from the scaled state: DDPM, DDIM and the VP models.

    .. math:: c_{\mathrm{skip}} = 1, \quad c_{\mathrm{out}} = -\sigma, \quad
              c_{\mathrm{in}} = \frac{1}{\sqrt{1 + \sigma^2}}, \quad
              c_{\mathrm{noise}} = (M - 1)\,t, \qquad
              t = \frac{\sqrt{\beta_{\min}^2 + 2 \beta_d \log(1 + \sigma^2)} - \beta_{\min}}{\beta_d}

    Parameters
    ----------
    M : number of steps of the clock that the network is told, >= 2; ``t = 1`` is ``sigma = 152.2`` with
        ``beta_min = 0.1``, ``beta_d = 19.9``.

    Returns
    -------
    Precond
        The four functions.

    Raises
    ------
    ValueError
        If ``M`` is not an integer >= 2.

    References
    ----------
    Karras et al. 2022, table 1; Ho et al. 2020, equation 12.
    """
    require_integer("M", M, 2)
    beta_min, beta_d = 0.1, 19.9

    def t(sigma):
        root = (beta_min**2 + 2 * beta_d * (sigma**2).log1p()).sqrt()
        return (root - beta_min) / beta_d

    return Precond(
        c_skip=torch.ones_like,
        c_out=torch.neg,
        c_in=lambda sigma: (1 + sigma**2) ** -0.5,
        c_noise=lambda sigma: (M - 1) * t(sigma),
    )


def score_ve() -> Precond:
    r"""The network predicts the negative of the noise from the bare state: NCSN and the VE models.

    .. math:: c_{\mathrm{skip}} = 1, \quad c_{\mathrm{out}} = \sigma, \quad c_{\mathrm{in}} = 1, \quad
              c_{\mathrm{noise}} = \log(\sigma / 2)

    Returns
    -------
    Precond
        The four functions; the input of the network is as large as the noise.

    References
    ----------
    Karras et al. 2022, table 1; Song and Ermon 2019, equation 5.
    """
    return Precond(
        c_skip=torch.ones_like,
        c_out=torch.clone,
        c_in=torch.ones_like,
        c_noise=lambda sigma: (sigma / 2).log(),
    )


def v_pred() -> Precond:
    r"""The network predicts ``v = (eps - sigma x_0) / sqrt(1 + sigma^2)``, the speed of a rotation.

    .. math:: c_{\mathrm{skip}} = \frac{1}{1 + \sigma^2}, \quad
              c_{\mathrm{out}} = \frac{-\sigma}{\sqrt{1 + \sigma^2}}, \quad
              c_{\mathrm{in}} = \frac{1}{\sqrt{1 + \sigma^2}}, \quad
              c_{\mathrm{noise}} = \tfrac14 \log\sigma

    Returns
    -------
    Precond
        The four functions: those of ``edm(sigma_data=1)`` with the other sign of ``c_out``.

    References
    ----------
    Salimans and Ho 2022, section 4.
    """
    return Precond(
        c_skip=lambda sigma: 1 / (1 + sigma**2),
        c_out=lambda sigma: -sigma * (1 + sigma**2) ** -0.5,
        c_in=lambda sigma: (1 + sigma**2) ** -0.5,
        c_noise=_quarter_log,
    )


def flow_pred() -> Precond:
    r"""The network predicts the velocity ``eps - x_0`` of flow matching at ``x_t = (1 - t) x``.

    .. math:: c_{\mathrm{skip}} = \frac{1}{1 + \sigma}, \quad
              c_{\mathrm{out}} = \frac{-\sigma}{1 + \sigma}, \quad
              c_{\mathrm{in}} = \frac{1}{1 + \sigma}, \quad
              c_{\mathrm{noise}} = \tfrac14 \log\sigma, \qquad \sigma = \frac{t}{1 - t}

    Returns
    -------
    Precond
        The four functions; time runs from data, ``t = 0``, to noise.

    References
    ----------
    Liu et al. 2023, equation 1; Lipman et al. 2023, section 4.
    """
    return Precond(
        c_skip=lambda sigma: 1 / (1 + sigma),
        c_out=lambda sigma: -sigma / (1 + sigma),
        c_in=lambda sigma: 1 / (1 + sigma),
        c_noise=_quarter_log,
    )


def x0_pred(sigma_data: float = 0.5) -> Precond:
    r"""The network predicts the clean data themselves: no help from the preconditioning.

    .. math:: c_{\mathrm{skip}} = 0, \quad c_{\mathrm{out}} = 1, \quad
              c_{\mathrm{in}} = \frac{1}{\sqrt{\sigma^2 + \sigma_d^2}}, \quad
              c_{\mathrm{noise}} = \tfrac14 \log\sigma

    Parameters
    ----------
    sigma_data : standard deviation of the data, > 0.

    Returns
    -------
    Precond
        The four functions.

    Raises
    ------
    ValueError
        If ``sigma_data`` is not positive and finite.

    References
    ----------
    Salimans and Ho 2022, section 4.
    """
    _require_scale(sigma_data)
    return Precond(
        c_skip=torch.zeros_like,
        c_out=torch.ones_like,
        c_in=edm(sigma_data).c_in,
        c_noise=_quarter_log,
        sigma_data=sigma_data,
    )
