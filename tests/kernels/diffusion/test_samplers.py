"""Samplers against closed forms, exact flows, one another, and their measured orders."""

import math
import re
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import forward_ad
from torch.testing import assert_close

from utils.diffusion.denoisers import CountingDenoiser
from utils.diffusion.discrete import posterior
from utils.diffusion.grids import geometric, karras, uniform_t
from utils.diffusion.mixtures import GaussianMixture, reference_mixture
from utils.diffusion.processes import flow, sub_vp, ve, ve_linear, ve_sqrt, vp
from utils.diffusion.samplers import (
    ancestral,
    annealed_langevin,
    dpmpp_2m,
    dpmpp_2s,
    edm_stochastic,
    euler,
    euler_maruyama,
    heun,
    langevin,
    midpoint,
    ode_general,
    predictor_corrector,
    rk4_logsigma,
)

MIXTURE = reference_mixture()
ODE = [euler, heun, midpoint, dpmpp_2s, dpmpp_2m, rk4_logsigma]
each_ode = pytest.mark.parametrize("sampler", ODE)
GRID = geometric(6, 0.1, 20.0)
TIMES = torch.tensor([0.9, 0.5, 0.2, 0.05], dtype=torch.float64)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=rng(seed))


def close(got, want, atol=1e-12, rtol=1e-12):
    want = torch.as_tensor(want, dtype=torch.float64).expand_as(got)
    assert_close(got, want, atol=atol, rtol=rtol)


def gaussian(c, m=0.0):
    """Denoiser of data from N(m, c^2 I)."""
    return lambda x, sigma: m + c**2 / (c**2 + sigma**2) * (x - m)


def constant(x, sigma):
    return torch.full_like(x, 0.3)


STOCHASTIC = {
    "ancestral": lambda D, x, **kw: ancestral(D, x, GRID, **kw),
    "large": lambda D, x, **kw: ancestral(D, x, GRID, noise="vp", **kw),
    "churn": lambda D, x, **kw: edm_stochastic(D, x, GRID, 3.0, **kw),
    "maruyama": lambda D, x, **kw: euler_maruyama(D, x, TIMES, vp(), **kw),
    "corrected": lambda D, x, **kw: predictor_corrector(D, x, GRID, **kw),
    "langevin": lambda D, x, **kw: langevin(lambda y: D(y, 1.0) - y, x, 0.1, 5, **kw),
    "annealed": lambda D, x, **kw: annealed_langevin(D, x, GRID[:-1], 1e-3, 2, **kw),
}
STEPS = {"langevin": 5, "annealed": 12, "maruyama": 3}
each_stochastic = pytest.mark.parametrize("name", STOCHASTIC)


# ------------------------------------------------------------- the samplers of the ODE


@settings(derandomize=True, deadline=None, max_examples=10, database=None)
@given(st.floats(0.1, 10), st.floats(-5, 5), st.floats(0.05, 50), st.floats(1.01, 100))
def test_gaussian_flow(c, m, b, ratio):
    """For N(m, c^2) the ODE is solved: distances from the mean shrink with the spread."""
    a, x = b * ratio, m + 3 * normal(4, 3)
    want = m + math.sqrt((c**2 + b**2) / (c**2 + a**2)) * (x - m)
    got = rk4_logsigma(gaussian(c, m), x, geometric(100, b, a, zero=False))
    close(got, want, atol=1e-5, rtol=1e-5)


