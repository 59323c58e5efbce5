r"""Noise as a process in time: every linear diffusion is a pair ``s(t), sigma(t)``.

A state is ``x_t = s(t) (x_0 + sigma(t) eps)``, with t = 0 at the data and t growing with the noise. The
pair stands for the stochastic differential equation ``dx = f x dt + g dw`` with

.. math:: f = \frac{\dot s}{s}, \qquad g^2 = 2 s^2 \sigma\dot\sigma = s^2\,\frac{d\sigma^2}{dt}

and in the unscaled coordinate ``x_t / s`` all pairs are one and the same process, run by another clock.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import unwrap

import torch
from jaxtyping import Float
from torch import Tensor

from utils.diffusion.validate import (
    Denoiser,
    Level,
    against,
    as_given,
    band,
    model,
    on_clock,
    positive,
    reached,
    require,
    state,
    states,
    time,
    times,
)

Curve = Callable[[Tensor], Tensor]
HIGHEST = 1e4  # the level up to which the package promises finite results


@dataclass(frozen=True)
class Process:
    r"""A choice of scale ``s(t)`` and noise level ``sigma(t)``.

    .. math:: x_t = s(t)\,(x_0 + \sigma(t)\,\varepsilon), \qquad \varepsilon \sim \mathcal N(0, I)

    Its curves take numbers, too; they are calculated in float64 and have the precision of what they get.

    Parameters
    ----------
    s, ds : the scale and its derivative, functions of a float64 tensor of times in [0, ``t_max``].
    sigma, dsigma2 : the level and the derivative of its square, which stays finite where ``sigma`` is
        0 and its own derivative does not.
    sigma_inv : time at which the level is reached, a function of levels.
    t_max : end of the clock.
    name : what to call it in a legend.

    Raises
    ------
    ValueError
        If ``t_max`` is not finite and > 0; when a curve is called: if a time is not on the clock, or a
        level not in the range of ``sigma``.

    References
    ----------
    Karras et al. 2022, appendix B.
    """

    s: Curve
    ds: Curve
    sigma: Curve
    dsigma2: Curve
    sigma_inv: Curve
    t_max: float
    name: str

    def __post_init__(self):
        object.__setattr__(self, "t_max", positive("t_max", self.t_max))
        for name in ("s", "ds", "sigma", "dsigma2"):
            object.__setattr__(self, name, self._on_clock(getattr(self, name)))
        object.__setattr__(self, "sigma_inv", self._in_range(self.sigma_inv))

    def f(self, t: Level) -> Tensor:
        """Drift coefficient of ``dx = f x dt + g dw``."""
        wide = on_clock("t", t, self.t_max)
        return as_given(t, self.ds(wide) / self.s(wide))

    def g2(self, t: Level) -> Tensor:
        """Square of its diffusion coefficient."""
        wide = on_clock("t", t, self.t_max)
        return as_given(t, self.s(wide) ** 2 * self.dsigma2(wide))

    def _on_clock(self, curve):
        curve = unwrap(
            curve
        )  # ``dataclasses.replace`` hands on curves of another clock

        @wraps(curve)
        def wrapped(t):
            return as_given(t, curve(on_clock("t", t, self.t_max)))

        return wrapped

    def _in_range(self, inverse):
        inverse = unwrap(inverse)

        @wraps(inverse)
        def wrapped(sigma):
            t = inverse(reached("sigma", sigma, self))
            return as_given(sigma, t.clamp(0, self.t_max))

        return wrapped


def _linear_rate(beta_min, beta_d):
    """``beta(t)``, its integral ``B(t)`` and the inverse of that."""
    beta_min, beta_d = positive("beta_min", beta_min), positive("beta_d", beta_d, True)
    for name, value in (("beta_min", beta_min), ("beta_d", beta_d)):
        require(value < 400, f"{name} must be < 400, or exp(B) overflows", value)

    def beta(t):
        return beta_min + beta_d * t

    def B(t):
        return t * (beta_min + beta_d * t / 2)

    def B_inv(y):
        # The root of the quadratic in the form that does not cancel, and allows beta_d = 0.
        return 2 * y / (beta_min + (beta_min**2 + 2 * beta_d * y).sqrt())

    return beta, B, B_inv


def vp(beta_min: float = 0.1, beta_d: float = 19.9) -> Process:
    r"""Variance preserving: the continuous limit of DDPM.

    .. math:: & s = e^{-B/2}, \quad \sigma = \sqrt{e^{B}-1}, \quad
              B(t) = \int_0^t \beta = \beta_{\min} t + \tfrac12\beta_d t^2; \\
              & f = -\tfrac12\beta, \quad g^2 = \beta

    Parameters
    ----------
    beta_min : rate of the noise at t = 0, > 0.
    beta_d : its growth until t = 1, >= 0.

    Returns
    -------
    Process
        With ``s^2 (1 + sigma^2) = 1``: data of variance 1 keep it.

    Raises
    ------
    ValueError
        If a parameter is not finite or out of its range.

    References
    ----------
    Song et al. 2021, equation 11; Karras et al. 2022, table 1.

    Examples
    --------
    >>> s, std = forward_kernel(vp(), 1.0)
    >>> round(s.item(), 4), round(std.item(), 4)
    (0.0066, 1.0)
    """
    beta, B, B_inv = _linear_rate(beta_min, beta_d)
    return Process(
        s=lambda t: torch.exp(-B(t) / 2),
        ds=lambda t: -beta(t) / 2 * torch.exp(-B(t) / 2),
        sigma=lambda t: torch.expm1(B(t)).sqrt(),
        dsigma2=lambda t: beta(t) * torch.exp(B(t)),
        sigma_inv=lambda sigma: B_inv(torch.log1p(sigma**2)),
        t_max=1.0,
        name="VP",
    )


def sub_vp(beta_min: float = 0.1, beta_d: float = 19.9) -> Process:
    r"""Sub-variance preserving: the scale of VP, with less noise at every time.

    .. math:: & s = e^{-B/2}, \quad \sigma = 2\sinh(B/2), \quad s\sigma = 1 - e^{-B}; \\
              & f = -\tfrac12\beta, \quad g^2 = \beta\,(1 - e^{-2B})

    Parameters
    ----------
    beta_min : rate at t = 0, > 0; see ``vp``.
    beta_d : its growth until t = 1, >= 0.

    Returns
    -------
    Process
        With the standard deviation ``s sigma``, not the variance, equal to ``1 - exp(-B)``.

    Raises
    ------
    ValueError
        If a parameter is not finite or out of its range.

    References
    ----------
    Song et al. 2021, equation 12.

    Examples
    --------
    >>> s, std = forward_kernel(sub_vp(), 0.25)
    >>> bool(abs(s**2 + std - 1) < 1e-6)
    True
    """
    beta, B, B_inv = _linear_rate(beta_min, beta_d)
    return Process(
        s=lambda t: torch.exp(-B(t) / 2),
        ds=lambda t: -beta(t) / 2 * torch.exp(-B(t) / 2),
        sigma=lambda t: 2 * torch.sinh(B(t) / 2),
        dsigma2=lambda t: 2 * beta(t) * torch.sinh(B(t)),
        sigma_inv=lambda sigma: B_inv(2 * torch.asinh(sigma / 2)),
        t_max=1.0,
        name="sub-VP",
    )


def ve(sigma_min: float = 0.01, sigma_max: float = 50.0) -> Process:
    r"""Variance exploding: no scale, levels in geometric progression.

    .. math:: s = 1, \quad \sigma = \sigma_{\min}
              \Bigl(\frac{\sigma_{\max}}{\sigma_{\min}}\Bigr)^{t}; \qquad
              f = 0, \quad g^2 = 2\sigma^2\log\frac{\sigma_{\max}}{\sigma_{\min}}

    At t = 0 the level is ``sigma_min``, not 0: the process starts from data that are blurred already.

    Parameters
    ----------
    sigma_min, sigma_max : levels at t = 0 and t = 1, 0 < ``sigma_min`` < ``sigma_max``.

    Returns
    -------
    Process
        The clock of NCSN.

    Raises
    ------
    ValueError
        If a level is not finite or out of its range.

    References
    ----------
    Song et al. 2021, equation 9 and appendix C.

    Examples
    --------
    >>> round(ve(sigma_min=0.01, sigma_max=100.0).sigma(0.5).item(), 4)
    1.0
    """
    sigma_min, sigma_max = band(sigma_min, sigma_max)
    rate = math.log(sigma_max) - math.log(sigma_min)
    return Process(
        s=torch.ones_like,
        ds=torch.zeros_like,
        sigma=lambda t: sigma_min * torch.exp(rate * t),
        dsigma2=lambda t: 2 * rate * sigma_min**2 * torch.exp(2 * rate * t),
        sigma_inv=lambda sigma: torch.log(sigma / sigma_min) / rate,
        t_max=1.0,
        name="VE",
    )


def ve_sqrt() -> Process:
    r"""Heat: no scale, variance proportional to time.

    .. math:: s = 1, \quad \sigma = \sqrt t; \qquad f = 0, \quad g^2 = 1

    Returns
    -------
    Process
        Brownian motion started from the data.

    References
    ----------
    Karras et al. 2022, table 1.

    Examples
    --------
    >>> ve_sqrt().sigma(4.0).item(), ve_sqrt().g2(4.0).item()
    (2.0, 1.0)
    """
    return Process(
        s=torch.ones_like,
        ds=torch.zeros_like,
        sigma=torch.sqrt,
        dsigma2=torch.ones_like,
        sigma_inv=torch.square,
        t_max=HIGHEST**2,
        name="VE, sqrt(t)",
    )


def ve_linear() -> Process:
    r"""The noise level is the time.

    .. math:: s = 1, \quad \sigma = t; \qquad f = 0, \quad g^2 = 2t

    Returns
    -------
    Process
        The clock in which the samplers of this package run.

    References
    ----------
    Karras et al. 2022, table 1.

    Examples
    --------
    >>> ve_linear().sigma(4.0).item(), ve_linear().g2(4.0).item()
    (4.0, 8.0)
    """
    return Process(
        s=torch.ones_like,
        ds=torch.zeros_like,
        sigma=torch.clone,
        dsigma2=lambda t: 2 * t,
        sigma_inv=torch.clone,
        t_max=HIGHEST,
        name="EDM",
    )


def flow() -> Process:
    r"""Straight lines from data at t = 0 to noise at t = 1, as in flow matching.

    .. math:: & x_t = (1-t)\,x_0 + t\,\varepsilon: \qquad s = 1-t, \quad \sigma = \frac{t}{1-t}; \\
              & f = -\frac1{1-t}, \quad g^2 = \frac{2t}{1-t}

    Most papers on flow matching put the data at t = 1; here they are at 0, as everywhere in the book.

    Returns
    -------
    Process
        At t = 1 itself ``sigma`` is infinite, and the time is refused.

    References
    ----------
    Lipman et al. 2023, section 4.1; Liu et al. 2023, section 2.

    Examples
    --------
    >>> flow().s(0.5).item(), flow().sigma(0.5).item()
    (0.5, 1.0)
    """
    return Process(
        s=lambda t: 1 - t,
        ds=lambda t: -torch.ones_like(t),
        sigma=lambda t: t / (1 - t),
        dsigma2=lambda t: 2 * t / (1 - t) ** 3,
        sigma_inv=lambda sigma: sigma / (1 + sigma),
        t_max=1.0,
        name="flow",
    )


def forward_kernel(
    process: Process, t: float | Float[Tensor, "*n"]
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    r"""Coefficient of ``x_0`` and standard deviation of ``x_t`` given ``x_0``.

    .. math:: p(x_t \mid x_0) = \mathcal N\bigl(s(t)\,x_0,\; s(t)^2\sigma(t)^2 I\bigr)

    Parameters
    ----------
    process : choice of ``s`` and ``sigma``.
    t : times in [0, ``process.t_max``], a number or a tensor of any shape.

    Returns
    -------
    tuple
        ``s(t)`` and ``s(t) sigma(t)``, in the precision of ``t``.

    Raises
    ------
    ValueError
        If a time is not finite, out of range, or one where ``sigma`` is infinite.

    References
    ----------
    Karras et al. 2022, appendix B.1.

    Examples
    --------
    >>> s, std = forward_kernel(flow(), 0.25)
    >>> s.item(), std.item()
    (0.75, 0.25)
    """
    wide = times("t", t, process)
    s, sigma = process.s(wide), process.sigma(wide)
    return as_given(t, s), as_given(t, s * sigma)


def perturb(
    process: Process,
    x_0: Float[Tensor, " B *event"],
    t: Level,
    eps: Float[Tensor, " B *event"],
) -> Float[Tensor, " B *event"]:
    r"""The forward process in one step.

    .. math:: x_t = s(t)\,(x_0 + \sigma(t)\,\varepsilon)

    Parameters
    ----------
    process : choice of ``s`` and ``sigma``.
    x_0 : clean data.
    t : time in [0, ``process.t_max``], one for all or one for each row.
    eps : standard normal draw of the shape of ``x_0``.

    Returns
    -------
    Tensor
        Noisy states in the scaled coordinate.

    Raises
    ------
    ValueError
        If a value is not finite, shapes or dtypes do not go together, or a time is out of range.

    References
    ----------
    Karras et al. 2022, appendix B.1; Ho et al. 2020, equation 4.

    Examples
    --------
    >>> x_0, eps = torch.tensor([[1.0]]), torch.tensor([[3.0]])
    >>> perturb(flow(), x_0, 0.5, eps).tolist()
    [[2.0]]
    """
    x_0, eps = states(x_0=x_0, eps=eps)
    t = time("t", t, process, x_0)
    s, std = process.s(t), process.s(t) * process.sigma(t)
    return (against(s, x_0) * x_0 + against(std, x_0) * eps).to(x_0.dtype)


def ode_velocity(
    D: Denoiser, process: Process, x_t: Float[Tensor, " B *event"], t: Level
) -> Float[Tensor, " B *event"]:
    r"""Velocity of the probability-flow ODE in the scaled coordinate.

    .. math:: \frac{dx}{dt} = \Bigl(\frac{\dot\sigma}{\sigma} + \frac{\dot s}{s}\Bigr)\,x
              - \frac{\dot\sigma s}{\sigma}\, D\Bigl(\frac xs;\sigma\Bigr)

    Parameters
    ----------
    D : denoiser in the unscaled coordinate.
    process : choice of ``s`` and ``sigma``.
    x_t : states at time ``t``.
    t : time in (0, ``process.t_max``] with ``sigma(t) > 0``, one for all or one for each row.

    Returns
    -------
    Tensor
        ``dx/dt``; its flow carries ``p_t`` along.

    Raises
    ------
    ValueError
        If a value is not finite, shapes or dtypes do not go together, a time is out of range, or ``D``
        returns another shape or dtype than it is given.

    References
    ----------
    Karras et al. 2022, equation 4 and appendix B.4.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x_t = torch.tensor([[1.0]])
    >>> round(ode_velocity(D, flow(), x_t, 0.75).item(), 4)
    0.8
    """
    D, t = model("D", D, state("x_t", x_t)), time("t", t, process, x_t)
    s, sigma = process.s(t), process.sigma(t)
    require(sigma > 0, "t must be > 0 where sigma(0) = 0", t)
    growth = process.dsigma2(t) / (2 * sigma**2)  # of log sigma
    linear, pull = against(growth + process.f(t), x_t), against(growth * s, x_t)
    v = linear * x_t - pull * D(x_t / against(s, x_t), sigma)
    return v.to(x_t.dtype)
