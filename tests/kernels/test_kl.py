"""Estimators of KL divergence against quadrature, torch, enumeration and autograd."""

import itertools
import math
import re

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.integrate import quad
from torch.distributions import Categorical, Normal, kl_divergence

from utils.kl import (
    KINDS,
    categorical_kl,
    expected_estimator_gradient,
    gaussian_kl,
    gaussian_moments,
    k1,
    k2,
    k3,
    k_lambda,
    kl_loss,
    markov_sequence_kl,
    optimal_lambda,
    sequence_estimates,
)

NAN, INF = math.nan, math.inf
seeded = settings(derandomize=True, deadline=None, max_examples=60, database=None)
PAIRS = [(0.1, 1.0), (1.0, 1.0), (0.5, 1.2), (0.0, 0.5), (0.3, 0.8), (1.0, 0.7), (0.0, 1.3)]  # fmt: skip
CORRECT = ("k1_reward", "rho_k1", "rho_k3", "sg_rho_k2")
logits = arrays(np.float64, 5, elements=st.floats(-4, 4))


def exact_remainder(x):
    with mpmath.workdps(60):
        x = mpmath.mpf(float(x))
        return float(mpmath.exp(x) - 1 - x)


def softmax(x):
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def log_softmax(x):
    return torch.log_softmax(torch.as_tensor(x), -1)


def examples(seed, n=8):
    rng = np.random.default_rng(seed)
    theta, phi = rng.normal(size=n), rng.normal(size=n)
    return theta, phi, 0.5 * theta + 0.3 * phi


def autograd_of_kl(theta, phi, forward=False):
    """Gradient of the exact divergence, which torch writes and differentiates itself."""
    x = torch.tensor(theta, requires_grad=True)
    q, p = Categorical(logits=x), Categorical(logits=torch.tensor(phi))
    kl_divergence(*((p, q) if forward else (q, p))).backward()
    return x.grad.numpy()


def enumerated(theta, phi, kind, behaviour=None):
    """Gradient of the loss at each outcome, one backward pass each, weighed by its probability."""
    mu = theta if behaviour is None else behaviour
    total = np.zeros_like(theta)
    for j, weight in enumerate(softmax(mu)):
        x = torch.tensor(theta, requires_grad=True)
        log_mu = None if behaviour is None else log_softmax(behaviour)[j]
        kl_loss(log_softmax(x)[j], log_softmax(phi)[j], kind, log_mu).backward()
        total += weight * x.grad.numpy()
    return total


def chain(n, seed):
    return np.random.default_rng(seed).dirichlet(np.full(n, 2.0), size=n)


def test_values_by_hand():
    logp = np.log([0.1, 0.5, 2.0, 5.0])
    zero = np.zeros(4)
    assert_allclose(
        k1(zero, logp), [2.302585, 0.693147, -0.693147, -1.609438], atol=5e-7
    )
    assert_allclose(k2(zero, logp), [2.650949, 0.240227, 0.240227, 1.295145], atol=5e-7)
    assert_allclose(k3(zero, logp), [1.402585, 0.193147, 0.306853, 2.390562], atol=5e-7)
    assert_allclose(k_lambda(zero, logp, 0.0), k1(zero, logp), rtol=1e-14)
    assert_allclose(k_lambda(zero, logp, 1.0), k3(zero, logp), rtol=1e-14)
    assert_allclose(
        k_lambda(zero, logp, 2.5), -logp + 2.5 * (np.exp(logp) - 1), rtol=1e-13
    )


def test_the_first_argument_is_the_sampling_law():
    assert k1(-1.0, -3.0) == 2.0
    assert_allclose(k3(-1.0, -3.0), math.exp(-2) + 1, rtol=1e-15)
    assert_allclose(k3(-3.0, -1.0), math.exp(2) - 3, rtol=1e-15)


