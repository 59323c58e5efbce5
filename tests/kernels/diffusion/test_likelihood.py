"""Likelihoods against exact log-densities, and divergences against known Jacobians."""

import math
import re
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from utils.diffusion.grids import geometric
from utils.diffusion.likelihood import (
    divergence_exact,
    divergence_hutchinson,
    ode_log_prob,
)
from utils.diffusion.mixtures import GaussianMixture, reference_mixture
from utils.diffusion.samplers import rk4_logsigma

MIXTURE = reference_mixture()


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=rng(seed))


def close(got, want, atol=1e-10, rtol=1e-10):
    assert_close(got, want, atol=atol, rtol=rtol)


def trace(x, sigma):
    """Trace of the Jacobian of the exact denoiser."""
    return MIXTURE.posterior_cov(x, sigma).diagonal(dim1=1, dim2=2).sum(1) / sigma**2


def prior(z):
    return MIXTURE.log_prob(z, 80.0)


def test_divergence_of_a_linear_field():
    A, x = normal(6, 6), normal(4, 2, 3, seed=1)
    F = lambda x: (x.flatten(1) @ A.T).view(x.shape)  # noqa: E731
    close(divergence_exact(F, x), A.trace().expand(4))
    v = normal(4, 2, 3, seed=2)
    w = v.flatten(1)
    close(divergence_hutchinson(F, x, v), ((w @ A.T) * w).sum(1))


def test_divergence_of_the_denoiser_is_known():
    x = normal(9, 2)
    for sigma in (0.05, 0.5, 5.0):
        got = divergence_exact(partial(MIXTURE, sigma=sigma), x)
        close(got, trace(x, sigma), atol=1e-9)


def test_all_signs_together_are_exact():
    """Probes of +-1 miss only what is off the diagonal, and that with both signs."""
    F, x = (lambda x: MIXTURE(x, 0.3)), normal(9, 2)
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    probes = [divergence_hutchinson(F, x, s.expand(9, 2)) for s in signs]
    close((probes[0] + probes[1]) / 2, divergence_exact(F, x))


def test_hutchinson_is_unbiased_with_the_stated_variance():
    A, n = normal(5, 5), 20_000
    F, x = (lambda x: x @ A.T), normal(n, 5)
    v = torch.randint(0, 2, (n, 5), generator=rng(1)).double() * 2 - 1
    got = divergence_hutchinson(F, x, v)
    assert abs(got.mean() - A.trace()) / (got.std() / n**0.5) < 5
    S = (A + A.T) / 2
    variance = 2 * (S**2).sum() - 2 * (S.diag() ** 2).sum()
    assert abs(got.var() / variance - 1) < 0.1


def test_the_graph_stays_outside():
    x = normal(3, 2).requires_grad_()
    with torch.no_grad():
        assert not divergence_exact(torch.sin, x).requires_grad
    assert x.grad is None


def test_three_routes_to_the_exact_density():
    x = MIXTURE.sample(24, generator=rng(3))
    want = MIXTURE.log_prob(x, 0.002)
    exact, latent = ode_log_prob(MIXTURE, x, log_prior=prior)
    closed, _ = ode_log_prob(MIXTURE, x, trace=trace, log_prior=prior)
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    pair = x.repeat(2, 1)  # more probes for a point: repeat the point
    probes = signs.repeat_interleave(24, 0)
    estimates, _ = ode_log_prob(MIXTURE, pair, probes=probes, log_prior=prior)
    for got in (exact, closed, estimates.view(2, 24).mean(0)):
        assert (got - want).abs().max() < 1e-5
    assert (estimates.view(2, 24)[0] - want).abs().max() > 0.1
    grid = geometric(201, zero=False).flip(0)
    close(latent, rk4_logsigma(MIXTURE, x, grid), atol=1e-9)


def test_fourth_order():
    x = MIXTURE.sample(8, generator=rng(3))
    want = MIXTURE.log_prob(x, 0.002)
    errors = [
        (ode_log_prob(MIXTURE, x, n_steps=n, trace=trace, log_prior=prior)[0] - want)
        .abs()
        .max()
        for n in (40, 160)
    ]
    assert 3.3 < math.log(errors[0] / errors[1], 4) < 4.7


def test_the_prior_is_the_rest_of_the_error():
    """N(0, 80^2 I) is not the law of the latents, by a hundredth of a nat."""
    x = MIXTURE.sample(24, generator=rng(3))
    got, latent = ode_log_prob(MIXTURE, x, n_steps=150, trace=trace)
    want = MIXTURE.log_prob(x, 0.002)
    assert 1e-3 < (got - want).abs().max() < 0.02
    normal_law = torch.distributions.Normal(0.0, 80.0).log_prob(latent).sum(1)
    close(got - want, normal_law - prior(latent), atol=5e-5)


