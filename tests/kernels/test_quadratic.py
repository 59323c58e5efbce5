"""Quadratic functions and their optimisers against scipy, exact solutions and their own laws."""

import re

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg, optimize
from scipy.sparse.linalg import cg

from utils.quadratic import (
    Quadratic,
    barzilai_borwein,
    conjugate_gradient,
    gradient_descent,
    heavy_ball,
    kkt_solve,
    nesterov,
    newton,
    power_iteration,
    rayleigh_iteration,
    trust_region_sphere,
    unadjusted_langevin,
)

seeded = settings(derandomize=True, deadline=None, max_examples=60, database=None)
METHODS = [gradient_descent, heavy_ball, nesterov, barzilai_borwein, conjugate_gradient]
NAN, INF = np.nan, np.inf


def orthogonal(n, seed=0):
    return linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


def problem(hessian_eigenvalues, seed=0):
    """A quadratic with this Hessian spectrum, its minimum and its eigenvectors."""
    lam = np.asarray(hessian_eigenvalues, dtype=float)
    V = orthogonal(len(lam), seed)
    H = (V * lam) @ V.T
    x_star = np.random.default_rng(seed + 1).normal(size=len(lam))
    return Quadratic(H / 2, -H @ x_star, 1.5), x_star, V


BOWL = Quadratic(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([-4.0, 2.0]))


# --- the function ---------------------------------------------------------------------------


def test_values_are_the_double_sum():
    rng = np.random.default_rng(3)
    a, b, x = rng.normal(size=(4, 4)), rng.normal(size=4), rng.normal(size=4)
    want = sum(a[i, j] * x[i] * x[j] for i in range(4) for j in range(4))
    want += sum(b[i] * x[i] for i in range(4)) + 0.7
    assert_allclose(Quadratic(a, b, 0.7)(x), want, rtol=1e-13)


def test_keeps_the_symmetric_part_alone():
    a = np.array([[1.0, 5.0], [-1.0, 2.0]])
    q = Quadratic(a, np.zeros(2))
    assert_array_equal(q.A, [[1, 2], [2, 2]])
    assert_array_equal(a, [[1, 5], [-1, 2]])
    nothing = Quadratic(np.array([[0.0, 1.0], [-1.0, 0.0]]), np.zeros(2))
    assert_array_equal(nothing.A, np.zeros((2, 2)))
    assert nothing.classify() == "constant"


def test_is_its_own_copy_and_frozen():
    A, b = np.eye(2), np.zeros(2)
    q = Quadratic(A, b)
    A[0, 0] = b[0] = 7
    assert q(np.ones(2)) == 2
    with pytest.raises(AttributeError):
        q.c = 1.0


def test_batches_along_leading_axes():
    rng = np.random.default_rng(4)
    q = Quadratic(rng.normal(size=(3, 3)), rng.normal(size=3), -1.0)
    x = rng.normal(size=(2, 5, 3))
    assert q(x).shape == (2, 5)
    assert q.grad(x).shape == (2, 5, 3)
    assert_allclose(q(x)[1, 2], q(x[1, 2]), rtol=1e-13)
    assert_allclose(q.grad(x)[1, 2], q.grad(x[1, 2]), rtol=1e-12)


@pytest.mark.parametrize("h", [1e-3, 1.0, 50.0])
def test_central_differences_are_exact(h):
    q, _, _ = problem([1, 4, 9, -2])
    x = np.array([0.3, -1.0, 2.0, 0.1])
    steps = h * np.eye(4)
    slope = (q(x + steps) - q(x - steps)) / (2 * h)
    assert_allclose(slope, q.grad(x), rtol=0, atol=1e-9)
    second = (q.grad(x + steps) - q.grad(x - steps)) / (2 * h)
    assert_allclose(second, q.hessian, rtol=0, atol=1e-9)


def test_eigenpairs_belong_to_A():
    q, _, _ = problem([2, 6, 8])
    assert_allclose(q.eigvals, [1, 3, 4], rtol=1e-13)
    assert_allclose(q.A @ q.V, q.V * q.eigvals, rtol=0, atol=1e-13)
    assert_allclose(2 * q.eigvals, np.linalg.eigvalsh(q.hessian), rtol=1e-13)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("eigenvalues", "b", "want"),
    [
        ([1, 2, 3], [1, 1, 1], "minimum"),
        ([-1, -2, -3], [1, 1, 1], "maximum"),
        ([1, -2, 3], [1, 1, 1], "saddle"),
        ([1, 2, 0], [1, 1, 0], "valley"),
        ([1, 0, 0], [1, 0, 0], "valley"),
        ([-1, -2, 0], [1, 1, 0], "ridge"),
        ([1, -2, 0], [1, 1, 0], "saddles"),
        ([1, 2, 0], [1, 1, 1], "slope"),
        ([-1, -2, 0], [0, 0, 1e-3], "slope"),
        ([1, -2, 0], [0, 0, 1], "slope"),
        ([0, 0, 0], [1, 0, 0], "slope"),
        ([0, 0, 0], [0, 0, 0], "constant"),
        ([1e-9, 2, 3], [1, 1, 1], "minimum"),
        ([1e6, 2e6, 3e-3], [1, 1, 1], "minimum"),
        ([1e-20, 2e-20, 3e-20], [1, 1, 1], "minimum"),
    ],
)
def test_classify(eigenvalues, b, want, turned):
    V = orthogonal(3, 5) if turned else np.eye(3)
    q = Quadratic((V * np.array(eigenvalues, float)) @ V.T, V @ np.array(b, float))
    assert q.classify() == want
    assert (q.stationary() is None) == (want == "slope")
    assert q.kernel.shape == (3, eigenvalues.count(0))


def test_stationary_by_hand():
    assert_allclose(BOWL.stationary(), [1.4, -0.8], rtol=1e-14)
    assert_allclose(BOWL(BOWL.stationary()), -3.6, rtol=1e-14)
    q = Quadratic(np.diag([1.0, 2.0, 0.0]), np.array([1.0, 1.0, 0.0]))
    assert_allclose(q.stationary(), [-0.5, -0.25, 0], rtol=0, atol=1e-15)
    assert_allclose(q(np.array([-0.5, -0.25, 9.0])), -0.375, rtol=1e-14)


