"""What networks predict: definitions, round trips, and the count of calls."""

import inspect
import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from utils.diffusion.denoisers import (
    KINDS,
    CountingDenoiser,
    from_denoised,
    to_denoised,
)
from utils.diffusion.mixtures import reference_mixture
from utils.diffusion.processes import flow, ode_velocity

MIXTURE = reference_mixture()


def normal(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=rng)


def close(got, want, atol=1e-12, rtol=1e-12):
    assert_close(got, want, atol=atol, rtol=rtol)


@pytest.mark.parametrize("sigma", [0.01, 1.0, 30.0])
def test_a_perfect_denoiser_predicts_what_was_mixed(sigma):
    """With D_x = x_0 each prediction is its definition in x_0 and eps."""
    x_0, eps = normal(5, 3, 2), normal(5, 3, 2, seed=1)
    x = x_0 + sigma * eps
    s = 1 / math.sqrt(1 + sigma**2)
    want = {
        "eps": eps,
        "score": -eps / sigma,
        "v": s * eps - s * sigma * x_0,
        "velocity": eps - x_0,
    }
    assert want.keys() == set(KINDS)
    for kind, value in want.items():
        got = from_denoised(x_0, x, sigma, kind)
        close(got, value, atol=1e-11 / min(sigma, 1) ** 2)
        close(to_denoised(value, x, sigma, kind), x_0, atol=1e-10)


@settings(derandomize=True, deadline=None, database=None)
@given(st.floats(-3, 3).map(lambda e: 10**e), st.sampled_from(KINDS))
def test_round_trip(sigma, kind):
    D_x, x = normal(4, 2), (1 + sigma) * normal(4, 2, seed=1)
    got = to_denoised(from_denoised(D_x, x, sigma, kind), x, sigma, kind)
    close(got, D_x, atol=1e-12 * (1 + sigma))


def test_v_turns_state_and_noise():
    """v and the scaled state are eps and x_0, turned by the angle atan(sigma)."""
    x_0, eps, sigma = normal(4, 2), normal(4, 2, seed=1), 0.7
    x = x_0 + sigma * eps
    angle = math.atan(sigma)
    x_t, v = math.cos(angle) * x, from_denoised(x_0, x, sigma, "v")
    close(math.cos(angle) * x_t - math.sin(angle) * v, x_0)
    close(math.sin(angle) * x_t + math.cos(angle) * v, eps)


def test_score_of_a_mixture():
    x = normal(6, 2)
    got = from_denoised(MIXTURE(x, 0.4), x, 0.4, "score")
    close(got, MIXTURE.score(x, 0.4), atol=1e-10, rtol=1e-10)


def test_velocity_is_that_of_flow_matching():
    x_t, t = normal(6, 2), 0.3
    x, sigma = x_t / (1 - t), t / (1 - t)
    got = from_denoised(MIXTURE(x, sigma), x, sigma, "velocity")
    close(got, ode_velocity(MIXTURE, flow(), x_t, t), atol=1e-11)


def test_a_level_for_each_row():
    D_x, x, level = normal(3, 2, 4), normal(3, 2, 4, seed=1), normal(3).exp()
    for kind in KINDS:
        for convert in (from_denoised, to_denoised):
            rows = [convert(D_x[[i]], x[[i]], level[i].item(), kind) for i in range(3)]
            close(convert(D_x, x, level, kind), torch.cat(rows))


def test_precision_follows_the_state():
    x, level = normal(3, 2).float(), torch.ones(3, dtype=torch.float64)
    for kind in KINDS:
        assert from_denoised(x, 2 * x, level, kind).dtype == torch.float32
        assert to_denoised(x, 2 * x, 0.5, kind).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sigma", [1e-3, 300.0, 1e3])
def test_half_precision_by_the_definitions_in_double(kind, sigma, dtype):
    """The square of 300 is no number in half precision, nor is that of 0.0001."""
    D_x, eps = normal(5, 2).to(dtype), normal(5, 2, seed=1).to(dtype)
    x = (D_x + sigma * eps).to(dtype)
    wide = x.double(), sigma
    value = from_denoised(D_x.double(), *wide, kind).to(dtype)
    rtol = 2 * torch.finfo(dtype).eps
    for level in (sigma, torch.full((5,), sigma, dtype=torch.float64)):
        got = from_denoised(D_x, x, level, kind)
        close(got.double(), value.double(), rtol=rtol, atol=rtol * value.abs().max())
        want = to_denoised(value.double(), *wide, kind)
        terms = rtol * (x.abs().max() + (sigma * value.double()).abs().max())
        got = to_denoised(value, x, level, kind)
        assert got.dtype == dtype
        close(got.double(), want, rtol=rtol, atol=terms)


def test_calls_are_counted():
    D = CountingDenoiser(MIXTURE)
    x = normal(5, 2)
    assert D.nfe == 0
    assert torch.equal(D(x, 0.5), MIXTURE(x, 0.5))
    D(x[:1], 0.1)
    assert D.nfe == 2
    for part in (CountingDenoiser, CountingDenoiser.__call__):
        assert inspect.getdoc(part)


ONE = torch.ones(2, 2)


@pytest.mark.parametrize(
    ("kernel", "args", "message"),
    [
        (from_denoised, (ONE, ONE, 1.0, "x"), "kind must be one of eps, score, v, velocity, got x"),
        (from_denoised, (ONE[:1], ONE, 1.0, "eps"), "D_x must have the shape of x, got shape (1, 2)"),
        (from_denoised, (ONE, ONE, 0.0, "eps"), "sigma must be > 0, got 0.0"),
        (to_denoised, (ONE[:1], ONE, 1.0, "eps"), "value must have the shape of x, got shape (1, 2)"),
        (to_denoised, (ONE, ONE, torch.ones(3), "v"), "sigma must be a number or have shape (2,), got shape (3,)"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(kernel, args, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kernel(*args)