def test_orders():
    """Error against the fourth-order reference, from 160 to 640 evaluations."""
    x = 80 * normal(128, 2)
    want = rk4_logsigma(MIXTURE, x, karras(251, zero=False))
    table = {euler: (1, 1), heun: (2, 2), midpoint: (2, 2), dpmpp_2s: (2, 2), dpmpp_2m: (1, 2)}  # fmt: skip
    for sampler, (price, order) in table.items():
        errors = []
        for nfe in (160, 640):
            D = CountingDenoiser(MIXTURE)
            got = sampler(D, x, karras(nfe // price + 1, zero=False))
            assert D.nfe == nfe
            errors.append((got - want).square().sum(1).mean().sqrt())
        slope = math.log(errors[0] / errors[1]) / math.log(4)
        assert abs(slope - order) < 0.15, sampler.__name__


def test_fourth_order():
    x = normal(64, 2)
    grids = [geometric(n + 1, 0.05, 2.0, zero=False) for n in (20, 40, 80, 320)]
    *ends, want = [rk4_logsigma(MIXTURE, x, grid) for grid in grids]
    errors = [float((end - want).norm()) for end in ends]
    assert abs(np.polyfit(np.log([20, 40, 80]), np.log(errors), 1)[0] + 4) < 0.3
    assert errors[-1] < 1e-4


def test_the_flow_in_one_dimension_keeps_quantiles():
    """No solver is needed to know where the ODE goes: P(X <= x) never changes."""
    mixture = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [1.0]]), 0.04
    )
    ends = {40.0: 1.0285200038, -80.0: -0.9875171452, -10.0: 0.8399880306,
            0.0: 0.8851295664, 10.0: 0.9250567761, 80.0: 1.1488207985}  # fmt: skip
    x = torch.tensor([*ends], dtype=torch.float64)[:, None]
    grid = geometric(601, 1e-4, 80.0, zero=False)
    got = rk4_logsigma(mixture, x, grid, record=True)

    def cdf(x, sigma):
        z = (x - mixture.means[:, 0]) / math.sqrt(0.04 + sigma**2)
        return torch.special.ndtr(z) @ mixture.weights

    start = cdf(got[0], 80.0)
    for i in (200, 400, -1):
        close(cdf(got[i], grid[i].item()), start, atol=1e-7, rtol=0)
    close(got[-1][:, 0], [*ends.values()], atol=1e-6)


@pytest.mark.parametrize(
    ("N", "values"),
    [
        (5, (0.808808, 1.927556, 1.101187)),
        (10, (0.971938, 1.106854, 1.159258)),
        (20, (1.003556, 1.038816, 1.044798)),
    ],
)
def test_values_in_one_dimension(N, values):
    mixture = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [1.0]]), 0.04
    )
    x = torch.tensor([[40.0]], dtype=torch.float64)
    for sampler, value in zip((euler, heun, dpmpp_2m), values, strict=True):
        close(sampler(mixture, x, karras(N)), value, atol=6e-7)


@each_ode
def test_one_step_to_zero_is_the_denoiser(sampler):
    x = 3 * normal(6, 2)
    D = CountingDenoiser(MIXTURE)
    assert torch.equal(sampler(D, x, torch.tensor([3.0, 0.0])), MIXTURE(x, 3.0))
    assert D.nfe == 1


@each_ode
def test_evaluations(sampler):
    price = {euler: 1, dpmpp_2m: 1, rk4_logsigma: 4}.get(sampler, 2)
    for zero in (True, False):
        D = CountingDenoiser(MIXTURE)
        sampler(D, normal(3, 2), geometric(8, zero=zero))
        assert D.nfe == (7 * price + 1 if zero else 7 * price)


@each_ode
def test_encoding_runs_the_same_path_backwards(sampler):
    x = MIXTURE.sample(32, generator=rng())
    grid = geometric(101, 0.05, 20.0, zero=False)
    latent = sampler(MIXTURE, x, grid.flip(0))
    back = sampler(MIXTURE, latent, grid)
    assert (back - x).abs().max() < (0.5 if sampler is euler else 0.05)


@pytest.mark.parametrize("sampler", ODE[:-1])
def test_exact_where_the_denoiser_is_constant(sampler):
    """Then the path is a straight line in sigma, whatever the grid."""
    got = sampler(constant, normal(3, 2) * 20, GRID[:-1])
    want = 0.3 + GRID[-2] / GRID[0] * (normal(3, 2) * 20 - 0.3)
    close(got, want, atol=1e-11)


# ----------------------------------------------------------------- the stochastic ones


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("c", [0.25, 1.0])
def test_ancestral_variance(eta, c):
    """For Gaussian data each step maps a normal law to a normal law."""
    n, a_0, v = 100_000, 5.0, c**2 + 25.0
    grid = geometric(6, 0.3, a_0, zero=False)
    x = ancestral(gaussian(c), math.sqrt(v) * normal(n, 1), grid, eta, generator=rng(1))
    for a, b in zip(grid[:-1].tolist(), grid[1:].tolist(), strict=True):
        up = eta * b * math.sqrt(1 - b**2 / a**2)
        down, k = math.sqrt(b**2 - up**2), c**2 / (c**2 + a**2)
        v = (k + down / a * (1 - k)) ** 2 * v + up**2
    z = (x.var() / v - 1) / math.sqrt(2 / n)
    assert abs(z) < 5


