r"""Samplers: from noise to data, one function an algorithm, its inner ``step`` the equation.

Most work in the unscaled coordinate, where one ODE serves every process:

.. math:: \frac{dx}{d\sigma} = \frac{x - D(x;\sigma)}{\sigma}

``x`` is at level ``sigmas[0]`` already, ``step(x, a, b)`` takes it from level ``a`` to the next level ``b``,
and a last level 0 is reached by a jump to ``D(x, a)``. The samplers of the ODE also run up an increasing
grid, which encodes data. ``D`` receives levels as 0-d float64 tensors, and states in their own precision;
between its calls half precision is widened to single. No graph of gradients is kept; forward-mode
differentiation passes through.

With ``record=True`` every sampler returns all its states, the given ``x`` first, stacked along a new
first axis: whole trajectories, and no hook into the loop.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from utils.diffusion.processes import Process, ode_velocity
from utils.diffusion.validate import (
    Denoiser,
    levels,
    model,
    monotone,
    positive,
    require,
    rows,
    state,
    times,
    widened,
)
from utils.validate import integer, real

State = Float[Tensor, " B *event"]
Levels = Float[Tensor, " n"]
Path = Float[Tensor, "..."]
ONE = torch.ones((), dtype=torch.float64)


def _walk(step, x, steps, record):
    """Apply ``step(x, *levels)`` for each of ``steps``; the last state, or all of them."""
    dtype, x = x.dtype, widened(x)
    path = [x]
    with torch.no_grad():
        for between in steps:
            x = step(x, *between)
            if record:
                path.append(x)
    return (torch.stack(path) if record else x).to(dtype)


def _pairs(sigmas, rising=False):
    """Neighbouring levels ``(a, b)`` of a grid, once it is known to be one."""
    return list(pairwise(levels("sigmas", sigmas, rising=rising)))


def _clock(ts, process, rising=False):
    """Neighbouring times ``(t, u)``, once they are known to be on the clock of the process."""
    return list(pairwise(times("ts", monotone("ts", ts, rising=rising), process)))


def _noise(x, generator):
    return torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)


def _euler(x, D_x, a, b):
    """From ``a`` to ``b`` along the line through ``x`` and ``D_x``; exactly ``D_x`` at 0."""
    return D_x + b / a * (x - D_x)


def _heun(D, x, a, b):
    D_x = D(x, a)
    y = _euler(x, D_x, a, b)
    if b == 0:
        return y
    return x + (b - a) / 2 * ((x - D_x) / a + (y - D(y, b)) / b)


def euler(D: Denoiser, x: State, sigmas: Levels, *, record: bool = False) -> Path:
    r"""First order: straight to where the denoiser points, as far as the level asks.

    .. math:: x_b = x_a + (b-a)\,\frac{x_a-D(x_a;a)}{a} = D + \frac ba\,(x_a - D)

    This is DDIM with eta = 0, DPM-Solver++(1), and Euler's method for flow matching in its own time.

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x : states at level ``sigmas[0]``.
    sigmas : strictly decreasing levels, of which the last may be 0; or strictly increasing ones.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at level ``sigmas[-1]``; N evaluations for N steps.

    Raises
    ------
    ValueError
        If a value is not finite, ``sigmas`` is not such a grid, or ``D`` returns another shape or dtype
        than it is given.

    References
    ----------
    Song, Meng and Ermon 2021, equation 13; Karras et al. 2022, algorithm 1 without its lines 6 to 8.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> sigmas = torch.tensor([2.0, 1.0, 0.0])
    >>> [round(v, 3) for v in euler(D, x, sigmas).flatten().tolist()]
    [0.3, -0.6]
    """

    D, pairs = model("D", D, state("x", x)), _pairs(sigmas, rising=True)

    def step(x, a, b):
        return _euler(x, D(x, a), a, b)

    return _walk(step, x, pairs, record)


def heun(D: Denoiser, x: State, sigmas: Levels, *, record: bool = False) -> Path:
    r"""Second order: Euler's step, repeated with the mean of the slopes at both ends.

    .. math:: & y = x_a + (b-a)\,d_a, \qquad x_b = x_a + (b-a)\,\frac{d_a+d_b}2, \\
              & d_a = \frac{x_a-D(x_a;a)}a,\ d_b = \frac{y-D(y;b)}b

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x : states at level ``sigmas[0]``.
    sigmas : strictly decreasing levels, of which the last may be 0; or strictly increasing ones.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at level ``sigmas[-1]``; 2 N evaluations for N steps, one less if the last level is 0.

    Raises
    ------
    ValueError
        If a value is not finite, ``sigmas`` is not such a grid, or ``D`` returns another shape or dtype
        than it is given.

    References
    ----------
    Karras et al. 2022, algorithm 1.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> sigmas = torch.tensor([2.0, 1.0, 0.0])
    >>> [round(v, 3) for v in heun(D, x, sigmas).flatten().tolist()]
    [0.325, -0.65]
    """

    D, pairs = model("D", D, state("x", x)), _pairs(sigmas, rising=True)

    def step(x, a, b):
        return _heun(D, x, a, b)

    return _walk(step, x, pairs, record)


def midpoint(D: Denoiser, x: State, sigmas: Levels, *, record: bool = False) -> Path:
    r"""Second order: the slope half way, measured in ``log sigma`` (DPM-Solver-2).

    .. math:: & m = \sqrt{ab}, \qquad y = x_a + (m-a)\,\frac{x_a-D(x_a;a)}a, \\
              & x_b = x_a + (b-a)\,\frac{y-D(y;m)}m

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x : states at level ``sigmas[0]``.
    sigmas : strictly decreasing levels, of which the last may be 0; or strictly increasing ones.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at level ``sigmas[-1]``; 2 N evaluations for N steps, one less if the last level is 0.

    Raises
    ------
    ValueError
        If a value is not finite, ``sigmas`` is not such a grid, or ``D`` returns another shape or dtype
        than it is given.

    References
    ----------
    Lu et al., DPM-Solver, 2022, algorithm 1.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> sigmas = torch.tensor([2.0, 1.0, 0.0])
    >>> [round(v, 3) for v in midpoint(D, x, sigmas).flatten().tolist()]
    [0.32, -0.639]
    """

    D, pairs = model("D", D, state("x", x)), _pairs(sigmas, rising=True)

    def step(x, a, b):
        D_x, m = D(x, a), a.sqrt() * b.sqrt()
        if b == 0:
            return _euler(x, D_x, a, b)
        y = _euler(x, D_x, a, m)
        return x + (b - a) * ((y - D(y, m)) / m)

    return _walk(step, x, pairs, record)


def dpmpp_2s(D: Denoiser, x: State, sigmas: Levels, *, record: bool = False) -> Path:
    r"""Second order: the denoised value half way, the rest exactly (DPM-Solver++(2S)).

    .. math:: & m = \sqrt{ab}, \qquad y = D_a + \frac ma\,(x_a-D_a), \\
              & x_b = D(y;m) + \frac ba\,\bigl(x_a - D(y;m)\bigr), \qquad D_a = D(x_a;a)

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x : states at level ``sigmas[0]``.
    sigmas : strictly decreasing levels, of which the last may be 0; or strictly increasing ones.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at level ``sigmas[-1]``; 2 N evaluations for N steps, one less if the last level is 0.

    Raises
    ------
    ValueError
        If a value is not finite, ``sigmas`` is not such a grid, or ``D`` returns another shape or dtype
        than it is given.

    References
    ----------
    Lu et al., DPM-Solver++, 2022, algorithm 1.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> sigmas = torch.tensor([2.0, 1.0, 0.0])
    >>> [round(v, 3) for v in dpmpp_2s(D, x, sigmas).flatten().tolist()]
    [0.314, -0.628]
    """

    D, pairs = model("D", D, state("x", x)), _pairs(sigmas, rising=True)

    def step(x, a, b):
        D_x, m = D(x, a), a.sqrt() * b.sqrt()
        if b > 0:
            D_x = D(_euler(x, D_x, a, m), m)
        return _euler(x, D_x, a, b)

    return _walk(step, x, pairs, record)


def dpmpp_2m(D: Denoiser, x: State, sigmas: Levels, *, record: bool = False) -> Path:
    r"""Second order at the price of the first: extrapolates from the step before (DPM-Solver++(2M)).

    .. math:: & x_b = \bar D + \frac ba\,(x_a-\bar D), \qquad
              \bar D = D_i + \frac{h_i}{2h_{i-1}}\,(D_i - D_{i-1}), \\
              & h_i = \log\frac{\sigma_i}{\sigma_{i+1}}

    The first step, which has none before it, and the step to 0 are Euler's.

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x : states at level ``sigmas[0]``.
    sigmas : strictly decreasing levels, of which the last may be 0; or strictly increasing ones.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at level ``sigmas[-1]``; N evaluations for N steps.

    Raises
    ------
    ValueError
        If a value is not finite, ``sigmas`` is not such a grid, or ``D`` returns another shape or dtype
        than it is given.

    References
    ----------
    Lu et al., DPM-Solver++, 2022, algorithm 2.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> sigmas = torch.tensor([2.0, 1.0, 0.0])
    >>> [round(v, 3) for v in dpmpp_2m(D, x, sigmas).flatten().tolist()]
    [0.3, -0.6]
    """
    D, pairs = model("D", D, state("x", x)), _pairs(sigmas, rising=True)
    last = None

    def step(x, a, b):
        nonlocal last
        D_x = target = D(x, a)
        h = ((a - b) / b).log1p()  # of levels that are close, a / b keeps few digits
        if last is not None and b > 0:
            target = D_x + h / last[0] / 2 * (D_x - last[1])
        last = h, D_x
        return _euler(x, target, a, b)

    return _walk(step, x, pairs, record)


def rk4_logsigma(
    D: Denoiser, x: State, sigmas: Levels, *, record: bool = False
) -> Path:
    r"""Fourth order: the classical Runge-Kutta method in ``u = log sigma``, as a reference.

    .. math:: \frac{dx}{du} = x - D(x; e^u), \qquad
              x_b = x_a + \tfrac h6\,(k_1 + 2k_2 + 2k_3 + k_4), \qquad h = \log\frac ba

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x : states at level ``sigmas[0]``.
    sigmas : strictly decreasing levels, of which the last may be 0; or strictly increasing ones.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at level ``sigmas[-1]``; 4 N evaluations for N steps, three less if the last level is 0.

    Raises
    ------
    ValueError
        If a value is not finite, ``sigmas`` is not such a grid, or ``D`` returns another shape or dtype
        than it is given.

    References
    ----------
    Hairer, Norsett and Wanner 1993, section II.1.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> sigmas = torch.tensor([2.0, 1.0, 0.5])
    >>> [round(v, 2) for v in rk4_logsigma(D, x, sigmas).flatten().tolist()]
    [0.5, -1.0]
    """

    D, pairs = model("D", D, state("x", x)), _pairs(sigmas, rising=True)

    def step(x, a, b):
        D_x, m, h = D(x, a), a.sqrt() * b.sqrt(), (b / a).log()
        if b == 0:
            return _euler(x, D_x, a, b)
        k1 = x - D_x
        y = x + h / 2 * k1
        k2 = y - D(y, m)
        y = x + h / 2 * k2
        k3 = y - D(y, m)
        y = x + h * k3
        return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + y - D(y, b))

    return _walk(step, x, pairs, record)


def ancestral(
    D: Denoiser,
    x: State,
    sigmas: Levels,
    eta: float = 1.0,
    noise: Literal["posterior", "vp", "ve"] = "posterior",
    *,
    generator: torch.Generator,
    record: bool = False,
) -> Path:
    r"""Down past the next level, and up to it again with fresh noise: DDPM, and DDIM for any ``eta``.

    .. math:: & x_b = D + \frac{\mathrm{down}}a\,(x_a-D) + \mathrm{up}\,z, \\
              & \mathrm{up} = \eta\,b\sqrt{1-b^2/a^2},\ \mathrm{down} = \sqrt{b^2-\mathrm{up}^2}

    With ``eta = 1`` the mean and the variance are those of ``q(x_b | x_a, x_0 = D)``; with ``eta = 0`` the
    noise ``posterior`` vanishes, and this is ``euler``.

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x : states at level ``sigmas[0]``.
    sigmas : strictly decreasing levels, of which the last may be 0.
    eta : amount of fresh noise >= 0; where it would be more than all noise, it is refused.
    noise : ``posterior``: as above. ``vp``, ``ve``: the same mean, but the variance of the forward step,
        ``(a^2 - b^2) (1 + b^2) / (1 + a^2)`` or ``a^2 - b^2``: DDPM with ``beta_t``, and the reverse
        diffusion sampler of VE. None at a last level 0.
    generator : source of randomness.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at level ``sigmas[-1]``; N evaluations for N steps.

    Raises
    ------
    ValueError
        If a value is not finite, ``eta`` is out of range, ``noise`` is unknown, ``sigmas`` is not such a
        grid, or ``D`` returns another shape or dtype than it is given.

    References
    ----------
    Ho et al. 2020, algorithm 2; Song, Meng and Ermon 2021, equations 12 and 16; Song et al. 2021,
    appendix E.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> sigmas = torch.tensor([2.0, 1.0, 0.0])
    >>> generator = torch.Generator().manual_seed(0)
    >>> same = ancestral(D, x, sigmas, eta=0.0, generator=generator)
    >>> torch.allclose(same, euler(D, x, sigmas))
    True
    """
    D, sigmas = model("D", D, state("x", x)), levels("sigmas", sigmas)
    eta, kinds = positive("eta", eta, zero=True), ("posterior", "vp", "ve")
    require(noise in kinds, f"noise must be one of {', '.join(kinds)}", noise)
    a, b = sigmas[:-1], sigmas[1:]
    # sqrt(1 - b^2 / a^2), in factors: squares of levels overflow, and their difference cancels
    part = ((a - b) / a * (1 + b / a)).sqrt()
    for i, most in enumerate((1 / part[b > 0]).tolist()):
        require(eta <= most, f"eta must be <= {most:.6g} at step {i}", eta)
    up, down = eta * b * part, b * (1 - (eta * part) ** 2).clamp(min=0).sqrt()
    if noise != "posterior":
        shrink = b.hypot(ONE) / a.hypot(ONE) if noise == "vp" else 1
        up = torch.where(b > 0, a * part * shrink, 0)

    def step(x, a, down, up):
        return _euler(x, D(x, a), a, down) + up * _noise(x, generator)

    return _walk(step, x, list(zip(a, down, up, strict=True)), record)


def edm_stochastic(
    D: Denoiser,
    x: State,
    sigmas: Levels,
    S_churn: float = 0.0,
    S_min: float = 0.0,
    S_max: float = math.inf,
    S_noise: float = 1.0,
    *,
    generator: torch.Generator,
    record: bool = False,
) -> Path:
    r"""Heun's method, with a little noise put back before each step.

    .. math:: & \hat a = (1+\gamma)\,a, \qquad \hat x = x_a + S_{\mathrm{noise}}\sqrt{\hat a^2-a^2}\;z, \\
              & x_b = \operatorname{Heun}(\hat x, \hat a, b), \qquad
              \gamma = \min\Bigl(\frac{S_{\mathrm{churn}}}N, \sqrt2-1\Bigr)

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x : states at level ``sigmas[0]``.
    sigmas : strictly decreasing levels, of which the last may be 0.
    S_churn : how much noise in all, >= 0; 0 is ``heun``.
    S_min, S_max : levels between which it is added, both included.
    S_noise : its standard deviation, >= 0; slightly more than 1 makes up for lost detail.
    generator : source of randomness.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at level ``sigmas[-1]``; 2 N evaluations for N steps, one less if the last level is 0.

    Raises
    ------
    ValueError
        If a value is not finite, a parameter is out of range, ``sigmas`` is not such a grid, or ``D``
        returns another shape or dtype than it is given.

    References
    ----------
    Karras et al. 2022, algorithm 2.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> sigmas = torch.tensor([2.0, 1.0, 0.0])
    >>> generator = torch.Generator().manual_seed(0)
    >>> same = edm_stochastic(D, x, sigmas, generator=generator)
    >>> torch.allclose(same, heun(D, x, sigmas))
    True
    """
    D, pairs = model("D", D, state("x", x)), _pairs(sigmas)
    S_churn, S_min = positive("S_churn", S_churn, True), positive("S_min", S_min, True)
    S_max, S_noise = real("S_max", S_max), positive("S_noise", S_noise, True)
    require(S_max >= S_min, f"S_max must be >= S_min = {S_min}", S_max)
    churn = min(S_churn / len(pairs), math.sqrt(2) - 1)

    def step(x, a, b):
        if churn > 0 and S_min <= a <= S_max:
            up = a * math.sqrt(churn * (2 + churn))  # the root of (1 + churn)^2 - 1
            x, a = x + S_noise * up * _noise(x, generator), a * (1 + churn)
        return _heun(D, x, a, b)

    return _walk(step, x, pairs, record)


def euler_maruyama(
    D: Denoiser,
    x_t: State,
    ts: Levels,
    process: Process,
    c: float = 1.0,
    *,
    generator: torch.Generator,
    record: bool = False,
) -> Path:
    r"""The reverse SDE, or any other with the same law at each time, in the time of a process.

    .. math:: & x_u = x_t - h\,\Bigl[f x_t - \frac{1+c^2}2\,g^2\,\nabla\log p_t(x_t)\Bigr] + c\,g\sqrt h\,z, \\
              & h = t-u, \qquad \nabla\log p_t(x) = \frac{s D(x/s;\sigma) - x}{s^2\sigma^2}

    Parameters
    ----------
    D : denoiser ``D(x, sigma)`` in the unscaled coordinate.
    x_t : states at time ``ts[0]``, in the scaled coordinate of the process.
    ts : strictly decreasing times in [0, ``process.t_max``], of which the last may be 0.
    process : choice of ``s(t)`` and ``sigma(t)``.
    c : 1 is the time reversal of the forward process, 0 the probability-flow ODE, >= 0.
    generator : source of randomness.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at time ``ts[-1]``; N evaluations for N steps.

    Raises
    ------
    ValueError
        If a value is not finite, ``c`` is negative, ``ts`` is not such a grid, or ``D`` returns another
        shape or dtype than it is given.

    References
    ----------
    Song et al. 2021, equation 6; Anderson 1982.

    Examples
    --------
    >>> from utils.diffusion.processes import flow
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> ts = torch.tensor([0.75, 0.5, 0.25])
    >>> generator = torch.Generator().manual_seed(0)
    >>> same = euler_maruyama(D, x, ts, flow(), c=0.0, generator=generator)
    >>> torch.allclose(same, ode_general(D, x, ts, flow(), solver="euler"))
    True
    """
    D, pairs = model("D", D, state("x_t", x_t)), _clock(ts, process)
    c = positive("c", c, zero=True)

    def step(x_t, t, u):
        s, sigma, g2, h = process.s(t), process.sigma(t), process.g2(t), t - u
        score = (s * D(x_t / s, sigma) - x_t) / (s * sigma) ** 2
        drift = process.f(t) * x_t - (1 + c**2) / 2 * g2 * score
        return x_t - h * drift + c * (g2 * h).sqrt() * _noise(x_t, generator)

    return _walk(step, x_t, pairs, record)


def ode_general(
    D: Denoiser,
    x_t: State,
    ts: Levels,
    process: Process,
    solver: Literal["euler", "heun"] = "heun",
    *,
    record: bool = False,
) -> Path:
    r"""The probability-flow ODE in the time and the scale of a process, by Euler or Heun.

    .. math:: x_u = x_t + (u-t)\,v_t \quad\text{or}\quad x_t + (u-t)\,\frac{v_t+v_u}2, \qquad
              v = \frac{dx}{dt}

    With ``ve_linear()`` it is ``euler`` or ``heun``. For another process the path is the same curve in the
    unscaled coordinate, but a step of finite length leaves it elsewhere.

    Parameters
    ----------
    D : denoiser ``D(x, sigma)`` in the unscaled coordinate.
    x_t : states at time ``ts[0]``, in the scaled coordinate of the process.
    ts : strictly decreasing times in [0, ``process.t_max``], of which the last may be one where
        ``sigma`` is 0; or strictly increasing ones.
    process : choice of ``s(t)`` and ``sigma(t)``.
    solver : ``euler`` or ``heun``; a step to ``sigma = 0`` is Euler's.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at time ``ts[-1]``; N or 2 N evaluations for N steps, as for ``euler`` and ``heun``.

    Raises
    ------
    ValueError
        If a value is not finite, ``solver`` is unknown, ``ts`` is not such a grid, or ``D`` returns
        another shape or dtype than it is given.

    References
    ----------
    Karras et al. 2022, algorithm 1 and equation 4.

    Examples
    --------
    >>> from utils.diffusion.processes import ve_linear
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> sigmas = torch.tensor([2.0, 1.0, 0.5])
    >>> same = ode_general(D, x, sigmas, ve_linear())
    >>> torch.allclose(same, heun(D, x, sigmas))
    True
    """
    D, pairs = model("D", D, state("x_t", x_t)), _clock(ts, process, rising=True)
    require(solver in ("euler", "heun"), "solver must be euler or heun", solver)

    def step(x_t, t, u):
        v = ode_velocity(D, process, x_t, t)
        y = x_t + (u - t) * v
        if solver == "euler" or process.sigma(u) == 0:
            return y
        return x_t + (u - t) / 2 * (v + ode_velocity(D, process, y, u))

    return _walk(step, x_t, pairs, record)


def predictor_corrector(
    D: Denoiser,
    x: State,
    sigmas: Levels,
    snr: float = 0.16,
    n_corr: int = 1,
    predictor: Callable = euler,
    *,
    generator: torch.Generator,
    record: bool = False,
) -> Path:
    r"""One step of a sampler, then a few of Langevin dynamics at the level it has reached.

    .. math:: x \leftarrow x + h\,\nabla\log p_b(x) + \sqrt{2h}\;z, \qquad
              h = 2\Bigl(\mathrm{snr}\,\frac{\overline{\|z\|}}{\overline{\|\nabla\log p_b(x)\|}}\Bigr)^2

    The norms are means over the batch, as in the code of the paper: taken row by row, the rule makes
    steps without bound where the score vanishes. Where it vanishes for the whole batch, ``D(x, b) = x``,
    the rule has no limit, and ``D`` is refused.

    Parameters
    ----------
    D : denoiser ``D(x, sigma)``.
    x : states at level ``sigmas[0]``.
    sigmas : strictly decreasing levels, of which the last may be 0.
    snr : length of a corrector step, as a ratio of signal to noise, > 0.
    n_corr : number of corrector steps after each predictor step, >= 0; none at a last level 0.
    predictor : any sampler ``(D, x, sigmas) -> x``; it is handed two levels at a time. One with noise
        is bound to its generator: ``partial(ancestral, generator=generator)``.
    generator : source of randomness.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States at level ``sigmas[-1]``; the evaluations of the predictor and ``n_corr`` more a step.

    Raises
    ------
    ValueError
        If a value is not finite, ``snr`` or ``n_corr`` is out of range, ``sigmas`` is not such a grid,
        ``D`` returns another shape or dtype than it is given, or a batch as it is.

    References
    ----------
    Song et al. 2021, algorithm 2, with the corrector of algorithm 4.

    Examples
    --------
    >>> D = lambda x, sigma: x / (1 + sigma**2)
    >>> x = torch.tensor([[1.0], [-2.0]])
    >>> sigmas = torch.tensor([2.0, 1.0, 0.0])
    >>> generator = torch.Generator().manual_seed(0)
    >>> last = predictor_corrector(D, x, sigmas, n_corr=0, generator=generator)
    >>> torch.allclose(last, euler(D, x, sigmas))
    True
    """
    D, pairs = model("D", D, state("x", x)), _pairs(sigmas)
    snr, n_corr = positive("snr", snr), integer("n_corr", n_corr, 0)

    def step(x, a, b):
        pair = torch.stack([a, b])
        x = model("predictor", lambda y: predictor(D, y, pair), x)(x)
        for _ in range(n_corr if b > 0 else 0):
            score, z = (D(x, b) - x).double() / b**2, _noise(x, generator)
            norms = [rows(y).double().norm(dim=1).mean() for y in (z, score)]
            ok = len(x) == 0 or norms[1] > 0
            require(ok, "D must not return the whole batch as it is", f"level {b:.6g}")
            h = 2 * (snr * norms[0] / norms[1]) ** 2
            x = (x + h * score + (2 * h).sqrt() * z).to(x.dtype)
        return x

    return _walk(step, x, pairs, record)


def langevin(
    score: Callable[[Tensor], Tensor],
    x: State,
    step: float,
    n_steps: int,
    *,
    generator: torch.Generator,
    record: bool = False,
) -> Path:
    r"""Langevin dynamics without correction: uphill in ``log p``, with noise that keeps it spread out.

    .. math:: x \leftarrow x + \tfrac a2\,\nabla\log p(x) + \sqrt a\,z

    The law it settles in is ``p`` only as ``a`` goes to 0: for N(0, 1) its variance is ``1/(1 - a/4)``.

    Parameters
    ----------
    score : gradient of ``log p`` at ``x``.
    x : start.
    step : the step size ``a`` > 0. Some texts call ``a/2`` the step.
    n_steps : number of steps, >= 1.
    generator : source of randomness.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States after ``n_steps`` steps, as many evaluations.

    Raises
    ------
    ValueError
        If a value is not finite, ``step`` is not > 0, ``n_steps`` is not an integer >= 1, or ``score``
        returns another shape or dtype than it is given.

    References
    ----------
    Song and Ermon 2019, equation 4; Roberts and Tweedie 1996.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.zeros(5000, 1)
    >>> x = langevin(torch.neg, x, step=0.5, n_steps=50, generator=generator)
    >>> bool(abs(x.var() - 1 / (1 - 0.5 / 4)) < 0.1)
    True
    """
    score = model("score", score, state("x", x))
    step, n_steps = positive("step", step), integer("n_steps", n_steps, 1)

    def move(x):
        return x + step / 2 * score(x) + math.sqrt(step) * _noise(x, generator)

    return _walk(move, x, [()] * n_steps, record)


def annealed_langevin(
    score: Denoiser,
    x: State,
    sigmas: Levels,
    step: float,
    n_each: int,
    *,
    generator: torch.Generator,
    record: bool = False,
) -> Path:
    r"""Langevin dynamics at one level of noise after another, with steps that shrink with the level.

    .. math:: x \leftarrow x + \tfrac{a_i}2\,\nabla\log p_{\sigma_i}(x) + \sqrt{a_i}\,z, \qquad
              a_i = \mathrm{step}\,\frac{\sigma_i^2}{\sigma_L^2}

    Parameters
    ----------
    score : ``score(x, sigma)``, gradient of ``log p_sigma`` at ``x``.
    x : start, commonly spread over far more than the data.
    sigmas : strictly decreasing levels > 0.
    step : step size at the last level, > 0; epsilon in the paper.
    n_each : number of steps at each level, >= 1.
    generator : source of randomness.
    record : return all states instead of the last.

    Returns
    -------
    Tensor
        States after ``n_each`` steps at each of the levels, as many evaluations.

    Raises
    ------
    ValueError
        If a value is not finite, ``sigmas`` is not such a grid, ``step`` is not > 0, ``n_each`` is not an
        integer >= 1, or ``score`` returns another shape or dtype than it is given.

    References
    ----------
    Song and Ermon 2019, algorithm 1.

    Examples
    --------
    >>> score = lambda x, sigma: -x / sigma**2
    >>> x, sigmas = torch.zeros(5000, 1), torch.tensor([1.0, 0.1])
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = annealed_langevin(score, x, sigmas, 0.005, 50, generator=generator)
    >>> round(x.std().item(), 1)
    0.1
    """
    score, sigmas = (
        model("score", score, state("x", x)),
        levels("sigmas", sigmas, zero=False),
    )
    step, n_each = positive("step", step), integer("n_each", n_each, 1)

    def move(x, sigma):
        a = step * (sigma / sigmas[-1]) ** 2
        return x + a / 2 * score(x, sigma) + a.sqrt() * _noise(x, generator)

    each = [(sigma,) for sigma in sigmas for _ in range(n_each)]
    return _walk(move, x, each, record)
