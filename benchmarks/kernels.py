"""The book's kernels against what a reader would use instead: the same work, side by side, in one run.

Each pair runs in turn, ours and theirs, at the size a chapter uses and at 10 and 100 times that size.
The sizes grow in the direction named in brackets. Both sides are compared before they are timed, but for
the random ones and the samplers, which ``tests/kernels/diffusion/test_peers.py`` compares. One thread.
Where time buys digits, the last columns give the largest relative error of both sides on a hard instance
whose value is known: laws that are close, or a covariance of rank one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import diffusers
import mpmath
import numpy as np
import ot
import torch
from scipy import linalg, optimize, stats
from scipy.sparse.linalg import cg
from threadpoolctl import threadpool_limits
from torchdiffeq import odeint

from utils import calculus, kl, poisson, quadratic
from utils import random_walk as rw
from utils.diffusion import discrete, grids, losses, metrics, mixtures, samplers

SCALES = (1, 10, 100)
SECONDS, ROUNDS = 1.5, 60  # of each pair at each size, at most
STEPS = 50


@dataclass(frozen=True)
class Pair:
    """``make(scale)`` gives two functions of no argument that do the same work."""

    name: str
    peer: str
    make: Callable[[int], tuple[Callable, Callable]]
    agree: float | None = 1e-8  # None: random, or another route to the same law
    hard: Callable[[], tuple] | None = None  # values of ours, of theirs, and exact ones


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def tensors(*shape, seed=0, dtype=torch.float64):
    return torch.from_numpy(numbers(*shape, seed=seed)).to(dtype)


def walk_law(scale):
    n = 100 * scale
    k = np.arange(-n, n + 1)
    theirs = lambda: np.where(k % 2 == n % 2, stats.binom.pmf((k + n) // 2, n, 0.5), 0)
    return lambda: rw.walk_pmf(n, method="binom")[1], theirs


def walks(scale):
    n, rng = 200 * scale, np.random.default_rng(0)
    ours = lambda: rw.simulate_walks(n, 200, p=0.6, rng=rng)
    theirs = lambda: rng.choice([-1, 1], size=(n, 200), p=[0.4, 0.6]).cumsum(axis=1)
    return ours, theirs


def poisson_law(scale):
    n = np.arange(40 * scale)
    mean = 12.0 * scale
    return lambda: poisson.poisson_pmf(n, mean), lambda: stats.poisson.pmf(n, mean)


def high_counts():
    n, mean = np.arange(10**6 - 3000, 10**6 + 3001, 500), 1e6
    with mpmath.workdps(40):
        exact = [
            float(
                mpmath.exp(
                    int(k) * mpmath.log(mean) - mean - mpmath.loggamma(int(k) + 1)
                )
            )
            for k in n
        ]
    return poisson.poisson_pmf(n, mean), stats.poisson.pmf(n, mean), exact


def gradient(scale):
    x, weights = numbers(8 * scale), numbers(8 * scale, seed=1)
    f = lambda y: np.sin(weights @ y) + y @ y
    ours = lambda: calculus.numerical_gradient(f, x, "forward")
    return ours, lambda: optimize.approx_fprime(x, f, np.sqrt(np.finfo(float).eps))


def system(n):
    root = numbers(n, n)
    return root @ root.T / n + np.eye(n), numbers(n, seed=1)


def conjugate(scale):
    n = 8 * scale
    A, b = system(n)
    q, zero, iterations = quadratic.Quadratic(2 * A, -b), np.zeros(n), min(n, 12)
    A, b = q.hessian, -q.grad(zero)
    ours = lambda: quadratic.conjugate_gradient(q, zero, iterations)[-1]
    return ours, lambda: cg(A, b, rtol=0, atol=0, maxiter=iterations)[0]


def newton(scale):
    n = 8 * scale
    A, b = system(n)
    q, zero = quadratic.Quadratic(2 * A, -b), np.zeros(n)
    A, b = q.hessian, -q.grad(zero)
    return lambda: quadratic.newton(q, zero)[-1], lambda: np.linalg.solve(A, b)


def descent(scale):
    n = 8 * scale
    A, b = system(n)
    q, x0 = quadratic.Quadratic(2 * A, -b), np.ones(n)
    H, c = torch.from_numpy(q.hessian), torch.from_numpy(-q.grad(np.zeros(n)))

    def theirs():
        x = torch.ones(n, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([x], lr=0.1)
        for _ in range(50):
            optimizer.zero_grad()
            x.grad = H @ x.detach() - c
            optimizer.step()
        return x.detach().numpy()

    return lambda: quadratic.gradient_descent(q, x0, 50, 0.1)[-1], theirs


def kl_div(q, p):
    log_q, log_p = q.log_softmax(-1), p.log_softmax(-1)
    return torch.nn.functional.kl_div(
        log_p, log_q, reduction="none", log_target=True
    ).sum(-1)


def categorical(scale):
    q, p = numbers(50 * scale, 40), numbers(50 * scale, 40, seed=1)
    tq, tp = map(torch.from_numpy, (q, p))
    return lambda: kl.categorical_kl(q, p), lambda: kl_div(tq, tp)


def close_categorical():
    q = numbers(20, 40)
    p = q + 1e-6 * numbers(20, 40, seed=1)
    with mpmath.workdps(50):
        laws = [[list(map(mpmath.exp, row)) for row in x] for x in (q, p)]
        laws = [[[v / sum(row) for v in row] for row in law] for law in laws]
        exact = [
            float(sum(a * mpmath.log(a / b) for a, b in zip(*rows, strict=True)))
            for rows in zip(*laws, strict=True)
        ]
    return kl.categorical_kl(q, p), kl_div(*map(torch.from_numpy, (q, p))), exact


def by_hand(a, b):
    return torch.expm1(b - a) - (b - a)


def estimator(scale):
    a, b = tensors(5000 * scale), tensors(5000 * scale, seed=1)
    return lambda: kl.k3(a, b), lambda: by_hand(a, b)


def close_samples():
    zero, x = torch.zeros(1000, dtype=torch.float64), 1e-6 * tensors(1000)
    return kl.k3(zero, x), by_hand(zero, x), x**2 / 2 * (1 + x / 3 * (1 + x / 4))


def blurred(scale):
    """The reference mixture, its peer blurred to the same level, the level, and points."""
    law = mixtures.reference_mixture()
    level, x = torch.tensor(0.5, dtype=torch.float64), tensors(200 * scale, 2)
    covs = law.covs + level**2 * torch.eye(2, dtype=torch.float64)
    peer = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(law.weights),
        torch.distributions.MultivariateNormal(law.means, covs),
    )
    return law, peer, level, x


def log_density(scale):
    law, peer, level, x = blurred(scale)
    return lambda: law.log_prob(x, level), lambda: peer.log_prob(x)


def score(scale):
    law, peer, level, x = blurred(scale)

    def theirs():
        y = x.clone().requires_grad_()
        return torch.autograd.grad(peer.log_prob(y).sum(), y)[0]

    return lambda: law.score(x, level), theirs


def solver(scale):
    law = mixtures.reference_mixture()
    levels, x = grids.geometric(20, 0.02, 80.0, zero=False), 80 * tensors(20 * scale, 2)
    slope = lambda t, y: y - law(y, (-t).exp())  # dx / d log sigma, downwards
    times = -levels.log()
    field = lambda t, y: -slope(t, y)
    ours = lambda: samplers.rk4_logsigma(law, x, levels)
    return ours, lambda: odeint(field, x, times, method="rk4")[-1]


def by_square_root(a, b):
    """The Frechet distance as the usual implementations have it."""
    (m, C), (n, D) = [
        (x.mean(0), np.cov(x, rowvar=False)) for x in (a.numpy(), b.numpy())
    ]
    root = linalg.sqrtm(C @ D).real
    return (m - n) @ (m - n) + np.trace(C + D - 2 * root)


def frechet(scale):
    a, b = tensors(300 * scale, 64), tensors(300 * scale, 64, seed=1) + 0.1
    return lambda: metrics.frechet_distance(a, b), lambda: by_square_root(a, b)


def rank_one():
    """Multiples of one direction: the distance of a and 2 a is that of their common line."""
    a = tensors(300, 1) @ tensors(1, 64, seed=1)
    exact = a.mean(0).square().sum() + a.var(0).sum()
    return metrics.frechet_distance(a, 2 * a), by_square_root(a, 2 * a), exact


def sliced(scale):
    a, b = tensors(100 * scale, 2), tensors(100 * scale, 2, seed=1)
    draws, x, y = torch.Generator().manual_seed(0), a.numpy(), b.numpy()
    ours = lambda: metrics.sliced_w2(a, b, 256, generator=draws)
    theirs = lambda: ot.sliced_wasserstein_distance(x, y, n_projections=256)
    return ours, theirs


def loss(scale):
    x, eps, level = (
        tensors(128 * scale, 64),
        tensors(128 * scale, 64),
        torch.tensor(0.5),
    )
    D = lambda y, s: y / (1 + s**2)

    def theirs():
        return torch.nn.functional.mse_loss(
            D(x + level * eps, level), x, reduction="none"
        ).sum(1)

    return lambda: losses.denoising_loss(D, x, level.double(), eps), theirs


def sampler(ours, scheduler, sigmas, options=None):
    """All steps of a sampler against the same number of steps of a scheduler; no network."""

    def make(scale):
        x = tensors(64 * scale, 64, dtype=torch.float32)
        ready = x + 1

        def theirs():
            state = x
            for t in scheduler.timesteps:
                state = scheduler.step(ready, t, state, **options or {}).prev_sample
            scheduler._step_index = (
                None  # it counts its steps; the next run starts anew
            )
            return state

        scheduler.set_timesteps(STEPS)
        return lambda: ours(lambda y, s: ready, x, sigmas, **options or {}), theirs

    return make


CHAIN = grids.ddpm_strided(
    discrete.alpha_bar_to_sigma((1 - discrete.linear_betas()).cumprod(0)), STEPS
)
NOISE = {"generator": torch.Generator().manual_seed(0)}
PAIRS = [
    Pair("walk_pmf [steps]", "scipy.stats.binom", walk_law),
    Pair("simulate_walks [walks]", "numpy choice, cumsum", walks, None),
    Pair("poisson_pmf [range]", "scipy.stats.poisson", poisson_law, hard=high_counts),
    Pair("numerical_gradient [dimension]", "scipy approx_fprime", gradient, 1e-4),
    Pair("gradient_descent [dimension]", "torch.optim.SGD", descent),
    Pair("conjugate_gradient [dimension]", "scipy cg", conjugate, 1e-6),
    Pair("newton [dimension]", "numpy solve", newton),
    Pair("categorical_kl [rows]", "torch kl_div", categorical, hard=close_categorical),
    Pair("k3 [samples]", "torch, by hand", estimator, hard=close_samples),
    Pair("mixture log_prob [points]", "torch.distributions", log_density),
    Pair("mixture score [points]", "the same, autograd", score),
    Pair("rk4_logsigma [points]", "torchdiffeq rk4", solver, 1e-2),  # another tableau
    Pair("denoising_loss [batch]", "torch mse_loss", loss),
    Pair("frechet_distance [samples]", "scipy sqrtm", frechet, hard=rank_one),
    Pair("sliced_w2 [samples]", "POT sliced", sliced, None),
    Pair(
        "euler, 50 steps [batch]",
        "diffusers DDIM",
        sampler(samplers.euler, diffusers.DDIMScheduler(clip_sample=False), CHAIN),
        None,
    ),
    Pair(
        "ancestral, 50 steps [batch]",
        "diffusers DDPM",
        sampler(
            samplers.ancestral, diffusers.DDPMScheduler(clip_sample=False), CHAIN, NOISE
        ),
        None,
    ),
    Pair(
        "dpmpp_2m, 50 steps [batch]",
        "diffusers DPM++ 2M",
        sampler(samplers.dpmpp_2m, diffusers.DPMSolverMultistepScheduler(), CHAIN),
        None,
    ),
]
REMARKS = """\
Where a ratio is above 1.2, this is why:

