"""Processes against the drifts of the papers, autograd, moment equations and the exact law."""

import dataclasses
import inspect
import math
import re

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.testing import assert_close

from utils.diffusion.mixtures import reference_mixture
from utils.diffusion.processes import (
    Process,
    flow,
    forward_kernel,
    ode_velocity,
    perturb,
    sub_vp,
    ve,
    ve_linear,
    ve_sqrt,
    vp,
)

MIXTURE = reference_mixture()
ALL = [vp(), sub_vp(), ve(), ve_sqrt(), ve_linear(), flow(), vp(0.2, 0.0)]
each_process = pytest.mark.parametrize("process", ALL, ids=lambda p: p.name)
T = torch.tensor([0.001, 0.1, 0.3, 0.5, 0.9], dtype=torch.float64)


def normal(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=rng)


def close(got, want, atol=1e-12, rtol=1e-12):
    want = torch.as_tensor(want, dtype=torch.float64).expand_as(got)
    assert_close(got, want, atol=atol, rtol=rtol)


@each_process
def test_derivatives(process):
    t = T.clone().requires_grad_()
    for f, df in (
        (process.s, process.ds),
        (lambda t: process.sigma(t) ** 2, process.dsigma2),
    ):
        y = f(t)
        want = torch.zeros_like(t)
        if y.requires_grad:
            (want,) = torch.autograd.grad(y.sum(), t)
        close(df(T), want, rtol=1e-11)


@each_process
def test_inverse(process):
    close(process.sigma_inv(process.sigma(T)), T, rtol=1e-12, atol=1e-12)
    t = torch.tensor([1e-7, 1e-5], dtype=torch.float64)
    close(process.sigma_inv(process.sigma(t)), t, rtol=1e-9, atol=1e-16)


def test_drifts_of_the_papers():
    """Song et al. 2021, equations 9, 11 and 12, and what flow matching amounts to."""
    beta, B = 0.1 + 19.9 * T, 0.1 * T + 9.95 * T**2
    close(vp().f(T), -beta / 2)
    close(vp().g2(T), beta)
    close(sub_vp().f(T), -beta / 2)
    close(sub_vp().g2(T), beta * (1 - torch.exp(-2 * B)))
    close(ve().f(T), 0 * T)
    sigma = 0.01 * 5000**T
    close(ve().g2(T), 2 * sigma**2 * math.log(5000))
    close(flow().f(T), -1 / (1 - T))
    close(flow().g2(T), 2 * T / (1 - T))
    close(ve_sqrt().g2(T), 1)
    close(ve_linear().g2(T), 2 * T)


def test_values():
    t = torch.tensor([1e-5, 1e-3, 0.5, 1.0], dtype=torch.float64)
    close(vp().sigma(t), [0.00100050, 0.01048599, 3.41292, 152.16697], rtol=3e-6)
    half, third = torch.tensor([0.5, 0.3], dtype=torch.float64)
    close(sub_vp().sigma(half), 3.27522, rtol=2e-6)
    close(ve().sigma(half), math.sqrt(0.5), rtol=1e-12)
    close(vp().f(third), -3.035)
    close(vp().g2(third), 6.07)
    close(sub_vp().g2(third), 5.116524, rtol=1e-6)
    close(ve().g2(third), 0.282298, rtol=2e-6)
    close(flow().f(third), -1.428571, rtol=1e-6)
    close(flow().g2(third), 0.857143, rtol=1e-6)


@pytest.mark.parametrize(
    ("process", "std"),
    [
        (vp(), [0.044643, 0.322053, 0.959654, 0.999978]),
        (sub_vp(), [0.001993, 0.103718, 0.920936, 0.999957]),
    ],
)
def test_standard_deviations(process, std):
    t = torch.tensor([0.01, 0.1, 0.5, 1.0], dtype=torch.float64)
    s, got = forward_kernel(process, t)
    close(got, std, atol=6e-7)
    close(s, process.s(t))


@pytest.mark.parametrize("process", [vp(), sub_vp(), ve(), ve_sqrt(), ve_linear()])
def test_moments_of_the_sde(process):
    """dm/dt = f m and dv/dt = 2 f v + g^2, integrated by scipy."""

    def rate(t, y):
        t = torch.tensor(t, dtype=torch.float64)
        return [process.f(t) * y[0], 2 * process.f(t) * y[1] + process.g2(t)]

    at = torch.tensor([0.0, 0.6], dtype=torch.float64)
    (s_0, s), (std_0, std) = forward_kernel(process, at)
    start = [float(s_0), float(std_0) ** 2]
    end = solve_ivp(rate, (0, 0.6), start, rtol=1e-10, atol=1e-12).y[:, -1]
    assert math.isclose(end[0], s, rel_tol=1e-8)
    assert math.isclose(end[1], std**2, rel_tol=1e-8)


@each_process
def test_finite_where_the_noise_begins(process):
    zero = torch.zeros(1, dtype=torch.float64)
    for f in (process.s, process.ds, process.sigma, process.dsigma2, process.g2):
        assert f(zero).isfinite().all()


