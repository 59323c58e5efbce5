"""Answers to the exercises of *Poisson processes*."""

from itertools import count
from math import log, log10

import numpy as np
from scipy import integrate, optimize, special, stats

from utils.exercises import answer
from utils.poisson import poisson_pmf


@answer(
    "ex-poisson_processes-visits",
    ask="the mean at which at least one visit has probability 99 %",
    at=((0.99,), (0.5,), (0.9,)),
    hint="At least one is the opposite of none, and none has the probability e to the −μ.",
    mistakes={
        "With this mean the probability of none is 99 %.": lambda p: -log(p),
        "Those are minutes; a minute brings two visits.": lambda p: -log(1 - p) / 2,
        "With this mean at least one visit has a probability of 1 % only.": lambda p: (
            1 - p
        ),
        "The logarithm belongs to base e, not to base 10.": lambda p: -log10(1 - p),
    },
)
def visits(p):
    """Search the mean at which none has the probability 1 - p."""
    return optimize.brentq(lambda mu: poisson_pmf(0, mu) - (1 - p), 0.0, 50.0)


def least_stock(mu, sure):
    return next(s for s in count() if special.gammaincc(s + 1, mu) >= sure)


@answer(
    "ex-poisson_processes-milk",
    ask="the packs that one shop must have in the morning",
    at=((4.0,), (1.0,), (40.0,)),
    hint="Add up P(N = 0), P(N = 1), ... until the sum reaches 0.99.",
    mistakes={
        "That is not enough on one day in 50 or so.": lambda mu: least_stock(mu, 0.978),
        "A day on which the last pack is sold may be a good day.": lambda mu: (
            least_stock(mu, 0.99) + 1
        ),
        "On many days more packs than the mean are asked for.": lambda mu: mu,
        "That is the common store of ten shops; one shop is judged here.": lambda mu: (
            least_stock(10 * mu, 0.99)
        ),
    },
)
def milk(mu):
    """The distribution function from incomplete gamma integrals, no term of the sum."""
    return least_stock(mu, 0.99)


@answer(
    "ex-poisson_processes-kl",
    ask="the hours until the mean log odds reach log 100",
    at=((3.0, 4.0), (4.0, 3.0), (1.0, 2.0)),
    hint="The divergence is the mean of the log odds that one hour brings.",
    mistakes={
        "The births come at the first rate: take the mean there.": lambda a, b: (
            log(100) / (b * log(b / a) - b + a)
        ),
        "Take both logarithms to the same base.": lambda a, b: (
            2 / (a * log(a / b) - a + b)
        ),
        "That is the divergence, the gain of one hour.": lambda a, b: (
            a * log(a / b) - a + b
        ),
    },
)
def kl(a, b):
    """Sum the divergence over the counts of an hour."""
    n = np.arange(60)
    return log(100) / stats.entropy(poisson_pmf(n, a), poisson_pmf(n, b))


@answer(
    "ex-poisson_processes-types",
    ask="the probability that two of class 1 come before three of class 2",
    hint="Each customer is of class 1 with the same chance; after how many is it decided?",
    mistakes={
        "That is three of class 2 in a row, or exactly two of class 1 in four.": 8 / 27,
        "Between the two of class 1 others may come.": 1 / 9,
        "Class 1 comes at half the rate of class 2, not at twice.": 8 / 9,
        "It is decided before the fifth customer.": 131 / 243,
    },
)
def types():
    """Integrate over the time of the second of class 1: the third of class 2 is later."""

    def later(t):
        return stats.gamma.pdf(t, 2) * stats.gamma.sf(t, 3, scale=1 / 2)

    return integrate.quad(later, 0, 60)[0]


@answer(
    "ex-poisson_processes-dead",
    ask="the index of dispersion that it shows over a long time",
    at=((30.0, 0.02), (30.0, 0.1), (4.0, 0.02)),
    hint="Find the mean m and the variance v of a gap; the index tends to v/m².",
    mistakes={
        "By this factor the rate falls; the index falls more.": lambda rate, tau: (
            1 / (1 + rate * tau)
        ),
        "That is the rate that it shows.": lambda rate, tau: rate / (1 + rate * tau),
        "Blind times make the registered events more regular.": 1,
    },
)
def dead(rate, tau):
    """Exact mean and variance of the counts at two long times: the ratio of their growth."""
    k = np.arange(1, 1000)[:, None]
    time = np.array([100, 200]) * (1 / rate + tau)
    tail = special.gammainc(k, rate * np.clip(time - k * tau, 0, None))  # P(N >= k)
    mean, square = tail.sum(0), ((2 * k - 1) * tail).sum(0)
    return np.diff(square - mean**2)[0] / np.diff(mean)[0]
