"""The chain of DDPM against its recursion, conditioning of normal laws, and closed forms."""

import math
import re

import pytest
import torch
from torch.testing import assert_close

from utils.diffusion.discrete import (
    alpha_bar_to_sigma,
    cosine_alpha_bar,
    linear_betas,
    posterior,
    vlb_terms,
)
from utils.diffusion.grids import geometric
from utils.diffusion.mixtures import reference_mixture

AB = (1 - linear_betas()).cumprod(0)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=rng(seed))


def close(got, want, atol=1e-12, rtol=1e-12):
    want = torch.as_tensor(want, dtype=torch.float64).expand_as(got)
    assert_close(got, want, atol=atol, rtol=rtol)


def test_published_values():
    close(linear_betas()[[0, -1]], [1e-4, 0.02])
    close(AB[-1], 4.035829765e-5, rtol=1e-9)
    close(alpha_bar_to_sigma(AB)[[0, -1]], [0.0100005, 157.407281], rtol=1e-6)
    sigmas = alpha_bar_to_sigma(cosine_alpha_bar(1000))
    close(sigmas[[0, -1]], [0.00642541, 20291.17], rtol=1e-6)


def test_one_jump_is_many_steps():
    """Coefficient of x_0 and variance, carried through the chain step by step."""
    mean, var = 1.0, 0.0
    for t, beta in enumerate(linear_betas(50, 0.001, 0.3).tolist(), 1):
        mean, var = math.sqrt(1 - beta) * mean, (1 - beta) * var + beta
        ab = (1 - linear_betas(50, 0.001, 0.3)).cumprod(0)[t - 1]
        assert math.isclose(mean, ab.sqrt(), rel_tol=1e-13)
        assert math.isclose(var, 1 - ab, rel_tol=1e-13)
        assert math.isclose(
            alpha_bar_to_sigma(ab), math.sqrt(var) / mean, rel_tol=1e-13
        )


def test_cosine_without_clipping_is_the_cosine():
    T = 40
    t = torch.arange(1, T, dtype=torch.float64)
    f = torch.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2
    ab = cosine_alpha_bar(T)
    close(ab[:-1], f / math.cos(0.008 / 1.008 * math.pi / 2) ** 2)
    close(ab[-1] / ab[-2], 0.001)
    assert (cosine_alpha_bar(7, 0.1, 0.5).diff() < 0).all()
    close(cosine_alpha_bar(7, 0.1, 0.5)[-1] / cosine_alpha_bar(7, 0.1, 0.5)[-2], 0.5)
    close(cosine_alpha_bar(1), [0.001])


def test_no_noise_at_all():
    assert alpha_bar_to_sigma(torch.ones(2)).tolist() == [0, 0]


@pytest.mark.parametrize(("s", "t"), [(0, 1), (1, 2), (9, 10), (4, 40), (500, 999)])
def test_posterior_is_conditioning(s, t):
    """From the joint law of (x_s, x_t) given x_0."""
    alpha_bar_s, alpha_bar_t = AB[s], AB[t]
    cov_st = (alpha_bar_t / alpha_bar_s).sqrt() * (1 - alpha_bar_s)
    gain = cov_st / (1 - alpha_bar_t)
    x_0, x_t = normal(4, 3), normal(4, 3, seed=1)
    mean, var = posterior(x_0, x_t, alpha_bar_s, alpha_bar_t)
    close(mean, alpha_bar_s.sqrt() * x_0 + gain * (x_t - alpha_bar_t.sqrt() * x_0))
    close(var, (1 - alpha_bar_s) - gain * cov_st, atol=1e-14, rtol=1e-9)


def test_posterior_in_the_unscaled_coordinate():
    """A weighted mean of x and x_0, with weight rho = b^2 / a^2."""
    alpha_bar_s, alpha_bar_t = AB[30], AB[200]
    a, b = alpha_bar_to_sigma(alpha_bar_t), alpha_bar_to_sigma(alpha_bar_s)
    rho, x_0, x = b**2 / a**2, normal(4, 3), normal(4, 3, seed=1)
    mean, var = posterior(x_0, x * alpha_bar_t.sqrt(), alpha_bar_s, alpha_bar_t)
    close(mean / alpha_bar_s.sqrt(), rho * x + (1 - rho) * x_0)
    close(var / alpha_bar_s, b**2 * (1 - rho))


def test_posterior_of_the_next_step_in_the_letters_of_ddpm():
    t = 300
    beta, ab, before = linear_betas()[t], AB[t], AB[t - 1]
    x_0, eps = normal(4, 3), normal(4, 3, seed=1)
    x_t = ab.sqrt() * x_0 + (1 - ab).sqrt() * eps
    mean, var = posterior(x_0, x_t, before, ab)
    close(mean, (x_t - beta / (1 - ab).sqrt() * eps) / (1 - beta).sqrt())
    close(var, (1 - before) / (1 - ab) * beta)


def test_posterior_at_the_data():
    x_0, x_t = normal(4, 3), normal(4, 3, seed=1)
    mean, var = posterior(x_0, x_t, 1.0, 0.3)
    close(mean, x_0)
    assert var == 0