def test_forward_kernel_of_scalars_and_vectors():
    s, std = forward_kernel(flow(), torch.tensor(0.25))
    assert (s, std) == (0.75, 0.25)
    assert s.dtype == torch.float32


def test_the_one_step_formulas_of_three_papers():
    x_0, eps, t = normal(4, 3, 2), normal(4, 3, 2, seed=1), 0.3
    close(perturb(flow(), x_0, t, eps), (1 - t) * x_0 + t * eps)
    close(perturb(ve_linear(), x_0, t, eps), x_0 + t * eps)
    ab = math.exp(-(0.1 * t + 9.95 * t**2))
    want = math.sqrt(ab) * x_0 + math.sqrt(1 - ab) * eps
    close(perturb(vp(), x_0, t, eps), want)


@each_process
def test_a_time_for_each_row(process):
    x, eps, t = normal(5, 2), normal(5, 2, seed=1), T
    rows = [perturb(process, x[[i]], T[i].item(), eps[[i]]) for i in range(5)]
    close(perturb(process, x, t, eps), torch.cat(rows))
    rows = [
        ode_velocity(
            MIXTURE,
            process,
            x[[i]],
            T[i],
        )
        for i in range(5)
    ]
    close(ode_velocity(MIXTURE, process, x, t), torch.cat(rows), atol=1e-9)
    assert perturb(process, x.float(), t, eps.float()).dtype == torch.float32
    assert ode_velocity(MIXTURE, process, x.float(), 0.3).dtype == torch.float32


@each_process
def test_the_velocity_carries_the_law(process):
    """Continuity equation: d/dt log p + v . grad log p + div v = 0."""
    x, t = normal(20, 2), torch.tensor(0.3, dtype=torch.float64)

    def log_p(x, t):
        s = process.s(t)
        return MIXTURE.log_prob(x / s, process.sigma(t)) - 2 * s.log()

    h = 1e-5
    in_time = (log_p(x, t + h) - log_p(x, t - h)) / (2 * h)
    s = process.s(t)
    score = MIXTURE.score(x / s, process.sigma(t)) / s
    v = ode_velocity(MIXTURE, process, x, t)
    shift = torch.eye(2, dtype=torch.float64) * h
    divergence = sum(
        ode_velocity(MIXTURE, process, x + e, t)[:, i]
        - ode_velocity(MIXTURE, process, x - e, t)[:, i]
        for i, e in enumerate(shift)
    ) / (2 * h)
    residual = in_time + (v * score).sum(1) + divergence
    scale = 1 + (v * score).sum(1).abs() + divergence.abs()
    assert (residual / scale).abs().max() < 1e-6


@each_process
def test_the_velocity_is_half_of_the_score(process):
    """f x - g^2 score / 2, as Song et al. 2021 write it in equation 13."""
    x, t = normal(6, 2), torch.tensor(0.4, dtype=torch.float64)
    s = process.s(t)
    score = MIXTURE.score(x / s, process.sigma(t)) / s
    want = process.f(t) * x - process.g2(t) / 2 * score
    close(ode_velocity(MIXTURE, process, x, t), want, atol=1e-9, rtol=1e-9)


def test_the_velocity_of_flow_matching():
    x, t = normal(6, 2), 0.4
    want = (x - MIXTURE(x / (1 - t), t / (1 - t))) / t
    close(ode_velocity(MIXTURE, flow(), x, t), want, atol=1e-11)


@pytest.mark.parametrize("process", [ve_sqrt(), ve_linear()])
def test_an_open_clock_ends_at_the_highest_level(process):
    close(process.sigma(torch.tensor(process.t_max, dtype=torch.float64)), 1e4)


def test_a_clock_can_be_changed():
    longer = dataclasses.replace(ve_linear(), t_max=1e6)
    assert perturb(longer, normal(2, 2), 1e5, normal(2, 2)).isfinite().all()
    with pytest.raises(dataclasses.FrozenInstanceError):
        longer.t_max = 1.0
    assert "Parameters\n-" in inspect.getdoc(Process)
    assert all(inspect.getdoc(f) for f in (Process.f, Process.g2))


@each_process
@pytest.mark.parametrize(
    "curve", ["s", "ds", "sigma", "dsigma2", "f", "g2", "sigma_inv"]
)
def test_curves_take_numbers_and_keep_precision(process, curve):
    quarter = torch.tensor([0.25], dtype=torch.float64)
    f, want = getattr(process, curve), getattr(process, curve)(quarter)[0]
    for number in (0.25, np.float32(0.25), quarter[0]):
        got = f(number)
        assert got.dtype == torch.float64
        assert got == want
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        assert f(torch.tensor(0.25, dtype=dtype)) == want.to(dtype)
    if process.t_max > 1:  # an integer is a time, and no reason for integer arithmetic
        close(f(torch.tensor(7)), f(7.0))


