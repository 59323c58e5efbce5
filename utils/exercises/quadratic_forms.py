"""Answers to the exercises of *Quadratic functions: bowls, saddles, ways down*."""

from math import ceil, floor, log, log1p, pi, sqrt

import numpy as np
from scipy import optimize

from utils.exercises import answer
from utils.quadratic import Quadratic, gradient_descent


@answer(
    "ex-quadratic_forms-deceptive",
    ask="the lowest value of f on the unit circle",
    hint="Which matrix belongs to f, and which of its eigenvalues is the lowest?",
    mistakes={
        "The point (1, −1) lies outside the circle.": -4,
        "Each of the two places off the diagonal holds half of the 6.": -5,
        "That is the highest value.": 4,
    },
)
def deceptive():
    """Walk around the circle."""

    def height(angle):
        x, y = np.cos(angle), np.sin(angle)
        return x**2 + 6 * x * y + y**2

    return optimize.minimize_scalar(height, bounds=(0, pi), method="bounded").fun


@answer(
    "ex-quadratic_forms-threshold",
    ask="the least value of f for t = 1, b = (3, 3), c = 0",
    at=((3.0,), (-1.0,), (10.0,)),
    hint="For t = 1 and this b the function depends on x₁ + x₂ alone.",
    mistakes={
        "Here the quadratic part has no factor ½.": lambda s: -(s**2) / 2,
        "That is where the minimum lies, the sum of x₁ and x₂.": lambda s: -s / 2,
        "A quarter is missing: halve the linear part before you square it.": lambda s: (
            -(s**2)
        ),
    },
)
def threshold(s):
    """Walk down from the origin into the valley."""
    valley = Quadratic(np.ones((2, 2)), np.array([s, s]))
    return float(valley(gradient_descent(valley, np.zeros(2), 60, eta=0.2)[-1]))


def steps_by(factor, start):
    return ceil(-log(start) / log(factor))


@answer(
    "ex-quadratic_forms-escape",
    ask="the number of steps until |x₂| is above 1",
    at=((0.1, 1e-6), (0.05, 1e-6), (0.1, 1e-3)),
    hint="By which factor does one step multiply x₂?",
    mistakes={
        "The slope in x₂ is −x₂, and the step takes η of it.": lambda eta, start: (
            steps_by(1 + eta / 2, start)
        ),
        "The derivative of ½x₂² is x₂, not 2x₂.": lambda eta, start: steps_by(
            1 + 2 * eta, start
        ),
        "The factor is 1 + η and not e to the η.": lambda eta, start: ceil(
            -log(start) / eta
        ),
        "After so many steps |x₂| is still below 1.": lambda eta, start: floor(
            -log(start) / log1p(eta)
        ),
    },
)
def escape(eta, start):
    """Take the steps."""
    saddle = Quadratic(np.diag([1.0, -0.5]), np.zeros(2))
    path = gradient_descent(saddle, np.array([1.0, start]), 400, eta=eta)
    return int(np.argmax(np.abs(path[:, 1]) > 1))


@answer(
    "ex-quadratic_forms-short",
    ask="the length of the shortest x with x₁ + x₂ = 1, x₂ + x₃ = 3",
    hint="The shortest x is a combination of the rows of C.",
    mistakes={
        "The solution (0, 1, 2) is not perpendicular to (1, −1, 1).": sqrt(5),
        "That is the square of the length.": 14 / 3,
        "The rows of C are not perpendicular: CCᵀ is not diagonal.": sqrt(6.5),
    },
)
def short():
    """Search along the line of all solutions."""

    def length(t):
        return np.hypot.reduce([t, 1 - t, 2 + t])

    return optimize.minimize_scalar(length).fun


def steps_ratio(kappa):
    rates = [(z - 1) / (z + 1) for z in (sqrt(kappa), kappa)]
    return log(rates[0]) / log(rates[1])


@answer(
    "ex-quadratic_forms-tenfold",
    ask="the κ for ten times fewer steps",
    at=((10,), (20,), (50,)),
    rtol=1e-2,
    hint="For a factor e in the error the two need about κ/2 and √κ/2 steps.",
    mistakes={
        "The ratio of the steps is √κ, not κ.": lambda times: times,
        "With this κ gradient descent needs ten steps for a factor e.": lambda times: (
            2 * times
        ),
        "The ratio of the steps is √κ, not κ².": lambda times: sqrt(times),
    },
)
def tenfold(times):
    """Solve for the ratio of the logarithms of the two rates, without approximation."""
    return optimize.brentq(lambda kappa: steps_ratio(kappa) - times, 2, 1e5)
