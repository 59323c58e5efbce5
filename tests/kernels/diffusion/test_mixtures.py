"""Exact denoisers against torch.distributions, autograd, closed forms and limits."""

import dataclasses
import inspect
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributions as dist
from torch.testing import assert_close

from utils.diffusion.mixtures import (
    EmpiricalDenoiser,
    GaussianMixture,
    eight_gaussians,
    reference_mixture,
    song_ermon_mixture,
)

seeded = settings(derandomize=True, deadline=None, max_examples=40, database=None)
sigmas = st.floats(-3, 3).map(lambda e: 10**e)
sizes = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(0, 10**6))
MIXTURE = reference_mixture()


def normal(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=rng)


def close(got, want, atol=1e-10, rtol=1e-10):
    want = torch.as_tensor(want, dtype=torch.float64)
    assert_close(torch.as_tensor(got).detach(), want, atol=atol, rtol=rtol)


def random_mixture(K, d, seed, kind="full"):
    weights, means = normal(K, seed=seed).exp(), 2 * normal(K, d, seed=seed + 1)
    A = normal(K, d, d, seed=seed + 2)
    covs = {
        "scalar": 0.7,
        "isotropic": A[:, 0, 0] ** 2 + 0.01,
        "diagonal": A[:, 0] ** 2 + 0.01,
        "full": A @ A.mT + 0.01 * torch.eye(d).double(),
    }[kind]
    return GaussianMixture(weights, means, covs)


def in_torch(mixture, sigma):
    """The law of ``x_0 + sigma eps``, as torch.distributions writes it."""
    K, d = mixture.means.shape
    C = mixture.covs
    if C.ndim < 3:
        C = torch.diag_embed((C if C.ndim == 2 else C.expand(K)[:, None]).expand(K, d))
    parts = dist.MultivariateNormal(mixture.means, C + sigma**2 * torch.eye(d).double())
    return dist.MixtureSameFamily(dist.Categorical(mixture.weights), parts)


KINDS = ("scalar", "isotropic", "diagonal", "full")


@seeded
@given(sizes, sigmas, st.sampled_from(KINDS))
def test_log_prob_and_score(size, sigma, kind):
    mixture = random_mixture(*size, kind)
    x = ((1 + sigma) * normal(7, size[1], seed=3)).requires_grad_()
    want = in_torch(mixture, sigma).log_prob(x)
    close(mixture.log_prob(x, sigma), want.detach(), rtol=1e-9)
    (score,) = torch.autograd.grad(want.sum(), x)
    close(mixture.score(x.detach(), sigma), score, atol=1e-8, rtol=1e-8)
    (own,) = torch.autograd.grad(mixture.log_prob(x, sigma).sum(), x)
    close(mixture.score(x.detach(), sigma), own, atol=1e-8, rtol=1e-8)


@seeded
@given(sizes, sigmas, st.sampled_from(KINDS))
def test_tweedie(size, sigma, kind):
    mixture = random_mixture(*size, kind)
    x = (1 + sigma) * normal(7, size[1], seed=3)
    want = x + sigma**2 * mixture.score(x, sigma)
    scale = 1 + sigma**2  # what cancels in the right-hand side
    close(mixture(x, sigma), want, atol=1e-12 * scale)


@settings(seeded, max_examples=15)
@given(sizes, st.floats(-1, 1).map(lambda e: 10**e), st.sampled_from(KINDS))
def test_the_slope_of_the_denoiser_is_the_posterior_covariance(size, sigma, kind):
    mixture = random_mixture(*size, kind)
    x = (1 + sigma) * normal(3, size[1], seed=3)
    slope = torch.func.vmap(torch.func.jacrev(lambda y: mixture(y[None], sigma)[0]))(x)
    got = mixture.posterior_cov(x, sigma)
    close(got, sigma**2 * slope, atol=1e-9, rtol=1e-9)
    assert torch.linalg.eigvalsh(got).min() > -1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_posterior_by_integration(kind):
    """Moments of x_0 given x in one dimension, on a fine grid."""
    mixture = random_mixture(3, 1, 5, kind)
    grid = torch.linspace(-20, 20, 40001, dtype=torch.float64)[:, None]
    for x, sigma in ((0.3, 0.5), (-2.0, 2.0)):
        logits = mixture.log_prob(grid) - (x - grid[:, 0]) ** 2 / (2 * sigma**2)
        w = logits.softmax(0)
        mean = w @ grid
        at = torch.tensor([[x]], dtype=torch.float64)
        close(mixture(at, sigma), mean[None])
        variance = w @ (grid - mean) ** 2
        close(mixture.posterior_cov(at, sigma), variance[None, None])


