"""Preconditioning by its defining properties, against diffusers and the exact Gaussian denoiser."""

import json
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from utils.diffusion.precond import (
    Precond,
    Preconditioned,
    edm,
    eps_vp,
    flow_pred,
    score_ve,
    v_pred,
    x0_pred,
)

from . import make_training_peers as training

ALL = {
    "edm": edm(0.7504),
    "eps_vp": eps_vp(),
    "score_ve": score_ve(),
    "v_pred": v_pred(),
    "flow_pred": flow_pred(),
    "x0_pred": x0_pred(0.7504),
}
every = pytest.mark.parametrize("p", ALL.values(), ids=ALL)
seeded = settings(derandomize=True, deadline=None, max_examples=60, database=None)
SIGMA = torch.logspace(-6, 4, 41, dtype=torch.float64)
levels = st.floats(-6, 4).map(lambda e: torch.tensor(10.0**e, dtype=torch.float64))


class Says(torch.nn.Module):
    """A network that returns what it was told to."""

    def __init__(self, value):
        super().__init__()
        self.value, self.seen = value, None

    def forward(self, x, c):
        self.seen = x, c
        return self.value if isinstance(self.value, torch.Tensor) else self.value(x)


def draws(seed=0, shape=(41, 3)):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(size=(2, *shape)))


def linear_target(p, sigma):
    """The target is linear in data and noise: its two coefficients."""
    one, zero = torch.ones(1, 1).double(), torch.zeros(1, 1).double()
    return float(p.target(one, zero, sigma)), float(p.target(zero, one, sigma))


@seeded
@given(levels, st.floats(0.05, 20))
def test_edm_gives_input_and_target_unit_variance(sigma, sigma_data):
    p = edm(sigma_data)
    assert_allclose(p.c_in(sigma) ** 2 * (sigma**2 + sigma_data**2), 1, rtol=1e-12)
    of_data, of_noise = linear_target(p, sigma)
    variance = of_data**2 * sigma_data**2 + of_noise**2
    # 1 - c_skip is rounded before it is divided by c_out
    assert_allclose(variance, 1, rtol=1e-12, atol=1e-15 / float(sigma))


@pytest.mark.parametrize("sigma", [0.01, 0.3, 0.5, 2.0, 30.0])
@pytest.mark.parametrize("sigma_data", [0.5, 0.7504, 3.0])
def test_edm_skip_amplifies_the_errors_least(sigma, sigma_data):
    def c_out(c_skip):  # what a target of unit variance asks for
        return math.hypot((1 - c_skip) * sigma_data, c_skip * sigma)

    best = minimize_scalar(c_out, bounds=(0, 1), options={"xatol": 1e-10})
    p, level = edm(sigma_data), torch.tensor(sigma, dtype=torch.float64)
    assert_allclose(p.c_skip(level), best.x, atol=1e-6)
    assert_allclose(p.c_out(level), best.fun, rtol=1e-12)
    assert_allclose(p.c_out(level), c_out(float(p.c_skip(level))), rtol=1e-12)


@pytest.mark.parametrize("name", ["eps_vp", "v_pred", "x0_pred"])
def test_input_of_unit_variance_elsewhere(name):
    p = ALL[name]
    assert_allclose(p.c_in(SIGMA) ** 2 * (SIGMA**2 + p.sigma_data**2), 1, rtol=1e-12)


def test_v_prediction_is_edm_for_unit_data_up_to_a_sign():
    ours, theirs = v_pred(), edm(1.0)
    assert_allclose(ours.c_skip(SIGMA), theirs.c_skip(SIGMA), rtol=1e-13)
    assert_allclose(ours.c_in(SIGMA), theirs.c_in(SIGMA), rtol=1e-13)
    assert_allclose(ours.c_out(SIGMA), -theirs.c_out(SIGMA), rtol=1e-13)
    assert_allclose(ours.c_noise(SIGMA), theirs.c_noise(SIGMA), rtol=1e-13)


def test_what_each_network_predicts():
    x_0, eps = draws(1)
    sigma = torch.logspace(-3, 3, 41, dtype=torch.float64)
    column = sigma[:, None]
    a = 1 / (1 + column**2)  # the alpha bar of this level
    want = {
        "eps_vp": eps,
        "score_ve": -eps,
        "v_pred": a.sqrt() * eps - (1 - a).sqrt() * x_0,
        "flow_pred": eps - x_0,
        "x0_pred": x_0,
    }
    for name, target in want.items():
        got = ALL[name].target(x_0, eps, sigma)
        assert_allclose(got, target, rtol=0, atol=1e-10, err_msg=name)


