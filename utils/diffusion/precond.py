r"""Preconditioning: how a network ``F`` becomes a denoiser ``D``, for each habit of the literature.

Every habit is one column of Karras et al. 2022, table 1, or an addition to it in the same form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import torch
from jaxtyping import Float
from torch import Tensor, nn

from utils.diffusion.validate import (
    Level,
    against,
    as_given,
    level,
    model,
    positive,
    positives,
    state,
    states,
)
from utils.validate import integer

Coefficient = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Precond:
    r"""The four functions of the noise level that turn a network into a denoiser.

    .. math:: D(x; \sigma) = c_{\mathrm{skip}}(\sigma)\,x + c_{\mathrm{out}}(\sigma)\,
              F\bigl(c_{\mathrm{in}}(\sigma)\,x;\ c_{\mathrm{noise}}(\sigma)\bigr)

    They take numbers, too; they are calculated in float64 and have the precision of what they get.

    Parameters
    ----------
    c_skip, c_out, c_in, c_noise : functions that map a float64 tensor of levels ``sigma > 0`` to a
        tensor of the same shape.
    sigma_data : standard deviation of the data that they are made for.

    Raises
    ------
    ValueError
        If ``sigma_data`` is not positive and finite; when a function is called: if a level is not.

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
        scale = positive("sigma_data", self.sigma_data)
        object.__setattr__(self, "sigma_data", scale)
        for name in ("c_skip", "c_out", "c_in", "c_noise"):
            object.__setattr__(self, name, _of_levels(getattr(self, name)))

    def target(
        self,
        x_0: Float[Tensor, " B *event"],
        eps: Float[Tensor, " B *event"],
        sigma: Level,
    ) -> Float[Tensor, " B *event"]:
        r"""What ``F`` has to predict at ``x = x_0 + sigma eps`` (Karras et al. 2022, equation 8).

        .. math:: \frac{x_0 - c_{\mathrm{skip}}\,(x_0 + \sigma\,\varepsilon)}{c_{\mathrm{out}}}
        """
        x_0, eps = states(x_0=x_0, eps=eps)
        sigma = level("sigma", sigma, x_0)
        c_skip, c_out = self.c_skip(sigma), self.c_out(sigma)
        of_x_0, of_eps = (1 - c_skip) / c_out, c_skip * sigma / c_out
        value = against(of_x_0, x_0) * x_0 - against(of_eps, x_0) * eps
        return value.to(x_0.dtype)

    def weight(
        self, sigma: float | Float[Tensor, "*levels"]
    ) -> Float[Tensor, "*levels"]:
        r"""Weight of the denoising loss under which ``F`` sees a plain squared error.

        .. math:: \lambda(\sigma) = c_{\mathrm{out}}(\sigma)^{-2}

        All columns of Karras et al. 2022, table 1, have this weight: ``1 / sigma^2`` for VP and VE.
        """
        return as_given(sigma, self.c_out(positives("sigma", sigma)) ** -2)


def _of_levels(c):
    @wraps(c)
    def coefficient(sigma):
        return as_given(sigma, c(positives("sigma", sigma)))

    return coefficient


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
        When called: if ``x`` is not finite or not in the precision of the network, a level is not
        positive and finite, or neither one number nor one for each sample, or ``F`` returns another
        shape or dtype than it is given.

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
        F, sigma = model("F", self.F, state("x", x)), level("sigma", sigma, x)
        p = self.precond
        F_x = F(against(p.c_in(sigma), x) * x, p.c_noise(sigma).to(x.dtype))
        D_x = against(p.c_skip(sigma), x) * x + against(p.c_out(sigma), x) * F_x
        return D_x.to(x.dtype)


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

    Examples
    --------
    >>> p = edm(sigma_data=0.5)
    >>> round(p.c_skip(0.5).item(), 4), round(p.weight(0.5).item(), 4)
    (0.5, 8.0)
    """
    sigma_data = positive("sigma_data", sigma_data)

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

    .. math:: & c_{\mathrm{skip}} = 1, \quad c_{\mathrm{out}} = -\sigma, \quad
              c_{\mathrm{in}} = \frac{1}{\sqrt{1 + \sigma^2}}, \quad
              c_{\mathrm{noise}} = (M - 1)\,t, \\
              & t = \frac{\sqrt{\beta_{\min}^2 + 2 \beta_d \log(1 + \sigma^2)} - \beta_{\min}}{\beta_d}

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

    Examples
    --------
    >>> p = eps_vp()
    >>> p.c_skip(2.0).item(), p.c_out(2.0).item()
    (1.0, -2.0)
    """
    M, beta_min, beta_d = integer("M", M, 2), 0.1, 19.9

    def t(sigma):
        B = (sigma**2).log1p()
        # the root of the quadratic in the form that does not cancel
        return 2 * B / (beta_min + (beta_min**2 + 2 * beta_d * B).sqrt())

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

    Examples
    --------
    >>> p = score_ve()
    >>> p.c_skip(2.0).item(), p.c_out(2.0).item(), p.c_noise(2.0).item()
    (1.0, 2.0, 0.0)
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

    Examples
    --------
    >>> p = v_pred()
    >>> round(p.c_skip(2.0).item(), 4), round(p.c_out(2.0).item(), 4)
    (0.2, -0.8944)
    """
    return Precond(
        c_skip=lambda sigma: 1 / (1 + sigma**2),
        c_out=lambda sigma: -sigma * (1 + sigma**2) ** -0.5,
        c_in=lambda sigma: (1 + sigma**2) ** -0.5,
        c_noise=_quarter_log,
    )


def flow_pred() -> Precond:
    r"""The network predicts the velocity ``eps - x_0`` of flow matching at ``x_t = (1 - t) x``.

    .. math:: & c_{\mathrm{skip}} = \frac{1}{1 + \sigma}, \quad
              c_{\mathrm{out}} = \frac{-\sigma}{1 + \sigma}, \quad
              c_{\mathrm{in}} = \frac{1}{1 + \sigma}, \quad
              c_{\mathrm{noise}} = \tfrac14 \log\sigma, \\
              & \sigma = \frac{t}{1 - t}

    Returns
    -------
    Precond
        The four functions; time runs from data, ``t = 0``, to noise.

    References
    ----------
    Liu et al. 2023, equation 1; Lipman et al. 2023, section 4.

    Examples
    --------
    >>> p = flow_pred()
    >>> p.c_skip(1.0).item(), p.c_out(1.0).item()
    (0.5, -0.5)
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

    Examples
    --------
    >>> p = x0_pred()
    >>> p.c_skip(2.0).item(), p.c_out(2.0).item()
    (0.0, 1.0)
    """
    sigma_data = positive("sigma_data", sigma_data)
    return Precond(
        c_skip=torch.zeros_like,
        c_out=torch.ones_like,
        c_in=edm(sigma_data).c_in,
        c_noise=_quarter_log,
        sigma_data=sigma_data,
    )
