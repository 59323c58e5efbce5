r"""Objectives that learn a score or a denoiser, and the laws of the noise levels they are averaged over.

All losses return one number for each sample. Score-matching losses carry the factor 1/2, denoising losses do
not. A score ``score_net`` is a function of ``x`` alone: to train ``score_net(x, sigma)``, fix the level in a lambda.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from utils.diffusion.validate import Level, against, require_alike, require_level
from utils.validate import require, require_finite, require_integer, require_vector

Score = Callable[[Tensor], Tensor]


def explicit_sm(
    score_net: Score, x: Float[Tensor, " B *event"], score: Float[Tensor, " B *event"]
) -> Float[Tensor, " B"]:
    r"""Explicit score matching: half the squared distance to a score that is known.

    .. math:: \tfrac12 \,\|s(x) - \nabla\log p(x)\|^2

    Its mean over ``x ~ p`` is the Fisher divergence.

    Parameters
    ----------
    score_net : model of the score.
    x : samples of ``p``.
    score : gradient of ``log p`` at ``x``.

    Returns
    -------
    Tensor
        One loss for each sample.

    Raises
    ------
    ValueError
        If an entry is not finite or ``score`` has not the shape of ``x``.

    References
    ----------
    Hyvarinen 2005, section 2.
    """
    require_alike(x=x, score=score)
    return _half_square(score_net(x) - score)


def implicit_sm(score_net: Score, x: Float[Tensor, " B *event"]) -> Float[Tensor, " B"]:
    r"""Implicit score matching: explicit score matching up to a constant, without the true score.

    .. math:: \operatorname{tr}\,\nabla s(x) + \tfrac12 \|s(x)\|^2

    Parameters
    ----------
    score_net : model of the score, smooth; samples must not influence each other.
    x : samples.

    Returns
    -------
    Tensor
        One loss for each sample; the trace costs as many backward passes as a sample has numbers.

    Raises
    ------
    ValueError
        If an entry of ``x`` is not finite.

    References
    ----------
    Hyvarinen 2005, section 2.
    """
    require_finite("x", x)
    s_x, vjp = torch.func.vjp(score_net, x)
    basis = torch.eye(x[0].numel() if len(x) else 0, dtype=x.dtype, device=x.device)
    trace = torch.zeros_like(x)
    for e in basis.reshape(-1, *x.shape[1:]):
        trace = trace + e * vjp(e.expand_as(x))[0]
    return _sum(trace) + _half_square(s_x)


def sliced_sm(
    score_net: Score,
    x: Float[Tensor, " B *event"],
    v: Float[Tensor, " B *event"],
    variance_reduced: bool = True,
) -> Float[Tensor, " B"]:
    r"""Sliced score matching: the trace is probed in one random direction, with one backward pass.

    .. math:: v^T \nabla s(x)\, v + \tfrac12 \|s(x)\|^2 \quad\text{(reduced variance)}, \qquad
              v^T \nabla s(x)\, v + \tfrac12 (v^T s(x))^2

    Parameters
    ----------
    score_net : model of the score, smooth; samples must not influence each other.
    x : samples.
    v : one probe for each sample, from a law with ``E v v^T = I``: normal, or signs.
    variance_reduced : whether to use the exact norm in the second term.

    Returns
    -------
    Tensor
        One loss for each sample; its mean over probes is that of ``implicit_sm``.

    Raises
    ------
    ValueError
        If an entry is not finite or ``v`` has not the shape of ``x``.

    References
    ----------
    Song, Garg, Shi and Ermon 2019, section 3.
    """
    require_alike(x=x, v=v)
    s_x, vjp = torch.func.vjp(score_net, x)
    trace = _sum(v * vjp(v)[0])
    return trace + (_half_square(s_x) if variance_reduced else _sum(v * s_x) ** 2 / 2)


def denoising_sm(
    score_net: Score,
    x_0: Float[Tensor, " B *event"],
    sigma: Level,
    eps: Float[Tensor, " B *event"],
) -> Float[Tensor, " B"]:
    r"""Denoising score matching: explicit score matching of the noisy law, up to a constant.

    .. math:: \tfrac12 \Bigl\| s(x_0 + \sigma\varepsilon) + \frac{\varepsilon}{\sigma} \Bigr\|^2

    Parameters
    ----------
    score_net : model of the score of ``x_0 + sigma eps``.
    x_0 : clean data.
    sigma : noise level, > 0.
    eps : standard normal draws.

    Returns
    -------
    Tensor
        One loss for each sample; its least mean is not 0 but
        ``E tr Cov(x_0 | x) / (2 sigma^4)``.

    Raises
    ------
    ValueError
        If an entry is not finite, ``eps`` has not the shape of ``x_0`` or a level is not positive.

    References
    ----------
    Vincent 2011, section 4; Song and Ermon 2019, equation 5.
    """
    require_alike(x_0=x_0, eps=eps)
    sigma = against(require_level("sigma", sigma, x_0), x_0)
    return _half_square(score_net(x_0 + sigma * eps) + eps / sigma)


def denoising_loss(
    D: Callable[[Tensor, Tensor], Tensor],
    x_0: Float[Tensor, " B *event"],
    sigma: Level,
    eps: Float[Tensor, " B *event"],
    weight: Level = 1.0,
) -> Float[Tensor, " B"]:
    r"""Squared error of a denoiser at one noisy state for each sample.

    .. math:: \lambda \,\| D(x_0 + \sigma\varepsilon;\ \sigma) - x_0 \|^2

    Parameters
    ----------
    D : denoiser.
    x_0 : clean data.
    sigma : noise level, > 0.
    eps : standard normal draws.
    weight : ``lambda`` > 0, for instance ``precond.weight(sigma)``; one number or one for each sample.

    Returns
    -------
    Tensor
        One loss for each sample, summed over its coordinates.

    Raises
    ------
    ValueError
        If an entry is not finite, ``eps`` has not the shape of ``x_0``, or a level or a
        weight is not positive, or neither one number nor one for each sample.

    References
    ----------
    Karras et al. 2022, equation 2 and appendix B.6.
    """
    require_alike(x_0=x_0, eps=eps)
    level = require_level("sigma", sigma, x_0)
    weight = require_level("weight", weight, x_0)
    x = x_0 + against(level, x_0) * eps
    return weight * _sum((D(x, level) - x_0) ** 2)


def ddpm_loss(
    eps_net: Callable[[Tensor, Tensor], Tensor],
    x_0: Float[Tensor, " B *event"],
    t: Int[Tensor, " B"],
    eps: Float[Tensor, " B *event"],
    alpha_bar: Float[Tensor, " T"],
) -> Float[Tensor, " B"]:
    r"""Simple loss of DDPM: squared error of the predicted noise at one step for each sample.

    .. math:: \bigl\| \varepsilon - \varepsilon_\theta\bigl(
              \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1 - \bar\alpha_t}\,\varepsilon,\ t\bigr) \bigr\|^2

    Parameters
    ----------
    eps_net : network ``eps_net(x_t, t)``.
    x_0 : clean data.
    t : steps, from 1 to T.
    eps : standard normal draws.
    alpha_bar : ``alpha_bar_1, ..., alpha_bar_T``, strictly between 0 and 1.

    Returns
    -------
    Tensor
        One loss for each sample, summed over its coordinates.

    Raises
    ------
    ValueError
        If an entry is not finite, ``eps`` has not the shape of ``x_0``, ``t`` is not one integer from
        1 to T for each sample, or an entry of ``alpha_bar`` is not in (0, 1).

    References
    ----------
    Ho et al. 2020, equation 14 and algorithm 1.
    """
    require_alike(x_0=x_0, eps=eps)
    require_vector("alpha_bar", alpha_bar)
    require((alpha_bar > 0) & (alpha_bar < 1), "alpha_bar must be in (0, 1)", alpha_bar)
    rule = f"t must have shape {tuple(x_0.shape[:1])}"
    require(t.shape == x_0.shape[:1], rule, f"shape {tuple(t.shape)}")
    require_integer("t", t, 1)
    require(t <= len(alpha_bar), f"t must be <= {len(alpha_bar)}", t)
    a = against(alpha_bar[t - 1].to(x_0), x_0)
    x_t = a.sqrt() * x_0 + (1 - a).sqrt() * eps
    return _sum((eps - eps_net(x_t, t)) ** 2)


def lognormal_sigma(
    n: int, P_mean: float = -1.2, P_std: float = 1.2, *, generator: torch.Generator
) -> Float[Tensor, " {n}"]:
    r"""Noise levels of EDM's training; with mean 0 those of flow matching at logit-normal times.

    .. math:: \log\sigma \sim N(P_{\mathrm{mean}}, P_{\mathrm{std}}^2)

    With ``sigma = t / (1 - t)`` the logarithm of ``sigma`` is the logit of ``t``: the two laws are one.

    Parameters
    ----------
    n : number of levels, >= 0.
    P_mean, P_std : mean and standard deviation of ``log sigma``, ``P_std > 0``.
    generator : source of randomness.

    Returns
    -------
    Tensor
        The levels, in double precision; losses bring them to the precision of the data.

    Raises
    ------
    ValueError
        If ``n`` is not an integer >= 0, or a parameter is not finite or ``P_std`` not positive.

    References
    ----------
    Karras et al. 2022, table 1; Esser et al. 2024, section 3.1.
    """
    require_finite("P_mean", P_mean)
    require(0 < P_std < math.inf, "P_std must be finite and > 0", P_std)
    return (P_mean + P_std * _draw(torch.randn, n, generator)).exp()


def vp_sigma(
    n: int, eps_t: float = 1e-5, *, generator: torch.Generator
) -> Float[Tensor, " {n}"]:
    r"""Noise levels of VP training: uniform in the time of the variance-preserving process.

    .. math:: \sigma = \sqrt{e^{B(t)} - 1}, \qquad B(t) = 0.1\,t + 9.95\,t^2, \qquad t \sim U(\epsilon_t, 1)

    Parameters
    ----------
    n : number of levels, >= 0.
    eps_t : smallest time, in (0, 1).
    generator : source of randomness.

    Returns
    -------
    Tensor
        The levels, in double precision; losses bring them to the precision of the data.

    Raises
    ------
    ValueError
        If ``n`` is not an integer >= 0 or ``eps_t`` is not in (0, 1).

    References
    ----------
    Karras et al. 2022, table 1; Song et al. 2021, appendix C.
    """
    require(0 < eps_t < 1, "eps_t must be in (0, 1)", eps_t)
    t = eps_t + (1 - eps_t) * _draw(torch.rand, n, generator)
    return (0.1 * t + 9.95 * t**2).expm1().sqrt()


def ve_sigma(
    n: int,
    sigma_min: float = 0.02,
    sigma_max: float = 100.0,
    *,
    generator: torch.Generator,
) -> Float[Tensor, " {n}"]:
    r"""Noise levels of VE training: uniform in the logarithm.

    .. math:: \log\sigma \sim U(\log\sigma_{\min}, \log\sigma_{\max})

    Parameters
    ----------
    n : number of levels, >= 0.
    sigma_min, sigma_max : the ends, ``0 < sigma_min < sigma_max``.
    generator : source of randomness.

    Returns
    -------
    Tensor
        The levels, in double precision; losses bring them to the precision of the data.

    Raises
    ------
    ValueError
        If ``n`` is not an integer >= 0, or the ends are not positive, finite and in order.

    References
    ----------
    Karras et al. 2022, table 1; Song et al. 2021, appendix C.
    """
    require(0 < sigma_min < math.inf, "sigma_min must be finite and > 0", sigma_min)
    rule = "sigma_max must be finite and > sigma_min"
    require(sigma_min < sigma_max < math.inf, rule, sigma_max)
    return sigma_min * (sigma_max / sigma_min) ** _draw(torch.rand, n, generator)


def flow_sigma(n: int, *, generator: torch.Generator) -> Float[Tensor, " {n}"]:
    r"""Noise levels of flow matching at uniform times.

    .. math:: \sigma = \frac{t}{1 - t}, \quad t \sim U(0, 1), \qquad p(\sigma) = \frac{1}{(1 + \sigma)^2}

    Parameters
    ----------
    n : number of levels, >= 0.
    generator : source of randomness.

    Returns
    -------
    Tensor
        The levels, in double precision; losses bring them to the precision of the data.

    Raises
    ------
    ValueError
        If ``n`` is not an integer >= 0.

    References
    ----------
    Lipman et al. 2023, section 4; Liu et al. 2023, equation 1.
    """
    t = _draw(torch.rand, n, generator)
    return t / (1 - t)


def discrete_sigma(
    n: int, sigmas: Float[Tensor, " N"], *, generator: torch.Generator
) -> Float[Tensor, " {n}"]:
    r"""Noise levels drawn from a finite list, as in NCSN and in DDPM.

    .. math:: P(\sigma = \sigma_i) = \frac1N

    Parameters
    ----------
    n : number of levels, >= 0.
    sigmas : the list, entries > 0.
    generator : source of randomness.

    Returns
    -------
    Tensor
        The levels, in the precision of ``sigmas``.

    Raises
    ------
    ValueError
        If ``n`` is not an integer >= 0, ``sigmas`` is not a non-empty vector, or an entry is not
        positive and finite.

    References
    ----------
    Song and Ermon 2019, equation 6.
    """
    require_integer("n", n, 0)
    require_vector("sigmas", sigmas)
    require_finite("sigmas", sigmas)
    require(sigmas > 0, "sigmas must be > 0", sigmas)
    i = torch.randint(len(sigmas), (n,), generator=generator, device=generator.device)
    return sigmas[i]


def _draw(law, n, generator):
    require_integer("n", n, 0)
    device = generator.device
    return law(n, generator=generator, dtype=torch.float64, device=device)


def _sum(x):
    return x.flatten(1).sum(dim=1)


def _half_square(x):
    return _sum(x**2) / 2