def test_stationary_is_the_shortest_least_squares_solution():
    rng = np.random.default_rng(7)
    V = orthogonal(5)
    A = (V * [3.0, 1.0, -2.0, 0.0, 0.0]) @ V.T
    q = Quadratic(A, A @ rng.normal(size=5))
    want = np.linalg.lstsq(2 * A, -q.b, rcond=1e-12)[0]
    assert_allclose(q.stationary(), want, rtol=0, atol=1e-13)
    assert_allclose(q.A @ q.kernel, np.zeros((5, 2)), rtol=0, atol=1e-14)


@seeded
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_square_and_bound(n, seed):
    rng = np.random.default_rng(seed)
    q = Quadratic(rng.normal(size=(n, n)), rng.normal(size=n), 0.3)
    x_star, x = q.stationary(), 3 * rng.normal(size=(40, n))
    scale = max(1, abs(q(x)).max(), abs(q(x_star)))
    square = np.einsum("ki,ij,kj->k", x - x_star, q.A, x - x_star)
    assert_allclose(q(x), square + q(x_star), rtol=0, atol=1e-7 * scale)
    if q.classify() == "minimum":
        assert (q(x) >= q(x_star) - 1e-9 * scale).all()


@seeded
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_definite_means_cholesky(n, seed):
    a = np.random.default_rng(seed).normal(size=(n, n)) + n * np.eye(n) / 2
    q = Quadratic(a, np.zeros(n))
    try:
        linalg.cholesky(q.A)
        definite = True
    except linalg.LinAlgError:
        definite = False
    assert (q.classify() == "minimum") == definite


# --- the optimisers -------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_every_method_arrives(method):
    q, x_star, _ = problem([1, 2, 5, 9, 10])
    x = method(q, np.zeros(5), 120)
    assert_array_equal(x[0], np.zeros(5))
    assert_allclose(x[-1], x_star, rtol=0, atol=1e-9)
    assert_allclose(
        x[-1], optimize.minimize(q, np.zeros(5), jac=q.grad, tol=1e-10).x, atol=1e-6
    )


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_do(method):
    q, x_star, _ = problem([1, 2, 5])
    assert_array_equal(method(q, np.ones(3), 0), np.ones((1, 3)))
    at_rest = Quadratic(np.eye(2), np.zeros(2))
    assert_array_equal(method(at_rest, np.zeros(2), 3)[-1], np.zeros(2))
    assert_allclose(method(q, x_star, 4)[-1], x_star, rtol=0, atol=1e-12)


def test_gradient_descent_by_hand():
    got = gradient_descent(BOWL, np.zeros(2), 10, 0.2)
    assert_allclose(got[1], [0.8, -0.4], rtol=1e-14)
    assert_allclose(got[-1], [1.399552, -0.799744], rtol=0, atol=5e-7)
    best = gradient_descent(BOWL, np.zeros(2), 10)
    assert_allclose(best, got, rtol=0, atol=1e-13)  # 1 / (trace of A) is 0.2


@pytest.mark.parametrize("kappa", [10, 100, 1000])
def test_gradient_descent_shrinks_each_mode_by_its_factor(kappa):
    lam = np.geomspace(1, kappa, 8)
    q, x_star, V = problem(lam)
    for step, eta in [("optimal", 2 / (1 + kappa)), (1 / kappa, 1 / kappa)]:
        modes = (gradient_descent(q, x_star + V.sum(1), 30, step) - x_star) @ V
        factors = (1 - eta * lam) ** np.arange(31)[:, None]
        assert_allclose(modes, factors, rtol=0, atol=1e-11)


def test_stability_limit_is_two_over_L():
    q, x_star, V = problem([1, 10])
    size = [
        np.linalg.norm(gradient_descent(q, x_star + V[:, 1], 500, eta)[-1] - x_star)
        for eta in (0.199, 0.2, 0.201)
    ]
    assert size[0] < 0.1
    assert_allclose(size[1], 1, rtol=1e-9)
    assert size[2] > 10


