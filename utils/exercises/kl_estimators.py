"""Answers to the exercises of *Approximating KL divergence*."""

from math import exp, log

import numpy as np
from scipy import integrate, special, stats

from utils.exercises import answer
from utils.kl import k1, k3


@answer(
    "ex-kl_estimators-missing",
    ask="the mean of k₃ under q",
    hint="Average r - 1 - log r over the two atoms that the samples meet.",
    mistakes={
        "That is the divergence; under q the mean of r is not 1.": log(2) / 2,
        "What is sampled stands below, r = p/q.": (1 - log(2)) / 2,
        "By so much k₃ falls short of the divergence.": 1 / 4,
    },
)
def missing():
    """The gap under the tangent as an integral, from r = 1/2 at the first atom to 1."""
    gap = integrate.quad(lambda u: 1 / u - 1, 1 / 2, 1)[0]
    return gap / 2  # at the second atom r = 1, and there is no gap


def kl_poisson(a, b):
    return a * log(a / b) - a + b


@answer(
    "ex-kl_estimators-poisson",
    ask="the best coefficient λ*",
    at=((3.0, 4.0), (4.0, 3.0), (1.0, 1.5)),
    hint="Both divergences and χ² are at hand; how do they make λ*?",
    mistakes={
        "This is χ² with the two exchanged; samples come from the mean a.": lambda a, b: (
            (b - a) * log(b / a) / (exp((b - a) ** 2 / b) - 1)
        ),
        "The other divergence belongs to the numerator, too.": lambda a, b: (
            kl_poisson(a, b) / (exp((b - a) ** 2 / a) - 1)
        ),
        "The variance of r is the mean of r² less 1.": lambda a, b: (
            (b - a) * log(b / a) / exp((b - a) ** 2 / a)
        ),
        "That is the inverse of λ*.": lambda a, b: (
            (exp((b - a) ** 2 / a) - 1) / ((b - a) * log(b / a))
        ),
    },
)
def poisson(a, b):
    """Regress log r on r, with the weights of the first law."""
    x = np.arange(150)
    q = stats.poisson.pmf(x, a)
    log_r = stats.poisson.logpmf(x, b) - stats.poisson.logpmf(x, a)
    r = np.exp(log_r)
    return (q * (r - 1) * log_r).sum() / (q * (r - 1) ** 2).sum()


@answer(
    "ex-kl_estimators-two",
    ask="the λ for q = (¾, ¼) and p = (½, ½)",
    at=((0.75, 0.5), (0.9999, 0.5), (0.3, 0.6)),
    hint="Write down k_λ at both points and set the two values equal.",
    mistakes={
        "As −log r falls, λ(r − 1) must rise.": lambda q, p: -two(q, p),
        "That is the slope of r against log r.": lambda q, p: 1 / two(q, p),
        "With λ = 1 the two values still differ.": 1,
        "What is sampled stands below, r = p/q.": lambda q, p: (
            log(q * (1 - p) / p / (1 - q)) / (q / p - (1 - q) / (1 - p))
        ),
    },
)
def two(q, p):
    """The best coefficient, both divergences over the chi-squared one."""
    q, p = np.array([q, 1 - q]), np.array([p, 1 - p])
    return (stats.entropy(q, p) + stats.entropy(p, q)) / ((p**2 / q).sum() - 1)


@answer(
    "ex-kl_estimators-tokens",
    ask="the gradient of the sequence divergence at θ = 0",
    at=((0.0,), (1.0,), (-1.5,)),
    hint="Write the divergence with h = σ(θ): the first token's, and 2h for the second.",
    mistakes={
        "That is the gradient of the per-token loss.": lambda theta: (
            tokens(theta) - 2 * special.expit(theta) * special.expit(-theta)
        ),
        "The branch is taken with probability σ(θ); how steep is σ?": 2,
        "That is the divergence, not its gradient.": 1,
        "After a 1 the second token costs 2.": 1 / 4,
    },
)
def tokens(theta):
    """The mean of the score times all that follows, over both first tokens."""
    logq = special.log_expit([theta, -theta])
    score = special.expit([-theta, theta]) * [1, -1]
    return (np.exp(logq) * score * (k1(logq, log(1 / 2)) + np.array([2, 0]))).sum()


@answer(
    "ex-kl_estimators-reward",
    ask="E_q[s k₃] at θ = log 3",
    at=((log(3),), (1.0,), (-2.0,)),
    hint="Write q = (¾, ¼); the scores are ¼ and −¾, and the ratios r are ⅔ and 2.",
    mistakes={
        "That is the gradient of KL(q|p), which k₁ in the reward gives.": lambda theta: (
            theta * special.expit(theta) * special.expit(-theta)
        ),
        "That is the gradient of KL(p|q), which k₃ as a loss gives.": lambda theta: (
            special.expit(theta) - 1 / 2
        ),
        "Which of the two gradients is subtracted from the other?": lambda theta: (
            -reward(theta)
        ),
        "The mean of the score times r is minus the gradient of KL(p|q).": lambda theta: (
            reward(theta) + 2 * (special.expit(theta) - 1 / 2)
        ),
    },
)
def reward(theta):
    """Average the score times k3 over both outcomes."""
    logq = special.log_expit([theta, -theta])
    score = special.expit([-theta, theta]) * [1, -1]
    return (np.exp(logq) * score * k3(logq, np.log([1 / 2, 1 / 2]))).sum()
