r"""Exact log-densities from a denoiser, by following the ODE from the data to the noise.

Along a flow ``log p`` changes at the rate of minus the divergence. For the ODE of the samplers, in
``u = log sigma``, the divergence is ``d - tr(dD/dx)``, and the trace can be had in three ways: exactly,
by an estimate from one probe, or in closed form.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from utils.diffusion.grids import geometric
from utils.diffusion.samplers import rk4_logsigma
from utils.diffusion.validate import (
    Denoiser,
    band,
    model,
    rows,
    state,
    states,
    widened,
)
from utils.validate import integer

Field = Callable[[Tensor], Tensor]


def _units(x):
    """All directions of one row, each in the shape of ``x``."""
    basis = torch.eye(math.prod(x.shape[1:]), dtype=x.dtype, device=x.device)
    return [e.view(x.shape[1:]).expand_as(x) for e in basis]


def _value_and_divergence(F, x, directions):
    """``F(x)``, and the sum of ``v^T J v`` over the directions, for each row."""
    with torch.no_grad():  # the derivatives of vjp are its own
        F_x, vjp = torch.func.vjp(F, x)
        # Rows do not interact: one backward pass serves all of them.
        terms = [rows(v * vjp(v)[0]).sum(1) for v in directions]
        return F_x, torch.stack(terms).sum(0)


def divergence_exact(F: Field, x: Float[Tensor, " B *event"]) -> Float[Tensor, " B"]:
    r"""Divergence of a vector field, one backward pass for each coordinate.

    .. math:: \nabla\!\cdot F(x) = \operatorname{tr} J(x) = \sum_{i=1}^{d} e_i^T J(x)\, e_i,
              \qquad J = \frac{\partial F}{\partial x}

    Parameters
    ----------
    F : field; it maps each row of a batch by itself.
    x : points.

    Returns
    -------
    Tensor
        One value for each row.

    Raises
    ------
    ValueError
        If ``x`` is not finite, or ``F`` returns another shape or dtype.

    References
    ----------
    Song et al. 2021, appendix D.2.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 2.0]])
    >>> divergence_exact(lambda x: x * x, x).tolist()
    [6.0]
    """
    F = model("F", F, state("x", x))
    return _value_and_divergence(F, x, _units(x))[1]


def divergence_hutchinson(
    F: Field, x: Float[Tensor, " B *event"], v: Float[Tensor, " B *event"]
) -> Float[Tensor, " B"]:
    r"""Estimate of the divergence from one probe, one backward pass in any dimension.

    .. math:: v^T J(x)\, v, \qquad \mathbb E\,v v^T = I \;\Rightarrow\;
              \mathbb E\, v^T J v = \operatorname{tr} J

    Probes of independent signs leave the least variance: ``2 sum_{i != j} S_ij^2``, where ``S`` is the
    symmetric part of ``J``.

    Parameters
    ----------
    F : field; it maps each row of a batch by itself.
    x : points.
    v : a probe for each of them.

    Returns
    -------
    Tensor
        One estimate for each row.

    Raises
    ------
    ValueError
        If a value is not finite, shapes or dtypes differ, or ``F`` returns another shape or dtype.

    References
    ----------
    Hutchinson 1989; Grathwohl et al. 2019, section 3.1.

    Examples
    --------
    >>> x, v = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, -1.0]])
    >>> divergence_hutchinson(lambda x: x * x, x, v).tolist()
    [6.0]
    """
    x, v = states(x=x, v=v)
    return _value_and_divergence(model("F", F, x), x, [v])[1]


def ode_log_prob(
    D: Denoiser,
    x: Float[Tensor, " B *event"],
    sigma_min: float = 0.002,
    sigma_max: float = 80.0,
    n_steps: int = 200,
    *,
    probes: Float[Tensor, " B *event"] | None = None,
    trace: Denoiser | None = None,
    log_prior: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B *event"]]:
    r"""Log-density of the noisy data at the lowest level, and the latent that belongs to each point.

    .. math:: \log p_{\sigma_{\min}}(x) = \log p_{\sigma_{\max}}(x_T) + \int_{\sigma_{\min}}^{\sigma_{\max}}
              \frac1\sigma \Bigl[d - \operatorname{tr}\frac{\partial D}{\partial x}(x_\sigma;\sigma)\Bigr]
              d\sigma

    by ``rk4_logsigma`` on a geometric grid. The error falls with the fourth power of ``n_steps``; what
    remains is that of ``log_prior``.

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x : points.
    sigma_min, sigma_max : levels of the points and of the latents, 0 < ``sigma_min`` < ``sigma_max``.
    n_steps : number of steps of four evaluations, >= 1.
    probes : one for each row, the same all the way: the trace is estimated by ``divergence_hutchinson``.
        For more probes a point, repeat it.
    trace : ``trace(x, sigma)``, the trace of the Jacobian of ``D``, where it is known. For an exact
        denoiser it is that of the posterior covariance over ``sigma^2``.
    log_prior : log-density of the latents; None: that of N(0, ``sigma_max^2`` I).

    Returns
    -------
    tuple
        Log-density in nats, one for each row, and latents.

    Raises
    ------
    ValueError
        If a value is not finite or out of its range, ``probes`` has another shape or dtype than ``x``,
        ``D`` returns another, or ``trace`` or ``log_prior`` not one number for each row.

    References
    ----------
    Chen et al. 2018, equation 8; Song et al. 2021, appendix D.2.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> log_p, latent = ode_log_prob(D, torch.zeros(1, 1), n_steps=50)
    >>> round(log_p.item(), 2), tuple(latent.shape)
    (-0.92, (1, 1))
    """
    states(x=x, **({} if probes is None else {"probes": probes}))
    n_steps, (_, sigma_max) = integer("n_steps", n_steps, 1), band(sigma_min, sigma_max)
    grid = geometric(n_steps + 1, sigma_min, sigma_max, zero=False).flip(0)
    D, prior = model("D", D, x), model("log_prior", log_prior, x, one_each=True)
    known = model("trace", trace, x, one_each=True)
    # Sums of many terms: half precision is for D alone.
    start = widened(rows(x))
    d = start.shape[1]
    directions = _units(x) if probes is None else [probes]

    def with_change(state, sigma):
        # log p rides along as one more coordinate, whose rate the sampler sees as state - D
        y = state[:, :d].reshape(x.shape)
        if trace is None:
            D_y, tr = _value_and_divergence(lambda y: D(y, sigma), y, directions)
        else:
            D_y, tr = D(y, sigma), known(y, sigma)
        return torch.cat([rows(D_y), state[:, d:] - (d - tr)[:, None]], 1)

    end = rk4_logsigma(with_change, nn.functional.pad(start, (0, 1)), grid)
    latent, change = end[:, :d].reshape(x.shape), end[:, d]
    if log_prior is None:
        square = (end[:, :d] / sigma_max).square().sum(1)
        log_p = -square / 2 - d * math.log(sigma_max * math.sqrt(2 * math.pi))
    else:
        log_p = prior(latent)
    return (log_p + change).to(x.dtype), latent.to(x.dtype)
