"""Answers to the exercises of *Score matching, four ways*."""

from math import pi, sqrt

import numpy as np
import torch
from scipy import integrate, stats

from utils.exercises import answer


@answer(
    "ex-score_matching-kink",
    ask="the least value of the right objective",
    hint="By how much does s fall at the origin, and how dense are the data there?",
    mistakes={
        "That is the minimum if the jump is overlooked.": 0,
        "At the jump s falls, it does not rise; J_I may be negative.": 1 / 2,
        "From θ to −θ it falls by 2θ.": -1 / 8,
        "The square is not free: it costs θ²/2.": -1,
    },
)
def kink():
    """Round the jump off to -theta tanh(x / h) with a small h, by quadrature."""
    h = 1e-4

    def mean(f):  # under the Laplace law, with x = h u near the jump
        near = integrate.quad(lambda u: h * np.exp(-h * u) * f(u), 0, 40)[0]
        return near + np.exp(-40 * h) * f(40.0)

    fall = mean(lambda u: 1 / np.cosh(u) ** 2) / h
    square = mean(lambda u: np.tanh(u) ** 2)
    return -(fall**2) / (2 * square)


@answer(
    "ex-score_matching-edge",
    ask="the θ of the model s = θ for k = 2",
    at=((2,), (1,), (4,)),
    hint="The objective is E[(hs)′ + ½hs²]; with s = θ it is a parabola in θ.",
    mistakes={
        "That is the fit without a weight.": -sqrt(2 / pi),
        "The weight is differentiated, too: (hs)′ = h′θ.": 0,
        "The density falls, so the fit is negative.": lambda k: -edge(k),
    },
)
def edge(k):
    """The weighted mean of the true score -x, by quadrature."""
    x = np.linspace(0, 12, 20_001)
    weight = x**k * stats.norm.pdf(x)
    return -integrate.simpson(weight * x, x=x) / integrate.simpson(weight, x=x)


@answer(
    "ex-score_matching-two",
    ask="the slope of the score at 0 for σ = 2",
    at=((2.0,), (0.5,), (0.8,)),
    hint="The denoiser is the mean of ±1, weighted by e to the ±x/σ²; expand it at 0.",
    mistakes={
        "That is the slope of the denoiser.": lambda sigma: 1 / sigma**2,
        "That is the slope of D(x) − x; the score divides it by σ².": lambda sigma: (
            1 / sigma**2 - 1
        ),
        "A score that pulls back to 0 has a negative slope.": lambda sigma: -two(sigma),
        "The weights contain σ², not σ.": lambda sigma: (1 / sigma - 1) / sigma**2,
    },
)
def two(sigma):
    """Differentiate the logarithm of the blurred density twice by autograd."""
    x = torch.zeros((), dtype=torch.float64, requires_grad=True)
    points = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    log_q = torch.logsumexp(-((x - points) ** 2) / (2 * sigma**2), 0)
    (slope,) = torch.autograd.grad(log_q, x, create_graph=True)
    return torch.autograd.grad(slope, x)[0].item()


@answer(
    "ex-score_matching-manifold",
    ask="2σ²C for d = 5, m = 2 and σ = ½",
    at=((5, 2, 0.5), (3, 3, 1.0), (40, 8, 0.1)),
    hint="Across the subspace the place of x₀ is known; how uncertain is it along it?",
    mistakes={
        "Pixels across the subspace have no irreducible noise.": lambda d, m, sigma: (
            d / (1 + sigma**2)
        ),
        "That is the limit for σ → 0.": lambda d, m, sigma: m,
        "That is C itself.": lambda d, m, sigma: m / (2 * sigma**2 * (1 + sigma**2)),
        "Those are the directions in which there are no data.": lambda d, m, sigma: (
            (d - m) / (1 + sigma**2)
        ),
    },
)
def manifold(d, m, sigma):
    """What the Fisher information of the blurred law, in a turned subspace, leaves of d."""
    turned = np.vander(np.cos(np.arange(d) + 1.0), d)
    frame = np.linalg.qr(turned)[0][:, :m]
    cov = frame @ frame.T + sigma**2 * np.eye(d)
    return d - sigma**2 * np.trace(np.linalg.inv(cov))