def test_exact_line_search_minimises_along_the_gradient():
    q, _, _ = problem([1, 3, 20])
    x = gradient_descent(q, np.array([1.0, -2.0, 0.5]), 5, "exact")
    g = q.grad(x)
    assert abs((g[1:] * g[:-1]).sum(1)).max() < 1e-12 * abs(g[0] @ g[0])
    for k in range(3):
        line = optimize.minimize_scalar(lambda t, k=k: q(x[k] - t * g[k]))
        assert_allclose(x[k] - line.x * g[k], x[k + 1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kappa", [10, 100, 1000])
def test_exact_line_search_attains_kantorovich(kappa):
    q, x_star, V = problem(np.geomspace(1, kappa, 6))
    start = x_star + V[:, 0] + V[:, -1] / kappa
    gap = q(gradient_descent(q, start, 10, "exact")) - q(x_star)
    assert_allclose(gap[1:] / gap[:-1], ((kappa - 1) / (kappa + 1)) ** 2, rtol=1e-6)


def test_textbook_zigzag():
    q = Quadratic(np.diag([0.5, 5.0]), np.zeros(2))
    x = gradient_descent(q, np.array([10.0, 1.0]), 2, "exact")
    assert_allclose(x[1:], [[90 / 11, -9 / 11], [810 / 121, 81 / 121]], rtol=1e-13)


@pytest.mark.parametrize("kappa", [10, 100, 1000])
def test_momentum_on_the_extreme_modes(kappa):
    q, x_star, V = problem(np.linspace(1, kappa, 6))
    k, root = np.arange(61), np.sqrt(kappa)
    ball = (heavy_ball(q, x_star + V[:, 0] + V[:, -1], 60) - x_star) @ V
    rho = (root - 1) / (root + 1)
    assert_allclose(ball[:, 0], (1 + (1 - rho) * k) * rho**k, rtol=0, atol=1e-9)
    assert_allclose(ball[:, -1], (1 + (1 + rho) * k) * (-rho) ** k, rtol=0, atol=1e-9)
    ahead = (nesterov(q, x_star + V[:, 0] + V[:, -1], 60) - x_star) @ V
    assert_allclose(
        ahead[:, 0], (1 + k / root) * (1 - 1 / root) ** k, rtol=0, atol=1e-9
    )
    assert_allclose(ahead[1:, -1], 0, rtol=0, atol=1e-9)


def test_momentum_with_given_constants():
    q = Quadratic(np.array([[1.5]]), np.array([0.0]))  # gradient 3x
    assert_allclose(
        heavy_ball(q, np.ones(1), 2, 0.1, 0.5)[:, 0], [1, 0.7, 0.34], rtol=1e-13
    )
    assert_allclose(
        nesterov(q, np.ones(1), 2, 0.1, 0.5)[:, 0], [1, 0.7, 0.385], rtol=1e-13
    )
    plain = gradient_descent(BOWL, np.ones(2), 7, 0.1)
    assert_allclose(heavy_ball(BOWL, np.ones(2), 7, 0.1, 0.0), plain, rtol=1e-13)
    assert_allclose(nesterov(BOWL, np.ones(2), 7, 0.1, 0.0), plain, rtol=1e-13)
    saddle = Quadratic(np.diag([1.0, -1.0]), np.zeros(2))
    assert heavy_ball(saddle, np.ones(2), 9, 0.1, 0.5)[-1, 1] > 5
    # one of the two is chosen by the kernel, L = 10 and mu = 1
    q = Quadratic(np.diag([0.5, 5.0]), np.zeros(2))
    beta = ((np.sqrt(10) - 1) / (np.sqrt(10) + 1)) ** 2
    assert_allclose(
        heavy_ball(q, np.ones(2), 5, eta=0.1),
        heavy_ball(q, np.ones(2), 5, 0.1, beta), rtol=1e-13,
    )  # fmt: skip
    assert_allclose(
        nesterov(q, np.ones(2), 5, beta=0.4),
        nesterov(q, np.ones(2), 5, 0.1, 0.4),
        rtol=1e-13,
    )


def test_barzilai_borwein_lags_one_step_behind():
    q, _, _ = problem([1, 3, 20])
    x = barzilai_borwein(q, np.zeros(3), 6)
    assert_allclose(x[1], gradient_descent(q, np.zeros(3), 1, "exact")[1], rtol=1e-13)
    g = q.grad(x)
    for k in range(1, 6):  # the two-point formula
        s, y = x[k] - x[k - 1], g[k] - g[k - 1]
        assert_allclose(x[k + 1], x[k] - (s @ s) / (s @ y) * g[k], rtol=0, atol=1e-9)


@pytest.mark.parametrize("M_inv", [None, np.diag([1.0, 0.5, 2.0, 0.1, 3.0, 1.0])])
def test_conjugate_gradient_is_scipys(M_inv):
    q, _, _ = problem([1, 2, 3, 5, 8, 13])
    path = [np.ones(6)]
    cg(
        q.hessian, -q.b, x0=np.ones(6), rtol=0, maxiter=6, M=M_inv,
        callback=lambda x: path.append(x.copy()),
    )  # fmt: skip
    got = conjugate_gradient(q, np.ones(6), 6, M_inv=M_inv)
    assert_allclose(got, path[:7], rtol=0, atol=1e-9)


def test_conjugate_gradient_by_hand():
    got = conjugate_gradient(BOWL, np.zeros(2), 5)
    assert_allclose(got[1], [10 / 7, -5 / 7], rtol=1e-13)
    assert_allclose(got[2], [1.4, -0.8], rtol=1e-12)


def test_conjugate_gradient_minimises_over_the_krylov_space():
    q, x_star, _ = problem(np.linspace(1, 10, 9))
    x = conjugate_gradient(q, np.zeros(9), 5)
    R, r_0 = linalg.cholesky(q.hessian), -q.grad(np.zeros(9))
    for k in range(1, 6):
        K = np.stack([np.linalg.matrix_power(q.hessian, j) @ r_0 for j in range(k)], 1)
        best = K @ np.linalg.lstsq(R @ K, R @ x_star, rcond=None)[0]
        assert_allclose(x[k], best, rtol=0, atol=1e-9)


@pytest.mark.parametrize("distinct", [1, 2, 3, 5])
def test_conjugate_gradient_needs_one_step_per_eigenvalue(distinct):
    lam = np.tile(np.linspace(1, 10, distinct) if distinct > 1 else [4.0], 6)
    q, x_star, V = problem(lam)
    e = conjugate_gradient(q, x_star + V.sum(1), distinct) - x_star
    size = np.linalg.norm(e, axis=1) / np.linalg.norm(e[0])
    assert size[distinct] < 1e-13
    assert size[distinct - 1] > 1e-3


def test_conjugate_gradient_stops_at_the_tolerance():
    q, _, _ = problem(np.linspace(1, 100, 30))
    x = conjugate_gradient(q, np.zeros(30), 100, tol=1e-4)
    g = np.linalg.norm(q.grad(x), axis=1)
    assert g[-1] <= 1.0001e-4 * g[0]
    assert (g[:-1] > 0.9999e-4 * g[0]).all()
    assert len(x) < 100


def test_conjugate_gradient_with_the_ideal_preconditioner_takes_one_step():
    q, x_star, _ = problem([1, 4, 9, 100])
    x = conjugate_gradient(q, np.zeros(4), 1, M_inv=np.linalg.inv(q.hessian))
    assert_allclose(x[1], x_star, rtol=0, atol=1e-12)


def test_newton_takes_one_step():
    q, x_star, _ = problem(np.geomspace(1, 1000, 20))
    start = 100 * np.ones(20)
    x = newton(q, start)
    assert_array_equal(x[0], start)
    assert_allclose(x[1], x_star, rtol=0, atol=1e-10)


# --- spheres, planes, samples ---------------------------------------------------------------


def test_power_iteration_finds_the_largest_in_absolute_value():
    V = orthogonal(5)
    A = (V * [1.0, 2.0, 3.0, 4.0, -5.0]) @ V.T
    x = power_iteration(A, V.sum(1), 60)
    assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-13)
    rho = np.einsum("ki,ij,kj->k", x, A, x)
    assert_allclose(rho[-1], -5, rtol=1e-9)
    error = rho[20:26] + 5
    assert_allclose(error[1:] / error[:-1], (4 / 5) ** 2, rtol=1e-3)
    lopsided = A + np.array([[0, 1.0], [-1.0, 0]]).repeat(3, 0).repeat(3, 1)[:5, :5]
    lopsided = A + (lopsided - lopsided.T) / 2
    assert_allclose(power_iteration(lopsided, V.sum(1), 5), x[:6], rtol=0, atol=1e-12)


def test_rayleigh_iteration_is_cubic():
    V = orthogonal(5)
    A = (V * [1.0, 2.0, 3.0, 4.0, 5.0]) @ V.T
    off = []
    for delta in (0.2, 0.1, 0.05, 0.025):
        start = V[:, 2] + delta * V[:, [0, 1, 3]] @ [0.3, 0.7, -0.4]
        x = rayleigh_iteration(A, start, 1)[1]
        off.append(np.linalg.norm(x - V[:, 2] * (V[:, 2] @ x)))
    slope = np.polyfit(np.log([0.2, 0.1, 0.05, 0.025]), np.log(off), 1)[0]
    assert_allclose(slope, 3, atol=0.1)
    x = rayleigh_iteration(A, V[:, 2] + 0.1, 6)
    assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-13)
    assert_allclose(abs(x[-1] @ V[:, 2]), 1, rtol=1e-13)