def test_what_each_network_sees():
    x_0, eps = draws(2)
    x = x_0 + SIGMA[:, None] * eps
    a = 1 / (1 + SIGMA[:, None] ** 2)
    t = (SIGMA / (1 + SIGMA))[:, None]
    want = {
        "eps_vp": a.sqrt() * x_0 + (1 - a).sqrt() * eps,
        "v_pred": a.sqrt() * x_0 + (1 - a).sqrt() * eps,
        "flow_pred": (1 - t) * x_0 + t * eps,
        "score_ve": x,
    }
    for name, seen in want.items():
        F = Says(x)
        Preconditioned(F, ALL[name])(x, SIGMA)
        assert_allclose(F.seen[0], seen, rtol=1e-10, atol=1e-10, err_msg=name)
        assert_allclose(F.seen[1], ALL[name].c_noise(SIGMA), rtol=0, err_msg=name)


@every
def test_a_perfect_network_makes_a_perfect_denoiser(p):
    x_0, eps = draws(3)
    F = Says(p.target(x_0, eps, SIGMA))
    D_x = Preconditioned(F, p)(x_0 + SIGMA[:, None] * eps, SIGMA)
    assert_allclose(D_x, x_0, rtol=0, atol=1e-10)


@every
def test_the_network_that_makes_the_gaussian_denoiser(p):
    """For ``x_0 ~ N(0, c^2)`` the best ``F`` is the regression of the target on the state."""
    c = 0.3
    x = draws(4)[0]
    gain = torch.tensor(
        [
            (of_data * c**2 + of_noise * float(sigma)) / (c**2 + float(sigma) ** 2)
            for sigma in SIGMA
            for of_data, of_noise in [linear_target(p, sigma)]
        ],
        dtype=torch.float64,
    )
    D_x = Preconditioned(Says(gain[:, None] * x), p)(x, SIGMA)
    want = c**2 / (c**2 + SIGMA[:, None] ** 2) * x
    assert_allclose(D_x, want, rtol=0, atol=1e-10)


def test_edm_with_a_silent_network_is_the_wiener_filter():
    x = draws(5)[0]
    silent = Preconditioned(Says(torch.zeros_like(x)), edm(0.3))
    assert_allclose(silent(x, SIGMA), 0.09 / (0.09 + SIGMA[:, None] ** 2) * x, rtol=1e-12)  # fmt: skip


@every
def test_weight_makes_the_loss_a_plain_square(p):
    assert_allclose(p.weight(SIGMA) * p.c_out(SIGMA) ** 2, 1, rtol=1e-12)
    x_0, eps = draws(6)
    F_x = draws(7)[0]
    D_x = Preconditioned(Says(F_x), p)(x_0 + SIGMA[:, None] * eps, SIGMA)
    keep = SIGMA > 1e-3  # below, the digits of D - x_0 are lost
    weighted = p.weight(SIGMA) * ((D_x - x_0) ** 2).sum(dim=1)
    plain = ((F_x - p.target(x_0, eps, SIGMA)) ** 2).sum(dim=1)
    assert_allclose(weighted[keep], plain[keep], rtol=1e-8)


def test_weights_of_the_literature():
    one = torch.tensor(1.0, dtype=torch.float64)
    for name in ("eps_vp", "score_ve"):
        assert_allclose(ALL[name].weight(SIGMA), SIGMA**-2, rtol=1e-12)
    want = (SIGMA**2 + 0.25) / (0.5 * SIGMA) ** 2
    assert_allclose(edm(0.5).weight(SIGMA), want, rtol=1e-12)
    assert_allclose(flow_pred().weight(SIGMA), ((1 + SIGMA) / SIGMA) ** 2, rtol=1e-12)
    assert_allclose(edm(0.5).weight(one), 5, rtol=1e-12)


def test_clocks():
    t = torch.linspace(1e-5, 1, 50, dtype=torch.float64)
    sigma = torch.expm1(0.1 * t + 19.9 * t**2 / 2).sqrt()
    assert_allclose(eps_vp().c_noise(sigma), 999 * t, rtol=1e-9)
    golden = torch.tensor([0.00100050, 0.01048599, 3.41292, 152.16697])
    want = torch.tensor([1e-5, 1e-3, 0.5, 1.0])
    assert_allclose(eps_vp(2).c_noise(golden.double()), want, rtol=1e-5)
    assert_allclose(score_ve().c_noise(2 * torch.ones(1).double().exp()), 1, rtol=1e-15)
    for name in ("edm", "v_pred", "flow_pred", "x0_pred"):
        assert_allclose(ALL[name].c_noise(torch.ones(1).double().exp()), 1 / 4, rtol=1e-15)  # fmt: skip