@seeded
@given(sizes, sigmas, st.integers(0, 10**6))
def test_affine_maps_go_through(size, sigma, seed):
    """Turn, stretch and move the law: its denoiser and score turn with it."""
    d = size[1]
    mixture = random_mixture(*size)
    Q, b = torch.linalg.qr(normal(d, d, seed=seed))[0], normal(d, seed=seed + 1)
    c, C = 1.7, Q @ mixture.covs @ Q.T
    moved = GaussianMixture(
        mixture.weights,
        c * mixture.means @ Q.T + b,
        c**2 * (C + C.mT) / 2,
    )
    x = (1 + sigma) * normal(4, d, seed=seed + 2)
    y = c * x @ Q.T + b
    close(moved(y, c * sigma), c * mixture(x, sigma) @ Q.T + b, 1e-9, 1e-8)
    score = mixture.score(x, sigma) @ Q.T / c
    close(moved.score(y, c * sigma), score, 1e-8, 1e-7)
    want = mixture.log_prob(x, sigma) - d * math.log(c)
    close(moved.log_prob(y, c * sigma), want, 1e-8, 1e-8)


def test_order_of_components_and_scale_of_weights_do_not_matter():
    x = normal(5, 2)
    p = torch.tensor([2, 0, 1])
    other = GaussianMixture(7 * MIXTURE.weights[p], MIXTURE.means[p], MIXTURE.covs[p])
    close(other(x, 0.4), MIXTURE(x, 0.4))
    close(other.responsibilities(x, 0.4), MIXTURE.responsibilities(x, 0.4)[:, p])
    close(other.responsibilities(x, 0.4).sum(1), torch.ones(5))


def test_values_of_the_reference():
    o, e = torch.zeros(1, 2).double(), torch.ones(1, 2).double()
    for x, sigma, logp, score in (
        (o, 0.0, -7.801388, (13.337788, -9.909528)),
        (o, 0.3, -3.566087, (2.497014, 1.351651)),
        (o, 1.0, -2.375958, (0.177478, 0.207176)),
        (e, 0.3, -1.686373, (-3.318799, -2.139824)),
    ):
        close(MIXTURE.log_prob(x, sigma), [logp], atol=6e-7)
        close(MIXTURE.score(x, sigma), [score], atol=6e-7)
    close(MIXTURE(o, 0.3), [[0.224731, 0.121649]], atol=6e-7)
    close(MIXTURE(e, 0.3), [[0.701308, 0.807416]], atol=6e-7)