@pytest.mark.parametrize("scale", [1e-12, 1e-8, 1e-4, 1e-2, 0.29, 0.31, 1.0, 30.0])
def test_k3_has_full_accuracy(scale):
    log_r = scale * np.array([-1, -0.7, 0.6, 1])
    want = [exact_remainder(x) for x in log_r]
    assert_allclose(k3(np.zeros(4), log_r), want, rtol=2e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_short_precision_is_widened_before_anything_is_subtracted(dtype):
    logq = np.array([-2.0, -2.01, -0.1], dtype)
    logp = np.array([-2.001, -2.0, -3.0], dtype)
    want = [
        exact_remainder(float(p) - float(q)) for q, p in zip(logq, logp, strict=True)
    ]
    assert_allclose(k3(logq, logp), want, rtol=1e-13)
    assert k1(logq, logp).dtype == np.float64


@pytest.mark.usefixtures("without_type_checks")
def test_nearly_equal_laws_keep_their_digits():
    """Right values from the definition in 60 digits."""
    with mpmath.workdps(60):
        for step in (1e-3, 1e-8, 1e-15):
            q, p = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0 + step])
            w = [[mpmath.exp(mpmath.mpf(x)) for x in law] for law in (q, p)]
            w = [[x / sum(law) for x in law] for law in w]
            want = sum(a * mpmath.log(a / b) for a, b in zip(*w, strict=True))
            assert_allclose(categorical_kl(q, p), float(want), rtol=1e-12)
            s = 1.0 + step
            t = 1 / mpmath.mpf(s)
            want = (t * t - 1) / 2 - mpmath.log(t)
            assert_allclose(gaussian_kl(0.0, 1.0, 0.0, s), float(want), rtol=1e-13)
    assert_allclose(gaussian_kl(0.0, 1.0, 0.0, 1 + 1e-8), 1e-16, rtol=1e-7)
    q, p = np.float32([0, 1, 2]), np.float32([0, 1, 2.0005])
    assert_allclose(categorical_kl(q, p), 2.78e-8, rtol=2e-3)
    assert categorical_kl(q, q) == 0
    assert_allclose(optimal_lambda(np.array([0.0, 1e-17])), 1, rtol=1e-14)
    assert_allclose(optimal_lambda(np.array([0.0, 1e-200])), 1, rtol=1e-14)


@pytest.mark.parametrize("shift", [0.0, 10.0, -1e3, 1e5, 1e7])
def test_a_constant_between_logits_costs_no_digits(shift):
    q = np.array([0.3, -1.0, 0.5, 1.2])
    p = q + 1e-6 * np.array([1.0, -2.0, 0.5, 0.7]) + shift
    with mpmath.workdps(50):
        laws = [[mpmath.exp(mpmath.mpf(float(x))) for x in law] for law in (q, p)]
        laws = [[x / sum(law) for x in law] for law in laws]
        want = float(sum(a * mpmath.log(a / b) for a, b in zip(*laws, strict=True)))
    assert_allclose(categorical_kl(q, p), want, rtol=1e-9 if shift else 1e-14)


def test_far_laws_neither_overflow_nor_vanish():
    assert_allclose(
        gaussian_kl(0.0, 1e-200, 0.0, 1e200), 400 * math.log(10) - 0.5, rtol=1e-14
    )
    assert gaussian_kl(0.0, 1e200, 0.0, 1e-200) == INF
    zero, far = np.zeros(2), np.array([0.0, -800.0])
    assert_allclose(categorical_kl(far, zero), math.log(2), rtol=1e-14)
    assert_allclose(categorical_kl(zero, far), 400 - math.log(2), rtol=1e-14)
    assert_allclose(categorical_kl(np.array([1e4, 0.0]), np.array([0.0, 1e4])), 1e4)


def test_a_rare_outcome_may_carry_a_small_divergence():
    """q = 1e-12 where p is e^5 times as much: most of the divergence comes from there."""
    q, p = np.array([0.0, math.log(1e-12)]), np.array([0.0, math.log(1e-12) + 5])
    with mpmath.workdps(60):
        a, b = (1 / (1 + mpmath.exp(-mpmath.mpf(x[1]))) for x in (q, p))
        want = a * mpmath.log(a / b) + (1 - a) * mpmath.log((1 - a) / (1 - b))
    assert_allclose(categorical_kl(q, p), float(want), rtol=1e-13)


@seeded
@given(logits, st.floats(-9, 0))
def test_an_exact_divergence_is_never_negative(theta, power):
    phi = theta + 10**power * np.array([1.0, -1.0, 0.5, 0.0, 0.3])
    assert categorical_kl(theta, phi) > 0
    Q, P = (np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in (theta, phi))
    Q, P = np.tile(Q, (5, 1)), np.tile(P, (5, 1))
    assert_allclose(
        markov_sequence_kl(Q, P, np.full(5, 0.2), 3),
        3 * categorical_kl(theta, phi),
        rtol=1e-6,
    )
    assert markov_sequence_kl(Q, Q, np.full(5, 0.2), 3) == 0


