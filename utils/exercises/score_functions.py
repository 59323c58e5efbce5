"""Answers to the exercises of *Score functions*."""

from math import sqrt

import numpy as np
import torch
from scipy import integrate, linalg, optimize, stats

from utils.exercises import answer


@answer(
    "ex-score_functions-student",
    ask="the largest |s(x)| for ν = 4",
    at=((4.0,), (3.0,), (9.0,)),
    hint="Differentiate log(1 + x²/ν), then look where x/(ν + x²) is largest.",
    mistakes={
        "That is where, not how strong.": sqrt,
        "The exponent is half of ν + 1.": lambda nu: (nu + 1) / sqrt(nu),
        "The inner derivative is 2x/ν, not 2x.": lambda nu: (nu + 1) * sqrt(nu) / 2,
    },
)
def student(nu):
    """Differentiate the log-density by autograd and search a grid."""
    x = torch.linspace(0, 10 * sqrt(nu), 20_001, dtype=torch.float64)
    law = torch.distributions.StudentT(torch.tensor(nu, dtype=torch.float64))
    x.requires_grad_()
    s = torch.autograd.grad(law.log_prob(x).sum(), x)[0]
    return s.abs().max().item()


@answer(
    "ex-score_functions-one-percent",
    ask="the step a for c = 0.1",
    at=((0.1,), (1.0,), (0.03,)),
    hint="The variance that a step leaves unchanged shall be 1.01 times c².",
    mistakes={
        "The step goes with the square of the width.": lambda c: 4 * c * (1 - 1 / 1.01),
        "That makes the standard deviation one percent too large.": lambda c: (
            4 * c**2 * (1 - 1 / 1.01**2)
        ),
        "That is a in the other convention, a s + √(2a) z.": lambda c: (
            2 * c**2 * (1 - 1 / 1.01)
        ),
        "That is right to first order in a; solve exactly.": lambda c: 0.04 * c**2,
    },
)
def one_percent(c):
    """Search the step whose stationary variance, by a Lyapunov equation, is 1.01."""

    def excess(step):  # in units of c
        return linalg.solve_discrete_lyapunov([[1 - step / 2]], [[step]])[0, 0] - 1.01

    return c**2 * optimize.brentq(excess, 1e-4, 1, xtol=1e-14)


@answer(
    "ex-score_functions-experts",
    ask="the fraction at σ = 1",
    at=((1.0,), (0.7,), (3.0,)),
    hint="The product of the two bells is again a bell; which is its variance?",
    mistakes={
        "That is so at σ = 0 only.": 1,
        "The product of two bells is narrower than each of them.": 1 / 2,
        "It is the other way round.": lambda sigma: 1 / experts(sigma),
    },
)
def experts(sigma):
    """Blur the product by quadrature and differentiate under the integral."""
    x, y = 0.8, np.linspace(-9, 9, 20_001)

    def score(density):
        weight = density * stats.norm.pdf(x - y, scale=sigma)
        return (weight * (y - x)).sum() / weight.sum() / sigma**2

    bell = stats.norm.pdf(y)
    return score(bell**2) / (2 * score(bell))


@answer(
    "ex-score_functions-how-much",
    ask="the limit of σ⁴F for m = 3 and the weights 0.6 and 0.5",
    at=((3.0, 0.6, 0.5), (1.0, 0.2, 0.5), (5.0, 0.3, 0.7)),
    hint="From afar either law is a single bell; by how much do their means differ?",
    mistakes={
        "F has a factor ½.": lambda m, w, v: (2 * m * (w - v)) ** 2,
        "The modes are at m and −m, at distance 2m.": lambda m, w, v: (
            (m * (w - v)) ** 2 / 2
        ),
        "The difference of the means enters squared.": lambda m, w, v: (
            2 * m * abs(w - v) / 2
        ),
    },
)
def how_much(m, w, v):
    """The Fisher divergence at σ = 1000, by quadrature."""
    sigma = 1000.0
    x = np.linspace(-9 * sigma, 9 * sigma, 20_001)

    def law(weight):
        right, left = (stats.norm.pdf(x, c, sqrt(1 + sigma**2)) for c in (m, -m))
        p = weight * right + (1 - weight) * left
        pull = weight * right * (m - x) - (1 - weight) * left * (m + x)
        return p, pull / p / (1 + sigma**2)

    (p, s), (_, t) = law(w), law(v)
    return sigma**4 * integrate.trapezoid(p * (s - t) ** 2, x) / 2


@answer(
    "ex-score_functions-quantiles",
    ask="the latent at σ = 80 that separates the two modes",
    at=((80.0,), (20.0,), (5.0,)),
    hint="Which share of the latents goes left? A table of the normal law does the rest.",
    mistakes={
        "Three in ten latents go left, not seven.": lambda sigma: (
            0.4 + stats.norm.ppf(0.7) * sqrt(sigma**2 + 0.88)
        ),
        "The blurred law still has the mean of the data.": lambda sigma: (
            stats.norm.ppf(0.3) * sqrt(sigma**2 + 0.88)
        ),
        "That is the middle; less than half of the latents go left.": 0.4,
    },
)
def quantiles(sigma):
    """Follow the ODE upwards from the valley between the modes."""

    def slope(t, x):
        level = np.exp(2 * t)
        tilt = np.tanh(x / (0.04 + level) + np.log(0.7 / 0.3) / 2)  # mean of the mode
        return (x - tilt) * level / (0.04 + level)

    ends = np.log([1e-3, sigma])
    return integrate.solve_ivp(slope, ends, [0.0], rtol=1e-9, atol=1e-9).y[0, -1]
