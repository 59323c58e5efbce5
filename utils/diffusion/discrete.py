r"""The bookkeeping of a chain of ``T`` noising steps, as DDPM writes it.

``alpha_bar`` at index ``t - 1`` is the fraction of the data's variance left after ``t`` steps, 1 before the
first. In the unscaled coordinate ``x_t / sqrt(alpha_bar)`` the chain is a grid of noise levels and nothing
else, see ``alpha_bar_to_sigma``.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from utils.diffusion.validate import (
    Denoiser,
    Level,
    against,
    as_given,
    level,
    levels,
    model,
    numbers,
    positive,
    require,
    rows,
    state,
    states,
)
from utils.validate import integer, real


def linear_betas(
    T: int = 1000, lo: float = 1e-4, hi: float = 0.02
) -> Float[Tensor, " {T}"]:
    r"""Variances of the noise that each step adds, growing linearly.

    .. math:: \beta_t = \mathrm{lo} + \frac{t-1}{T-1}\,(\mathrm{hi} - \mathrm{lo}), \qquad
              \bar\alpha_t = \prod_{i\le t} (1-\beta_i)

    Parameters
    ----------
    T : number of steps, >= 1.
    lo, hi : the first and the last of them, 0 < ``lo`` <= ``hi`` < 1.

    Returns
    -------
    Tensor
        ``beta_1, ..., beta_T``; ``(1 - betas).cumprod(0)`` is alpha_bar.

    Raises
    ------
    ValueError
        If ``T`` is not an integer >= 1, or a variance is not finite or out of its range.

    References
    ----------
    Ho et al. 2020, section 4.

    Examples
    --------
    >>> linear_betas(3, lo=0.25, hi=0.75).tolist()
    [0.25, 0.5, 0.75]
    """
    T, lo, hi = integer("T", T, 1), real("lo", lo), real("hi", hi)
    for name, value in (("lo", lo), ("hi", hi)):
        require(0 < value < 1, f"{name} must be in (0, 1)", value)
    require(hi >= lo, f"hi must be >= lo = {lo}", hi)
    return torch.linspace(lo, hi, T, dtype=torch.float64)


def cosine_alpha_bar(
    T: int, offset: float = 0.008, beta_clip: float = 0.999
) -> Float[Tensor, " {T}"]:
    r"""Fractions of variance left, falling as a squared cosine.

    .. math:: & \bar\alpha_t = \prod_{i\le t}(1-\beta_i), \qquad
              \beta_t = \min\Bigl(1 - \frac{f(t)}{f(t-1)}, \mathrm{clip}\Bigr), \\
              & f(t) = \cos^2\Bigl(\frac{t/T + \mathrm{offset}}{1+\mathrm{offset}}\,\frac\pi2\Bigr)

    Parameters
    ----------
    T : number of steps, >= 1.
    offset : keeps the first steps from being too small, >= 0.
    beta_clip : largest variance a step may add, in (0, 1): without it the last one adds all.

    Returns
    -------
    Tensor
        ``alpha_bar_1, ..., alpha_bar_T``.

    Raises
    ------
    ValueError
        If ``T`` is not an integer >= 1, or another value is not finite or out of its range.

    References
    ----------
    Nichol and Dhariwal 2021, equation 17.

    Examples
    --------
    >>> [round(share, 4) for share in cosine_alpha_bar(4).tolist()]
    [0.847, 0.4938, 0.1443, 0.0001]
    """
    T, offset = integer("T", T, 1), positive("offset", offset, zero=True)
    beta_clip = real("beta_clip", beta_clip)
    require(0 < beta_clip < 1, "beta_clip must be in (0, 1)", beta_clip)
    t = torch.arange(T + 1, dtype=torch.float64) / T
    f = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    return (f[1:] / f[:-1]).clamp(min=1 - beta_clip).cumprod(0)


def alpha_bar_to_sigma(
    alpha_bar: float | Float[Tensor, "*shape"],
) -> Float[Tensor, "*shape"]:
    r"""Noise level of the unscaled state ``x_t / sqrt(alpha_bar_t)``.

    .. math:: \sigma_t = \sqrt{\frac{1-\bar\alpha_t}{\bar\alpha_t}}, \qquad
              \mathrm{SNR}_t = \sigma_t^{-2}

    Parameters
    ----------
    alpha_bar : ``alpha_bar``, in (0, 1].

    Returns
    -------
    Tensor
        Levels in the order of ``alpha_bar``: increasing with ``t``.

    Raises
    ------
    ValueError
        If an entry is not finite or out of its range.

    References
    ----------
    Song, Meng and Ermon 2021, section 4.3.

    Examples
    --------
    >>> alpha_bar_to_sigma(torch.tensor([0.5, 0.2])).tolist()
    [1.0, 2.0]
    """
    wide = numbers("alpha_bar", alpha_bar)
    require((wide > 0) & (wide <= 1), "alpha_bar must be in (0, 1]", wide)
    return as_given(alpha_bar, ((1 - wide) / wide).sqrt())


def posterior(
    x_0: Float[Tensor, " B *event"],
    x_t: Float[Tensor, " B *event"],
    alpha_bar_s: Level,
    alpha_bar_t: Level,
) -> tuple[Float[Tensor, " B *event"], Float[Tensor, "..."]]:
    r"""The law of an earlier state given a later one and the data: normal, for any gap s < t.

    .. math:: & q(x_s \mid x_t, x_0) = \mathcal N(m, v I), \qquad
              \alpha = \frac{\bar\alpha_t}{\bar\alpha_s}, \\
              & m = \frac{\sqrt\alpha\,(1-\bar\alpha_s)}{1-\bar\alpha_t}\,x_t
              + \frac{\sqrt{\bar\alpha_s}\,(1-\alpha)}{1-\bar\alpha_t}\,x_0, \qquad
              v = \frac{1-\bar\alpha_s}{1-\bar\alpha_t}\,(1-\alpha)

    Parameters
    ----------
    x_0, x_t : clean data and states at time t, in the scaled coordinate.
    alpha_bar_s, alpha_bar_t : alpha_bar at both times, 0 < ``alpha_bar_t`` < ``alpha_bar_s`` <= 1, one for
        all or one for each row.

    Returns
    -------
    tuple
        Mean, and the variance of each coordinate in a shape that broadcasts against it.

    Raises
    ------
    ValueError
        If a value is not finite, shapes or dtypes do not go together, or the times are not in this order.

    References
    ----------
    Ho et al. 2020, equation 7.

    Examples
    --------
    >>> x_0, x_t = torch.tensor([[1.0]]), torch.tensor([[0.0]])
    >>> mean, var = posterior(x_0, x_t, alpha_bar_s=0.8, alpha_bar_t=0.2)
    >>> round(mean.item(), 4), round(var.item(), 4)
    (0.8385, 0.1875)
    """
    x_0, x_t = states(x_0=x_0, x_t=x_t)
    alpha_bar_s = level("alpha_bar_s", alpha_bar_s, x_t)
    alpha_bar_t = level("alpha_bar_t", alpha_bar_t, x_t)
    require(alpha_bar_s <= 1, "alpha_bar_s must be <= 1", alpha_bar_s)
    rule = "alpha_bar_t must be < alpha_bar_s, for s < t"
    require(
        alpha_bar_t < alpha_bar_s,
        rule,
        torch.broadcast_tensors(alpha_bar_t, alpha_bar_s)[0],
    )
    alpha = alpha_bar_t / alpha_bar_s
    kept, new = (1 - alpha_bar_s) / (1 - alpha_bar_t), (1 - alpha) / (1 - alpha_bar_t)
    coefficients = (alpha.sqrt() * kept, alpha_bar_s.sqrt() * new, kept * (1 - alpha))
    of_x_t, of_x_0, var = (against(c, x_t) for c in coefficients)
    return (of_x_t * x_t + of_x_0 * x_0).to(x_t.dtype), var.to(x_t.dtype)


def vlb_terms(
    D: Denoiser,
    x_0: Float[Tensor, " B *event"],
    sigmas: Float[Tensor, " n"],
    n_eps: int = 1,
    *,
    generator: torch.Generator,
) -> Float[Tensor, " {len(sigmas)}-1"]:
    r"""Monte Carlo estimates of the terms ``L_{t-1}`` of the variational bound, one for each step.

    .. math:: & \mathbb E\,\mathrm{KL}\bigl(q(x_b \mid x_a, x_0)\,\|\,q(x_b \mid x_a, x_0 = D)\bigr) \\
              & \qquad = \tfrac12\,(b^{-2} - a^{-2})\;\mathbb E\,\|x_0 - D(x_0 + a\,\varepsilon;\,a)\|^2

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x_0 : clean data, over which the mean is taken.
    sigmas : strictly decreasing levels > 0; a step to 0 would cost infinitely much.
    n_eps : draws of noise for each of the data, >= 1.
    generator : source of randomness.

    Returns
    -------
    Tensor
        Nats for the step from ``sigmas[i]`` to ``sigmas[i+1]``, for each i.

    Raises
    ------
    ValueError
        If ``x_0`` is empty or not finite, ``sigmas`` is not such a grid, ``n_eps`` is not an integer
        >= 1, or ``D`` returns another shape or dtype than it is given.

    References
    ----------
    Ho et al. 2020, equation 8; Kingma et al. 2021, section 4.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x_0, generator = torch.ones(1000, 1), torch.Generator().manual_seed(0)
    >>> terms = vlb_terms(D, x_0, torch.tensor([2.0, 1.0]), generator=generator)
    >>> bool(abs(terms - 0.3) < 0.05)
    True
    """
    require(
        state("x_0", x_0).numel() > 0,
        "x_0 must not be empty",
        f"shape {tuple(x_0.shape)}",
    )
    D, sigmas = model("D", D, x_0), levels("sigmas", sigmas, zero=False)
    x_0 = x_0.repeat(integer("n_eps", n_eps, 1), *[1] * (x_0.ndim - 1))
    square_errors = []
    for a in sigmas[:-1]:
        eps = torch.randn(
            x_0.shape, dtype=x_0.dtype, device=x_0.device, generator=generator
        )
        error = rows(x_0 - D(x_0 + against(a, x_0) * eps, a)).double()
        square_errors.append((error**2).sum(1).mean())
    weight = (sigmas**-2.0).diff() / 2
    return (weight * torch.stack(square_errors)).to(x_0.dtype)
