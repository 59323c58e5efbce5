"""Answers to the exercises of *DDPM and DDIM*."""

from math import log, sqrt

import numpy as np

from utils.diffusion.discrete import linear_betas
from utils.exercises import answer


@answer(
    "ex-ddpm_ddim-rotation",
    ask="the growth of T(1 − W) from T to 10 T, for large T and β(0) = 0.1",
    rtol=1e-2,
    at=((0.1,), (1.0,), (3.0,)),
    hint="Near the data θ grows like √(β(0)u); integrate θ′² from u = 1/T on.",
    mistakes={
        "It does grow: look at the first steps, where θ is steep.": 0,
        "The derivative of a root has a factor ½, which is squared.": lambda beta: (
            beta * log(10)
        ),
        "The logarithm is the natural one.": lambda beta: beta / 4,
        "The factor ½ of the derivative is squared.": lambda beta: beta / 2 * log(10),
    },
)
def rotation(beta):
    """Multiply the cosines of 10^5 steps, and of 10^6."""

    def missing(T):
        u = np.arange(T + 1) / T
        theta = np.arctan(np.sqrt(np.expm1(beta * u + 9.95 * u**2)))
        return -T * np.expm1(np.log1p(-(np.sin(np.diff(theta)) ** 2)).sum())

    return missing(10**6) - missing(10**5)


@answer(
    "ex-ddpm_ddim-eta",
    ask="the largest η in a step from σ = 1 to ½",
    at=((1.0, 0.5), (2.0, 1.5), (5.0, 0.2)),
    hint="The old noise may shrink to nothing; then all of σₛ is fresh.",
    mistakes={
        "That is DDPM; there is room for more.": 1,
        "The formula for up has the root of 1 − ρ.": lambda t, s: (
            1 / (1 - (s / t) ** 2)
        ),
        "Take the ratio of the variances for ρ, not of the levels.": lambda t, s: (
            1 / sqrt(1 - s / t)
        ),
        "That is up over σₛ at η = 1.": lambda t, s: sqrt(1 - (s / t) ** 2),
    },
)
def eta(t, s):
    """In the letters of the papers: where the variance of the old noise vanishes."""
    ab_t, ab_s = 1 / (1 + t**2), 1 / (1 + s**2)
    tau = sqrt((1 - ab_s) / (1 - ab_t) * (1 - ab_t / ab_s))
    return sqrt(1 - ab_s) / tau


@answer(
    "ex-ddpm_ddim-bits",
    ask="bits per dimension in the limit",
    hint="The limit in nats is known; how many bits is a nat?",
    mistakes={
        "That is in nats.": np.euler_gamma / 2,
        "A nat is 1/log 2 bits, and not log 2.": np.euler_gamma / 2 * log(2),
        "In nats it is half of γ.": np.euler_gamma / log(2),
        "That is the price of DDPM's own thousand steps.": lambda: thousand() / log(2),
    },
)
def bits():
    """Add up the prices of a million steps near the data, in bits."""
    R = 1 + 1 / np.arange(1, 1_000_000)
    return (R - 1 - np.log2(R) * log(2)).sum() / 2 / log(2)


def thousand():
    """The price of the small variance with DDPM's own schedule, in nats."""
    noise = 1 - np.cumprod(1 - linear_betas().numpy())
    R = noise[1:] / noise[:-1]
    return (R - 1 - np.log(R)).sum() / 2