def test_edm_golden_values():
    p = edm(0.5)
    sigma = torch.tensor([0.002, 0.1, 0.5, 1.0, 80.0], dtype=torch.float64)
    want = {
        "c_skip": [0.999984, 0.961538, 0.5, 0.2, 3.9061e-5],
        "c_out": [0.00199998, 0.098058, 0.353553, 0.447214, 0.49999],
        "c_in": [1.999984, 1.961161, 1.414214, 0.894427, 0.0124998],
    }
    for name, values in want.items():
        assert_allclose(getattr(p, name)(sigma), values, rtol=2e-5, err_msg=name)


def test_stored_values_of_diffusers():
    table = json.loads(training.STORED.read_text(encoding="utf-8"))["edm"]
    x, F_x = torch.tensor([[[0.7]], [[-0.3]]], dtype=torch.float64)
    p = edm(0.5)
    for sigma, (c_in, epsilon, c_noise) in zip(training.LEVELS, table["epsilon"], strict=True):  # fmt: skip
        level = torch.tensor(sigma, dtype=torch.float64)
        assert_allclose(p.c_in(level), c_in, rtol=1e-12)
        assert_allclose(p.c_noise(level), c_noise, rtol=1e-12)
        assert_allclose(Preconditioned(Says(F_x), p)(x, sigma), [[epsilon]], rtol=1e-12)
    for sigma, (_, v, _) in zip(training.LEVELS, table["v_prediction"], strict=True):
        assert_allclose(Preconditioned(Says(-F_x), p)(x, sigma), [[v]], rtol=1e-12)


def test_diffusers_still_says_the_same():
    stored = json.loads(training.STORED.read_text(encoding="utf-8"))["edm"]
    for kind, rows in training.edm().items():
        assert_allclose(rows, stored[kind], rtol=1e-12)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_at_the_ends(p, dtype):
    D = Preconditioned(Says(torch.tanh), p)
    for sigma in (1e-6, 1e-3, 1.0, 1e4):
        for size in (0.0, 1.0, 1e4):
            D_x = D(torch.full((2, 3), size, dtype=dtype), sigma)
            assert D_x.dtype == dtype
            assert D_x.isfinite().all()
    assert p.weight(SIGMA.to(dtype)).isfinite().all()


@every
def test_levels_one_for_all_or_one_for_each(p):
    x = draws(8)[0][:4]
    D = Preconditioned(Says(torch.sin), p)
    sigma = torch.tensor([0.1, 0.1, 2.0, 3.0], dtype=torch.float64)
    whole = D(x, sigma)
    for i in range(4):
        assert_allclose(D(x[i : i + 1], sigma[i]), whole[i : i + 1], rtol=1e-14)
        assert_allclose(D(x[i : i + 1], float(sigma[i])), whole[i : i + 1], rtol=1e-14)
    assert D(x.reshape(2, 2, 3, 1), 0.5).shape == (2, 2, 3, 1)
    assert_allclose(D(x.reshape(4, 3, 1), sigma)[..., 0], whole, rtol=1e-14)
    assert D(x[:0], 0.5).shape == (0, 3)


def test_gradients_reach_the_network():
    F = torch.nn.Bilinear(3, 1, 3, bias=False).double()
    p = edm()
    D = Preconditioned(lambda_module(lambda x, c: F(x, c.expand(len(x), 1))), p)
    x = draws(9)[0]
    D(x, 0.5).sum().backward()
    assert F.weight.grad.abs().sum() > 0


def lambda_module(f):
    module = torch.nn.Module()
    module.forward = f
    return module


def test_a_preconditioning_is_a_fixed_choice():
    with pytest.raises(AttributeError):
        edm().sigma_data = 1.0


def bad(call, message):
    return pytest.param(call, message, id=message[:40])