def test_rayleigh_iteration_stops_at_an_eigenvalue():
    x = rayleigh_iteration(np.diag([1.0, 2.0]), np.array([0.0, 3.0]), 5)
    assert_array_equal(x, [[0.0, 1.0]])


@seeded
@given(st.integers(1, 7), st.integers(0, 10**6), st.floats(0.01, 100))
def test_trust_region_satisfies_its_conditions(n, seed, radius):
    rng = np.random.default_rng(seed)
    q = Quadratic(rng.normal(size=(n, n)), rng.normal(size=n))
    x, lam, hard = trust_region_sphere(q.A, q.b, radius)
    assert_allclose(np.linalg.norm(x), radius, rtol=1e-9)
    scale = np.linalg.norm(q.b) + radius
    assert_allclose(2 * (q.A @ x - lam * x), -q.b, rtol=0, atol=1e-9 * scale)
    assert lam <= q.eigvals[0] + 1e-12
    assert not hard
    others = rng.normal(size=(300, n))
    others *= radius / np.linalg.norm(others, axis=1, keepdims=True)
    assert (q(others) >= q(x) - 1e-9 * scale * radius).all()


def test_trust_region_on_the_circle():
    A, b = np.array([[1.0, 2.0], [2.0, -1.0]]), np.array([0.3, -0.2])
    x, _, _ = trust_region_sphere(A, b, 2.0)
    angle = np.linspace(0, 2 * np.pi, 200_001)
    circle = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    assert_allclose(Quadratic(A, b)(x), Quadratic(A, b)(circle).min(), atol=1e-8)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("b", "radius", "x", "lam", "hard"),
    [
        ([0, 1, 1], 1, [np.sqrt(13 / 18), -1 / 2, -1 / 6], -2, True),
        ([0, 0, 0], 1, [1, 0, 0], -2, True),
        ([0, 0, 0], 3, [3, 0, 0], -2, True),
        ([0, 0, 9], 1, [0, 0, 1], -3.5, False),
        ([1, 0, 0], 1, [1, 0, 0], -2.5, False),
        ([0, 2, 0], 1, [0, 1, 0], -2, True),
    ],
)
def test_trust_region_special_cases(b, radius, x, lam, hard, turned):
    V = orthogonal(3, 2) if turned else np.eye(3)
    A = (V * [-2.0, -1.0, 1.0]) @ V.T
    got, multiplier, is_hard = trust_region_sphere(
        A, V @ np.array(b, float), float(radius)
    )
    assert_allclose(np.abs(V.T @ got), np.abs(x), rtol=0, atol=1e-7)
    assert_allclose(multiplier, lam, rtol=1e-9)
    if b[1] != 2:  # there the length is exactly used up and either answer is right
        assert is_hard == hard


def test_trust_region_close_to_the_hard_case():
    A = np.diag([-2.0, -1.0, 1.0])
    x, lam, hard = trust_region_sphere(A, np.array([1e-9, 1.0, 1.0]))
    assert not hard
    assert lam < -2
    assert_allclose(x, [-np.sqrt(13 / 18), -1 / 2, -1 / 6], rtol=1e-6)


def test_trust_region_with_a_double_lowest_eigenvalue():
    x, lam, hard = trust_region_sphere(
        np.diag([1.0, 1.0, 5.0]), np.array([3.0, 4.0, 0.0])
    )
    assert_allclose(x, [-0.6, -0.8, 0], rtol=0, atol=1e-12)
    assert_allclose(lam, -1.5, rtol=1e-12)
    assert not hard


def test_kkt_by_hand():
    x, nu = kkt_solve(BOWL, np.array([[1.0, 1.0]]), np.array([1.0]))
    assert_allclose([*x, *nu], [5 / 3, -2 / 3, -4 / 3], rtol=1e-13)
    x, _ = kkt_solve(BOWL, np.eye(2), np.array([3.0, 4.0]))
    assert_allclose(x, [3, 4], rtol=1e-13)


def test_kkt_is_scipys_constrained_minimum():
    q, _, _ = problem([1, 2, 4, 7])
    C, d = np.array([[1.0, 1, 0, 2], [0, 1, -1, 1]]), np.array([1.0, 2.0])
    want = optimize.minimize(
        q, np.zeros(4), jac=q.grad, tol=1e-12,
        constraints={"type": "eq", "fun": lambda x: C @ x - d},
    ).x  # fmt: skip
    x, nu = kkt_solve(q, C, d)
    assert_allclose(x, want, rtol=0, atol=1e-6)
    assert_allclose(q.grad(x), -C.T @ nu, rtol=0, atol=1e-12)


def test_kkt_asks_for_definiteness_on_the_kernel_only():
    saddle = Quadratic(np.diag([1.0, -1.0]), np.zeros(2))
    x, _ = kkt_solve(saddle, np.array([[0.0, 1.0]]), np.array([2.0]))
    assert_allclose(x, [0, 2], rtol=0, atol=1e-13)
    with pytest.raises(ValueError, match="positive definite on the kernel of C"):
        kkt_solve(saddle, np.array([[1.0, 0.0]]), np.array([2.0]))


def test_langevin_has_its_own_variance():
    a, eta = np.array([0.5, 2.0, 5.0]), 0.05
    V = orthogonal(3)
    A = (V * a) @ V.T
    centre = np.array([1.0, -2.0, 0.5])
    q = Quadratic(A, -2 * A @ centre)
    ends = unadjusted_langevin(
        q, np.zeros((4000, 3)), eta, 200, rng=np.random.default_rng(1)
    )
    modes = (ends - centre) @ V
    want = 1 / (2 * a * (1 - a * eta))
    assert (abs(modes.mean(0)) < 4 * np.sqrt(want / 4000)).all()
    assert (abs((modes**2).mean(0) - want) < 4 * want * np.sqrt(2 / 4000)).all()


def test_langevin_one_step_by_hand():
    x0, noise = np.array([[1.0, 2.0]]), np.random.default_rng(5).standard_normal((1, 2))
    got = unadjusted_langevin(BOWL, x0, 0.1, 1, rng=np.random.default_rng(5))
    assert_allclose(got, x0 - 0.1 * BOWL.grad(x0) + np.sqrt(0.2) * noise, rtol=1e-13)
    assert_array_equal(x0, [[1, 2]])
    assert_array_equal(
        unadjusted_langevin(BOWL, x0, 0.1, 0, rng=np.random.default_rng(5)), x0
    )


