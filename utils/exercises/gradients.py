"""Answers to the exercises of *Directional derivatives and the gradient*."""

import numpy as np
import torch

from utils.calculus import directional_derivative
from utils.exercises import answer


@answer(
    "ex-gradients-product",
    ask="the slope of xyz at (1, 2, 3) in the direction of (2, 1, 2)",
    hint="Multiply the gradient (yz, xz, xy) by the direction, made one unit long.",
    mistakes={
        "A slope counts per unit of length, and (2, 1, 2) is longer.": 19,
        "That is the largest slope, along the gradient itself.": 7,
        "Multiply the direction by the gradient, not by the point.": 10 / 3,
    },
)
def product():
    """Forward mode along the unit vector."""
    at, v = torch.tensor([[1.0, 2, 3], [2, 1, 2]], dtype=torch.float64)
    return torch.func.jvp(torch.prod, (at,), (v / v.norm(),))[1].item()


@answer(
    "ex-gradients-fourth",
    ask="the constant c",
    hint="Combine the expansions of the central quotients with the steps h and 2h.",
    mistakes={
        "With the step 2h its term in h⁴ is 16 times as large.": 1 / 120,
        "The error is the quotient minus the slope.": 1 / 30,
        "The weights of the two central quotients add up to 1.": -1 / 10,
    },
)
def fourth():
    """Apply the quotient with h = 1 to x⁵ at 0: its slope is 0, its fifth derivative 5!."""

    def f(x):
        return x**5 / 120

    return (-f(2) + 8 * f(1) - 8 * f(-1) + f(-2)) / 12


@answer(
    "ex-gradients-abs",
    ask="what the complex step makes of x * abs(x) at −2",
    at=((-2.0,), (3.0,), (-0.5,)),
    hint="A modulus is real; what is then the imaginary part of the product?",
    mistakes={
        "That is the true slope, a sum of two parts; abs loses one of them.": lambda x: (
            2 * abs(x)
        ),
        "The modulus is real, but the factor in front of it is not.": 0,
        "The modulus of −2 + ih is close to 2.": lambda x: -abs(x),
    },
)
def modulus(x):
    """The kernel itself, stepping through ``abs``."""

    def f(z):
        return z[0] * np.abs(z[0])

    return directional_derivative(f, np.array([x]), np.ones(1), "complex")


@answer(
    "ex-gradients-logdet",
    ask="the rate of log det A with the upper right entry",
    hint="Invert the matrix, and mind which of its entries stands in the upper right.",
    mistakes={
        "That is an entry of the inverse; the gradient is its transpose.": -1 / 4,
        "That is the rate of det A; the logarithm divides it by det A.": -2,
        "When that entry grows, the determinant falls.": 1 / 2,
    },
)
def logdet():
    """Reverse mode through the factorisation that computes the determinant."""
    A = torch.tensor([[3.0, 1], [2, 2]], dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(torch.logdet(A), A)[0][0, 1].item()


@answer(
    "ex-gradients-forward-cost",
    ask="the number of random directions, in millions",
    hint="The square of the relative error of one guess is n - 1; averaging divides it.",
    mistakes={
        "So many passes along the axes give the gradient exactly.": 1,
        "It is the square of the error that averaging divides by N.": 10,
        "One guess errs by far more than 100 %.": 1e-4,
    },
)
def forward_cost():
    """Random axes have the same mean of uuᵀ: average the squared error over all of them."""
    n = 10**6
    g = np.sin(np.arange(1.0, n + 1))
    squares = g @ g + n * (n - 2) * g**2  # of n (g · e) e - g, for each axis e
    return squares.mean() / (g @ g) / 0.1**2 / 1e6