X = torch.zeros(3, 2, dtype=torch.float64)
D = Preconditioned(Says(torch.sin), edm())


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        bad(lambda: edm(0.0), r"sigma_data must be finite and > 0, got 0\.0"),
        bad(lambda: x0_pred(-1.0), r"sigma_data must be finite and > 0, got -1\.0"),
        bad(lambda: Precond(*[torch.clone] * 4, math.nan), "sigma_data must be finite and > 0, got nan"),
        bad(lambda: eps_vp(1), "M must be an integer >= 2, got 1"),
        bad(lambda: D(X, 0.0), r"sigma must be > 0, got 0\.0"),
        bad(lambda: D(X, torch.tensor([1.0, -2.0, 1.0])), r"sigma must be > 0, got -2\.0"),
        bad(lambda: D(X, math.inf), "sigma must be finite, got inf"),
        bad(lambda: D(X, torch.ones(2)), r"sigma must be a number or have shape \(3,\), got shape \(2,\)"),
        bad(lambda: edm().weight(torch.tensor([1.0, 0.0])), r"sigma must be > 0, got 0\.0"),
        bad(lambda: edm().weight(torch.tensor([math.nan])), "sigma must be finite, got nan"),
        bad(lambda: edm().target(X, X[:2], 1.0), r"eps must have the shape of x_0, got shape \(2, 2\)"),
        bad(lambda: edm().target(X, X * math.nan, 1.0), "eps must be finite, got nan"),
        bad(lambda: edm().target(X + math.inf, X, 1.0), "x_0 must be finite, got inf"),
        bad(lambda: edm().target(X, X, -1.0), r"sigma must be > 0, got -1\.0"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()


@every
@pytest.mark.usefixtures("without_type_checks")
def test_coefficients_by_exact_arithmetic(p):
    """Each function and the weight, in any precision: rounded once, from float64."""
    for sigma in (1e-6, 1e-3, 0.5, 2.0, 300.0, 1e4):
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            level = torch.tensor(sigma, dtype=dtype)
            if level == 0:
                continue
            for f in (p.c_skip, p.c_out, p.c_in, p.c_noise, p.weight):
                want = f(level.double())
                assert f(level).dtype == dtype
                assert f(level) == want.to(dtype)
                assert f(level.item()) == want
    for whole in (2, np.int64(2), torch.tensor(2), np.float32(2)):
        assert p.weight(whole) == p.weight(2.0)
        assert p.c_skip(whole) == p.c_skip(2.0)


def test_the_clock_of_ddpm_keeps_its_digits_near_the_data():
    for sigma in (1e-9, 1e-6, 1e-3, 1.0, 100.0):
        with mpmath.workdps(60):
            B = mpmath.log1p(mpmath.mpf(sigma) ** 2)
            a, b = mpmath.mpf(0.1), mpmath.mpf(19.9)
            want = 999 * (mpmath.sqrt(a**2 + 2 * b * B) - a) / b
        assert_allclose(eps_vp().c_noise(sigma), float(want), rtol=1e-14)


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("sigma", [0.01, 1.0, 300.0])
def test_less_precision_follows_double(p, dtype, sigma):
    x_0, eps = (v.to(dtype) for v in draws(3, (5, 3)))
    rtol = 4 * torch.finfo(dtype).eps
    want = p.target(x_0.double(), eps.double(), sigma)
    got = p.target(x_0, eps, sigma)
    assert got.dtype == dtype
    assert_allclose(got.double(), want, rtol=rtol, atol=rtol * float(want.abs().max()))
    D = Preconditioned(Says(torch.tanh), p)
    x = (x_0 + sigma * eps).to(dtype)
    want = D(x.double(), sigma)
    for level in (sigma, torch.full((5,), sigma).double()):
        got = D(x, level)
        assert got.dtype == dtype
        atol = 8 * rtol * float(want.abs().max() + (p.c_out(sigma) * 1).abs())
        assert_allclose(got.double(), want, rtol=rtol, atol=atol)


def test_a_network_that_changes_shape_or_precision_is_named():
    x = torch.ones(3, 2)
    for value in (torch.ones(3, 1), torch.ones(2), torch.ones(3, 2).double()):
        with pytest.raises(ValueError, match=r"^F must return torch.float32 of shape"):
            Preconditioned(Says(value), edm())(x, 1.0)
    net = Preconditioned(torch.nn.Bilinear(2, 2, 2), edm())
    with pytest.raises(ValueError, match=r"^x must have the dtype of F, torch.float32"):
        net(x.double(), 1.0)
    with pytest.raises(ValueError, match=r"^eps must have the dtype of x_0"):
        edm().target(x, x.double(), 1.0)