@pytest.mark.usefixtures("without_type_checks")
def test_curves_take_a_whole_time():
    s, std = forward_kernel(flow(), 0)
    assert (s, std, s.dtype) == (1, 0, torch.float64)
    close(vp().sigma(torch.tensor(1)), math.sqrt(math.expm1(10.05)))
    close(vp().f(1), -10.0)
    assert forward_kernel(flow(), 0.25) == (0.75, 0.25)
    half = torch.tensor([0.25, 0.5], dtype=torch.float16)
    assert [v.dtype for v in forward_kernel(vp(), half)] == [torch.float16] * 2


@each_process
def test_times_and_levels_off_the_clock_are_refused(process):
    for curve in ("s", "ds", "sigma", "dsigma2", "f", "g2"):
        for t in (-1e-3, process.t_max * 1.01, torch.tensor([0.1, -0.1]), math.nan):
            with pytest.raises(ValueError, match=r"^t must be (in \[0|finite)"):
                getattr(process, curve)(t)
    low, high = process.sigma(0.0).item(), process.sigma(process.t_max).item()
    off = [-0.1, math.nan, *[low / 2] * (low > 0), *[2 * high] * (high < math.inf)]
    for sigma in off:
        with pytest.raises(ValueError, match=r"^sigma must be"):
            process.sigma_inv(sigma)
    for sigma, t in ((low, 0.0), *[(high, process.t_max)] * (high < math.inf)):
        for dtype in (torch.float64, torch.float32):
            got = process.sigma_inv(torch.tensor(sigma, dtype=dtype))
            close(got.double(), t, atol=1e-6, rtol=1e-6)
            assert 0 <= got <= process.t_max


def test_a_longer_clock_has_more_levels():
    longer = dataclasses.replace(ve_linear(), t_max=1e6)
    assert longer.sigma_inv(1e5) == longer.sigma(1e5) == 1e5
    with pytest.raises(ValueError, match=r"^sigma must be in \[0, 10000\] for EDM"):
        ve_linear().sigma_inv(1e5)


def test_derivatives_pass_through_the_curves():
    t = T.clone().requires_grad_()
    (slope,) = torch.autograd.grad(vp().sigma(t).sum(), t)
    close(slope, vp().dsigma2(T) / (2 * vp().sigma(T)))
    close(torch.func.vmap(torch.func.grad(vp().sigma))(T), slope)
    close(torch.func.vmap(vp().sigma)(T), vp().sigma(T))


def test_noise_beyond_all_numbers_is_refused():
    with pytest.raises(
        ValueError, match=r"^beta_d must be < 400, or exp\(B\) overflows, got 2000"
    ):
        vp(0.1, 2000.0)
    strong = vp(300.0, 390.0)
    assert strong.f(1.0).isfinite()
    close(strong.g2(1.0), 690.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_coefficients_do_not_overflow(dtype):
    """Levels of which the square, or the level itself, is no number in the precision of the states."""
    x_0, eps = normal(4, 2).to(dtype), normal(4, 2, seed=1).to(dtype)
    D = lambda x, sigma: x / (1 + sigma.reshape(-1, 1).to(x) ** 2)  # noqa: E731
    rtol = 4 * torch.finfo(dtype).eps
    for process, t in ((vp(), 1.0), (flow(), 0.9999), (ve(), 1.0), (flow(), 1 - 1e-9)):
        want = perturb(process, x_0.double(), t, eps.double())
        got = perturb(process, x_0, t, eps)
        close(got.double(), want, rtol=rtol, atol=rtol)
    x, t = perturb(vp(), x_0, 1.0, eps), torch.ones(4).to(dtype)
    want = ode_velocity(D, vp(), x.double(), 1.0)
    close(ode_velocity(D, vp(), x, 1.0).double(), want, rtol=rtol, atol=10 * rtol)
    close(ode_velocity(D, vp(), x, t).double(), want, rtol=rtol, atol=10 * rtol)


X = torch.ones(2, 2)


@pytest.mark.parametrize(
    ("kernel", "args", "message"),
    [
        (vp, (0.0,), "beta_min must be finite and > 0, got 0.0"),
        (vp, (0.1, -1.0), "beta_d must be finite and >= 0, got -1.0"),
        (sub_vp, (-1.0,), "beta_min must be finite and > 0, got -1.0"),
        (ve, (0.0,), "sigma_min must be finite and > 0, got 0.0"),
        (ve, (2.0, 1.0), "sigma_max must be > sigma_min = 2.0, got 1.0"),
        (forward_kernel, (vp(), torch.tensor([0.5, 1.5])), "t must be in [0, 1.0], got 1.5"),
        (perturb, (flow(), X, 1.0, X), "t must be a time with a finite sigma(t), got 1.0"),
        (perturb, (vp(), X, -0.5, X), "t must be in [0, 1.0], got -0.5"),
        (perturb, (vp(), X, torch.ones(3), X), "t must be a number or have shape (2,), got shape (3,)"),
        (perturb, (vp(), X, 0.5, X[:1]), "eps must have the shape of x_0, got shape (1, 2)"),
        (ode_velocity, (MIXTURE, vp(), X, 0.0), "t must be > 0 where sigma(0) = 0, got 0.0"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(kernel, args, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kernel(*args)