def test_gradient_of_close_laws_keeps_its_digits():
    """For k2 the gradient is q times (log q - log p) minus its mean: of first order in the distance."""
    theta, step = np.array([0.3, -1.0, 0.5]), 1e-9 * np.array([1.0, 0.0, -2.0])
    q = softmax(theta)
    got = expected_estimator_gradient(theta, theta + step, "k2")
    exact = (theta + step) - theta
    assert_allclose(got, q * (-exact + q @ exact), rtol=1e-7)


@pytest.mark.parametrize(("m", "s"), [(1e-2, 1.0), (1e-6, 1.0), (0.0, 1 + 1e-6), (3e-5, 1 - 2e-5), (-0.1, 0.9), (0.2, 1.05), (1e-9, 1.3)])  # fmt: skip
def test_moments_of_close_laws(m, s):
    with mpmath.workdps(80):
        M, S = mpmath.mpf(m), mpmath.mpf(s)
        a, b = (1 - S**-2) / 2, M / S**2
        kl = mpmath.log(S) + (1 + M**2) / (2 * S**2) - mpmath.mpf(1) / 2
        back = -mpmath.log(S) + (S**2 + M**2) / 2 - mpmath.mpf(1) / 2
        var1 = 2 * a**2 + b**2
        chi2 = mpmath.exp(M**2 / (2 - S**2)) / (S * mpmath.sqrt(2 - S**2)) - 1
        both = kl + back
        want = {
            "kl": kl,
            "kl_forward": back,
            "chi2": chi2,
            "bias2": (kl**2 + var1) / 2 - kl,
            "var1": var1,
            "var3": chi2 + var1 - 2 * both,
            "lam": both / chi2,
            "var_lam": var1 - both**2 / chi2,
        }
        want = {name: float(value) for name, value in want.items()}
    got = gaussian_moments(m, s)
    for name, value in want.items():
        assert_allclose(got[name], value, rtol=1e-10, err_msg=name)


def test_remainder_is_differentiable_in_every_way():
    x = torch.tensor([-3.0, -0.2, 1e-9, 0.1, 0.3, 2.0], dtype=torch.float64)
    f = lambda y: k3(torch.zeros_like(y), y)  # noqa: E731
    y = x.clone().requires_grad_()
    assert torch.autograd.gradcheck(f, (y,))
    assert torch.autograd.gradgradcheck(f, (y,))
    assert_allclose(
        torch.func.jvp(f, (x,), (torch.ones_like(x),))[1], x.expm1(), rtol=1e-15
    )
    slope = torch.func.grad(lambda y: f(y).sum())
    assert_allclose(slope(x), x.expm1(), rtol=1e-15)
    far = torch.tensor([800.0], requires_grad=True)
    f(far).sum().backward()
    assert far.grad.item() == INF  # not NaN


@pytest.mark.parametrize("wrong", [torch.arange(3), np.ones(3), None])
@pytest.mark.usefixtures("without_type_checks")
def test_losses_take_floating_tensors_only(wrong):
    x = torch.tensor([-1.0, -2.0, -0.5])
    for args in ((wrong, x), (x, wrong)):
        with pytest.raises(ValueError, match=r"log[qp] must be a tensor of floating"):
            kl_loss(*args, "k1")


@seeded
@given(arrays(np.float32, 20, elements=st.floats(-50, 50, width=32)))
def test_k3_is_never_negative(log_r):
    assert (k3(np.zeros(20, np.float32), log_r) >= 0).all()


