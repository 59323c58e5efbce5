"""Answers to the exercises of *Random walks*."""

from itertools import product
from math import comb, pi, sqrt

import numpy as np

from utils.exercises import answer
from utils.random_walk import polya_constant, return_probs


@answer(
    "ex-random_walks-lazy",
    ask="P(S₄ = 0)",
    at=((4,), (1,), (7,)),
    hint="Count triples: r steps right, r left and n - 2r pauses, in any order.",
    mistakes={
        "He may also stay where he is.": lambda n: (1 - n % 2) * comb(n, n // 2) / 2**n,
        "Paths with pauses end at 0, too.": lambda n: (
            (1 - n % 2) * comb(n, n // 2) / 3**n
        ),
    },
)
def lazy(n):
    """Convolve the law of one step n times."""
    law = np.ones(1)
    for _ in range(n):
        law = np.convolve(law, np.ones(3) / 3)
    return law[n]


@answer(
    "ex-random_walks-visits",
    ask="the expected number of visits for m = 500",
    at=((500,), (0,), (3,)),
    rtol=1e-4,
    hint="Add the probabilities of being at 0 at the times 0, 2, ..., 2m.",
    mistakes={
        "The start counts as a visit.": lambda m: visits(m) - 1,
        "That is how it grows, not what it is.": lambda m: 2 * sqrt(m / pi),
    },
)
def visits(m):
    """Sum the return probabilities, each from the one before."""
    total = u = 1.0
    for i in range(1, m + 1):
        u *= (2 * i - 1) / (2 * i)
        total += u
    return total


@answer(
    "ex-random_walks-drift",
    ask="the mean of his all-time maximum",
    hint="If he reaches +1 with probability h, he reaches +r with probability h to the r.",
    mistakes={
        "That is the chance to reach +1; add such chances up over all levels.": 2 / 3,
        "The maximum may be 0.": 3,
    },
)
def drift():
    """Add up the chances to reach 1, 2, ..., 79 before a ruin 400 levels below."""
    rho, deep = 0.6 / 0.4, 400
    return sum((rho**deep - 1) / (rho ** (deep + r) - 1) for r in range(1, 80))


@answer(
    "ex-random_walks-bijection",
    ask="the height at which the image of + − − − + + ends",
    hint="The second part climbs out of the minimum; the first, read backwards, again.",
    mistakes={
        "That is where the old path ends.": 0,
        "The minimum is climbed twice.": 2,
    },
)
def bijection():
    """The one path from 0 to 2k, never below 0, that the inverse cut takes to this bridge."""
    bridge = (1, -1, -1, -1, 1, 1)
    for path in product((1, -1), repeat=6):
        heights = np.concatenate([[0], np.cumsum(path)])
        if heights.min() < 0:
            continue
        cut = np.flatnonzero(heights == heights[-1] // 2).max()
        back = (*(-s for s in path[cut:][::-1]), *path[:cut])
        if back == bridge:
            return heights[-1]
    raise AssertionError("every bridge has an image")


@answer(
    "ex-random_walks-two",
    ask="the probability that, in space, they stand together after three steps each",
    rtol=2e-3,
    hint="The difference of the two walks is again a walk. How many steps has it made?",
    mistakes={
        "That is the probability that they ever meet again.": polya_constant(3)[1],
        "That is the probability on the square grid.": return_probs(3, d=2)[3],
        "Each has made three steps, together they have made six.": return_probs(2, d=3)[
            2
        ],
    },
)
def two():
    """Square the law of one walker's place after three steps and add it up."""
    moves = np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)])
    ends = moves[list(product(range(6), repeat=3))].sum(1)
    _, ways = np.unique(ends, axis=0, return_counts=True)
    return ((ways / 6**3) ** 2).sum()
