"""Answers to the exercises of *One framework for all diffusion models*."""

from math import cos, exp, expm1, sin, sinh, sqrt, tan

import numpy as np
import torch
from scipy import integrate

from utils.diffusion import precond, samplers
from utils.diffusion.mixtures import GaussianMixture
from utils.exercises import answer


@answer(
    "ex-unified_diffusion-trig",
    ask="g² at θ = 1",
    at=((1.0,), (0.3,), (1.4,)),
    hint="Read off s and sσ, divide, and insert s and σ into the formula for g².",
    mistakes={
        "That is dσ²/dθ; the scale, squared, is missing.": lambda a: (
            2 * tan(a) / cos(a) ** 2
        ),
        "So the variance grows; the drift takes a part of it away.": lambda a: (
            2 * sin(a) * cos(a)
        ),
        "The derivative of σ² is 2σ times that of σ.": tan,
    },
)
def trig(theta):
    """The noise makes up for what the drift takes from the variance; by autograd."""
    angle = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    variance = angle.sin() ** 2
    (drift,) = torch.autograd.grad(angle.cos().log(), angle)
    (growth,) = torch.autograd.grad(variance, angle)
    return (growth - 2 * drift * variance).item()


@answer(
    "ex-unified_diffusion-subvp",
    ask="σ at B = 1 for g² = β(1 − e⁻ᴮ)",
    at=((1.0,), (0.2,), (4.0,)),
    hint="Divide g² by s², take B for the time, integrate from 0, and take the root.",
    mistakes={
        "That is sub-VP, with 2B in the exponent; here it is B.": lambda B: (
            2 * sinh(B / 2)
        ),
        "The noise is measured in units of s: divide g² by s² first.": lambda B: sqrt(
            B + expm1(-B)
        ),
        "That is sσ, the standard deviation of x.": lambda B: exp(-B / 2) * subvp(B),
        "That is σ².": lambda B: subvp(B) ** 2,
    },
)
def subvp(B):
    """Integrate the equation of the variance, with B for the time, and divide by s."""

    def rhs(b, v):
        return -v - expm1(-b)

    path = integrate.solve_ivp(rhs, (0, B), [0.0], rtol=1e-10, atol=1e-13)
    return sqrt(path.y[0, -1]) * exp(B / 2)


@answer(
    "ex-unified_diffusion-wiener",
    ask="the least loss at σ = 1 for c = ½ and σ_d = 1",
    at=((0.5, 1.0, 1.0), (1.0, 0.5, 0.3), (2.0, 0.5, 5.0)),
    hint="How large is the error that no denoiser avoids, and which is its weight?",
    mistakes={
        "That is the loss of F = 0, and there is a better F.": lambda c, d, s: (
            ((s * c) ** 2 + d**4) / (d**2 * (s**2 + d**2))
        ),
        "The error still has to be weighted with λ.": lambda c, d, s: (
            (s * c) ** 2 / (s**2 + c**2)
        ),
        "It is 1 only if the preconditioning is made for these data.": 1,
    },
)
def wiener(c, sigma_d, sigma):
    """Regress the target on the state, at the nodes of a Gauss-Hermite rule."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    x_0, eps = (torch.tensor(z.ravel()) for z in np.meshgrid(c * nodes, nodes))
    root = np.sqrt(np.outer(weights, weights).ravel() / weights.sum() ** 2)
    level = torch.tensor(sigma, dtype=torch.float64)
    target = root * precond.edm(sigma_d).target(x_0, eps, level).numpy()
    state = root * (x_0 + sigma * eps).numpy()
    return np.linalg.lstsq(state[:, None], target)[1].item()


def spread_by_hand(N, late=0):
    """Follow one standard deviation in flow time, without the last ``late`` steps."""
    x = 1.0
    for i in range(N - late):
        t = 1 - i / N
        keep = 1 - t  # D = keep x / (keep^2 + t^2), at t = 1 also
        x -= (x - keep * x / (keep**2 + t**2)) / (t * N)
    return x


@answer(
    "ex-unified_diffusion-uniform",
    ask="the standard deviation of the results for N = 3",
    at=((3,), (2,), (8,)),
    hint="D is half of the state at σ = 1, a fifth of it at σ = 2, and at infinity?",
    mistakes={
        "That is the data's own; a few Euler steps fall short of it.": 1,
        "That is x before the last step.": lambda N: spread_by_hand(N, late=1),
        "At t = 1 the level is infinite, so there D is the mean, 0.": lambda N: (
            uniform(N) * (1 + 1 / (2 * (N - 1)))
        ),
    },
)
def uniform(N):
    """One point, one standard deviation off, by the Euler kernel in unscaled levels."""
    ts = 1 - torch.arange(1, N + 1, dtype=torch.float64) / N
    levels = ts / (1 - ts)
    one = torch.ones(1, 1, dtype=torch.float64)
    bell = GaussianMixture(one[0], 0 * one, 1.0)
    return samplers.euler(bell, levels[0] * one, levels).item()


@answer(
    "ex-unified_diffusion-grid",
    ask="the factor for k = 3",
    at=((3.0,), (0.5,), (8.0,)),
    hint="Small angles cost half their squares. Which angle covers a step of the wrong grid?",
    mistakes={
        "The angles have the same sum, but their squares count.": 1,
        "So much longer is the longest angle; the others are shorter.": lambda k: max(
            k, 1 / k
        ),
        "Half of that: the mean of the two.": lambda k: k + 1 / k,
    },
)
def grid(k):
    """Walk over many steps of the wrong grid and add up the squares of the angles."""
    guess = np.linspace(0, np.pi / 2, 4001)
    angles = np.diff(np.arctan2(k * np.sin(guess), np.cos(guess)))
    return 4000 * (angles**2).sum() / (np.pi / 2) ** 2