def test_posterior_row_by_row():
    x_0, x_t = normal(3, 2, 2), normal(3, 2, 2, seed=1)
    alpha_bar_s, alpha_bar_t = AB[[1, 10, 100]], AB[[2, 50, 900]]
    mean, var = posterior(x_0, x_t, alpha_bar_s, alpha_bar_t)
    rows = [
        posterior(x_0[[i]], x_t[[i]], alpha_bar_s[i], alpha_bar_t[i]) for i in range(3)
    ]
    close(mean, torch.cat([m for m, _ in rows]))
    close(var.flatten(), torch.stack([v for _, v in rows]))
    half, _ = posterior(x_0, x_t, 0.99995, alpha_bar_t)
    assert half.shape == x_0.shape
    single = posterior(x_0.float(), x_t.float(), alpha_bar_s, alpha_bar_t)
    assert single[0].dtype == single[1].dtype == torch.float32
    close(single[0].double(), mean, atol=1e-6)
    close(single[1].double(), var, atol=0, rtol=1e-6)


def test_bound_of_gaussian_data():
    """For N(0, c^2) the error of the denoiser is known, and with it each term."""
    c, d, n = 0.7, 3, 20_000
    sigmas = geometric(6, 0.1, 10.0, zero=False)
    D = lambda x, sigma: c**2 / (c**2 + sigma**2) * x  # noqa: E731
    got = vlb_terms(D, c * normal(n, d), sigmas, 2, generator=rng(1))
    a, b = sigmas[:-1], sigmas[1:]
    error = d * c**2 * a**2 / (c**2 + a**2)
    want = (b**-2 - a**-2) / 2 * error
    z = (got / want - 1) / math.sqrt(2 / (d * n))
    assert z.abs().max() < 5


def test_bound_in_the_letters_of_ddpm():
    """A term is the divergence of two normal laws with the same variance."""
    x_0, eps = normal(1, 2), normal(1, 2, seed=1)
    alpha_bar_s, alpha_bar_t = AB[30], AB[60]
    b, a = alpha_bar_to_sigma(alpha_bar_s), alpha_bar_to_sigma(alpha_bar_t)
    eps = torch.randn(1, 2, dtype=torch.float64, generator=rng(3))
    mixture = reference_mixture()
    D_x = mixture(x_0 + a * eps, a)
    x_t = alpha_bar_t.sqrt() * (x_0 + a * eps)
    (true, var), (model, _) = (
        posterior(y, x_t, alpha_bar_s, alpha_bar_t) for y in (x_0, D_x)
    )
    want = ((true - model) ** 2).sum() / (2 * var)
    got = vlb_terms(mixture, x_0, torch.stack([a, b]), generator=rng(3))
    close(got, want[None], rtol=1e-9)


def test_bound_keeps_events_and_precision():
    D = lambda x, sigma: x / (1 + sigma**2)  # noqa: E731
    sigmas = geometric(4, zero=False)
    x_0 = normal(5, 2, 3).float()
    got = vlb_terms(D, x_0, sigmas, generator=rng())
    assert got.shape == (3,)
    assert got.dtype == torch.float32
    same = vlb_terms(D, x_0.flatten(1), sigmas, generator=rng())
    assert_close(got, same)


X, DOWN = torch.ones(2, 2), torch.tensor([2.0, 1.0])
ID = lambda x, sigma: x  # noqa: E731


@pytest.mark.parametrize(
    ("kernel", "args", "message"),
    [
        (linear_betas, {"T": 0}, "T must be an integer >= 1, got 0"),
        (linear_betas, {"lo": 0.0}, "lo must be in (0, 1), got 0.0"),
        (linear_betas, {"hi": 1.0}, "hi must be in (0, 1), got 1.0"),
        (linear_betas, {"lo": 0.5, "hi": 0.2}, "hi must be >= lo = 0.5, got 0.2"),
        (cosine_alpha_bar, {"T": 0}, "T must be an integer >= 1, got 0"),
        (cosine_alpha_bar, {"T": 3, "offset": -1.0}, "offset must be finite and >= 0, got -1.0"),
        (cosine_alpha_bar, {"T": 3, "beta_clip": 1.0}, "beta_clip must be in (0, 1), got 1.0"),
        (alpha_bar_to_sigma, {"alpha_bar": torch.tensor([0.5, 0.0])}, "alpha_bar must be in (0, 1], got 0.0"),
        (alpha_bar_to_sigma, {"alpha_bar": torch.tensor([1.5, 0.5])}, "alpha_bar must be in (0, 1], got 1.5"),
        (posterior, {"x_0": X, "x_t": X, "alpha_bar_s": 0.5, "alpha_bar_t": 0.5}, "alpha_bar_t must be < alpha_bar_s, for s < t, got 0.5"),
        (posterior, {"x_0": X, "x_t": X, "alpha_bar_s": 0.5, "alpha_bar_t": torch.tensor([0.1, 0.75])}, "alpha_bar_t must be < alpha_bar_s, for s < t, got 0.75"),
        (posterior, {"x_0": X, "x_t": X, "alpha_bar_s": 2.0, "alpha_bar_t": 0.5}, "alpha_bar_s must be <= 1, got 2.0"),
        (posterior, {"x_0": X, "x_t": X, "alpha_bar_s": 0.5, "alpha_bar_t": 0.0}, "alpha_bar_t must be > 0, got 0.0"),
        (posterior, {"x_0": X, "x_t": X[:1], "alpha_bar_s": 0.5, "alpha_bar_t": 0.1}, "x_t must have the shape of x_0, got shape (1, 2)"),
        (vlb_terms, {"D": ID, "x_0": X[:0], "sigmas": DOWN, "generator": rng()}, "x_0 must not be empty, got shape (0, 2)"),
        (vlb_terms, {"D": ID, "x_0": X, "sigmas": DOWN - 1, "generator": rng()}, "sigmas must end at a value > 0, got 0.0"),
        (vlb_terms, {"D": ID, "x_0": X, "sigmas": DOWN, "n_eps": 0, "generator": rng()}, "n_eps must be an integer >= 1, got 0"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(kernel, args, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kernel(**args)