def test_k3_agrees_with_the_formula_of_trl():
    rng = np.random.default_rng(3)
    ref, logps = rng.normal(-2, 0.7, size=(2, 500))
    want = np.exp(ref - logps) - (ref - logps) - 1
    assert_allclose(k3(logps, ref), want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kernel", [k1, k2, k3])
def test_tensors_in_tensors_out(kernel, dtype):
    logq = torch.tensor([-1.0, -2.0, -0.5], dtype=dtype)
    logp = torch.tensor([-1.25, -0.5, -4.0], dtype=dtype)
    got = kernel(logq, logp)
    assert got.dtype == dtype
    want = kernel(logq.double().numpy(), logp.double().numpy())
    assert_allclose(got.double().numpy(), want, rtol=8 * torch.finfo(dtype).eps)


def test_gradients_of_values():
    logp = torch.tensor([-1.0, -2.0, -1.3, -0.2], dtype=torch.float64)
    x = torch.tensor([-1.1, -0.5, -1.3, -3.0], dtype=torch.float64, requires_grad=True)
    for kernel in (k1, k2, k3, lambda q, p: k_lambda(q, p, 0.4)):
        assert torch.autograd.gradcheck(lambda q, f=kernel: f(q, logp), (x,))


def test_overflow_is_infinite_without_a_warning():
    assert k3(0.0, 800.0) == INF
    assert k3(np.zeros(2), np.array([800.0, 0.1]))[1] < 0.01


def test_shapes():
    assert k3(np.zeros((3, 1)), np.zeros(4)).shape == (3, 4)
    assert k1(np.zeros((2, 0)), np.zeros((2, 0))).shape == (2, 0)
    assert np.ndim(k3(0.0, 0.1)) == 0


@pytest.mark.parametrize(("m", "s"), PAIRS)
def test_gaussian_kl_is_torchs_and_quadratures(m, s):
    def integrand(x):
        logq, logp = stats.norm.logpdf(x), stats.norm.logpdf(x, m, s)
        return np.exp(logq) * (logq - logp)

    got = gaussian_kl(0.0, 1.0, m, s)
    assert_allclose(got, quad(integrand, -12, 12, epsabs=1e-13)[0], atol=1e-9)
    torchs = kl_divergence(Normal(0.7, 2.0), Normal(torch.tensor(m).double(), s))
    assert_allclose(gaussian_kl(0.7, 2.0, m, s), torchs, rtol=1e-6)


def test_the_direction_matters_unless_variances_agree():
    assert_allclose(gaussian_kl(0.0, 1.0, 2.0, 2.0), 0.818147, atol=5e-7)
    assert_allclose(gaussian_kl(2.0, 2.0, 0.0, 1.0), 2.806853, atol=5e-7)
    assert_allclose(gaussian_kl(0.1, 1.0, 0.0, 1.0), gaussian_kl(0.0, 1.0, 0.1, 1.0))
    assert gaussian_kl(0.3, 0.4, 0.3, 0.4) == 0


@pytest.mark.parametrize(("m", "s"), PAIRS)
def test_gaussian_moments_by_quadrature(m, s):
    def mean(f):
        def integrand(x):
            log_r = stats.norm.logpdf(x, m, s) - stats.norm.logpdf(x)
            return stats.norm.pdf(x) * f(log_r)

        return quad(integrand, -30, 30, epsabs=1e-14, limit=400, points=[0, m])[0]

    def variance(f):
        center = mean(f)
        return mean(lambda ell: (f(ell) - center) ** 2)

    got = gaussian_moments(m, s)
    kl = mean(lambda ell: -ell)
    lam = got["lam"]
    want = {
        "kl": kl,
        "kl_forward": mean(lambda ell: np.exp(ell) * ell),
        "chi2": mean(lambda ell: np.exp(2 * ell)) - 1,
        "bias2": mean(lambda ell: ell**2 / 2) - kl,
        "var1": variance(lambda ell: -ell),
        "var2": variance(lambda ell: ell**2 / 2),
        "var3": variance(lambda ell: np.exp(ell) - 1 - ell),
        "var_lam": variance(lambda ell: lam * (np.exp(ell) - 1) - ell),
    }
    for name, value in want.items():
        assert_allclose(got[name], value, rtol=1e-8, atol=1e-9, err_msg=name)
    for other in (lam - 0.01, lam + 0.01):
        assert got["var_lam"] < variance(lambda ell, c=other: c * (np.exp(ell) - 1) - ell)  # fmt: skip


@pytest.mark.parametrize("mu", [0.1, 0.5, 1.0, 2.0, 3.0])
def test_gaussian_moments_of_equal_variances(mu):
    got = gaussian_moments(mu, 1.0)
    kl = mu**2 / 2
    assert_allclose(got["bias2"], kl**2 / 2, rtol=1e-12)
    assert_allclose(np.sqrt(got["var1"]) / kl, 2 / mu, rtol=1e-12)
    assert_allclose(np.sqrt(got["var2"]) / kl, math.sqrt(2 + mu**2), rtol=1e-12)
    want = 2 * math.sqrt(math.expm1(mu**2) - mu**2) / mu**2
    assert_allclose(np.sqrt(got["var3"]) / kl, want, rtol=1e-10)
    assert_allclose(got["lam"], mu**2 / math.expm1(mu**2), rtol=1e-12)


def test_gaussian_moments_of_the_explorer():
    got = gaussian_moments(0.5, 1.2)
    assert_allclose(got["kl"], 0.1163493346, rtol=1e-8)
    assert_allclose(got["bias2"], -0.02595807, rtol=1e-6)
    assert_allclose(got["var3"], 0.34941803, rtol=1e-7)
    assert_allclose(got["lam"], 0.37694831, rtol=1e-7)
    assert_allclose(gaussian_moments(0.0, 0.5)["lam"], 2.197876, rtol=1e-6)


def test_infinite_variance_begins_at_the_square_root_of_two():
    at = gaussian_moments(np.zeros(3), np.array([1.414, math.sqrt(2), 3.0]))
    assert_array_equal(np.isinf(at["chi2"]), [False, True, True])
    assert_array_equal(np.isinf(at["var3"]), [False, True, True])
    assert_allclose(at["var_lam"][1:], at["var1"][1:], rtol=0)
    assert (at["lam"][1:] == 0).all()


def test_equal_laws_have_no_divergence():
    same = gaussian_moments(0.0, 1.0)
    assert same.pop("lam") == 1
    assert set(same.values()) == {0.0}


@seeded
@given(st.floats(-3, 3), st.floats(0.3, 2.5))
def test_optimal_coefficient_is_never_worse(m, s):
    at = gaussian_moments(m, s)
    assert at["var_lam"] <= at["var1"] * (1 + 1e-12)
    assert at["var_lam"] <= at["var3"] + 1e-12
    assert at["kl"] >= 0


def test_optimal_lambda_is_the_slope_of_a_regression():
    log_r = np.random.default_rng(5).normal(-0.2, 0.6, size=400)
    want = stats.linregress(np.exp(log_r), log_r).slope
    assert_allclose(optimal_lambda(log_r), want, rtol=1e-12)
    assert_allclose(optimal_lambda(log_r - 3), want * math.exp(3), rtol=1e-12)
    far = optimal_lambda(np.array([900.0, 899.0, 0.0]))
    assert far == 0 or 0 < far < 1e-300


def test_optimal_lambda_approaches_the_formula():
    x = np.random.default_rng(6).normal(size=200_000)
    got = optimal_lambda(0.5 * x - 0.125)
    assert_allclose(got, gaussian_moments(0.5, 1.0)["lam"], atol=0.01)


def test_two_points_leave_no_variance():
    logq, logp = np.log([0.3, 0.7]), np.log([0.6, 0.4])
    values = k_lambda(logq, logp, optimal_lambda(logp - logq))
    assert_allclose(values, [0.3 * math.log(0.5) + 0.7 * math.log(1.75)] * 2, rtol=1e-12)  # fmt: skip


def test_categorical_kl_is_torchs():
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(2, 3, 4, 9))
    want = kl_divergence(
        Categorical(logits=torch.tensor(a)), Categorical(logits=torch.tensor(b))
    )
    assert_allclose(categorical_kl(a, b), want, rtol=1e-12)
    assert_allclose(categorical_kl(a + 100, b - 3), want, rtol=1e-12)
    assert_allclose(categorical_kl(a, a), np.zeros((3, 4)), atol=1e-16)
    assert np.isfinite(
        categorical_kl(np.array([1e4, -1e4, 0]), np.array([-1e4, 1e4, 0]))
    )


