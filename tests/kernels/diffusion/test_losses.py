"""Losses against closed forms: all means of quadratics are exact sums over cubature points."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from torch.distributions import MultivariateNormal

from utils.diffusion.losses import (
    ddpm_loss,
    denoising_loss,
    denoising_sm,
    discrete_sigma,
    explicit_sm,
    implicit_sm,
    lognormal_sigma,
    sliced_sm,
    vp_sigma,
)
from utils.diffusion.precond import edm

pytestmark = pytest.mark.usefixtures("global_generator_untouched")
seeded = settings(derandomize=True, deadline=None, max_examples=40, database=None)
dimensions = st.integers(1, 5)
seeds = st.integers(0, 10**6)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def gaussian(d, seed):
    """Mean and covariance of a normal law, and points with equal weights that integrate quadratics."""
    A = normal(d, d, seed=seed)
    mu, cov = normal(d, seed=seed + 1), A @ A.T + 0.3 * torch.eye(d).double()
    step = math.sqrt(d) * torch.linalg.cholesky(cov).T
    return mu, cov, torch.cat([mu + step, mu - step])


def standard(d):
    """The same for a pair of independent standard normal laws."""
    unit = math.sqrt(2 * d) * torch.eye(2 * d).double()
    unit = torch.cat([unit, -unit])
    return unit[:, :d].clone(), unit[:, d:].clone()


def linear(d, seed):
    """A linear model of a score, with a matrix of no symmetry."""
    A, b = normal(d, d, seed=seed), normal(d, seed=seed + 1)
    return A, lambda x: x @ A.T + b


def bent(x):
    """A nonlinear field whose Jacobian is full."""
    return torch.sin(x @ normal(x.shape[1], x.shape[1], seed=11).T) + 0.1 * x**2


def signs(d):
    return torch.tensor(list(itertools.product([-1.0, 1.0], repeat=d))).double()


@seeded
@given(dimensions, seeds)
def test_implicit_is_explicit_up_to_a_constant(d, seed):
    mu, cov, x = gaussian(d, seed)
    _, s = linear(d, seed + 2)
    score = (mu - x) @ cov.inverse()
    constant = cov.inverse().trace() / 2  # half of E |score|^2
    explicit = explicit_sm(s, x, score).mean()
    assert_allclose(implicit_sm(s, x).mean() + constant, explicit, rtol=1e-10)


def test_implicit_is_explicit_up_to_a_constant_for_a_bent_model():
    """On the line, by the trapezoidal rule: a mixture and a model that is not linear."""
    x = torch.linspace(-15, 15, 6001, dtype=torch.float64).requires_grad_()
    log_p = torch.logsumexp(
        torch.stack([-((x + 1) ** 2) / 2, 0.5 - (x - 2) ** 2]), dim=0
    )
    (score,) = torch.autograd.grad(log_p.sum(), x)
    x, p = x.detach()[:, None], log_p.detach().exp()
    p = p / p.sum()
    explicit = p @ explicit_sm(torch.sin, x, score[:, None])
    implicit = p @ implicit_sm(torch.sin, x) + p @ score**2 / 2
    assert_allclose(implicit, explicit, rtol=1e-11)


def test_explicit_by_hand():
    x = torch.tensor([[1.0, 2.0], [0.0, -1.0]], dtype=torch.float64)
    score = torch.tensor([[0.0, 0.0], [3.0, -5.0]], dtype=torch.float64)
    assert_allclose(explicit_sm(lambda x: x, x, score), [2.5, 12.5], rtol=1e-15)


def test_implicit_trace_by_jacobians_of_torch():
    x = normal(6, 4, seed=3)
    jacobian = torch.func.vmap(torch.func.jacfwd(lambda row: bent(row[None])[0]))(x)
    trace = jacobian.diagonal(dim1=1, dim2=2).sum(dim=1)
    want = trace + (bent(x) ** 2).sum(dim=1) / 2
    assert_allclose(implicit_sm(bent, x), want, rtol=1e-12)


@seeded
@given(dimensions, seeds)
def test_implicit_of_a_linear_model(d, seed):
    A, s = linear(d, seed)
    x = normal(3, d, seed=seed + 5)
    want = A.trace() + (s(x) ** 2).sum(dim=1) / 2
    assert_allclose(implicit_sm(s, x), want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("variance_reduced", [False, True])
@pytest.mark.parametrize("d", [1, 2, 4])
def test_sliced_is_implicit_in_the_mean_over_all_signs(d, variance_reduced):
    x = normal(5, d, seed=4)
    values = [
        sliced_sm(bent, x, v.expand_as(x).clone(), variance_reduced) for v in signs(d)
    ]
    assert_allclose(torch.stack(values).mean(dim=0), implicit_sm(bent, x), rtol=1e-12)


@pytest.mark.parametrize("variance_reduced", [False, True])
def test_sliced_is_implicit_in_the_mean_over_normal_probes(variance_reduced):
    x = normal(1, 3, seed=5).expand(50_000, 3)
    v = normal(50_000, 3, seed=6)
    values = sliced_sm(bent, x, v, variance_reduced)
    want = implicit_sm(bent, x[:1])[0]
    z = (values.mean() - want) / (values.std() / math.sqrt(len(values)))
    assert abs(z) < 5


def test_sign_probes_are_exact_for_diagonal_jacobians():
    x = normal(4, 3, seed=7)
    for v in signs(3):
        got = sliced_sm(torch.sin, x, v.expand_as(x).clone())
        assert_allclose(got, implicit_sm(torch.sin, x), rtol=1e-13)


def test_variance_of_sign_probes_is_that_of_the_off_diagonal_part():
    A, s = linear(4, 8)
    x = normal(1, 4, seed=9)
    values = torch.cat([sliced_sm(s, x, v[None]) for v in signs(4)])
    S = (A + A.T) / 2
    want = 2 * ((S**2).sum() - (S.diagonal() ** 2).sum())
    assert_allclose(values.var(correction=0), want, rtol=1e-12)


@seeded
@given(dimensions, seeds, st.floats(0.05, 5))
def test_denoising_is_explicit_on_the_noisy_law_up_to_a_constant(d, seed, sigma):
    mu, cov, _ = gaussian(d, seed)
    eye = torch.eye(d).double()
    unit_0, eps = standard(d)
    x_0 = mu + unit_0 @ torch.linalg.cholesky(cov).T
    noisy = cov + sigma**2 * eye
    x = x_0 + sigma * eps
    score = (mu - x) @ noisy.inverse()
    posterior = cov - cov @ noisy.inverse() @ cov  # Cov(x_0 | x)
    constant = posterior.trace() / sigma**4 / 2
    _, s = linear(d, seed + 3)
    got = denoising_sm(s, x_0, sigma, eps).mean()
    assert_allclose(got, explicit_sm(s, x, score).mean() + constant, rtol=1e-8)
    exact = denoising_sm(lambda x: (mu - x) @ noisy.inverse(), x_0, sigma, eps)
    assert_allclose(exact.mean(), constant, rtol=1e-8)


def test_denoising_score_matching_is_denoising():
    x_0, eps = normal(2, 6, 3, seed=10)
    sigma = torch.linspace(0.1, 3, 6, dtype=torch.float64)
    column = sigma[:, None]
    score = denoising_sm(bent, x_0, sigma, eps)
    D = denoising_loss(lambda x, _: x + column**2 * bent(x), x_0, sigma, eps)
    assert_allclose(sigma**4 * score, D / 2, rtol=1e-11)
    predicted = -column * bent(x_0 + column * eps)
    assert_allclose(sigma**2 * score, ((predicted - eps) ** 2).sum(dim=1) / 2, rtol=1e-11)  # fmt: skip


def test_the_best_denoiser_leaves_the_posterior_variance():
    c, sigma, d = 0.7, 1.3, 3
    unit_0, eps = standard(d)
    x_0 = c * unit_0
    gain = c**2 / (c**2 + sigma**2)

    def loss(gain):
        return denoising_loss(lambda x, _: gain * x, x_0, sigma, eps).mean()

    assert_allclose(loss(gain), d * c**2 * sigma**2 / (c**2 + sigma**2), rtol=1e-12)
    assert loss(gain) < min(loss(gain - 1e-3), loss(gain + 1e-3))


def test_denoising_loss_of_edm_starts_at_one_for_each_coordinate():
    p, n, d = edm(0.7504), 20_000, 4
    x_0, eps = 0.7504 * normal(n, d, seed=12), normal(n, d, seed=13)
    sigma = lognormal_sigma(n, generator=generator(1))

    def silent(x, sigma):
        return p.c_skip(sigma)[:, None] * x

    loss = denoising_loss(silent, x_0, sigma, eps, p.weight(sigma))
    z = (loss.mean() - d) / (loss.std() / math.sqrt(n))
    assert abs(z) < 5


def test_ddpm_loss_by_hand():
    alpha_bar = torch.tensor([0.64, 0.36], dtype=torch.float64)
    x_0 = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    eps = torch.tensor([[0.5], [-1.0]], dtype=torch.float64)
    seen = {}

    def eps_net(x_t, t):
        seen["x_t"], seen["t"] = x_t, t
        return torch.zeros_like(x_t)

    loss = ddpm_loss(eps_net, x_0, torch.tensor([1, 2]), eps, alpha_bar)
    assert_allclose(loss, [0.25, 1.0], rtol=1e-15)
    assert_allclose(seen["x_t"], [[0.8 + 0.3], [1.2 - 0.8]], rtol=1e-15)
    assert seen["t"].tolist() == [1, 2]


def test_ddpm_loss_is_a_weighted_denoising_loss():
    alpha_bar = (1 - torch.linspace(1e-4, 0.02, 1000).double()).cumprod(dim=0)
    x_0, eps = normal(2, 8, 3, seed=14)
    t = torch.tensor([1, 2, 10, 100, 300, 500, 900, 1000])
    sigma = ((1 - alpha_bar) / alpha_bar).sqrt()[t - 1]

    def D(x, sigma):
        scale = (1 + sigma[:, None] ** 2).sqrt()
        return x - sigma[:, None] * bent(x / scale)

    got = ddpm_loss(lambda x_t, _: bent(x_t), x_0, t, eps, alpha_bar)
    want = denoising_loss(D, x_0, sigma, eps, sigma**-2)
    assert_allclose(got, want, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_follows_the_data(dtype):
    x_0, eps = normal(2, 5, 3, seed=15).to(dtype)
    sigma = lognormal_sigma(5, generator=generator(2))
    t, alpha_bar = torch.ones(5, dtype=torch.long), torch.full((3,), 0.5).double()
    values = (
        explicit_sm(torch.sin, x_0, eps),
        implicit_sm(torch.sin, x_0),
        sliced_sm(torch.sin, x_0, eps, variance_reduced=False),
        denoising_sm(torch.sin, x_0, sigma, eps),
        denoising_loss(lambda x, _: x, x_0, sigma, eps, sigma**-2),
        ddpm_loss(lambda x, _: x, x_0, t, eps, alpha_bar),
    )
    for value in values:
        assert value.dtype == dtype
        assert value.shape == (5,)


def test_each_sample_by_itself_and_in_any_shape():
    x, other = normal(2, 4, 6, seed=16)
    sigma = torch.linspace(0.2, 2, 4, dtype=torch.float64)
    t, alpha_bar = torch.tensor([1, 3, 2, 3]), torch.tensor([0.9, 0.5, 0.1]).double()
    losses = {
        "explicit": lambda x, y, _s, _t: explicit_sm(torch.sin, x, y),
        "implicit": lambda x, _y, _s, _t: implicit_sm(torch.sin, x),
        "sliced": lambda x, y, _s, _t: sliced_sm(torch.sin, x, y),
        "vr": lambda x, y, _s, _t: sliced_sm(torch.sin, x, y, False),
        "denoising": lambda x, y, s, _t: denoising_sm(torch.sin, x, s, y),
        "D": lambda x, y, s, _t: denoising_loss(lambda x, _: x / 2, x, s, y, s**-2),
        "ddpm": lambda x, y, _s, t: ddpm_loss(lambda x, _: x / 2, x, t, y, alpha_bar),
    }
    for name, loss in losses.items():
        whole = loss(x, other, sigma, t)
        parts = [loss(x[i : i + 1], other[i : i + 1], sigma[i : i + 1], t[i : i + 1]) for i in range(4)]  # fmt: skip
        assert_allclose(torch.cat(parts), whole, rtol=1e-12, err_msg=name)
        image = loss(x.reshape(4, 2, 3), other.reshape(4, 2, 3), sigma, t)
        assert_allclose(image, whole, rtol=1e-12, err_msg=name)
        assert loss(x[:0], other[:0], sigma[:0], t[:0]).shape == (0,)


def test_one_level_for_all():
    x_0, eps = normal(2, 4, 3, seed=17)
    each = torch.full((4,), 0.3, dtype=torch.float64)
    for level in (0.3, torch.tensor(0.3, dtype=torch.float64)):
        got = denoising_sm(torch.sin, x_0, level, eps)
        assert_allclose(got, denoising_sm(torch.sin, x_0, each, eps), rtol=1e-15)
        got = denoising_loss(lambda x, s: x * s.mean(), x_0, level, eps, level)
        want = denoising_loss(lambda x, s: x * s.mean(), x_0, each, eps, each)
        assert_allclose(got, want, rtol=1e-14)


def test_gradients_of_the_parameters_by_finite_differences():
    x, other = normal(2, 4, 2, seed=18)
    theta = normal(2, 2, seed=19).requires_grad_()
    t, alpha_bar = torch.tensor([1, 2, 2, 1]), torch.tensor([0.8, 0.3]).double()

    def losses(theta):
        def s(x):
            return torch.tanh(x @ theta) + (x**2) @ theta.T

        yield explicit_sm(s, x, other)
        yield implicit_sm(s, x)
        yield sliced_sm(s, x, other)
        yield sliced_sm(s, x, other, variance_reduced=False)
        yield denoising_sm(s, x, 0.7, other)
        yield denoising_loss(lambda x, _: s(x), x, 0.7, other, 2.0)
        yield ddpm_loss(lambda x, _: s(x), x, t, other, alpha_bar)

    assert torch.autograd.gradcheck(lambda theta: tuple(losses(theta)), (theta,))


def test_models_without_any_derivative():
    x = normal(3, 2, seed=20)
    assert implicit_sm(torch.zeros_like, x).tolist() == [0, 0, 0]
    assert sliced_sm(torch.zeros_like, x, x).tolist() == [0, 0, 0]
    assert_allclose(implicit_sm(torch.ones_like, x), [1, 1, 1], rtol=1e-15)
    with torch.no_grad():
        assert_allclose(implicit_sm(lambda x: -x, x), -2 + (x**2).sum(dim=1) / 2)


@pytest.mark.parametrize("d", [2, 8])
def test_cost_in_backward_passes(d):
    passes = []

    class Watched(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x.clone()

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, grad):
            passes.append(1)
            return grad

    x = normal(3, d, seed=21)
    implicit_sm(lambda x: Watched.apply(x.sin()), x)
    assert len(passes) == d
    sliced_sm(lambda x: Watched.apply(x.sin()), x, x)
    assert len(passes) == d + 1
    denoising_sm(lambda x: Watched.apply(x.sin()), x, 1.0, x)
    assert len(passes) == d + 1


@pytest.mark.parametrize("sigma", [1e-6, 1e-3, 1.0, 1e4])
def test_finite_at_the_ends(sigma):
    x_0, eps = 1e4 * normal(3, 2, seed=22), normal(3, 2, seed=23)
    assert denoising_sm(torch.tanh, x_0, sigma, eps).isfinite().all()
    weight = edm().weight(torch.tensor(sigma).double())
    assert denoising_loss(lambda x, _: x.tanh(), x_0, sigma, eps, weight).isfinite().all()  # fmt: skip


N = 20_000
LAWS = {
    "edm": (lognormal_sigma, {}, stats.lognorm(1.2, scale=math.exp(-1.2))),
    "lognormal": (lognormal_sigma, {"P_mean": 0.5, "P_std": 2.0}, stats.lognorm(2.0, scale=math.exp(0.5))),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_levels_follow_their_law(name):
    law, parameters, want = LAWS[name]
    sigma = law(N, **parameters, generator=generator(3))
    assert stats.kstest(sigma, want.cdf).pvalue > 1e-6
    assert (sigma > 0).all()


@pytest.mark.parametrize("eps_t", [1e-5, 0.2])
def test_vp_levels_are_uniform_in_time(eps_t):
    sigma = vp_sigma(N, eps_t, generator=generator(4)).numpy()
    B = np.log1p(sigma**2)
    t = (np.sqrt(0.01 + 4 * 9.95 * B) - 0.1) / 19.9  # root of B(t)
    assert stats.kstest(t, stats.uniform(eps_t, 1 - eps_t).cdf).pvalue > 1e-6
    assert sigma.max() <= 152.167
    assert vp_sigma(N, generator=generator(4)).min() >= 0.00100050 * (1 - 1e-5)


def test_logit_normal_times_are_lognormal_levels():
    sigma = lognormal_sigma(N, 0.0, 1.0, generator=generator(6)).numpy()
    t = sigma / (1 + sigma)
    assert stats.kstest(np.log(t / (1 - t)), "norm").pvalue > 1e-6


def test_two_designs_with_the_same_product_are_one_objective():
    """Flow: p = 1 / (1 + s)^2 with lambda = ((1 + s) / s)^2; the same as 1 / s^2, log-uniformly times s."""
    x_0, eps = normal(2, 1, 2, seed=24)

    def D(x, sigma):
        return x / (1 + sigma[:, None] ** 2)

    t = (torch.arange(200_000).double() + 0.5) / 200_000
    sigma = t / (1 - t)
    n = len(t)
    flow = denoising_loss(D, x_0.expand(n, 2), sigma, eps.expand(n, 2), ((1 + sigma) / sigma) ** 2)  # fmt: skip
    u = torch.linspace(math.log(1e-7), math.log(1e7), 200_001, dtype=torch.float64)
    level = u.exp()
    m = len(u)
    other = denoising_loss(D, x_0.expand(m, 2), level, eps.expand(m, 2), level**-2)
    assert_allclose(flow.mean(), torch.trapezoid(other * level, u), rtol=1e-4)


def test_discrete_levels():
    sigmas = torch.tensor([10.0, 1.0, 0.1], dtype=torch.float64)
    sigma = discrete_sigma(N, sigmas, generator=generator(7))
    counts = [(sigma == level).sum() for level in sigmas]
    assert sum(counts) == N
    assert stats.chisquare(counts).pvalue > 1e-6
    assert discrete_sigma(2, sigmas.float(), generator=generator()).dtype == torch.float32  # fmt: skip


def test_levels_are_reproducible():
    for law in (lognormal_sigma, vp_sigma):
        sigma = law(5, generator=generator(8))
        assert sigma.dtype == torch.float64
        assert torch.equal(sigma, law(5, generator=generator(8)))
        assert not torch.equal(sigma, law(5, generator=generator(9)))
        assert law(0, generator=generator()).shape == (0,)


def test_explicit_against_torch_distributions():
    mu, cov, _ = gaussian(3, 30)
    x = normal(5, 3, seed=31).requires_grad_()
    MultivariateNormal(mu, cov).log_prob(x).sum().backward()
    exact = explicit_sm(lambda x: (mu - x) @ cov.inverse(), x.detach(), x.grad)
    assert_allclose(exact, np.zeros(5), atol=1e-18)


def all_losses(x_0, eps, sigma=0.5, net=torch.sin):
    """Every loss on the same data; the denoiser and the noise network are ``net`` of the state."""
    D = lambda x, _: net(x)  # noqa: E731
    t = torch.tensor([1, 2, 3]).repeat(len(x_0))[: len(x_0)]
    alpha_bar = torch.tensor([0.9999, 0.5, 0.1]).double()
    return {
        "explicit": explicit_sm(net, x_0, eps),
        "implicit": implicit_sm(net, x_0),
        "sliced": sliced_sm(net, x_0, eps),
        "projected": sliced_sm(net, x_0, eps, False),
        "denoising score": denoising_sm(net, x_0, sigma, eps),
        "denoising": denoising_loss(D, x_0, sigma, eps, 2.0),
        "noise": ddpm_loss(D, x_0, t, eps, alpha_bar),
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("sigma", [0.01, 0.5, 300.0])
def test_less_precision_follows_double(dtype, sigma):
    x_0, eps = (v.to(dtype) for v in normal(2, 7, 3, seed=40))
    got, want = (
        all_losses(x_0, eps, sigma),
        all_losses(x_0.double(), eps.double(), sigma),
    )
    for name, value in want.items():
        assert got[name].dtype == dtype
        # the state is rounded before the network sees it, and a sine of 300 rounded tells nothing
        if sigma < 300 or "denoising" not in name:
            rtol = 12 * torch.finfo(dtype).eps
            assert_allclose(
                got[name].double(), value, rtol=rtol, atol=rtol, err_msg=name
            )
        assert got[name].isfinite().all()


def test_the_first_step_of_ddpm_has_its_noise_in_any_precision():
    """1 - alpha_bar is 1e-4 there; half precision knows no number between 0.9995 and 1."""
    x_0, eps = torch.zeros(2, 3), torch.ones(2, 3)
    alpha_bar = torch.tensor([0.9999], dtype=torch.float64)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        seen = []

        def net(x_t, t, seen=seen):
            seen.append(x_t)
            return torch.zeros_like(x_t)

        t = torch.ones(2, dtype=torch.int64)
        loss = ddpm_loss(net, x_0.to(dtype), t, eps.to(dtype), alpha_bar)
        assert_allclose(seen[0].double(), 0.01, rtol=2 * torch.finfo(dtype).eps + 1e-12)
        assert (loss == 3).all()


@pytest.mark.usefixtures("without_type_checks")
def test_steps_of_any_integer_type():
    """An index of unsigned bytes would be a mask."""
    x_0, eps = normal(2, 3, 2, seed=41)
    want = all_losses(x_0, eps)["noise"]
    alpha_bar, D = torch.tensor([0.9999, 0.5, 0.1]).double(), lambda x, _: torch.sin(x)
    for dtype in (torch.uint8, torch.int16, torch.int32, torch.int64):
        t = torch.tensor([1, 2, 3], dtype=dtype)
        assert_allclose(ddpm_loss(D, x_0, t, eps, alpha_bar), want, rtol=1e-15)


def test_a_sample_may_be_one_number():
    x_0, eps = normal(2, 5, seed=42)
    flat, columns = all_losses(x_0, eps), all_losses(x_0[:, None], eps[:, None])
    for name, value in columns.items():
        assert flat[name].shape == (5,)
        assert_allclose(flat[name], value, rtol=1e-14, err_msg=name)


def test_transforms_pass_through_the_losses():
    x_0, eps, v = normal(3, 4, 2, seed=43)
    h = 1e-6
    for name in all_losses(x_0, eps):
        f = lambda x, name=name: all_losses(x, eps)[name]  # noqa: E731
        _, slope = torch.func.jvp(f, (x_0,), (v,))
        assert_allclose(slope, (f(x_0 + h * v) - f(x_0 - h * v)) / (2 * h), rtol=1e-6, atol=1e-6)  # fmt: skip
        grad = torch.func.grad(lambda x, f=f: f(x).sum())(x_0)
        assert_allclose((grad * v).sum(1), slope, rtol=1e-9, atol=1e-9)
    sigma = torch.tensor([0.5, 1.0, 2.0, 3.0]).double()
    weigh = lambda s: denoising_loss(lambda x, _: x / 2, x_0, s, eps, edm().weight(s))  # noqa: E731
    _, slope = torch.func.jvp(weigh, (sigma,), (torch.ones(4).double(),))
    assert_allclose(slope, (weigh(sigma + h) - weigh(sigma - h)) / (2 * h), rtol=1e-6)
    losses_of_one = torch.func.vmap(
        lambda x, e: denoising_loss(lambda y, _: y / 2, x[None], 0.5, e[None])[0]
    )
    assert_allclose(
        losses_of_one(x_0, eps), denoising_loss(lambda y, _: y / 2, x_0, 0.5, eps)
    )


@pytest.mark.usefixtures("without_type_checks")
def test_levels_keep_the_precision_of_their_list():
    sigmas = torch.tensor([0.5, 1.0]).half()
    drawn = discrete_sigma(9, sigmas, generator=generator())
    assert drawn.dtype == torch.float16
    assert torch.isin(drawn, sigmas).all()
    assert discrete_sigma(9, [0.5, 1.0], generator=generator()).dtype == torch.float64


X = torch.zeros(3, 2, dtype=torch.float64)
A_BAR = torch.tensor([0.9, 0.5]).double()
T = torch.tensor([1, 2, 1])


def denoise(**changes):
    args = {"D": lambda x, _: x, "x_0": X, "sigma": 1.0, "eps": X, "weight": 1.0}
    return lambda: denoising_loss(**args | changes)


def ddpm(**changes):
    args = {"x_0": X, "t": T, "eps": X, "alpha_bar": A_BAR}
    return lambda: ddpm_loss(lambda x, _: x, **args | changes)


def bad(call, message):
    return pytest.param(call, message, id=message[:45])


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        bad(lambda: explicit_sm(torch.sin, X, X[:2]), r"score must have the shape of x, got shape \(2, 2\)"),
        bad(lambda: explicit_sm(torch.sin, X, X + math.nan), "score must be finite, got nan"),
        bad(lambda: implicit_sm(torch.sin, X + math.inf), "x must be finite, got inf"),
        bad(lambda: sliced_sm(torch.sin, X, X[:, :1]), r"v must have the shape of x, got shape \(3, 1\)"),
        bad(lambda: sliced_sm(torch.sin, X, X[0]), r"v must have the shape of x, got shape \(2,\)"),
        bad(lambda: denoising_sm(torch.sin, X, 0.0, X), r"sigma must be > 0, got 0\.0"),
        bad(lambda: denoising_sm(torch.sin, X, 1.0, X[:1]), r"eps must have the shape of x_0, got shape \(1, 2\)"),
        bad(denoise(sigma=-1.0), r"sigma must be > 0, got -1\.0"),
        bad(denoise(sigma=torch.ones(2)), r"sigma must be a number or have shape \(3,\), got shape \(2,\)"),
        bad(denoise(weight=math.nan), "weight must be finite, got nan"),
        bad(denoise(weight=-2.0), r"weight must be > 0, got -2\.0"),
        bad(denoise(weight=torch.ones(3, 1)), r"weight must be a number or have shape \(3,\), got shape \(3, 1\)"),
        bad(denoise(eps=X.T), r"eps must have the shape of x_0, got shape \(2, 3\)"),
        bad(ddpm(t=T - 1), "t must be an integer >= 1, got 0"),
        bad(ddpm(t=T + 1), "t must be <= 2, got 3"),
        bad(ddpm(t=T[:2]), r"t must have shape \(3,\), got shape \(2,\)"),
        bad(ddpm(t=T.double()), r"t must be an integer >= 1, got 1\.0"),
        bad(ddpm(alpha_bar=torch.tensor([1.0, 0.5])), r"alpha_bar must be in \(0, 1\), got 1\.0"),
        bad(ddpm(alpha_bar=torch.tensor([0.5, 0.0])), r"alpha_bar must be in \(0, 1\), got 0\.0"),
        bad(lambda: lognormal_sigma(3, 0.0, 0.0, generator=generator()), r"P_std must be finite and > 0, got 0\.0"),
        bad(lambda: lognormal_sigma(-1, generator=generator()), "n must be an integer >= 0, got -1"),
        bad(lambda: vp_sigma(3, 0.0, generator=generator()), r"eps_t must be in \(0, 1\), got 0\.0"),
        bad(lambda: vp_sigma(3, 1.0, generator=generator()), r"eps_t must be in \(0, 1\), got 1\.0"),
        bad(lambda: discrete_sigma(3, A_BAR - 0.5, generator=generator()), r"sigmas must be > 0, got 0\.0"),
        bad(lambda: discrete_sigma(3, A_BAR[:0], generator=generator()), r"sigmas must be a non-empty vector, got shape \(0,\)"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()