def test_fisher_information_of_the_reference(generator):
    score = MIXTURE.score(MIXTURE.sample(200_000, generator=generator))
    assert abs((score**2).sum(1).mean() - 44.8) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_limits(kind):
    mixture, x = random_mixture(3, 2, 9, kind), normal(6, 2)
    close(mixture(x, 0.0), x)
    close(mixture(x, 1e-6), x, atol=1e-8)
    mean, _ = mixture.mean_cov()
    close(mixture(x, 1e6), mean.expand(6, 2), atol=1e-8)
    close(mixture.posterior_cov(x, 1e5), mixture.mean_cov()[1].expand(6, 2, 2), 1e-6)
    close(mixture.posterior_cov(x, 1e-4) / 1e-8, torch.eye(2).expand(6, 2, 2), 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_level_for_each_row(kind):
    mixture, x = random_mixture(3, 2, 9, kind), normal(4, 2)
    level = torch.tensor([0.1, 0.5, 2.0, 30.0], dtype=torch.float64)
    for f in (
        mixture, mixture.score, mixture.log_prob, mixture.responsibilities,
        mixture.posterior_cov,
    ):  # fmt: skip
        rows = [f(x[i : i + 1], level[i].item()) for i in range(4)]
        close(f(x, level), torch.cat(rows), atol=1e-12)
        close(f(x, level[1]), f(x, 0.5), atol=0, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "mixture", [MIXTURE, eight_gaussians(), eight_gaussians(sd=0.0)]
)
def test_finite_far_out(mixture, dtype):
    x = torch.tensor([[1e4, -1e4], [0.0, 0.0], [1.0, 0.3], [-3e3, 1.0]], dtype=dtype)
    for sigma in (1e-6, 1e-3, 1.0, 1e3, 1e4):
        for f in (mixture, mixture.score, mixture.log_prob, mixture.posterior_cov):
            got = f(x, sigma)
            assert got.dtype == dtype
            assert got.isfinite().all(), (f, sigma)


def test_single_precision_follows_double():
    x = normal(50, 2)
    for sigma in (0.01, 0.5, 80.0):
        got = MIXTURE(x.float(), sigma)
        assert got.dtype == torch.float32
        close(got.double(), MIXTURE(x, sigma), atol=2e-5)


def test_heat_equation():
    """The density changes with the variance of the noise as half its Laplacian."""
    x = normal(20, 2).requires_grad_()
    p = MIXTURE.log_prob(x, 0.3**0.5).exp()
    (slope,) = torch.autograd.grad(p.sum(), x, create_graph=True)
    laplacian = sum(
        torch.autograd.grad(slope[:, i].sum(), x, retain_graph=True)[0][:, i]
        for i in range(2)
    )
    h = 1e-4
    up, down = (MIXTURE.log_prob(x, (0.3 + s) ** 0.5).exp() for s in (h, -h))
    close((up - down) / (2 * h), laplacian.detach() / 2, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_moments(kind, generator):
    mixture, n = random_mixture(3, 3, 4, kind), 100_000
    x = mixture.sample(n, generator=generator)
    assert x.dtype == torch.float64
    mean, cov = mixture.mean_cov()
    want = in_torch(mixture, 0.0)
    close(mean, want.mean)
    close(cov.diag(), want.variance)
    assert ((x.mean(0) - mean) / (x.std(0) / n**0.5)).abs().max() < 5
    products = (x - mean)[:, :, None] * (x - mean)[:, None]
    z = (products.mean(0) - cov) / (products.std(0) / n**0.5)
    assert z.abs().max() < 5


def test_samples_come_from_the_generator():
    one, two, three = (
        MIXTURE.sample(9, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_named_laws():
    close(song_ermon_mixture().weights, [0.2, 0.8])
    close(song_ermon_mixture().means, [[-5, -5], [5, 5]])
    ring = eight_gaussians(2.0, 0.1)
    close(ring.means.norm(dim=1), torch.full((8,), 2.0))
    close(ring.means[2], [0.0, 2.0])
    close(ring.covs, 0.1**2)
    mean, cov = ring.mean_cov()
    close(mean, [0, 0])
    close(cov, (2.0 + 0.01) * torch.eye(2).double())


def test_the_parameters_are_copies_and_frozen():
    means = normal(2, 2)
    mixture = GaussianMixture(torch.ones(2), means, 1.0)
    means += 1
    assert not torch.equal(mixture.means, means)
    with pytest.raises(dataclasses.FrozenInstanceError):
        mixture.means = means


def test_empty_batch():
    for mixture in (MIXTURE, eight_gaussians()):
        assert mixture(torch.zeros(0, 2), 1.0).shape == (0, 2)
        assert mixture.log_prob(torch.zeros(0, 2), 1.0).shape == (0,)


def test_empirical_denoiser_is_the_mixture_without_width(generator):
    data, x = normal(40, 3), 2 * normal(11, 3, seed=1)
    points = GaussianMixture(torch.ones(40), data, 0.0)
    for sigma in (0.05, 0.7, torch.linspace(0.1, 3, 11).double()):
        got = EmpiricalDenoiser(data)(x, sigma)
        close(got, points(x, sigma))
        close(EmpiricalDenoiser(data, chunk=4)(x, sigma), got, atol=1e-14)


def test_empirical_denoiser_of_two_points():
    x = torch.linspace(-3, 3, 13).double()[:, None]
    D = EmpiricalDenoiser(torch.tensor([[1.0], [-1.0]]))
    for sigma in (0.3, 1.0, 5.0):
        close(D(x, sigma), torch.tanh(x / sigma**2))


def test_empirical_denoiser_where_squares_overflow():
    """Two points, x far from both: the odds are exp(2 x / sigma^2), whatever |x|^2 / sigma^2."""
    D = EmpiricalDenoiser(torch.tensor([[1.0], [-1.0]]).double())
    for x, sigma in ((1e10, 1e-146), (3e4, 1e-30), (2.0**30, 2.0**15)):
        got = D(torch.tensor([[x]], dtype=torch.float64), sigma)
        close(got, [[math.tanh(x / sigma**2) if sigma > 1e-3 else 1.0]], rtol=1e-6)


def test_empirical_denoiser_keeps_events_and_precision():
    D = EmpiricalDenoiser(normal(5, 2, 3).float())
    x = normal(4, 2, 3).float()
    assert D(x, 0.5).shape == x.shape
    assert D(x, 0.5).dtype == torch.float32
    assert D(x * 1e4, 1e-6).isfinite().all()
    assert D(x, 1e4).isfinite().all()
    nearest = torch.cdist(x.flatten(1), D.data.flatten(1)).argmin(1)
    close(D(x, 1e-4).double(), D.data[nearest].double())


FAR = (1000.0, -1000.0)
TURNED = [[[2.0, 0.9], [0.9, 0.5]], [[1.0, -0.3], [-0.3, 0.4]]]


def two_far_components(shift):
    means = torch.tensor([[0.0, 0.0], [1.0, 2.0]]).double() + torch.tensor(shift)
    return GaussianMixture(torch.tensor([0.3, 0.7]), means, torch.tensor(TURNED))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_from_the_origin_the_digits_stay(dtype):
    """The shift is exact in the precision of x, so the law only moves."""
    shift = FAR if dtype == torch.float32 else (2.0**40, -(2.0**40))
    near, far = two_far_components((0.0, 0.0)), two_far_components(shift)
    x = (normal(20, 2) * 64).round() / 64
    moved = (x + torch.tensor(shift)).to(dtype)
    assert torch.equal(moved.double() - torch.tensor(shift).double(), x)
    rtol = 1e-12 if dtype == torch.float64 else 2e-7
    for sigma in (0.0, 0.3, 20.0):
        for name in ("log_prob", "score", "responsibilities", "posterior_cov"):
            if sigma == 0 and name == "posterior_cov":
                continue
            got = getattr(far, name)(moved, sigma)
            want = getattr(near, name)(x, sigma)
            close(got.double(), want, rtol=rtol, atol=rtol)
        want = near(x, sigma) + torch.tensor(shift).double()
        close(far(moved, sigma).double(), want, rtol=rtol, atol=0)


def test_single_precision_near_means_in_double():
    """Means that single precision cannot hold: only the result is rounded."""
    law = GaussianMixture(torch.ones(2), torch.tensor([[1e4 + 1e-4], [1e4 - 2e-4]]).double(), 1e-8)  # fmt: skip
    x = torch.full((1, 1), 1e4)
    for f in (law.log_prob, law.score, law.responsibilities):
        assert_close(f(x), f(x.double()).float(), rtol=2e-7, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("sigma", [1e-3, 0.5, 300.0])
def test_half_precision_is_double_rounded(dtype, sigma):
    x = ((1 + sigma) * normal(6, 2)).to(dtype)
    for f in (MIXTURE, MIXTURE.score, MIXTURE.log_prob, MIXTURE.posterior_cov):
        assert torch.equal(f(x, sigma), f(x.double(), sigma).to(dtype))
    D = EmpiricalDenoiser(normal(9, 2, seed=2))
    assert torch.equal(D(x, sigma), D(x.double(), sigma).to(dtype))


@pytest.mark.usefixtures("without_type_checks")
def test_each_component_is_judged_by_its_own_scale():
    zero, far, small = torch.zeros(2, 2), 1e14 * torch.eye(2), torch.eye(2)
    bad = torch.tensor([[1.0, 2.0], [2.0, 1.0]])  # eigenvalues 3 and -1
    skew = torch.tensor([[1.0, 0.1], [0.0, 1.0]])
    for covs in (
        [1e14, -1.0],
        torch.tensor([[1e14, 1.0], [1.0, -1e-3]]),
        torch.stack([far, bad]).double(),
        torch.stack([far, skew]).double(),
    ):
        with pytest.raises(ValueError, match=r"^covs must be (symm|positive semi)"):
            GaussianMixture(torch.ones(2), zero, covs)
    tiny = torch.stack([far.double(), 1e-14 * small.double()])
    mixture = GaussianMixture(torch.ones(2), zero, tiny)
    narrow = mixture.log_prob(torch.zeros(1, 2).double())
    close(narrow, [math.log(0.5) - math.log(2 * math.pi) + 14 * math.log(10)])


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
def test_covariances_of_low_rank(rank, scale):
    """Gram matrices: eigenvalues repeat, and the zeros come out as rounding of either sign."""
    u = scale * torch.tensor([100.0, 200.0, 300.0]).double()
    V = torch.stack([u, u.flip(0), u * torch.tensor([1, -1, 1])])[:rank]
    C = torch.stack([V.T @ V, torch.eye(3).double() * scale**2])
    mixture = GaussianMixture(torch.ones(2), scale * normal(2, 3), C)
    x, sigma = scale * normal(6, 3, seed=1), scale * 0.5
    want = in_torch(mixture, sigma)
    close(mixture.log_prob(x, sigma), want.log_prob(x), rtol=1e-7)
    x.requires_grad_()
    (score,) = torch.autograd.grad(want.log_prob(x).sum(), x)
    close(scale * mixture.score(x.detach(), sigma), scale * score, 1e-7, 1e-6)
    got = mixture(x.detach(), sigma)
    close(got / scale, (x.detach() + sigma**2 * score) / scale, 1e-6, 1e-6)
    assert torch.linalg.eigvalsh(mixture.posterior_cov(x.detach(), sigma)).min() >= -1e-9 * scale**2  # fmt: skip


@pytest.mark.usefixtures("without_type_checks")
def test_parameters_may_be_numbers_lists_and_integers():
    want = GaussianMixture(torch.ones(2), torch.eye(2), torch.tensor([1.0, 2.0]))
    x = normal(3, 2)
    for weights, means, covs in (
        ([1, 1], [[1, 0], [0, 1]], [1, 2]),
        (np.ones(2, np.uint8), np.eye(2, dtype=np.float32), np.array([1, 2])),
        (torch.ones(2, dtype=torch.int64), torch.eye(2).long(), torch.tensor([1, 2])),
        ([1e308, 1e308], torch.eye(2).half(), torch.tensor([1, 2]).half()),
    ):
        close(GaussianMixture(weights, means, covs)(x, 0.5), want(x, 0.5), 0, 0)
    with pytest.raises(
        ValueError, match=r"^covs must be real numbers, got torch.complex64"
    ):
        GaussianMixture(torch.ones(2), torch.eye(2), torch.ones(2).cfloat())


@pytest.mark.parametrize("law", [MIXTURE, EmpiricalDenoiser(normal(5, 2))])
@pytest.mark.usefixtures("without_type_checks")
def test_states_that_are_no_states(law):
    for x, message in (
        (torch.ones(3, 2).long(), "x must be a tensor of floating numbers, got torch.int64"),
        (np.ones((3, 2)), "x must be a tensor of floating numbers, got float64"),
        (torch.ones(3, 2) / 0, "x must be finite, got inf"),
        (torch.ones(()), "x must have an axis for the batch, got shape ()"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            law(x, 1.0)


def test_transforms_pass_through_the_mixture():
    x, v = normal(4, 2), normal(4, 2, seed=1)
    D, sigma = (lambda y: MIXTURE(y, 0.5)), torch.tensor(0.5).double()
    want = torch.einsum("bij,bj->bi", MIXTURE.posterior_cov(x, 0.5), v) / 0.25
    close(torch.func.jvp(D, (x,), (v,))[1], want)
    close(torch.func.vjp(D, x)[1](v)[0], want)  # the slope of a denoiser is symmetric
    score = torch.func.grad(lambda y: MIXTURE.log_prob(y, sigma).sum())(x)
    close(score, MIXTURE.score(x, 0.5))
    rate = torch.func.jacfwd(lambda s: MIXTURE.log_prob(x, s))(sigma)
    h = 1e-5
    up, down = MIXTURE.log_prob(x, 0.5 + h), MIXTURE.log_prob(x, 0.5 - h)
    close(rate, (up - down) / (2 * h), 1e-6, 1e-6)


@pytest.mark.parametrize("kind", [GaussianMixture, EmpiricalDenoiser])
def test_documented(kind):
    text = inspect.getdoc(kind)
    for title in ("Parameters", "Raises", "References"):
        assert f"{title}\n-" in text
    public = (n for n in vars(kind) if n[0] != "_" and "__mutmut" not in n)
    members = [m for n in public if callable(m := vars(kind)[n])]
    assert all(inspect.getdoc(m) for m in members)


ones, eye = torch.ones(2), torch.eye(2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianMixture(-ones, eye, 1.0), "weights must be >= 0, got -1.0"),
        (lambda: GaussianMixture(0 * ones, eye, 1.0), "weights must not all be 0, got 0.0"),
        (lambda: GaussianMixture(torch.ones(3), eye, 1.0), "weights must have shape (2,), got shape (3,)"),
        (lambda: GaussianMixture(ones, torch.ones(2), 1.0), "means must have shape (K, d), got shape (2,)"),
        (lambda: GaussianMixture(ones[:0], eye[:0], 1.0), "means must have shape (K, d), got shape (0, 2)"),
        (lambda: GaussianMixture(ones, eye * math.nan, 1.0), "means must be finite, got nan"),
        (lambda: GaussianMixture(ones, eye, -0.5), "covs must be positive semidefinite, with eigenvalues >= 0, got -0.5"),
        (lambda: GaussianMixture(ones, eye, math.inf), "covs must be finite, got inf"),
        (lambda: GaussianMixture(ones, eye, torch.ones(3)), "covs must have one of the shapes (), (2,), (2, 2), (2, 2, 2), got shape (3,)"),
        (lambda: GaussianMixture(ones, eye, torch.tensor([[1.0, 0.5], [0.0, 1.0]]).expand(2, 2, 2)), "covs must be symmetric, got 0.5"),
        (lambda: GaussianMixture(ones, eye, torch.tensor([[0.0, 1.0], [1.0, 0.0]]).expand(2, 2, 2)), "covs must be positive semidefinite, with eigenvalues >= 0, got -1.0"),
        (lambda: MIXTURE(torch.ones(3, 1), 1.0), "x must have shape (B, 2), got shape (3, 1)"),
        (lambda: MIXTURE(torch.ones(3, 2), -1.0), "sigma must be >= 0, got -1.0"),
        (lambda: MIXTURE(torch.ones(3, 2), math.nan), "sigma must be finite, got nan"),
        (lambda: MIXTURE(torch.ones(3, 2), torch.ones(2)), "sigma must be a number or have shape (3,), got shape (2,)"),
        (lambda: eight_gaussians(sd=0.0).log_prob(torch.ones(3, 2)), "sigma must be > 0, got 0.0"),
        (lambda: MIXTURE.sample(0, generator=None), "n must be an integer >= 1, got 0"),
        (lambda: eight_gaussians(sd=-1.0), "sd must be finite and >= 0, got -1.0"),
        (lambda: EmpiricalDenoiser(torch.ones(0, 2)), "data must not be empty, got shape (0, 2)"),
        (lambda: EmpiricalDenoiser(eye * math.inf), "data must be finite, got inf"),
        (lambda: EmpiricalDenoiser(eye, 0), "chunk must be an integer >= 1, got 0"),
        (lambda: EmpiricalDenoiser(eye)(torch.ones(3, 1), 1.0), "x must have shape (B, 2), got shape (3, 1)"),
        (lambda: EmpiricalDenoiser(eye)(eye, 0.0), "sigma must be > 0, got 0.0"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