@seeded
@given(logits, logits)
def test_means_of_the_estimators(theta, phi):
    q, p = softmax(theta), softmax(phi)
    logq, logp = np.log(q), np.log(p)
    kl = categorical_kl(theta, phi)
    assert_allclose(q @ k1(logq, logp), kl, atol=1e-13)
    assert_allclose(q @ k3(logq, logp), kl, atol=1e-13)
    spread = q @ (logq - logp) ** 2 - kl**2
    assert_allclose(q @ k2(logq, logp), (kl**2 + spread) / 2, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("off_policy", [False, True])
def test_expected_gradient_by_one_backward_pass_an_outcome(kind, off_policy):
    for seed in range(5):
        theta, phi, mu = examples(seed)
        behaviour = mu if off_policy else None
        got = expected_estimator_gradient(theta, phi, kind, behaviour)
        want = enumerated(theta, phi, kind, behaviour)
        assert_allclose(got, want, rtol=0, atol=1e-14)


@pytest.mark.parametrize("off_policy", [False, True])
def test_what_each_loss_descends(off_policy):
    for seed in range(5):
        theta, phi, mu = examples(seed)
        behaviour = mu if off_policy else None
        reverse = autograd_of_kl(theta, phi)
        forward = autograd_of_kl(theta, phi, forward=True)
        got = {k: expected_estimator_gradient(theta, phi, k, behaviour) for k in KINDS}
        for kind in CORRECT:
            assert_allclose(got[kind], reverse, rtol=0, atol=1e-14)
        x = torch.tensor(theta, requires_grad=True)
        logq, logp = log_softmax(x), log_softmax(phi)
        (logq.exp() * (logq - logp) ** 2 / 2).sum().backward()
        assert_allclose(got["rho_k2"], x.grad.numpy(), rtol=0, atol=1e-14)
        naive = {"k1": 0 * theta, "k2": reverse, "k3": forward}
        for kind, claim in naive.items():
            error = abs(got[kind] - claim).max()
            assert error > 1e-2 if off_policy else error < 1e-14


def test_expected_gradient_by_hand():
    """Two outcomes: q = (1/2, 1/2), p = (1/4, 3/4), the score is (1/2, -1/2) or its negative."""
    theta, phi = np.zeros(2), np.log([1.0, 3.0])
    first, second = math.log(2), math.log(2 / 3)  # k1 at the two outcomes
    reverse = (first - second) / 4
    want = {
        "k1": 0.0,
        "k2": reverse,
        "k3": ((1 - 1 / 2) - (1 - 3 / 2)) / 4,
        "rho_k2": reverse + (first**2 - second**2) / 8,
    } | dict.fromkeys(CORRECT, reverse)
    for kind in KINDS:
        got = expected_estimator_gradient(theta, phi, kind)
        assert_allclose(got, [want[kind], -want[kind]], atol=1e-15, err_msg=kind)
    # behaviour (3/4, 1/4): the naive losses weigh their outcomes by it
    mu = np.log([3.0, 1.0])
    off = {"k1": (3 - 1) / 8, "k2": (3 * first - second) / 8, "k3": (3 / 2 + 1 / 2) / 8}
    for kind, value in off.items():
        got = expected_estimator_gradient(theta, phi, kind, mu)
        assert_allclose(got, [value, -value], atol=1e-15, err_msg=kind)


def test_expected_gradient_is_that_of_finite_differences():
    theta, phi, mu = examples(11)
    got = expected_estimator_gradient(theta, phi, "rho_k3", mu)
    step = 1e-6 * np.eye(8)
    want = [
        (categorical_kl(theta + h, phi) - categorical_kl(theta - h, phi)) / 2e-6
        for h in step
    ]
    assert_allclose(got, want, atol=1e-9)


def test_forward_gradient_is_q_minus_p():
    theta, phi, _ = examples(2)
    got = expected_estimator_gradient(theta, phi, "k3")
    assert_allclose(got, softmax(theta) - softmax(phi), atol=1e-15)


@seeded
@given(logits, logits, logits, st.sampled_from(KINDS))
def test_expected_gradient_laws(theta, phi, mu, kind):
    got = expected_estimator_gradient(theta, phi, kind, mu)
    assert_allclose(got.sum(), 0, atol=1e-12)
    shifted = expected_estimator_gradient(theta + 2, phi - 1, kind, mu + 3)
    assert_allclose(shifted, got, atol=1e-12)
    itself = expected_estimator_gradient(theta, theta, kind, mu)
    if kind != "k1":
        assert_allclose(itself, np.zeros(5), atol=1e-14)


def test_expected_gradient_takes_batches():
    rng = np.random.default_rng(8)
    theta, phi, mu = rng.normal(size=(3, 2, 4, 6))
    for kind in KINDS:
        whole = expected_estimator_gradient(theta, phi, kind, mu)
        assert whole.shape == (2, 4, 6)
        one = expected_estimator_gradient(theta[1, 2], phi[1, 2], kind, mu[1, 2])
        assert_allclose(whole[1, 2], one, rtol=0, atol=1e-16)


def test_values_of_the_losses():
    logq = torch.tensor([-1.0, -0.3], dtype=torch.float64)
    logp = torch.tensor([-0.5, -0.9], dtype=torch.float64)
    log_mu = torch.tensor([-1.2, -0.1], dtype=torch.float64)
    rho = (logq - log_mu).exp()
    naive = logq - logp
    third = (-naive).exp() - 1 + naive
    want = {
        "k1": naive,
        "k2": naive**2 / 2,
        "k3": third,
        "k1_reward": rho * naive,
        "rho_k1": rho * naive,
        "rho_k2": rho * naive**2 / 2,
        "rho_k3": rho * third,
        "sg_rho_k2": rho * naive**2 / 2,
    }
    for kind in KINDS:
        torch.testing.assert_close(kl_loss(logq, logp, kind, log_mu), want[kind])
    torch.testing.assert_close(kl_loss(logq, logp, "rho_k3"), third)


def test_ratio_k3_and_stopped_ratio_k2_have_one_gradient_per_sample():
    theta, phi, mu = examples(4)
    per_sample = []
    for kind in ("rho_k3", "sg_rho_k2", "k1_reward"):
        rows = []
        for j in range(8):
            x = torch.tensor(theta, requires_grad=True)
            logq, logp, logmu = log_softmax(x), log_softmax(phi), log_softmax(mu)
            kl_loss(logq[j], logp[j], kind, logmu[j]).backward()
            rows.append(x.grad.numpy())
        per_sample.append(rows)
    assert_allclose(per_sample[0], per_sample[1], atol=1e-14)
    assert_allclose(per_sample[0], per_sample[2], atol=1e-14)


@pytest.mark.parametrize("T", [0, 1, 3])
def test_sequence_kl_by_enumeration(T):
    Q, P = chain(3, 1), chain(3, 2)
    pi0 = np.array([0.2, 0.0, 0.8])
    total = 0.0
    for path in np.ndindex(*(3,) * (T + 1)):
        steps = list(itertools.pairwise(path))
        q = pi0[path[0]] * np.prod([Q[i, j] for i, j in steps])
        total += q * sum(math.log(Q[i, j] / P[i, j]) for i, j in steps)
    assert_allclose(markov_sequence_kl(Q, P, pi0, T), total, rtol=1e-12, atol=1e-15)


def test_sequence_estimates_have_the_right_means_and_order_of_spreads():
    Q, P = chain(4, 3), chain(4, 4)
    pi0 = np.full(4, 0.25)
    want = markov_sequence_kl(Q, P, pi0, 6)
    got = sequence_estimates(Q, P, pi0, 6, 20_000, rng=np.random.default_rng(9))
    for name in ("k1", "k3_token", "rao_blackwell"):
        error = got[name].std() / math.sqrt(20_000)
        assert abs(got[name].mean() - want) < 4 * error
        assert 4 * error < 0.05 * want
    assert got["rao_blackwell"].std() < got["k3_token"].std() < got["k1"].std()
    assert (got["k3"] >= 0).all()
    log_r = np.array([math.log(Q[i, j] / P[i, j]) for i in range(4) for j in range(4)])
    assert got["k1"].max() <= 6 * log_r.max()


def test_one_step_of_a_sequence_is_one_sample():
    Q, P = chain(3, 5), chain(3, 6)
    start = np.array([0.0, 1.0, 0.0])
    got = sequence_estimates(Q, P, start, 1, 500, rng=np.random.default_rng(1))
    assert_allclose(got["k3"], got["k3_token"], rtol=1e-15)
    assert_allclose(got["k2_token"], got["k1"] ** 2 / 2, rtol=1e-14)
    local = (Q[1] * np.log(Q[1] / P[1])).sum()
    assert_allclose(got["rao_blackwell"], np.full(500, local), rtol=1e-13)
    values, counts = np.unique(got["k1"].round(12), return_counts=True)
    order = np.argsort(np.log(Q[1] / P[1]))
    assert_allclose(values, np.sort(np.log(Q[1] / P[1])), atol=1e-11)
    assert stats.chisquare(counts, 500 * Q[1][order]).pvalue > 1e-3
    none = sequence_estimates(Q, P, start, 0, 3, rng=np.random.default_rng(1))
    assert all((value == 0).all() for value in none.values())


LOGITS = {"logits_q": np.zeros(3), "logits_p": np.zeros(3)}
CHAINS = {"Q": chain(2, 0), "P": chain(2, 1), "pi0": np.array([0.5, 0.5]), "T": 2}
LOSS = {"logq": torch.zeros(2), "logp": torch.zeros(2), "kind": "rho_k3"}
NAMES = ", ".join(KINDS)


@pytest.mark.parametrize(
    ("kernel", "args", "message"),
    [
        (k1, {"logq": NAN, "logp": 0.0}, "logq must be finite, got nan"),
        (k2, {"logq": np.zeros(2), "logp": np.array([0, -INF])}, "logp must be finite, got -inf"),
        (k3, {"logq": np.zeros(2), "logp": np.zeros(3)}, "logq and logp must broadcast, got shapes (2,) and (3,)"),
        (k3, {"logq": torch.zeros(2), "logp": torch.zeros(3)}, "logq and logp must broadcast, got shapes (2,) and (3,)"),
        (k_lambda, {"logq": 0.0, "logp": 0.0, "lam": INF}, "lam must be finite, got inf"),
        (gaussian_kl, {"m_q": 0.0, "s_q": 0.0, "m_p": 0.0, "s_p": 1.0}, "s_q must be > 0, got 0.0"),
        (gaussian_kl, {"m_q": 0.0, "s_q": 1.0, "m_p": NAN, "s_p": 1.0}, "m_p must be finite, got nan"),
        (gaussian_kl, {"m_q": 0.0, "s_q": 1.0, "m_p": 0.0, "s_p": -1.0}, "s_p must be > 0, got -1.0"),
        (gaussian_moments, {"m": 0.0, "s": np.array([1.0, -2.0])}, "s must be > 0, got -2.0"),
        (gaussian_moments, {"m": np.zeros(2), "s": np.ones(3)}, "m and s must broadcast, got shapes (2,) and (3,)"),
        (optimal_lambda, {"log_r": np.zeros(0)}, "log_r must be a non-empty vector, got shape (0,)"),
        (optimal_lambda, {"log_r": np.array([0.5, 0.5])}, "log_r must vary, got 0.5"),
        (optimal_lambda, {"log_r": np.array([0.5])}, "log_r must vary, got 0.5"),
        (categorical_kl, LOGITS | {"logits_p": np.zeros(2)}, "logits_p must have the shape of logits_q, got shape (2,)"),
        (categorical_kl, LOGITS | {"logits_q": np.zeros(0)}, "logits_q must not be empty, got shape (0,)"),
        (expected_estimator_gradient, LOGITS | {"kind": "k4"}, f"kind must be one of {NAMES}, got k4"),
        (expected_estimator_gradient, LOGITS | {"kind": "k3", "logits_behaviour": np.array([0, NAN, 0])}, "logits_behaviour must be finite, got nan"),
        (kl_loss, LOSS | {"kind": "k9"}, f"kind must be one of {NAMES}, got k9"),
        (kl_loss, LOSS | {"logp": torch.zeros(3)}, "logp must have the shape of logq, got shape (3,)"),
        (kl_loss, LOSS | {"logq": torch.tensor([0, NAN])}, "logq must be finite, got nan"),
        (kl_loss, LOSS | {"log_behaviour": torch.zeros(2, requires_grad=True)}, "log_behaviour must not require a gradient: detach it, got requires_grad=True"),
        (markov_sequence_kl, CHAINS | {"T": -1}, "T must be an integer >= 0, got -1"),
        (markov_sequence_kl, CHAINS | {"Q": np.eye(2)}, "Q must be > 0, got 0.0"),
        (markov_sequence_kl, CHAINS | {"P": np.full((2, 2), 0.4)}, "P must sum to 1 in its rows, got 0.8"),
        (markov_sequence_kl, CHAINS | {"P": np.full((3, 3), 1 / 3)}, "P must have shape (2, 2), got shape (3, 3)"),
        (markov_sequence_kl, CHAINS | {"pi0": np.array([1.5, -0.5])}, "pi0 must be >= 0, got -0.5"),
        (sequence_estimates, CHAINS | {"n_samples": 0, "rng": np.random.default_rng(0)}, "n_samples must be an integer >= 1, got 0"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(kernel, args, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kernel(**args)


def test_close_laws_in_one_batch_are_each_on_their_own():
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(3, 4))
    near = logits + 1e-6 * rng.normal(size=(3, 4))
    want = [categorical_kl(q, p) for q, p in zip(logits, near, strict=True)]
    assert_allclose(categorical_kl(logits, near), want, rtol=1e-13)