def test_gaussian_data_in_any_shape():
    c = 0.5
    law = GaussianMixture(torch.ones(1), torch.zeros(1, 6), c**2)
    D = lambda x, sigma: c**2 / (c**2 + sigma**2) * x  # noqa: E731
    x = normal(3, 2, 3)
    got, latent = ode_log_prob(D, x, 0.01, 10.0, 100)
    a, b = 0.01, 10.0
    scale = math.sqrt((c**2 + b**2) / (c**2 + a**2))
    assert latent.shape == x.shape
    close(latent, scale * x, atol=1e-4)
    want = torch.distributions.Normal(0.0, b).log_prob(scale * x).flatten(1).sum(1)
    close(got, want + 6 * math.log(scale), atol=1e-4)
    exact, _ = ode_log_prob(
        D, x, 0.01, 10.0, 100, log_prior=lambda z: law.log_prob(z.flatten(1), 10.0)
    )
    close(exact, law.log_prob(x.flatten(1), 0.01), atol=1e-4)


def test_precision_and_networks():
    net = torch.nn.Linear(2, 2)
    D = lambda x, sigma: net(x) / (1 + sigma**2)  # noqa: E731
    got, latent = ode_log_prob(D, torch.ones(3, 2), n_steps=3)
    assert got.dtype == latent.dtype == torch.float32
    assert not got.requires_grad
    assert net.weight.grad is None


def test_fields_that_ignore_what_they_are_given():
    x, v = normal(4, 3), normal(4, 3, seed=1)
    for F in (torch.ones_like, torch.zeros_like, lambda y: y.detach(), lambda y: v):
        assert torch.equal(divergence_exact(F, x), torch.zeros(4).double())
        assert torch.equal(divergence_hutchinson(F, x, v), torch.zeros(4).double())
    part = lambda y: torch.stack([y[:, 0] ** 2, v[:, 1], 0 * y[:, 2]], 1)  # noqa: E731
    close(divergence_exact(part, x), 2 * x[:, 0])
    log_p, latent = ode_log_prob(lambda y, s: torch.zeros_like(y), x, 0.5, 2.0, 50)
    close(
        latent, 4 * x, atol=1e-4, rtol=1e-4
    )  # data in one point: N(0, 0.25 I) at the start
    want = torch.distributions.Normal(0.0, 0.5).log_prob(x).double().sum(1)
    close(log_p, want, atol=1e-4, rtol=1e-4)


def test_a_point_may_be_one_number():
    x, D = normal(4), lambda x, sigma: x / (1 + sigma**2)
    close(divergence_exact(torch.sin, x), torch.cos(x))
    for got, column in zip(ode_log_prob(D, x, n_steps=9), ode_log_prob(D, x[:, None], n_steps=9), strict=True):  # fmt: skip
        close(got, column.reshape(4))


def test_slopes_of_the_divergence():
    x, v = normal(3, 2), normal(3, 2, seed=1)
    _, got = torch.func.jvp(lambda y: divergence_exact(torch.sin, y), (x,), (v,))
    close(got, (-torch.sin(x) * v).sum(1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_for_the_denoiser_alone(dtype):
    x, D = normal(5, 2).to(dtype), lambda x, sigma: x / (1 + sigma**2)
    got, latent = ode_log_prob(D, x, 0.01, 300.0, 60)
    want, end = ode_log_prob(D, x.double(), 0.01, 300.0, 60)
    assert got.dtype == latent.dtype == dtype
    rtol = 16 * torch.finfo(dtype).eps
    close(latent.double(), end, rtol=rtol, atol=rtol)
    close(got.double(), want, rtol=rtol, atol=rtol)


@pytest.mark.usefixtures("without_type_checks")
def test_functions_that_return_something_else_are_named():
    for name, f in (
        ("trace", lambda y, s: y),
        ("trace", lambda y, s: 1.0),
        ("log_prior", lambda z: z[:, :1]),
        ("log_prior", lambda z: z.sum(1).double()),
    ):
        with pytest.raises(ValueError, match=rf"^{name} must return torch.float32 of"):
            ode_log_prob(lambda y, s: y / 2, X, n_steps=2, **{name: f})
    with pytest.raises(ValueError, match=r"^probes must have the dtype of x"):
        ode_log_prob(lambda y, s: y / 2, X, probes=X.double())


X = torch.ones(2, 2)


@pytest.mark.parametrize(
    ("kernel", "args", "message"),
    [
        (divergence_hutchinson, (torch.sin, X, X[:1]), "v must have the shape of x, got shape (1, 2)"),
        (divergence_exact, (torch.sin, X * math.inf), "x must be finite, got inf"),
        (ode_log_prob, (MIXTURE, X, 0.0), "sigma_min must be finite and > 0, got 0.0"),
        (ode_log_prob, (MIXTURE, X, 2.0, 1.0), "sigma_max must be > sigma_min = 2.0, got 1.0"),
        (ode_log_prob, (MIXTURE, X, 1.0, 2.0, 0), "n_steps must be an integer >= 1, got 0"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(kernel, args, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kernel(*args)


@pytest.mark.usefixtures("without_type_checks")
def test_probes_of_the_wrong_shape():
    message = "^probes must have the shape of x, got shape \\(1, 2\\)$"
    with pytest.raises(ValueError, match=message):
        ode_log_prob(MIXTURE, X, probes=X[:1])