# --- any numbers, any scale, any multiplicity --------------------------------------------------


def as_list(x):
    return x.tolist()


def read_only(x):
    x = x.astype(float)
    x.flags.writeable = False
    return x


def every_other(x):
    return np.repeat(x.astype(float), 2, axis=-1)[..., ::2]


A8, B8, X8 = np.uint8([[200, 90], [100, 250]]), np.uint8([250, 3]), np.uint8([130, 255])
C8, D8 = np.uint8([[200, 100]]), np.uint8([250])


@pytest.mark.parametrize(
    "form", [np.uint8, np.int16, np.float32, as_list, read_only, every_other]
)
@pytest.mark.usefixtures("without_type_checks")
def test_numbers_come_in_any_form(form):
    def results(form):
        A, b, x, C, d = map(form, (A8, B8, X8, C8, D8))
        q, rows = Quadratic(A, b, 3), form(np.stack([X8, X8 // 2]))
        yield from (q.A, q.b, q(x), q.grad(x), q(rows), q.grad(rows), q.stationary())
        for method in METHODS:
            yield method(q, x, 3)
        yield conjugate_gradient(q, x, 1, M_inv=form(np.uint8([[200, 7], [7, 90]])))
        yield newton(q, x)
        yield power_iteration(A, x, 3)
        yield rayleigh_iteration(A, x, 2)
        yield trust_region_sphere(A, b, 2)[0]
        yield from kkt_solve(q, C, d)
        yield unadjusted_langevin(q, rows, 1e-3, 2, rng=np.random.default_rng(0))

    exact = results(lambda x: x.astype(float))
    for got, want in zip(results(form), exact, strict=True):
        assert np.asarray(got).dtype == np.float64
        assert_allclose(got, want, rtol=1e-13)


@pytest.mark.usefixtures("without_type_checks")
def test_integers_by_hand():
    q = Quadratic([[200, 100], [100, 200]], [200, 0])
    assert_array_equal(q.grad([[1, 2], [3, 4]]), [[1000, 1000], [2200, 2200]])
    assert_array_equal(q(np.uint8([[1, 2], [3, 4]])), [1600, 8000])


def test_what_a_kernel_returns_is_its_own():
    x0 = np.array([1.0, 2.0])
    for method in METHODS:
        assert not np.shares_memory(method(BOWL, x0, 0), x0)


EXTREME = [1e-200, 1e-160, 1.0, 1e160, 1e200]


@pytest.mark.parametrize(
    ("s", "t"), [(s, t) for s in EXTREME for t in EXTREME if 1e-300 < s * t < 1e300]
)
def test_units_do_not_matter(s, t):
    """x in units of 1/t and f in units of 1/s: A s, b s t and x t."""
    A, b, x = BOWL.A, BOWL.b, np.array([3.0, -1.0])
    q = Quadratic(s * A, s * t * b)
    assert q.classify() == "minimum"
    assert_allclose(q.stationary() / t, [1.4, -0.8], rtol=1e-12)
    assert_allclose(newton(q, t * x)[1] / t, [1.4, -0.8], rtol=1e-12)
    for method in METHODS:
        path = method(q, t * x, 4) / t
        assert_allclose(path, method(BOWL, x, 4)[: len(path)], rtol=1e-6, atol=1e-12)
        assert_allclose(method(q, t * x, 60)[-1] / t, [1.4, -0.8], rtol=1e-10)
    exact = gradient_descent(q, t * x, 60, "exact")[-1] / t
    assert_allclose(exact, [1.4, -0.8], rtol=1e-10)
    for M_inv in (s * EYE, t * np.diag([1.0, 1e-3])):
        path = conjugate_gradient(q, t * x, 2, M_inv=M_inv)
        assert_allclose(path[-1] / t, [1.4, -0.8], rtol=1e-10)
    for y in ([1.0, 1.0], [2.0, -1.0]):
        C, d = np.array([y]), np.array([1.0])
        x_1, nu_1 = kkt_solve(BOWL, C, d)
        for r in (1e-200, 1.0, 1e200):
            if 1e-300 < r * t < 1e300 and 1e-300 < s * t / r < 1e300:
                x_2, nu_2 = kkt_solve(q, r * C, r * t * d)
                assert_allclose(x_2 / t, x_1, rtol=1e-12)
                assert_allclose(nu_2 / (s * t / r), nu_1, rtol=1e-12)
    for radius in (0.5, 20.0):
        x_1, lam_1, _ = trust_region_sphere(A, b, radius)
        x_2, lam_2, _ = trust_region_sphere(s * A, s * t * b, t * radius)
        assert_allclose(x_2 / t, x_1, rtol=1e-10)
        assert_allclose(lam_2 / s, lam_1, rtol=1e-10)
    for method in (power_iteration, rayleigh_iteration):
        got, want = method(s * A, t * x, 5), method(A, x, 5)
        for k in (0, 1, -1):  # its sign is rounding where A - rho I is singular
            assert_allclose(np.abs(got[k]), np.abs(want[k]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("s", [1e-290, *EXTREME, 1e290])
def test_a_start_at_zero_has_no_unit_of_its_own(s):
    q = Quadratic(s * BOWL.A, s * BOWL.b)
    for method in METHODS:
        path = method(q, np.zeros(2), 4)
        want = method(BOWL, np.zeros(2), 4)
        assert_allclose(path[:3], want[:3], rtol=1e-10)
    assert_allclose(conjugate_gradient(q, np.zeros(2), 9)[-1], [1.4, -0.8], rtol=1e-12)


@pytest.mark.parametrize("s", [1e-300, 1e-200, 1e200, 1e300])
def test_valley_or_slope_in_any_unit(s):
    A, tilt = s * np.diag([1.0, 2.0, 0.0]), np.array([0.0, 0.0, 1e-3])
    valley = Quadratic(A, s * np.array([1.0, 1.0, 0.0]))
    assert valley.classify() == "valley"
    assert_allclose(valley.stationary(), [-0.5, -0.25, 0], rtol=1e-14)
    assert Quadratic(A, valley.b + s * tilt).classify() == "slope"
    assert Quadratic(0 * A, s * tilt).classify() == "slope"


def test_power_iteration_follows_a_small_eigenvalue():
    x = power_iteration(np.diag([1e-200, 1.0]), np.array([1.0, 0.0]), 3)
    assert_array_equal(x, [[1, 0]] * 4)


def test_line_search_close_to_the_minimum():
    """Gradients of 1e-170, whose squares vanish: still the zigzag of the textbook."""
    q = Quadratic(np.diag([0.5, 5.0]), np.zeros(2))
    start = 1e-170 * np.array([10.0, 1.0])
    for method in (
        lambda: gradient_descent(q, start, 1, "exact"),
        lambda: barzilai_borwein(q, start, 1),
    ):
        assert_allclose(method()[1], 1e-170 * np.array([90, -9]) / 11, rtol=1e-13)  # fmt: skip


def gram(rank, n, seed=0):
    rows = 100 * np.random.default_rng(seed).normal(size=(rank, n))
    return rows.T @ rows


def assert_minimum_on_sphere(A, b, radius):
    """The conditions of the theorem: feasible, stationary, lambda not above any eigenvalue."""
    x, lam, _ = trust_region_sphere(A, b, radius)
    size = max(np.abs(A).max(), np.abs(b).max() / radius)
    assert_allclose(np.linalg.norm(x), radius, rtol=1e-12)
    gap = 2 * (A @ x - lam * x) + b
    assert_allclose(gap / (radius * size or 1.0), 0, atol=1e-12)
    assert lam <= np.linalg.eigvalsh(A)[0] + 1e-12 * size


def test_trust_region_of_rank_one():
    """By the secular equation for the eigenvalues 0, 0 and |u|^2, with 40 digits."""
    u, b = np.array([100.0, 200.0, 300.0]), np.array([1.0, 0.0, 0.0])
    along = u * (u @ b) / (u @ u)
    with mpmath.workdps(40):
        flat, steep = mpmath.mpf((b - along) @ b), mpmath.mpf(along @ b)
        shift = mpmath.findroot(
            lambda t: flat / t**2 + steep / (140_000 + t) ** 2 - 4, 0.5
        )
    shift = float(shift)
    want = -(b - along) / (2 * shift) - along / (2 * (140_000 + shift))
    x, lam, hard = trust_region_sphere(np.outer(u, u), b)
    assert_allclose(x, want, rtol=1e-11)
    assert_allclose(x, [-0.96362, 0.14825, 0.22237], atol=5e-6)
    assert_allclose(lam, -shift, rtol=1e-9)
    assert not hard


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("rank", "n"), [(0, 3), (1, 2), (1, 9), (3, 9), (8, 9), (5, 5)]
)
def test_trust_region_of_low_rank(rank, n, sign):
    rng = np.random.default_rng(n)
    for seed in range(8):
        A, b = sign * gram(rank, n, seed), rng.normal(size=n)
        V = np.linalg.eigh(A)[1]
        for slope in (b, 1e6 * b, A @ b, V[:, -1], V[:, 0], 0 * b):
            for radius in (1e-3, 1.0, 50.0):
                assert_minimum_on_sphere(A, slope, radius)


@pytest.mark.parametrize("factor", [2.0, 0.0, -3.0])
def test_trust_region_of_a_multiple_of_the_identity(factor):
    b = np.array([3.0, 0.0, 4.0])
    x, lam, hard = trust_region_sphere(factor * np.eye(3), b, 2.0)
    assert_allclose(x, -2 * b / 5, rtol=1e-12)
    assert_allclose(lam, factor - 5 / 4, rtol=1e-12)
    assert not hard
    x, lam, hard = trust_region_sphere(factor * np.eye(3), 0 * b, 2.0)
    assert_allclose(np.linalg.norm(x), 2, rtol=1e-14)
    assert lam == factor
    assert hard


@pytest.mark.parametrize(("rank", "n"), [(1, 2), (1, 40), (2, 5), (4, 5), (20, 60)])
def test_a_gram_matrix_is_a_valley(rank, n):
    rng = np.random.default_rng(0)
    for seed in range(10):
        A, x = gram(rank, n, seed), rng.normal(size=n)
        q = Quadratic(A, -2 * A @ x)
        assert q.classify() == "valley"
        assert q.kernel.shape == (n, n - rank)
        shortest = np.linalg.pinv(A, rcond=1e-10) @ A @ x
        assert_allclose(q.stationary(), shortest, rtol=0, atol=1e-9)
        tilted = Quadratic(A, q.b + 1e-6 * np.linalg.norm(q.b) * q.kernel[:, 0])
        assert tilted.classify() == "slope"
        assert tilted.stationary() is None


def test_a_steep_valley_has_its_shortest_point():
    """b = -2 A x is found from products of 1e6, and is small: rounding is no slope."""
    V = orthogonal(3, 4)
    A = (V * [1e6, 1e-3, 0.0]) @ V.T
    q = Quadratic(A, -2 * A @ V[:, 1])
    assert q.classify() == "valley"
    assert_allclose(q.stationary(), V[:, 1], rtol=0, atol=1e-5)
    flat = Quadratic(np.diag([1e6, 1e-3, 0.0]), np.array([1.0, 1.0, 1e-3]))
    assert flat.classify() == "slope"


@pytest.mark.parametrize("start", ["zero", "away"])
@pytest.mark.parametrize(
    ("rank", "n"), [(1, 2), (1, 8), (2, 5), (4, 8), (10, 60), (90, 200)]
)
def test_conjugate_gradient_stops_in_a_valley(rank, n, start):
    rng = np.random.default_rng(3)
    for seed in range(10):
        A = gram(rank, n, seed)
        q = Quadratic(A, -2 * A @ rng.normal(size=n))
        x0 = np.zeros(n) if start == "zero" else rng.normal(size=n)
        M_inv = np.diag(np.exp(rng.normal(size=n)))
        for M in (None, M_inv):
            x = conjugate_gradient(q, x0, 5 * n + 50, M_inv=M)
            assert len(x) <= 5 * n + 50
            size = np.linalg.norm(q.b) + np.linalg.norm(q.hessian @ x0)
            assert np.linalg.norm(q.grad(x[-1])) < 1e-11 * size
        # Without preconditioner nothing moves it along the floor.
        along = q.kernel.T @ (conjugate_gradient(q, x0, 5 * n + 50)[-1] - x0)
        assert_allclose(along, 0, atol=1e-8)


def test_conjugate_gradient_goes_on_where_there_is_no_valley():
    """Far below rounding the residual still shrinks; no row is missing."""
    q, _, _ = problem(np.geomspace(1, 100, 30))
    x = conjugate_gradient(q, np.ones(30), 90)
    assert len(x) == 91
    small = conjugate_gradient(Quadratic(1e-200 * q.A, 1e-200 * q.b), np.ones(30), 900)
    assert_allclose(small[-1], x[-1], rtol=0, atol=1e-13)
    assert_allclose(x[-1], problem(np.geomspace(1, 100, 30))[1], rtol=0, atol=1e-13)


def test_conjugate_gradient_on_a_slope_says_so():
    q = Quadratic(np.diag([1.0, 2.0, 0.0]), np.ones(3))
    with (
        np.errstate(all="ignore"),  # it runs far away first
        pytest.raises(ValueError, match="A must be positive definite"),
    ):
        conjugate_gradient(q, np.zeros(3), 50)


def test_conjugate_gradient_takes_a_preconditioner_of_many_scales():
    scales = np.array([1e-8, 1.0, 1e8])
    H = scales[:, None] * (np.eye(3) + 0.3) * scales
    q = Quadratic(H / 2, -H @ (1 / scales))
    x = conjugate_gradient(q, np.zeros(3), 20, M_inv=np.diag(1 / np.diag(H)))
    assert_allclose(x[-1] * scales, 1, rtol=1e-8)


@pytest.mark.parametrize(
    ("M_inv", "got"),
    [
        (-np.eye(2), "a smallest eigenvalue of -1"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "a smallest eigenvalue of -1"),
        (np.ones((2, 2)), "a smallest eigenvalue of 0"),
        (np.zeros((2, 2)), "a smallest eigenvalue of 0"),
        (np.array([[1.0, 0.5], [0.0, 1.0]]), "a matrix that is not symmetric"),
        (1e-200 * np.array([[1.0, 0.5], [0.0, 1.0]]), "a matrix that is not symmetric"),
    ],
)
def test_preconditioner_is_symmetric_and_definite(M_inv, got):
    message = f"M_inv must be symmetric positive definite, got {got}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        conjugate_gradient(BOWL, np.ones(2), 3, M_inv=M_inv)


def test_preconditioner_of_low_rank_is_refused_whatever_its_rounding():
    rng = np.random.default_rng(0)
    for n in (2, 3, 8):
        for _ in range(20):
            rows = rng.normal(size=(n - 1, n))
            q = Quadratic(np.eye(n), np.ones(n))
            with pytest.raises(ValueError, match="M_inv must be symmetric positive"):
                conjugate_gradient(q, np.zeros(n), 3, M_inv=rows.T @ rows)


@pytest.mark.parametrize("eigenvalues", [[1, 1, 1], [0, 0, 0], [1, 1, 3], [-2, 5, 5]])
def test_rayleigh_iteration_with_repeated_eigenvalues(eigenvalues):
    V = orthogonal(3, 1)
    A = (V * np.array(eigenvalues, float)) @ V.T
    for seed in range(10):
        start = np.random.default_rng(seed).normal(size=3)
        x = rayleigh_iteration(A, start, 12)
        assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-13)
        for s in (1e-305, 1e200):
            y = rayleigh_iteration(s * A, start, 12)[-1]
            assert_allclose(A @ y, (y @ A @ y) * y, rtol=0, atol=1e-13)
        assert_allclose(A @ x[-1], (x[-1] @ A @ x[-1]) * x[-1], rtol=0, atol=1e-13)


def test_power_iteration_stays_in_an_eigenspace():
    V = orthogonal(4)
    x = power_iteration((V * [1.0, 3.0, 3.0, 2.0]) @ V.T, V.sum(1), 150)
    assert_allclose(x[-1], (V[:, 1] + V[:, 2]) / np.sqrt(2), rtol=0, atol=1e-12)


# --- the door -------------------------------------------------------------------------------

SADDLE = Quadratic(np.diag([1.0, -1.0]), np.zeros(2))
VALLEY = Quadratic(np.diag([1.0, 0.0]), np.zeros(2))
GO = {"q": BOWL, "x0": np.zeros(2), "n_steps": 3}
EYE, ROW = np.eye(2), np.array([[1.0, 1.0]])
POSITIVE = "A must be positive definite, its smallest eigenvalue > 0, got "


@pytest.mark.parametrize(
    ("kernel", "args", "message"),
    [
        (Quadratic, {"A": np.ones((2, 3)), "b": np.ones(2)}, "A must be a square matrix, got shape (2, 3)"),
        (Quadratic, {"A": np.ones(2), "b": np.ones(2)}, "A must be a square matrix, got shape (2,)"),
        (Quadratic, {"A": np.ones((0, 0)), "b": np.ones(0)}, "A must be a square matrix, got shape (0, 0)"),
        (Quadratic, {"A": EYE * NAN, "b": np.ones(2)}, "A must be finite, got nan"),
        (Quadratic, {"A": EYE, "b": np.ones(3)}, "b must have shape (2,), got (3,)"),
        (Quadratic, {"A": EYE, "b": np.array([1, INF])}, "b must be finite, got inf"),
        (Quadratic, {"A": EYE, "b": np.ones(2), "c": NAN}, "c must be finite, got nan"),
        (Quadratic, {"A": EYE, "b": np.ones(2), "c": [1, 2]}, "c must be one number, got shape (2,)"),
        (Quadratic, {"A": 1j * EYE, "b": np.ones(2)}, "A must be real numbers, got complex128"),
        (Quadratic, {"A": EYE, "b": 1j * np.ones(2)}, "b must be real numbers, got complex128"),
        (BOWL, {"x": 1j * np.ones(2)}, "x must be real numbers, got complex128"),
        (BOWL, {"x": np.ones(3)}, "x must have points of length 2, got shape (3,)"),
        (BOWL, {"x": 2.0}, "x must have points of length 2, got shape ()"),
        (BOWL.grad, {"x": [[1.0], [2.0]]}, "x must have points of length 2, got shape (2, 1)"),
        (BOWL.grad, {"x": [NAN, 0.0]}, "x must be finite, got nan"),
        *[(m, GO | {"x0": np.array([0, 1j])}, "x0 must be real numbers, got complex128") for m in METHODS],
        *[(m, GO | {"eta": [0.1, 0.2], "beta": 0.1}, "eta must be one number, got shape (2,)") for m in METHODS[1:3]],
        (gradient_descent, GO | {"eta": 1j}, "eta must be real numbers, got complex128"),
        (conjugate_gradient, GO | {"tol": 1j}, "tol must be real numbers, got complex128"),
        (conjugate_gradient, GO | {"M_inv": 1j * EYE}, "M_inv must be real numbers, got complex128"),
        (newton, {"q": VALLEY, "x0": np.zeros(2)}, POSITIVE + "0.0"),
        (trust_region_sphere, {"A": EYE, "b": np.ones(2), "radius": 1j}, "radius must be real numbers, got complex128"),
        (kkt_solve, {"q": BOWL, "C": 1j * ROW, "d": np.ones(1)}, "C must be real numbers, got complex128"),
        (kkt_solve, {"q": BOWL, "C": 0 * ROW, "d": np.ones(1)}, "C must have independent rows, got rank 0"),
        *[(m, GO | {"x0": np.zeros(3)}, "x0 must have shape (2,), got (3,)") for m in METHODS],
        *[(m, GO | {"x0": np.array([0, NAN])}, "x0 must be finite, got nan") for m in METHODS],
        *[(m, GO | {"n_steps": -1}, "n_steps must be an integer >= 0, got -1") for m in METHODS],
        *[(m, GO | {"n_steps": 1.5}, "n_steps must be an integer >= 0, got 1.5") for m in METHODS],
        *[(m, GO | {"q": SADDLE}, POSITIVE + "-1.0") for m in METHODS[:4]],
        *[(m, GO | {"q": VALLEY}, POSITIVE + "0.0") for m in METHODS[:4]],
        (gradient_descent, GO | {"q": SADDLE, "eta": "exact"}, POSITIVE + "-1.0"),
        (gradient_descent, GO | {"eta": 0.0}, "eta must be finite and > 0, got 0.0"),
        (gradient_descent, GO | {"eta": INF}, "eta must be finite and > 0, got inf"),
        (gradient_descent, GO | {"eta": "best"}, "eta must be optimal or exact, got best"),
        *[(m, GO | {"eta": 0.0, "beta": 0.1}, "eta must be finite and > 0, got 0.0") for m in METHODS[1:3]],
        *[(m, GO | {"eta": 0.1, "beta": -0.1}, "beta must be finite and >= 0, got -0.1") for m in METHODS[1:3]],
        *[(m, GO | {"eta": 0.1, "beta": INF}, "beta must be finite and >= 0, got inf") for m in METHODS[1:3]],
        (conjugate_gradient, GO | {"tol": -1.0}, "tol must be finite and >= 0, got -1.0"),
        (conjugate_gradient, GO | {"tol": INF}, "tol must be finite and >= 0, got inf"),
        (conjugate_gradient, GO | {"M_inv": np.eye(3)}, "M_inv must have the shape of A, got shape (3, 3)"),
        (conjugate_gradient, GO | {"M_inv": np.full((2, 2), INF)}, "M_inv must be finite, got inf"),
        (
            conjugate_gradient,
            GO | {"q": SADDLE, "x0": np.array([0.0, 1.0])},
            "A must be positive definite: p^T H p > 0, got -2.0",
        ),
        (newton, {"q": BOWL, "x0": np.zeros(1)}, "x0 must have shape (2,), got (1,)"),
        (newton, {"q": SADDLE, "x0": np.zeros(2)}, POSITIVE + "-1.0"),
        *[
            (m, {"A": EYE, "x0": np.ones(2), "n_steps": 3} | bad, message)
            for m in (power_iteration, rayleigh_iteration)
            for bad, message in [
                ({"A": np.ones((1, 2))}, "A must be a square matrix, got shape (1, 2)"),
                ({"A": EYE * NAN}, "A must be finite, got nan"),
                ({"x0": np.ones(3)}, "x0 must have shape (2,), got (3,)"),
                ({"x0": np.zeros(2)}, "x0 must not be zero, got a zero vector"),
                ({"n_steps": -1}, "n_steps must be an integer >= 0, got -1"),
            ]
        ],
        (
            power_iteration,
            {"A": np.diag([1.0, 0.0]), "x0": np.array([0.0, 1.0]), "n_steps": 1},
            "A must not map an iterate to zero: |A x| > 0, got 0.0",
        ),
        (trust_region_sphere, {"A": np.ones((1, 2)), "b": np.ones(2)}, "A must be a square matrix, got shape (1, 2)"),
        (trust_region_sphere, {"A": EYE, "b": np.ones(3)}, "b must have shape (2,), got (3,)"),
        (trust_region_sphere, {"A": EYE, "b": np.ones(2), "radius": 0.0}, "radius must be finite and > 0, got 0.0"),
        (trust_region_sphere, {"A": EYE, "b": np.ones(2), "radius": INF}, "radius must be finite and > 0, got inf"),
        (kkt_solve, {"q": BOWL, "C": np.ones((1, 3)), "d": np.ones(1)}, "C must be a matrix of 1 to 2 rows of 2, got shape (1, 3)"),
        (kkt_solve, {"q": BOWL, "C": np.ones((3, 2)), "d": np.ones(3)}, "C must be a matrix of 1 to 2 rows of 2, got shape (3, 2)"),
        (kkt_solve, {"q": BOWL, "C": ROW * NAN, "d": np.ones(1)}, "C must be finite, got nan"),
        (kkt_solve, {"q": BOWL, "C": ROW, "d": np.ones(2)}, "d must have shape (1,), got (2,)"),
        (kkt_solve, {"q": BOWL, "C": np.ones((2, 2)), "d": np.ones(2)}, "C must have independent rows, got rank 1"),
        *[
            (unadjusted_langevin, {"q": BOWL, "x0": np.zeros((3, 2)), "eta": 0.1, "n_steps": 2, "rng": None} | bad, message)
            for bad, message in [
                ({"x0": np.zeros((3, 3))}, "x0 must be a matrix with 2 columns, got shape (3, 3)"),
                ({"x0": np.zeros(2)}, "x0 must be a matrix with 2 columns, got shape (2,)"),
                ({"x0": np.full((3, 2), NAN)}, "x0 must be finite, got nan"),
                ({"eta": 0.0}, "eta must be in (0, 0.276393), got 0.0"),
                ({"eta": 0.3}, "eta must be in (0, 0.276393), got 0.3"),
                ({"n_steps": -1}, "n_steps must be an integer >= 0, got -1"),
                ({"q": VALLEY}, POSITIVE + "0.0"),
            ]
        ],
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(kernel, args, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kernel(**args)


def test_conjugate_gradient_notices_a_saddle_on_the_way():
    q, _, _ = problem([1, 2, -3, 4])
    with pytest.raises(ValueError, match=r"positive definite: p\^T H p > 0, got -"):
        conjugate_gradient(q, np.zeros(4), 10)