def test_ancestral_is_the_posterior_of_the_chain():
    """At x_0 = D, in the scaled coordinate, with the same noise."""
    a, b, x = 1.3, 0.4, normal(5, 2)
    alpha_bar_t, alpha_bar_s = 1 / (1 + a**2), 1 / (1 + b**2)
    z = torch.randn(5, 2, dtype=torch.float64, generator=rng(7))
    mean, var = posterior(MIXTURE(x, a), x * alpha_bar_t**0.5, alpha_bar_s, alpha_bar_t)
    sigmas = torch.tensor([a, b], dtype=torch.float64)
    got = ancestral(MIXTURE, x, sigmas, generator=rng(7))
    close(got * alpha_bar_s**0.5, mean + var.sqrt() * z)
    beta = 1 - alpha_bar_t / alpha_bar_s
    got = ancestral(MIXTURE, x, sigmas, noise="vp", generator=rng(7))
    close(got * alpha_bar_s**0.5, mean + beta**0.5 * z)
    got = ancestral(MIXTURE, x, sigmas, noise="ve", generator=rng(7))
    close(got, mean / alpha_bar_s**0.5 + (a**2 - b**2) ** 0.5 * z)


def test_without_noise_they_are_the_ode():
    x = 20 * normal(6, 2)
    close(ancestral(MIXTURE, x, GRID, 0.0, generator=rng()), euler(MIXTURE, x, GRID))
    got = edm_stochastic(MIXTURE, x, GRID, generator=rng())
    assert torch.equal(got, heun(MIXTURE, x, GRID))
    got = edm_stochastic(MIXTURE, x, GRID, 5.0, 30.0, generator=rng())
    assert torch.equal(got, heun(MIXTURE, x, GRID)), "no level is that high"
    for predictor in (euler, heun, midpoint):
        got = predictor_corrector(
            MIXTURE, x, GRID, n_corr=0, predictor=predictor, generator=rng()
        )
        close(got, predictor(MIXTURE, x, GRID))
    s, sigma = vp().s(TIMES[0]), vp().sigma(TIMES[0])
    y = s * sigma * normal(6, 2)
    got = euler_maruyama(MIXTURE, y, TIMES, vp(), 0.0, generator=rng())
    close(got, ode_general(MIXTURE, y, TIMES, vp(), "euler"))


def test_largest_eta():
    """All noise is fresh: the step forgets x but for its denoised value."""
    a, b = 1.0, 0.5
    eta = 1 / math.sqrt(1 - b**2)
    x, sigmas = normal(4, 2), torch.tensor([a, b], dtype=torch.float64)
    got = ancestral(MIXTURE, x, sigmas, eta, generator=rng(3))
    close(got, MIXTURE(x, a) + b * normal(4, 2, seed=3), atol=1e-7)


def test_churn_by_hand():
    """One step: up to (1 + gamma) a with fresh noise, then Heun; the noise is capped."""
    x, a, b = normal(4, 2), 2.0, 0.7
    sigmas = torch.tensor([a, b], dtype=torch.float64)
    for churn, gamma in ((0.2, 0.2), (9.0, math.sqrt(2) - 1)):
        up = a * (1 + gamma)
        start = x + 1.1 * math.sqrt(up**2 - a**2) * normal(4, 2, seed=2)
        want = heun(MIXTURE, start, torch.tensor([up, b], dtype=torch.float64))
        args = {"S_churn": churn, "S_noise": 1.1, "generator": rng(2)}
        close(edm_stochastic(MIXTURE, x, sigmas, **args), want)
        args |= {"S_min": a, "S_max": a, "generator": rng(2)}
        close(edm_stochastic(MIXTURE, x, sigmas, **args), want)


def test_churn_is_shared_by_the_steps():
    x, sigmas = normal(4, 2), torch.tensor([2.0, 0.7, 0.3], dtype=torch.float64)
    once = {"S_min": 2.0, "S_max": 2.0, "generator": rng(2)}  # in the first step only
    got = edm_stochastic(MIXTURE, x, sigmas, S_churn=0.4, **once)
    start = x + 2.0 * math.sqrt(1.2**2 - 1) * normal(4, 2, seed=2)
    want = heun(MIXTURE, start, torch.tensor([2.4, 0.7, 0.3], dtype=torch.float64))
    close(got, want)


