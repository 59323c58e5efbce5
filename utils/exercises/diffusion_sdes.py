"""Answers to the exercises of *Diffusion in continuous time*."""

from math import sqrt

import torch
from scipy import integrate

from utils.diffusion import grids, processes, samplers
from utils.diffusion.mixtures import GaussianMixture
from utils.exercises import answer


@answer(
    "ex-diffusion_sdes-equilibrium",
    ask="κ for c = 2",
    at=((2,), (1,), (0.5,)),
    hint="Insert f = −½βx, g² = β and the score of N(0, I) into a step of the family.",
    mistakes={
        "On the way back the drift f pushes outwards.": lambda c: (1 + c**2) / 2,
        "On the way back the drift f changes its sign.": lambda c: 1 + c**2 / 2,
        "The factor of the score is (1 + c²)/2, not c².": lambda c: c**2 - 0.5,
    },
)
def equilibrium(c):
    """The pull that keeps the variance at 1 against the noise of one small step."""
    noise = 1e-6 * c**2
    return (1 - sqrt(1 - noise)) / 1e-6


@answer(
    "ex-diffusion_sdes-flow",
    ask="g² at t = 0.8",
    at=((0.8,), (0.3,), (0.95,)),
    hint="Read off s and σ; then g² is s² times the derivative of σ².",
    mistakes={
        "That is the derivative of σ²; the factor s² is missing.": lambda t: (
            2 * t / (1 - t) ** 3
        ),
        "The derivative of σ² is 2σ times that of σ.": lambda t: t / (1 - t),
        "That is how the variance grows; the drift takes a part of it away, and g² makes up for that.": lambda t: (
            2 * t
        ),
    },
)
def flow(t):
    """The noise makes up for what the drift takes from the variance; by autograd."""
    now = torch.tensor(t, dtype=torch.float64, requires_grad=True)
    variance = now**2
    (drift,) = torch.autograd.grad((1 - now).log(), now)
    (growth,) = torch.autograd.grad(variance, now)
    return (growth - 2 * drift * variance).item()


def shaking(power=2):
    """The integral of a power of g over the time of VP."""
    vp = processes.vp()

    def integrand(t):
        return vp.g2(torch.tensor(t, dtype=torch.float64)).item() ** (power / 2)

    return integrate.quad(integrand, 0, 1)[0]


@answer(
    "ex-diffusion_sdes-rough",
    ask="c, if the squared increments add up to 25",
    at=((25.0,), (10.0,), (1.0,)),
    hint="The increments have the variance c²g²h. What do they add up to?",
    mistakes={
        "That is c².": lambda total: total / shaking(),
        "The variance of an increment holds g², not g.": lambda total: sqrt(
            total / shaking(power=1)
        ),
        "The rate β is not 20 all the time; integrate it.": lambda total: sqrt(
            total / 20
        ),
        "The variance of an increment is c²g²h, without a ½.": lambda total: sqrt(
            2 * total / shaking()
        ),
    },
)
def rough(total):
    """Integrate the kernel's g squared over the time."""
    return sqrt(total / shaking())


@answer(
    "ex-diffusion_sdes-two-models",
    ask="the variance of the samples of the ODE",
    at=((1.2,), (0.9,), (1.5,)),
    hint="Multiply the score by k = 1.2 in the linear coefficient a, and integrate a.",
    mistakes={
        "That is the variance of the SDE.": lambda k: 0.25 / (2 * k - 1),
        "The error acts at every level, again and again.": lambda k: 0.25 / k,
        "The drift f takes part, too, and does not cancel any more.": lambda k: 0.25**k,
        "That is the standard deviation.": lambda k: sqrt(two_models(k)),
    },
)
def two_models(k):
    """One point, one standard deviation off, by Runge-Kutta in the unscaled levels."""
    unit = torch.ones(1, 1, dtype=torch.float64)
    gauss = GaussianMixture(unit[0], 0 * unit, 0.25)
    top = processes.vp().sigma(unit[0, 0])
    levels = grids.geometric(80, 1e-3, top.item(), zero=False)

    def D(x, sigma):  # a score k times too large
        return x + k * (gauss(x, sigma) - x)

    return samplers.rk4_logsigma(D, (0.25 + top**2).sqrt() * unit, levels).item() ** 2