- *The door.* Every kernel looks at its arguments first: of the right kind, finite, of the right shape, in range. That is
  some microseconds a call and one pass over the data, and of note only where the work itself takes no longer: `newton`
  with eight unknowns, and `denoising_loss` with a model of two operations in the place of a network (two looks at the
  data, two levels, one look at what the model returned).
- *Digits.* Where laws are close, and where counts are high, `k3`, `categorical_kl` and `poisson_pmf` keep digits that
  their peers lose: the last two columns. `k3` pays with a power series, `poisson_pmf` with Loader's form.

Where it is ahead: a sampler is a loop of a few lines, without the bookkeeping of a scheduler object; the score
of a mixture is a formula, not a backward pass; `gradient_descent` has no optimizer object;
`frechet_distance` needs no square root of a matrix.
"""


def seconds(f: Callable) -> float:
    begin = time.process_time()
    f()
    return time.process_time() - begin


def measure(pair: Pair, scale: int) -> tuple[float, float, list[float]]:
    """Median seconds of both sides, and the quartiles of their ratio."""
    ours, theirs = pair.make(scale)
    if pair.agree is not None:
        got, want = np.asarray(ours()), np.asarray(theirs())
        gap, size = abs(got - want).max(), abs(want).max()
        assert gap <= pair.agree * size, f"{pair.name} and its peer differ by {gap}"
    ours()
    theirs()
    times, begin = [], time.process_time()
    while len(times) < 5 or (
        len(times) < ROUNDS and time.process_time() - begin < SECONDS
    ):
        repeats = 1 if not times or times[0][0] > 1e-3 else 10
        times.append(
            (
                sum(seconds(ours) for _ in range(repeats)) / repeats,
                sum(seconds(theirs) for _ in range(repeats)) / repeats,
            )
        )
    quartiles = statistics.quantiles([a / b for a, b in times], n=4)
    return *(statistics.median(side) for side in zip(*times, strict=True)), quartiles


def errors(pair: Pair) -> str:
    """Two cells: the largest relative error of ours and of theirs on the hard instance."""
    if pair.hard is None:
        return " | |"
    *sides, exact = (np.asarray(value) for value in pair.hard())
    return "".join(f" {abs(side / exact - 1).max():.0e} |" for side in sides)


def rows() -> Iterator[str]:
    """Lines of a markdown table."""
    yield (
        "| kernel [grows in] | peer | size | ours, ms | peer, ms | ratio [quartiles] "
        "| error, ours | error, peer |"
    )
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    for pair in PAIRS:
        for scale in SCALES:
            a, b, (low, middle, high) = measure(pair, scale)
            yield (
                f"| {pair.name} | {pair.peer} | {scale}x | {1e3 * a:.3g} | {1e3 * b:.3g} "
                f"| {middle:.2f} [{low:.2f}, {high:.2f}] |{errors(pair) if scale == 1 else ' | |'}"
            )


def main() -> None:
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for row in rows():
            print(row, flush=True)


if __name__ == "__main__":
    main()