@pytest.mark.parametrize("c", [0.0, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("process", [vp(), sub_vp(), ve(), flow()])
def test_one_family_of_sdes_one_law(c, process):
    """Whatever the amount of noise, data come out with their variance."""
    n, var = 10_000, 0.25
    ts = process.sigma_inv(geometric(300, 0.02, 20.0, zero=False))
    s, sigma = process.s(ts[0]), process.sigma(ts[0])
    x = s * (sigma**2 + var).sqrt() * normal(n, 1)
    x = euler_maruyama(gaussian(0.5), x, ts, process, c, generator=rng(1))
    got = (x / process.s(ts[-1])).var().item()
    assert abs(got / (var + 0.02**2) - 1) < 5 * math.sqrt(2 / n) + 0.05


def test_langevin_variance():
    """The step size leaves its mark on the stationary law of N(0, 1)."""
    n = 50_000
    for a, x in ((0.1, 1.0), (0.5, 1.07), (1.0, 1.15)):
        x = langevin(torch.neg, x * normal(n, 1), a, 100, generator=rng(1))
        assert abs(x.var() * (1 - a / 4) - 1) < 5 * math.sqrt(2 / n)


def test_annealed_langevin_is_langevin_at_each_level():
    levels, generator = [3.0, 1.0, 0.5], rng(4)
    x = want = 5 * normal(7, 2)
    for sigma in levels:
        a = 1e-2 * sigma**2 / 0.5**2
        score = partial(MIXTURE.score, sigma=sigma)
        want = langevin(score, want, a, 6, generator=generator)
    sigmas = torch.tensor(levels)
    got = annealed_langevin(MIXTURE.score, x, sigmas, 1e-2, 6, generator=rng(4))
    close(got, want)


def test_the_corrector_stays_in_the_law():
    """Started at p_b, with no predictor, it leaves mean and covariance where they were."""
    n, b = 20_000, 0.5
    x = MIXTURE.sample(n, generator=rng(5)) + b * normal(n, 2, seed=6)
    stay = lambda D, x, sigmas: x  # noqa: E731
    sigmas = torch.tensor([1.0, b])
    y = predictor_corrector(MIXTURE, x, sigmas, 0.1, 30, stay, generator=rng(7))
    mean, cov = MIXTURE.mean_cov()
    assert ((y.mean(0) - mean) / (y.std(0) / n**0.5)).abs().max() < 5
    assert (y.T.cov() - cov - b**2 * torch.eye(2)).abs().max() < 0.03
    assert (y - x).square().sum(1).mean() > 0.5 * cov.trace(), "it moved"


# -------------------------------------------------------------------- other processes


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_in_its_own_time_edm_is_the_sampler(solver):
    x = 80 * normal(6, 2)
    sampler = {"euler": euler, "heun": heun}[solver]
    for grid in (karras(9), karras(9, zero=False).flip(0)):
        got = ode_general(MIXTURE, x, grid, ve_linear(), solver)
        close(got, sampler(MIXTURE, x, grid), atol=1e-11)


def test_flow_matching_is_euler():
    """A straight step in flow time is a straight step in sigma."""
    sigmas, x = uniform_t(flow(), 12), 80 * normal(6, 2)
    ts = flow().sigma_inv(sigmas)
    got = ode_general(MIXTURE, flow().s(ts[0]) * x, ts, flow(), "euler")
    close(got, euler(MIXTURE, x, sigmas), atol=1e-11)
    ts = vp().sigma_inv(sigmas)
    other = ode_general(MIXTURE, vp().s(ts[0]) * x, ts, vp(), "euler")
    assert (other - got).abs().max() > 1e-3, "a step in VP time is not"


@pytest.mark.parametrize(
    "process", [vp(), sub_vp(), ve(), ve_sqrt(), ve_linear(), flow()]
)
def test_one_curve_for_all_processes(process):
    """In the unscaled coordinate all of them approach the same end."""
    x = 40 * normal(9, 2)
    sigmas = geometric(151, 0.1, 40.0, zero=False)
    want = rk4_logsigma(MIXTURE, x, sigmas)
    ts = process.sigma_inv(sigmas)
    got = ode_general(MIXTURE, process.s(ts[0]) * x, ts, process)
    close(got / process.s(ts[-1]), want, atol=3e-3)


def test_clocks_that_begin_with_noise_can_be_run_from_zero():
    ts = torch.linspace(0, 1, 40, dtype=torch.float64)
    x = MIXTURE.sample(5, generator=rng())
    latent = ode_general(MIXTURE, x, ts, ve())
    assert (latent.norm(dim=1) > x.norm(dim=1)).all()
    close(ode_general(MIXTURE, latent, ts.flip(0), ve()), x, atol=0.2)
    with pytest.raises(ValueError, match=r"^t must be > 0 where"):
        ode_general(MIXTURE, x, ts, vp())


# ------------------------------------------------------------------ what all must keep


@each_ode
def test_rows_do_not_meet(sampler):
    x = 20 * normal(6, 2)
    got = sampler(MIXTURE, x, GRID)
    close(sampler(MIXTURE, x[[4, 1]], GRID), got[[4, 1]])


@each_ode
def test_record_and_precision(sampler):
    x = 20 * normal(6, 3, 2)
    D = gaussian(0.5)
    path = sampler(D, x, GRID, record=True)
    assert path.shape == (7, 6, 3, 2)
    assert torch.equal(path[0], x)
    assert torch.equal(path[-1], sampler(D, x, GRID))
    single = sampler(D, x.float(), GRID)
    assert single.dtype == torch.float32
    close(single.double(), path[-1], atol=1e-4)


@each_stochastic
def test_record_precision_and_seed(name):
    run, x, D = STOCHASTIC[name], 2 * normal(6, 3, 2), gaussian(0.5)
    path = run(D, x, generator=rng(), record=True)
    assert path.shape == (1 + STEPS.get(name, 6), 6, 3, 2)
    assert torch.equal(path[0], x)
    assert torch.equal(path[-1], run(D, x, generator=rng()))
    assert not torch.equal(path[-1], run(D, x, generator=rng(1)))
    assert run(D, x.float(), generator=rng()).dtype == torch.float32


def test_levels_arrive_as_numbers():
    def D(x, sigma):
        assert sigma.shape == ()
        assert sigma.dtype == torch.float64
        return x / (1 + sigma**2)

    for sampler in ODE:
        sampler(D, normal(3, 2).float(), GRID.float())
    for run in STOCHASTIC.values():
        run(lambda x, sigma: x / 2, normal(3, 2), generator=rng())


def test_a_network_leaves_no_graph():
    net = torch.nn.Linear(2, 2).double()
    D = lambda x, sigma: net(x)  # noqa: E731
    for sampler in ODE:
        assert not sampler(D, normal(3, 2), GRID).requires_grad


def test_forward_derivatives_pass_through():
    """The stretch of the map from noise to data, which for N(0, c^2) is known."""
    x, v = normal(3, 2), normal(3, 2, seed=1)
    grid = geometric(20, 0.1, 5.0, zero=False)
    with forward_ad.dual_level():
        y = rk4_logsigma(gaussian(0.5), forward_ad.make_dual(x, v), grid)
        slope = forward_ad.unpack_dual(y).tangent
    close(slope, math.sqrt((0.25 + 0.01) / (0.25 + 25)) * v, atol=1e-4)


@pytest.mark.parametrize("churn", [1e-14, 1e-9, 1e-3])
def test_a_little_churn_adds_its_noise(churn):
    """(1 + gamma)^2 - 1 by subtraction keeps no digit of gamma = 1e-14, and 1e-17 would add none."""
    x, sigmas = torch.zeros(4, 2).double(), torch.tensor([2.0, 1.0]).double()
    seen = []

    def D(x, sigma):
        seen.append(x)
        return x

    edm_stochastic(D, x, sigmas, churn, generator=rng(2))
    want = 2.0 * math.sqrt(2 * churn) * math.sqrt(1 + churn / 2) * normal(4, 2, seed=2)
    close(seen[0], want, atol=0, rtol=1e-13)


@pytest.mark.parametrize("gap", [1e-13, 1e-9, 1e-2])
@pytest.mark.parametrize("noise", ["posterior", "vp", "ve"])
def test_noise_between_levels_that_are_close(gap, noise):
    """a^2 - b^2 = (a - b)(a + b): the difference of the squares has lost its digits."""
    a, b = 1.5, 1.5 * (1 - gap)
    x, sigmas = torch.zeros(4, 2).double(), torch.tensor([a, b], dtype=torch.float64)
    got = ancestral(lambda x, s: x, x, sigmas, noise=noise, generator=rng(2))
    variance = {
        "posterior": b**2 * (a - b) * (a + b) / a**2,
        "ve": (a - b) * (a + b),
        "vp": (a - b) * (a + b) * (1 + b**2) / (1 + a**2),
    }[noise]
    close(got, math.sqrt(variance) * normal(4, 2, seed=2), atol=0, rtol=1e-12)


def test_ancestral_without_eta_is_euler_for_the_posterior_only():
    x = 2 * normal(5, 2)
    run = partial(ancestral, MIXTURE, x, GRID, 0.0, generator=rng())
    close(run(), euler(MIXTURE, x, GRID))
    assert (run(noise="ve") - euler(MIXTURE, x, GRID)).abs().max() > 0.01


def test_a_batch_without_a_score_is_refused():
    """The rule of the corrector divides by the norm of the score."""
    x, sigmas = normal(4, 2), torch.tensor([2.0, 1.0, 0.0])
    with pytest.raises(
        ValueError, match=r"^D must not return the whole batch as it is"
    ):
        predictor_corrector(lambda x, s: x, x, sigmas, generator=rng())
    some = lambda y, s: torch.where(y[:, :1] > 0, y / 2, y)  # noqa: E731
    assert predictor_corrector(some, x, sigmas, generator=rng()).isfinite().all()
    quiet = predictor_corrector(lambda x, s: x, x, sigmas, n_corr=0, generator=rng())
    assert torch.equal(quiet, x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_score_that_is_almost_nothing(dtype):
    """Of a flat law, b^2 times the score is 1e-25: its square is no single-precision number."""
    sigmas = torch.tensor([2.0, 1.0])
    c = torch.tensor(1e-25, dtype=torch.float64)

    def D(y, s):
        return c.to(y) * torch.ones_like(y)

    stay = lambda D, x, sigmas: x  # noqa: E731
    start = torch.zeros(4, 2, dtype=dtype)
    got = predictor_corrector(D, start, sigmas, 0.1, 1, stay, generator=rng(3))
    z = torch.randn(4, 2, dtype=dtype, generator=rng(3)).double()
    score = float(c.to(dtype)) * torch.ones(4, 2).double()
    h = 2 * (0.1 * z.norm(dim=1).mean() / score.norm(dim=1).mean()) ** 2
    want = h * score + (2 * h).sqrt() * z
    close(got.double(), want, atol=0, rtol=10 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("top", [300.0, 2e4])
def test_half_precision_follows_double(dtype, top):
    """The levels run up to where their squares are no half-precision numbers."""
    grid, D = geometric(20, 0.02, top), gaussian(0.5)
    x = (top * normal(6, 2).clamp(-2, 2)).to(dtype)
    for sampler in ODE:
        got, want = sampler(D, x, grid), sampler(D, x.double(), grid)
        assert got.dtype == dtype
        assert sampler(D, x, grid, record=True).dtype == dtype
        close(got.double(), want, atol=0.02, rtol=0.1)
    noisy = {"ancestral": ancestral, "edm": edm_stochastic, "pc": predictor_corrector}
    for run in noisy.values():
        got = run(D, x, grid, generator=rng())
        assert got.dtype == dtype
        assert got.isfinite().all()
        assert got.abs().max() < 5


def test_a_state_may_be_one_number():
    x, D = 2 * normal(6), gaussian(0.5)
    for sampler in ODE:
        close(sampler(D, x, GRID), sampler(D, x[:, None], GRID)[:, 0])
    for run in STOCHASTIC.values():
        column = run(D, x[:, None], generator=rng())
        close(run(D, x, generator=rng()), column[:, 0])


@pytest.mark.usefixtures("without_type_checks")
def test_grids_may_be_lists():
    x = 2 * normal(3, 2)
    want = euler(MIXTURE, x, torch.tensor([2.0, 1.0, 0.0]))
    for grid in ([2, 1, 0], np.array([2, 1, 0], np.uint8), torch.tensor([2, 1, 0])):
        close(euler(MIXTURE, x, grid), want)


def test_no_state_shares_memory_with_the_start():
    x = normal(3, 2)
    for sampler in ODE:
        end = sampler(lambda y, s: y, x, torch.tensor([1.0, 0.0]))
        assert torch.equal(end, x)
        assert end.data_ptr() != x.data_ptr()


@each_ode
def test_transforms_pass_through(sampler):
    """Slopes of the map in its start and in its levels, by central differences."""
    x, v, h = 2 * normal(3, 2), normal(3, 2, seed=1), 1e-5
    grid = torch.tensor([2.0, 1.0, 0.4], dtype=torch.float64)
    in_x, in_grid = (
        (lambda y: sampler(MIXTURE, y, grid)),
        (lambda g: sampler(MIXTURE, x, g)),
    )
    for f, at, way in (
        (in_x, x, v),
        (in_grid, grid, torch.tensor([0.5, -1.0, 0.3]).double()),
    ):
        _, slope = torch.func.jvp(f, (at,), (way,))
        close(slope, (f(at + h * way) - f(at - h * way)) / (2 * h), 1e-7, 1e-6)


# ------------------------------------------------------------------------- bad input

X, TWO = torch.ones(2, 2).double(), torch.tensor([2.0, 1.0])
G = {"generator": rng()}


@pytest.mark.parametrize(
    ("kernel", "args", "message"),
    [
        *[(f, (MIXTURE, X, TWO * 0 + 1), "sigmas must be strictly decreasing or increasing, got 1.0") for f in ODE],
        (ancestral, (MIXTURE, X, TWO.flip(0)), "sigmas must be strictly decreasing, got 2.0"),
        (ancestral, (MIXTURE, X, TWO, -0.1), "eta must be finite and >= 0, got -0.1"),
        (ancestral, (MIXTURE, X, torch.tensor([1.0, 0.5]), 1.2), "eta must be <= 1.1547 at step 0, got 1.2"),
        (ancestral, (MIXTURE, X, torch.tensor([1.0, 0.9, 0.1]), 1.5), "eta must be <= 1.00623 at step 1, got 1.5"),
        (ancestral, (MIXTURE, X, TWO, 1.0, "x"), "noise must be one of posterior, vp, ve, got x"),
        (edm_stochastic, (MIXTURE, X, TWO.flip(0)), "sigmas must be strictly decreasing, got 2.0"),
        (edm_stochastic, (MIXTURE, X, TWO, -1.0), "S_churn must be finite and >= 0, got -1.0"),
        (edm_stochastic, (MIXTURE, X, TWO, 1.0, 2.0, 1.0), "S_max must be >= S_min = 2.0, got 1.0"),
        (edm_stochastic, (MIXTURE, X, TWO, 1.0, 2.0, math.nan), "S_max must be >= S_min = 2.0, got nan"),
        (euler_maruyama, (MIXTURE, X, TWO, vp()), "ts must be in [0, 1.0], got 2.0"),
        (euler_maruyama, (MIXTURE, X, TIMES.flip(0), vp()), "ts must be strictly decreasing, got 0.2"),
        (euler_maruyama, (MIXTURE, X, TIMES, vp(), -1.0), "c must be finite and >= 0, got -1.0"),
        (ode_general, (MIXTURE, X, TIMES, vp(), "rk4"), "solver must be euler or heun, got rk4"),
        (ode_general, (MIXTURE, X, TWO / 2, flow()), "ts must be a time with a finite sigma(t), got 1.0"),
        (predictor_corrector, (MIXTURE, X, TWO, 0.0), "snr must be finite and > 0, got 0.0"),
        (predictor_corrector, (MIXTURE, X, TWO, 0.1, -1), "n_corr must be an integer >= 0, got -1"),
        (langevin, (torch.neg, X, 0.0, 3), "step must be finite and > 0, got 0.0"),
        (langevin, (torch.neg, X, 0.1, 0), "n_steps must be an integer >= 1, got 0"),
        (annealed_langevin, (MIXTURE.score, X, TWO.flip(0), 0.1, 3), "sigmas must be strictly decreasing, got 2.0"),
        (annealed_langevin, (MIXTURE.score, X, TWO - 1, 0.1, 3), "sigmas must end at a value > 0, got 0.0"),
        (annealed_langevin, (MIXTURE.score, X, TWO, -0.1, 3), "step must be finite and > 0, got -0.1"),
        (annealed_langevin, (MIXTURE.score, X, TWO, 0.1, 0), "n_each must be an integer >= 1, got 0"),
        (euler, (MIXTURE, X * math.nan, TWO), "x must be finite, got nan"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(kernel, args, message):
    deterministic = kernel in (*ODE, ode_general)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kernel(*args, **({} if deterministic else G))
