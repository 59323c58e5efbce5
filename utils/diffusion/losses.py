r"""Objectives that learn a score or a denoiser, and the laws of the noise levels they are averaged over.

All losses return one number for each sample. Score-matching losses carry the factor 1/2, denoising losses do
not. A score ``score_net`` is a function of ``x`` alone: to train ``score_net(x, sigma)``, fix the level in a
lambda.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from utils.diffusion.validate import (
    Denoiser,
    Level,
    against,
    as_given,
    level,
    model,
    positive,
    positives,
    require,
    rows,
    state,
    states,
    steps,
    vector,
    widened,
)
from utils.validate import integer, real

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
        If an entry is not finite, or ``score`` or a value of ``score_net`` has not the shape and the
        dtype of ``x``.

    References
    ----------
    Hyvarinen 2005, section 2.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 2.0]])
    >>> [explicit_sm(torch.neg, x, score).tolist() for score in (-x, x)]
    [[0.0], [10.0]]
    """
    x, score = states(x=x, score=score)
    score_net = model("score_net", score_net, x)
    return _half_square(score_net(x) - score).to(x.dtype)


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
        If an entry of ``x`` is not finite, or a value of ``score_net`` has not its shape and dtype.

    References
    ----------
    Hyvarinen 2005, section 2.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 2.0]])
    >>> implicit_sm(torch.neg, x).tolist()
    [0.5]
    """
    score_net = model("score_net", score_net, state("x", x))
    score, vjp = torch.func.vjp(score_net, x)
    basis = torch.eye(math.prod(x.shape[1:]), dtype=x.dtype, device=x.device)
    trace = torch.zeros_like(x)
    for e in basis.reshape(-1, *x.shape[1:]):
        trace = trace + e * vjp(e.expand_as(x))[0]
    return (_sum(trace) + _half_square(score)).to(x.dtype)


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
        If an entry is not finite, or ``v`` or a value of ``score_net`` has not the shape and the dtype
        of ``x``.

    References
    ----------
    Song, Garg, Shi and Ermon 2019, section 3.

    Examples
    --------
    >>> x, v = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, -1.0]])
    >>> sliced_sm(torch.neg, x, v).tolist()
    [0.5]
    """
    x, v = states(x=x, v=v)
    score, vjp = torch.func.vjp(model("score_net", score_net, x), x)
    trace = _sum(v * vjp(v)[0])
    square = _half_square(score) if variance_reduced else _sum(v * score) ** 2 / 2
    return (trace + square).to(x.dtype)


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
        If an entry is not finite, ``eps`` or a value of ``score_net`` has not the shape and the dtype of
        ``x_0``, or a level is not positive.

    References
    ----------
    Vincent 2011, section 4; Song and Ermon 2019, equation 5.

    Examples
    --------
    >>> x_0, eps = torch.tensor([[1.0]]), torch.tensor([[2.0]])
    >>> denoising_sm(torch.neg, x_0, 0.5, eps).tolist()
    [2.0]
    """
    x_0, eps = states(x_0=x_0, eps=eps)
    sigma = against(level("sigma", sigma, x_0), x_0)
    score = model("score_net", score_net, x_0)(x_0 + sigma * eps)
    return _half_square(score + eps / sigma).to(x_0.dtype)


def denoising_loss(
    D: Denoiser,
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
        If an entry is not finite, ``eps`` or a value of ``D`` has not the shape and the dtype of
        ``x_0``, or a level or a weight is not positive, or neither one number nor one for each sample.

    References
    ----------
    Karras et al. 2022, equation 2 and appendix B.6.

    Examples
    --------
    >>> x_0, eps = torch.tensor([[1.0]]), torch.tensor([[2.0]])
    >>> denoising_loss(lambda x, sigma: x / 2, x_0, 0.5, eps, weight=4.0).tolist()
    [0.0]
    """
    x_0, eps = states(x_0=x_0, eps=eps)
    sigma, weight = level("sigma", sigma, x_0), level("weight", weight, x_0)
    D_x = model("D", D, x_0)(x_0 + against(sigma, x_0) * eps, sigma)
    return (weight * _square_error(D_x, x_0)).to(x_0.dtype)


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
        If an entry is not finite, ``eps`` or a value of ``eps_net`` has not the shape and the dtype of
        ``x_0``, ``t`` is not one integer from 1 to T for each sample, or an entry of ``alpha_bar`` is
        not in (0, 1).

    References
    ----------
    Ho et al. 2020, equation 14 and algorithm 1.

    Examples
    --------
    >>> x_0, eps = torch.tensor([[1.0]]), torch.tensor([[2.0]])
    >>> t, alpha_bar = torch.tensor([2]), torch.tensor([0.9, 0.5])
    >>> ddpm_loss(lambda x_t, t: 0 * x_t, x_0, t, eps, alpha_bar).tolist()
    [4.0]
    """
    x_0, eps = states(x_0=x_0, eps=eps)
    alpha_bar = vector("alpha_bar", alpha_bar)
    require((alpha_bar > 0) & (alpha_bar < 1), "alpha_bar must be in (0, 1)", alpha_bar)
    t = steps("t", t, x_0, len(alpha_bar))
    a = alpha_bar[t - 1]  # in float64: 1 - a cancels
    x_t = against(a.sqrt(), x_0) * x_0 + against((1 - a).sqrt(), x_0) * eps
    predicted = model("eps_net", eps_net, x_0)(x_t, t)
    return _square_error(predicted, eps).to(x_0.dtype)


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

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> sigma = lognormal_sigma(10_000, generator=generator)
    >>> bool(abs(sigma.log().mean() + 1.2) < 0.05)
    True
    """
    P_mean, P_std = real("P_mean", P_mean), positive("P_std", P_std)
    require(math.isfinite(P_mean), "P_mean must be finite", P_mean)
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

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> sigma = vp_sigma(10_000, generator=generator)
    >>> bool(sigma.min() > 0), bool(sigma.max() < 152.2)
    (True, True)
    """
    eps_t = real("eps_t", eps_t)
    require(0 < eps_t < 1, "eps_t must be in (0, 1)", eps_t)
    t = eps_t + (1 - eps_t) * _draw(torch.rand, n, generator)
    return (0.1 * t + 9.95 * t**2).expm1().sqrt()


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

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> sigma = discrete_sigma(100, torch.tensor([0.5, 2.0]), generator=generator)
    >>> sigma.unique().tolist()
    [0.5, 2.0]
    """
    n, levels = integer("n", n, 0), positives("sigmas", vector("sigmas", sigmas))
    i = torch.randint(len(levels), (n,), generator=generator, device=generator.device)
    return as_given(sigmas, levels[i])


def _draw(law, n, generator):
    n, device = integer("n", n, 0), generator.device
    return law(n, generator=generator, dtype=torch.float64, device=device)


def _sum(x):
    return rows(widened(x)).sum(1)


def _square_error(a, b):
    return _sum(nn.functional.mse_loss(widened(a), widened(b), reduction="none"))


def _half_square(x):
    return _sum(widened(x) ** 2) / 2
