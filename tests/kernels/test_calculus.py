"""Kernels of calculus against closed forms, scipy, torch and numpy's norms."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime, linprog, rosen, rosen_der, rosen_hess_prod
from scipy.optimize._numdiff import approx_derivative

from utils.calculus import (
    NORMS,
    Var,
    directional_derivative,
    dual_direction,
    gradient_check,
    hvp,
    numerical_gradient,
    numerical_jacobian,
)

METHODS = ["forward", "central", "complex"]
PROMISED = {"forward": 1e-6, "central": 1e-9, "complex": 1e-14}
seeded = settings(derandomize=True, deadline=None, max_examples=60, database=None)
P = np.array([1.0, 2.0])
NAN, INF = math.nan, math.inf


def bowl(x):
    return x[0] ** 2 + x[1] ** 2


def kink(x):
    return x[0] ** 3 / (x[0] ** 2 + x[1] ** 2) if np.any(x != 0) else 0.0


def soft_maximum(x):
    return np.log(np.exp(x).sum())


def waves(x):
    """A map from three to four dimensions with the Jacobian of ``waves_jacobian``."""
    return np.array(
        [x[0] * x[1], np.sin(x[2]), np.exp(x[0]) * x[2], x[1] ** 3 + 0 * x[0]]
    )


def waves_jacobian(x):
    return np.array(
        [
            [x[1], x[0], 0],
            [0, 0, np.cos(x[2])],
            [np.exp(x[0]) * x[2], 0, np.exp(x[0])],
            [0, 3 * x[1] ** 2, 0],
        ]
    )


@pytest.mark.parametrize("method", METHODS)
def test_slope_of_the_post(method):
    rtol = 10 * PROMISED[method]
    slope = directional_derivative(bowl, P, np.array([3.0, 4.0]), method)
    assert_allclose(slope, 4.4, rtol=rtol)
    applied = directional_derivative(
        bowl, P, np.array([3.0, 4.0]), method, normalize=False
    )
    assert_allclose(applied, 22, rtol=rtol)
    assert_allclose(
        directional_derivative(bowl, P, np.array([1.0, 0.0]), method), 2, rtol=rtol
    )


def test_default_is_the_normalised_central_quotient():
    v = np.array([0.3, -2.0])
    want = directional_derivative(rosen, P, v, "central", normalize=True)
    assert directional_derivative(rosen, P, v) == want


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [2, 7, 40])
def test_slopes_of_rosenbrock_are_scipys(method, n):
    rng = np.random.default_rng(n)
    x, v = rng.uniform(-1, 1, n), rng.normal(size=n)
    want = rosen_der(x) @ v / np.linalg.norm(v)
    scale = np.linalg.norm(rosen_der(x))
    got = directional_derivative(rosen, x, v, method)
    assert abs(got - want) < 20 * PROMISED[method] * scale


@pytest.mark.parametrize(
    ("method", "h", "want"),
    [("forward", 0.5, 2.5), ("central", 0.5, 2.0), ("complex", 0.5, 2.0)],
)
def test_quotients_by_hand(method, h, want):
    """(1.5^2 - 1)/0.5 = 2.5, (1.5^2 - 0.5^2)/1 = 2 and Im (1 + i/2)^2 / 0.5 = 2."""
    got = directional_derivative(
        lambda x: x[0] ** 2, np.array([1.0]), np.array([9.0]), method, h
    )
    assert got == want


@pytest.mark.parametrize(
    ("method", "order", "coefficient"),
    [("forward", 1, 1 / 2), ("central", 2, 1 / 6), ("complex", 2, -1 / 6)],
)
def test_truncation_error(method, order, coefficient):
    """All derivatives of exp at 0 are 1, so the errors are the coefficients of the series."""
    h = 2.0 ** -np.arange(4, 10)
    one = np.ones(1)
    error = [
        directional_derivative(lambda x: np.exp(x[0]), 0 * one, one, method, step) - 1
        for step in h
    ]
    slope = np.polyfit(np.log(h), np.log(np.abs(error)), 1)[0]
    assert abs(slope - order) < 0.02
    assert_allclose(error[-1] / h[-1] ** order, coefficient, rtol=2e-3)


def test_complex_step_does_not_cancel():
    one = np.ones(1)
    for h in (1e-8, 1e-20, 1e-200):
        got = directional_derivative(
            lambda x: np.exp(x[0]) / np.sqrt(np.sin(x[0]) ** 3 + np.cos(x[0]) ** 3),
            1.5 * one,
            one,
            "complex",
            h,
        )
        assert_allclose(got, 4.0534278938986206577, rtol=1e-15)


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 4, 2.0, math.pi])
def test_slopes_where_no_gradient_is(angle):
    v = np.array([math.cos(angle), math.sin(angle)])
    for method in ("forward", "central"):
        got = directional_derivative(kink, np.zeros(2), v, method)
        assert_allclose(got, v[0] ** 3, atol=1e-12)
    assert_allclose(
        numerical_gradient(kink, np.zeros(2)), [1, 0], atol=1e-12
    )  # partial derivatives, not a gradient


@seeded
@given(
    c=st.floats(-100, 100),
    angle=st.floats(0, 6.3),
    method=st.sampled_from(["central", "complex"]),
)
def test_homogeneous(c, angle, method):
    v = np.array([math.cos(angle), math.sin(angle)])
    one = directional_derivative(rosen, P, v, method, normalize=False)
    got = directional_derivative(rosen, P, c * v, method, normalize=False)
    assert_allclose(got, c * one, rtol=1e-6, atol=1e-6)
    if abs(c) > 1e-3:
        slope = directional_derivative(rosen, P, c * v, method)
        assert_allclose(slope, math.copysign(one, c * one), rtol=1e-6, atol=1e-6)


def test_zero_direction():
    nothing = np.zeros(2)
    assert directional_derivative(bowl, P, nothing, normalize=False) == 0.0


def test_default_step_grows_with_the_point():
    seen = []

    def f(x):
        seen.append(float(x[0]))
        return x[0]

    one = np.ones(1)
    for x, scale in [(0.5, 1), (1000.0, 1000)]:
        for method, power in [("forward", 1 / 2), ("central", 1 / 3)]:
            seen.clear()
            directional_derivative(f, x * one, one, method)
            assert_allclose(seen[0] - x, scale * 2.0 ** (-53 * power), rtol=1e-3)
            assert len(seen) == 2


@pytest.mark.parametrize(
    ("method", "count"), [("forward", 10), ("central", 10), ("complex", 5)]
)
def test_evaluations_of_a_gradient(method, count):
    calls = []

    def f(x):
        calls.append(x)
        return soft_maximum(x)

    numerical_gradient(f, np.arange(5.0), method)
    assert len(calls) == count


@pytest.mark.parametrize("method", METHODS)
def test_gradient_agrees_with_closed_form_and_scipy(method):
    x = np.array([0.3, -1.0, 2.0, 0.0])
    want = np.exp(x) / np.exp(x).sum()
    got = numerical_gradient(soft_maximum, x, method)
    assert got.shape == (4,)
    assert_allclose(got, want, rtol=0, atol=10 * PROMISED[method])
    assert_allclose(got, approx_fprime(x, soft_maximum), atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_jacobian_agrees_with_closed_form_scipy_and_torch(method):
    x = np.array([0.4, -0.7, 1.1])
    got = numerical_jacobian(waves, x, method)
    assert got.shape == (4, 3)
    atol = 20 * PROMISED[method]
    assert_allclose(got, waves_jacobian(x), rtol=0, atol=atol)
    scipys = {"forward": "2-point", "central": "3-point", "complex": "cs"}[method]
    assert_allclose(got, approx_derivative(waves, x, method=scipys), atol=atol)

    def torch_waves(x):
        return torch.stack([x[0] * x[1], x[2].sin(), x[0].exp() * x[2], x[1] ** 3])

    torchs = torch.func.jacrev(torch_waves)(torch.tensor(x)).numpy()
    assert_allclose(got, torchs, rtol=0, atol=atol)


def test_jacobian_of_a_jacobian_is_the_hessian():
    x = np.array([-1.2, 1.0])
    H = numerical_jacobian(lambda z: numerical_gradient(rosen, z, "complex"), x)
    want = np.array([[1200 * 1.44 - 400 + 2, 480], [480, 200]])
    assert_allclose(H, want, rtol=1e-7)


def test_jacobian_is_exact_for_linear_maps_whatever_the_step():
    A = np.random.default_rng(0).normal(size=(3, 5))
    x = np.ones(5)
    for method in METHODS:
        assert_allclose(
            numerical_jacobian(lambda z: A @ z, x, method, h=1.0), A, atol=1e-13
        )


def test_gradient_check_tells_right_from_wrong():
    x = np.linspace(-1, 1, 12)
    for method, tolerance in PROMISED.items():
        rng = np.random.default_rng(3)
        error, worst = gradient_check(rosen, rosen_der, x, method=method, rng=rng)
        assert error < 100 * tolerance
        assert_allclose(np.linalg.norm(worst), 1, rtol=1e-14)

    def one_entry_off(z):
        g = rosen_der(z)
        g[4] += 10
        return g

    for wrong in (one_entry_off, lambda z: 2 * rosen_der(z), lambda z: 0 * z):
        error, _ = gradient_check(rosen, wrong, x, rng=np.random.default_rng(3))
        assert error > 1e-3


def test_gradient_check_by_hand():
    """Along any direction the slope of x is v and the wrong gradient promises 2 v."""
    error, worst = gradient_check(
        lambda x: x[0],
        lambda x: 2 * np.ones(1),
        np.zeros(1),
        method="complex",
        rng=np.random.default_rng(0),
    )
    assert_allclose(error, 0.5, rtol=1e-14)
    assert abs(worst[0]) == 1


def test_gradient_check_of_a_constant():
    zero = lambda x: 0.0 * x.sum()  # noqa: E731
    flat = lambda x: 0.0 * x  # noqa: E731
    rng = np.random.default_rng(0)
    assert gradient_check(zero, flat, np.ones(3), rng=rng)[0] == 0.0


@pytest.mark.parametrize(("method", "each"), [("complex", 1), ("central", 2)])
def test_gradient_check_uses_n_dir_directions(method, each):
    calls = []

    def f(x):
        calls.append(x)
        return rosen(x)

    rng = np.random.default_rng(0)
    gradient_check(f, rosen_der, np.ones(4), n_dir=7, method=method, rng=rng)
    assert len(calls) == 7 * each


# --- points of any form and size ---------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "form",
    [np.uint8, np.int16, np.float32, np.ndarray.tolist, lambda x: x.astype(float)[::1]],
)
@pytest.mark.usefixtures("without_type_checks")
def test_points_come_in_any_form(form, method):
    whole = np.array([200, 3])
    x, v = form(whole), form(np.array([100, 200]))
    f, want = (lambda z: z[0] * z[1] ** 2), np.array([9.0, 1200.0])
    rtol = 2e-7 if method == "forward" else 1e-9
    got = numerical_gradient(f, x, method)
    assert got.dtype == np.float64
    assert_allclose(got, want, rtol=rtol)
    slope = directional_derivative(f, x, v, method)
    assert_allclose(slope, want @ [1, 2] / math.sqrt(5), rtol=rtol)
    J = numerical_jacobian(lambda z: np.array([z[0], f(z)]), x, method)
    assert_allclose(J, [[1, 0], want], rtol=rtol)
    rng = np.random.default_rng(0)
    grad = lambda z: [9.0, 1200.0]  # noqa: E731
    assert gradient_check(f, grad, x, method=method, rng=rng)[0] < rtol


@pytest.mark.usefixtures("without_type_checks")
def test_single_precision_and_read_only_points():
    waves = lambda x: np.sum(np.sin(x))  # noqa: E731
    want = np.cos([1.0, 2.0])
    got = numerical_gradient(waves, np.float32([1, 2]), "forward")
    assert_allclose(got, want, rtol=1e-7)
    x = np.array([1.0, 9.0, 2.0, 9.0])[::2]
    x.flags.writeable = False
    assert_allclose(numerical_gradient(waves, x), want, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("large", [10.0, 1e4, 1e6, 1e10])
def test_each_coordinate_has_its_own_step(method, large):
    """Derivatives along x of size 1 do not suffer from a neighbour of another size."""
    x, rtol = np.array([1.0, large, -1e-3]), 100 * PROMISED[method]
    f = lambda x: np.sin(x[0]) * x[2] * (x[1] / large) ** 3  # noqa: E731
    want = [-1e-3 * math.cos(1), -3e-3 * math.sin(1) / large, math.sin(1)]
    assert_allclose(numerical_gradient(f, x, method), want, rtol=1e3 * rtol)
    alone = numerical_gradient(lambda x: np.sin(x[0]), x, method)
    assert_allclose(alone, [math.cos(1), 0, 0], rtol=rtol)
    F = lambda x: np.array([np.sin(x[0]), x[1] ** 2, np.exp(x[2])])  # noqa: E731
    J = numerical_jacobian(F, x, method)
    want = np.diag([math.cos(1), 2 * large, math.exp(-1e-3)])
    assert_allclose(J, want, rtol=rtol, atol=0)


@pytest.mark.parametrize("large", [1e2, 1e4, 1e6, 1e9])
def test_slope_between_coordinates_of_different_size(large):
    """No common step is good; what is left is near (round-off times size)^(2/3)."""
    x, u = np.array([1.0, large]), np.array([0.6, 0.8])
    limit = 20 * (2.0**-53 * large) ** (2 / 3)
    for f, g in [
        (lambda x: np.sin(x).sum(), np.cos(x)),
        (lambda x: np.sin(x[0]) * x[1], [math.cos(1) * large, math.sin(1)]),
        (lambda x: x @ x, 2 * x),
    ]:
        assert_allclose(directional_derivative(f, x, u), g @ u, rtol=limit)
        assert_allclose(directional_derivative(f, x, u, "complex"), g @ u, rtol=1e-14)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("large", [1e2, 1e4, 1e6])
def test_gradient_check_of_coordinates_of_different_size(method, large):
    x = np.array([1.0, large])
    for f, grad in [
        (lambda x: np.sin(x[0]), lambda x: np.array([np.cos(x[0]), 0])),
        (lambda x: np.sin(x[0]) + x[1], lambda x: np.array([np.cos(x[0]), 1])),
        (lambda x: np.sin(x[0]) * x[1], lambda x: np.array([np.cos(x[0]) * x[1], np.sin(x[0])])),
        (lambda x: x @ x, lambda x: 2 * x),
        (lambda x: np.exp(x[0]) / x[1], lambda x: np.exp(x[0]) / x[1] * np.array([1, -1 / x[1]])),
    ]:  # fmt: skip
        rng = np.random.default_rng(0)
        error, _ = gradient_check(f, grad, x, method=method, rng=rng)
        assert error < PROMISED[method]
    f = lambda x: np.sin(x[0]) + x[1]  # noqa: E731
    for wrong in ([2 * math.cos(1), 1], [math.cos(1), 1.5], [0, 1]):
        rng = np.random.default_rng(0)
        assert (
            gradient_check(f, lambda x, g=wrong: g, x, method=method, rng=rng)[0] > 0.1
        )


def test_gradient_check_counts_what_rounding_does_not_explain():
    """The value 1e8 hides a slope of 1 from steps of 1e-8, but not a wrong one."""
    f = lambda x: 1e8 + np.sin(x[0])  # noqa: E731
    for grad, low, high in [(np.cos, 0, 1e-9), (lambda x: 3 * np.cos(x), 0.6, 0.7)]:
        rng = np.random.default_rng(0)
        error, _ = gradient_check(f, grad, np.ones(1), rng=rng)
        assert low <= error < high


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-100, 1e-8, 1.0, 1e8, 1e100, 1e300])
def test_complex_step_in_units_of_the_point(size):
    x = np.array([size, 0.0])
    for f, slope in [
        (lambda x: np.log(x[0]), 1 / size),
        (lambda x: np.sqrt(x[0]), 0.5 / math.sqrt(size)),
        (lambda x: np.exp(x[0] / size), math.e / size),
        (lambda x: 3 * x[0] + x[1], 3.0),
    ]:
        got = numerical_gradient(f, x, "complex")
        assert_allclose(got[0], slope, rtol=1e-12)
        one = directional_derivative(f, x, np.array([2.0, 0.0]), "complex")
        assert_allclose(one, slope, rtol=1e-12)
    assert_allclose(numerical_gradient(lambda x: np.exp(x[1]), x, "complex"), [0, 1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [5e-324, 1e-200, 1e200, 1e307])
def test_direction_of_any_length(method, size):
    v = size * np.array([3.0, 4.0])
    want = 4.4 if size > 1e-300 else math.sqrt(2) * 3  # 5e-324 times 3 and 4 is rounded
    if size == 5e-324:
        v = np.array([size, size])
    got = directional_derivative(bowl, P, v, method)
    assert_allclose(got, want, rtol=10 * PROMISED[method])
    if 1e-300 < size < 1e300:
        applied = directional_derivative(bowl, P, v, method, normalize=False)
        assert_allclose(applied / size, 22, rtol=10 * PROMISED[method])


def test_the_step_is_the_one_that_was_made():
    """1e4 + 1e-9 is 5e-11 off: the quotient of a linear function knows."""
    x = np.array([1e4])
    for method in ("forward", "central"):
        for h in (1e-9, 3e-8, 1.7e-6):
            got = numerical_gradient(lambda x: 3 * (x[0] - 1e4), x, method, h)
            assert_allclose(got, 3, rtol=1e-15)
            slope = directional_derivative(lambda x: 3 * (x[0] - 1e4), x, -x, method, h)
            assert_allclose(slope, -3, rtol=1e-15)


# --- functions of any manners ------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_one_number_in_an_array(method):
    f = lambda x: np.array([x[0] ** 2 + x[1] ** 2])  # noqa: E731
    rtol = 10 * PROMISED[method]
    assert_allclose(numerical_gradient(f, P, method), [2, 4], rtol=rtol)
    slope = directional_derivative(f, P, np.array([3.0, 4.0]), method)
    assert isinstance(slope, float)
    assert_allclose(slope, 4.4, rtol=rtol)
    rng = np.random.default_rng(0)
    error, _ = gradient_check(f, lambda x: 2 * x, P, method=method, rng=rng)
    assert error < 10 * PROMISED[method]


def test_integer_values():
    assert_array_equal(numerical_gradient(lambda x: 3, P), [0, 0])
    stairs = lambda x: np.uint8(200 * (x[0] < 1))  # noqa: E731
    axis = np.array([1.0, 0.0])
    assert directional_derivative(stairs, P, axis, "central", h=0.5) == -200
    J = numerical_jacobian(lambda x: [7, np.uint8(x[1] > 2)], P, h=0.5)
    assert_array_equal(J, [[0, 0], [0, 1]])


@pytest.mark.parametrize("method", METHODS)
def test_a_function_may_write_into_its_argument(method):
    def f(x):
        x *= 2
        return (x**2).sum()

    x, rtol = P.copy(), 10 * PROMISED[method]
    assert_allclose(numerical_gradient(f, x, method), [8, 16], rtol=rtol)
    slope = directional_derivative(f, x, np.array([3.0, 4.0]), method)
    assert_allclose(slope, 17.6, rtol=rtol)

    def grad(x):
        x *= 8
        return x

    rng = np.random.default_rng(0)
    assert gradient_check(f, grad, x, method=method, rng=rng)[0] < rtol
    assert_array_equal(x, P)


@pytest.mark.parametrize("method", METHODS)
def test_a_function_may_return_the_same_array_again(method):
    real, complex_ = np.empty(2), np.empty(2, complex)

    def F(x):
        out = complex_ if np.iscomplexobj(x) else real
        out[:] = x**2
        return out

    rtol = 10 * PROMISED[method]
    assert_allclose(numerical_jacobian(F, P, method), [[2, 0], [0, 4]], rtol=rtol)


def test_jacobian_is_its_own_array():
    J = numerical_jacobian(waves, np.ones(3))
    assert J.flags.c_contiguous
    assert J.flags.owndata


# --- reverse mode --------------------------------------------------------------------------------


def test_tape_by_hand():
    x, y = Var([2.0, 3.0]), Var([5.0, 7.0])
    (x * y + x).sum().backward()
    assert x.grad.tolist() == [6, 8]
    assert y.grad.tolist() == [2, 3]
    (x * x).sum().backward()  # a second run starts from zero
    assert x.grad.tolist() == [4, 6]


@pytest.mark.parametrize("shape", [(4,), (4, 5)])
def test_tape_product_with_vector_and_matrix(shape):
    rng = np.random.default_rng(1)
    W, x = rng.normal(size=(3, 4)), rng.normal(size=shape)
    a, b = Var(W), Var(x)
    (a @ b).tanh().sum().backward()
    ta, tb = (torch.tensor(value, requires_grad=True) for value in (W, x))
    torch.tanh(ta @ tb).sum().backward()
    assert_allclose(a.grad, ta.grad, rtol=1e-12, atol=1e-14)
    assert_allclose(b.grad, tb.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("operation", ["+", "*", "-"])
@pytest.mark.parametrize(
    ("left", "right"),
    [((2, 3), ()), ((), (4,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((1,), (3,)), ((2, 1, 3), (4, 1))],
)  # fmt: skip
def test_tape_undoes_broadcasting(left, right, operation):
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape) for shape in (left, right)]
    run = {"+": lambda a, b: a + b, "*": lambda a, b: a * b, "-": lambda a, b: a - b}
    a, b = map(Var, values)
    ta, tb = (torch.tensor(value, requires_grad=True) for value in values)
    for x, y in ((a, b), (ta, tb)):
        z = run[operation](x, y)
        (z * z * y).sum().backward()
    assert a.grad.shape == left
    assert b.grad.shape == right
    assert_allclose(a.grad, ta.grad, rtol=1e-12, atol=1e-14)
    assert_allclose(b.grad, tb.grad, rtol=1e-12, atol=1e-14)


def test_tape_of_a_scalar_factor():
    c = Var(2.0)
    (Var(np.ones((2, 3))) * c).sum().backward()
    assert c.grad == 6


def test_tape_takes_numbers_and_arrays():
    x, w = Var([1, 2]), np.array([3.0, 5.0])
    y = 2 * x + 1 - w * x + x * w - (x - 4.0) + (w - x) + np.float64(7) * x + (-x)
    y.sum().backward()
    assert_allclose(y.value, 2 * x.value + 1 + 4 + w + 4 * x.value)
    assert_array_equal(x.grad, [6, 6])
    W = np.array([[1.0, 2.0], [3.0, 4.0]])
    (W @ x).sum().backward()
    assert_array_equal(x.grad, [4, 6])
    V = Var(W)
    (V @ w).sum().backward()
    assert_array_equal(V.grad, [w, w])


def test_tape_of_a_long_chain():
    x = Var(1.0)
    total, product = x, x
    for _ in range(5_000):
        total, product = total + x, product * 1.0
    (total + product).backward()
    assert x.grad == 5_002


def test_tape_of_many_diamonds():
    """Each value is used twice: 2^60 paths, 60 nodes."""
    x = y = Var(1.0)
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60


def test_tape_keeps_its_own_values():
    value = np.array([1.0, 2.0])
    x = Var(value)
    y = (x * x).sum()
    value[:] = 0
    y.backward()
    assert_array_equal(x.grad, [2, 4])


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: Var(1j), "the value of a Var must be real numbers, got complex128"),
        (lambda: Var([1.0, NAN]), "the value of a Var must be finite, got nan"),
        (lambda: Var([1.0]) * None, "the value of a Var must be real numbers, got object"),
        (lambda: Var([1.0, 2.0]).backward(), "backward must start at one number, got shape (2,)"),
        (
            lambda: Var([1.0, 2.0]) @ Var([1.0, 2.0]),
            "@ must stand between a matrix and a vector or matrix, got 1 and 1 axes",
        ),
        (
            lambda: Var(np.ones((2, 2, 2))) @ Var(np.ones((2, 2, 2))),
            "@ must stand between a matrix and a vector or matrix, got 3 and 3 axes",
        ),
        (
            lambda: Var(np.ones((2, 2))) @ 2.0,
            "@ must stand between a matrix and a vector or matrix, got 2 and 0 axes",
        ),
    ],
)  # fmt: skip
def test_tape_refuses_in_a_sentence(run, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run()


@seeded
@given(
    program=st.lists(
        st.tuples(st.sampled_from("+*t@"), st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
        max_size=8,
    )
)
def test_tape_agrees_with_torch_on_random_graphs(program):
    rng = np.random.default_rng(2)
    values = [rng.normal(size=3) for _ in range(2)]
    W = 0.5 * rng.normal(size=(3, 3))
    mine, theirs = [Var(v) for v in values], [torch.tensor(v) for v in values]
    for leaf in theirs:
        leaf.requires_grad_()
    w, tw = Var(W), torch.tensor(W, requires_grad=True)
    for operation, i, j in program:
        i, j = i % len(mine), j % len(mine)
        for nodes, matrix in ((mine, w), (theirs, tw)):
            if operation == "+":
                new = nodes[i] + nodes[j]
            elif operation == "*":
                new = (nodes[i] * nodes[j]).tanh()
            elif operation == "t":
                new = nodes[i].tanh()
            else:
                new = matrix @ nodes[i]
            nodes.append(new)
    total, t_total = mine[0], theirs[0]
    for a, b in zip(mine[1:], theirs[1:], strict=True):
        total, t_total = total + a, t_total + b
    total.sum().backward()
    t_total.sum().backward()
    for a, b in zip(mine[:2], theirs[:2], strict=True):
        assert_allclose(a.grad, b.grad, rtol=1e-10, atol=1e-12)
    if tw.grad is not None:
        assert_allclose(w.grad, tw.grad, rtol=1e-10, atol=1e-12)


def torch_rosen(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


@pytest.mark.parametrize("n", [2, 30])
def test_hvp_is_scipys(n):
    rng = np.random.default_rng(n)
    x, v = rng.normal(size=n), rng.normal(size=n)
    got = hvp(torch_rosen, torch.tensor(x), torch.tensor(v))
    assert got.dtype == torch.float64
    assert_allclose(got.numpy(), rosen_hess_prod(x, v), rtol=1e-11, atol=1e-10)


def test_hvp_keeps_the_shape_of_a_matrix():
    X = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
    V = torch.ones_like(X)
    assert_array_equal(hvp(lambda X: (X**3).sum(), X, V), 6 * X)


def test_hvp_is_linear_and_symmetric():
    rng = np.random.default_rng(5)
    x, u, v = (torch.tensor(rng.normal(size=6)) for _ in range(3))
    H = lambda w: hvp(torch_rosen, x, w)  # noqa: E731
    assert_allclose(H(2 * u - v), 2 * H(u) - H(v), rtol=1e-10, atol=1e-9)
    assert_allclose(u @ H(v), v @ H(u), rtol=1e-12)


@pytest.mark.parametrize(
    ("f", "want"),
    [
        (lambda x: x.new_tensor(3.0), 0),  # ignores its argument
        (lambda x: 2 * x.sum() + 1, 0),
        (lambda x: (x > 0).sum(), 0),
        (lambda x: (x**3).sum(0, keepdim=True), [6, 24]),  # one number in a vector
        (lambda x: x.mul_(2).square().sum(), [8, 16]),  # writes into its argument
    ],
)
def test_hvp_of_functions_of_any_manners(f, want):
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    v = torch.tensor([1.0, 2.0], dtype=torch.float64)
    got = hvp(f, x, v)
    assert_allclose(got, np.broadcast_to(want, 2), rtol=1e-14)
    assert_array_equal(x, v)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.bfloat16])
def test_hvp_keeps_the_precision(dtype):
    x = torch.ones(2, dtype=dtype)
    got = hvp(lambda x: (x**3).sum(), x, x)
    assert got.dtype == dtype
    assert got.tolist() == [6, 6]


G3 = np.array([3.0, -1.0, 0.5])
M3 = np.diag([4.0, 1.0, 0.25]) + 0.2


@pytest.mark.parametrize(
    ("norm", "d", "dual"),
    [
        ("l1", [1, 0, 0], 3.0),
        ("l2", G3 / math.sqrt(10.25), math.sqrt(10.25)),
        ("linf", [1, -1, 1], 4.5),
    ],
)
def test_dual_by_hand(norm, d, dual):
    got, slope = dual_direction(G3, norm)
    assert_allclose(got, d, rtol=1e-15)
    assert_allclose(slope, dual, rtol=1e-15)


def test_dual_default_is_euclid():
    assert_array_equal(dual_direction(G3)[0], dual_direction(G3, "l2")[0])


def test_dual_of_l1_and_linf_by_linear_programming():
    n, g = 5, np.random.default_rng(0).normal(size=5)
    cube = linprog(-g, bounds=[(-1, 1)] * n)
    diamond = linprog(np.r_[-g, g], A_ub=np.ones((1, 2 * n)), b_ub=[1])
    for norm, program in [("linf", cube), ("l1", diamond)]:
        assert_allclose(dual_direction(g, norm)[1], -program.fun, rtol=1e-12)


def test_dual_of_a_metric_is_newtons_direction():
    d, slope = dual_direction(G3, M3)
    assert_allclose(d @ M3 @ d, 1, rtol=1e-13)
    assert_allclose(slope * d, np.linalg.inv(M3) @ G3, rtol=1e-12)
    assert_allclose(slope, math.sqrt(G3 @ np.linalg.inv(M3) @ G3), rtol=1e-13)
    assert_allclose(dual_direction(G3, np.eye(3))[0], dual_direction(G3)[0], rtol=1e-14)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 6)])
def test_dual_of_the_spectral_norm(shape):
    G = np.random.default_rng(0).normal(size=shape)
    D, nuclear = dual_direction(G, "spectral")
    assert_allclose(nuclear, np.linalg.norm(G, "nuc"), rtol=1e-13)
    assert_allclose(np.linalg.norm(D, 2), 1, rtol=1e-13)
    assert_allclose((G * D).sum(), nuclear, rtol=1e-13)
    small = D @ D.T if shape[0] <= shape[1] else D.T @ D
    assert_allclose(small, np.eye(min(shape)), atol=1e-13)


def test_dual_treats_matrices_as_long_vectors():
    G = np.random.default_rng(1).normal(size=(3, 4))
    for norm, order in [("l1", np.inf), ("l2", 2), ("linf", 1)]:
        D, slope = dual_direction(G, norm)
        assert D.shape == (3, 4)
        assert_allclose(slope, np.linalg.norm(G.ravel(), order), rtol=1e-14)


@seeded
@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6).filter(lambda g: any(g)),
    st.sampled_from(["l1", "l2", "linf"]),
    st.integers(0, 100),
)
def test_no_unit_vector_is_steeper(g, norm, seed):
    g = np.array(g)
    d, slope = dual_direction(g, norm)
    order = {"l1": 1, "l2": 2, "linf": np.inf}[norm]
    assert_allclose(np.linalg.norm(d, order), 1, rtol=1e-12)
    v = np.random.default_rng(seed).normal(size=(200, len(g)))
    v /= np.linalg.norm(v, order, axis=1, keepdims=True)
    assert (v @ g <= slope * (1 + 1e-12)).all()


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e-200, 1e-160, 1e160, 1e200, 1e307])
@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
def test_dual_of_extreme_gradients(scale, norm):
    g = np.array([3.0, -4.0])
    d, slope = dual_direction(scale * g, norm)
    want, dual = dual_direction(scale / scale * g, norm)
    assert_allclose(d, want, rtol=1e-14)
    assert_allclose(slope, dual * scale, rtol=1e-14)


@pytest.mark.parametrize("s", [1e-200, 1e-160, 1.0, 1e160, 1e200])
@pytest.mark.parametrize("t", [1e-200, 1e-160, 1.0, 1e160, 1e200])
def test_dual_of_extreme_matrices(s, t):
    """g in units of 1/t, M in units of 1/s: d shrinks with the root of s."""
    d, slope = dual_direction(t * G3, s * M3)
    want, dual = dual_direction(G3, M3)
    assert_allclose(d * math.sqrt(s), want, rtol=1e-13)
    assert_allclose(slope / t * math.sqrt(s), dual, rtol=1e-13)
    G = np.outer([1.0, 2.0], G3) + np.eye(2, 3)
    D, nuclear = dual_direction(t * G, "spectral")
    assert_allclose(D, dual_direction(G, "spectral")[0], rtol=0, atol=1e-13)
    assert_allclose(nuclear / t, np.linalg.norm(G, "nuc"), rtol=1e-13)


def test_dual_of_a_metric_with_many_scales():
    """Coordinates in units of 1e-100 and 1e100."""
    units = np.array([1e-100, 1.0, 1e100])
    d, slope = dual_direction(G3 * units, units[:, None] * M3 * units)
    want, dual = dual_direction(G3, M3)
    assert_allclose(d * units, want, rtol=1e-12)
    assert_allclose(slope, dual, rtol=1e-12)


def test_dual_of_a_metric_symmetric_up_to_rounding():
    M = np.array([[1.0, 1e-15], [0.0, 4.0]])
    d, slope = dual_direction(np.array([3.0, 8.0]), M)
    assert_allclose([*d, slope], [0.6, 0.4, 5.0], rtol=1e-13)


def test_dual_of_a_metric_of_low_rank_is_refused_whatever_its_rounding():
    rng = np.random.default_rng(0)
    for n in (2, 3, 8):
        for _ in range(20):
            rows = rng.normal(size=(n - 1, n))
            with pytest.raises(ValueError, match="norm must be symmetric positive"):
                dual_direction(np.ones(n), rows.T @ rows)


@pytest.mark.parametrize("form", [np.uint8, np.int64, np.float32, np.ndarray.tolist])
@pytest.mark.usefixtures("without_type_checks")
def test_dual_of_any_numbers(form):
    g, M, G = np.array([200, 100]), np.diag([100, 200]), np.array([[200, 7], [9, 100]])
    for norm in ("l1", "l2", "linf", M.astype(float)):
        got = dual_direction(form(g), norm if isinstance(norm, str) else form(M))
        want = dual_direction(g.astype(float), norm)
        assert got[0].dtype == np.float64
        assert_allclose(got[0], want[0], rtol=1e-14)
        assert_allclose(got[1], want[1], rtol=1e-14)
    assert_allclose(
        dual_direction(form(G), "spectral")[1], np.linalg.norm(G, "nuc"), rtol=1e-13
    )


SLOPE = {"f": bowl, "x": P, "v": np.array([3.0, 4.0])}
CHECK = {"f": bowl, "grad": lambda x: 2 * x, "x": P, "rng": np.random.default_rng(0)}
POINT = torch.ones(2, dtype=torch.float64)
HESSIAN = {"f": torch_rosen, "x": POINT, "v": POINT}
FLAT = "x must be a non-empty vector, got shape "
KNOWN = "method must be one of forward, central, complex, got newton"


@pytest.mark.parametrize(
    ("kernel", "args", "message"),
    [
        (directional_derivative, SLOPE | {"x": np.ones(0)}, FLAT + "(0,)"),
        (directional_derivative, SLOPE | {"x": np.ones((1, 2))}, FLAT + "(1, 2)"),
        (
            directional_derivative,
            SLOPE | {"x": np.array([1, NAN])},
            "x must be finite, got nan",
        ),
        (
            directional_derivative,
            SLOPE | {"v": np.ones(3)},
            "v must have the shape (2,) of x, got shape (3,)",
        ),
        (
            directional_derivative,
            SLOPE | {"v": np.array([1, INF])},
            "v must be finite, got inf",
        ),
        (
            directional_derivative,
            SLOPE | {"v": np.zeros(2)},
            "v must not be zero, got 0.0",
        ),
        (directional_derivative, SLOPE | {"method": "newton"}, KNOWN),
        (
            directional_derivative,
            SLOPE | {"h": 0.0},
            "h must be finite and > 0, got 0.0",
        ),
        (
            directional_derivative,
            SLOPE | {"h": -1e-6},
            "h must be finite and > 0, got -1e-06",
        ),
        (
            directional_derivative,
            SLOPE | {"h": INF},
            "h must be finite and > 0, got inf",
        ),
        (
            directional_derivative,
            SLOPE | {"f": lambda x: np.abs(x).sum(), "method": "complex"},
            "f must return complex values for a complex argument, got float64",
        ),
        (
            directional_derivative,
            SLOPE | {"f": lambda x: NAN},
            "the derivative of f must be finite, got nan",
        ),
        (
            directional_derivative,
            SLOPE | {"x": np.array([1j, 1])},
            "x must be real numbers, got complex128",
        ),
        (
            directional_derivative,
            SLOPE | {"v": np.array([1j, 1])},
            "v must be real numbers, got complex128",
        ),
        (
            directional_derivative,
            SLOPE | {"h": 1j},
            "h must be real numbers, got complex128",
        ),
        (
            directional_derivative,
            SLOPE | {"h": [1, 2]},
            "h must be one number, got shape (2,)",
        ),
        (
            directional_derivative,
            SLOPE | {"h": 1e-20},
            "h must be large enough to move x along v, got 1e-20",
        ),
        (
            directional_derivative,
            SLOPE | {"x": np.array([1.0, 1e17]), "h": 1e-3},
            "h must be large enough to move x along v, got 0.001",
        ),
        (
            directional_derivative,
            SLOPE | {"f": lambda x: x},
            "f must return one number, got shape (2,)",
        ),
        (
            directional_derivative,
            SLOPE | {"f": lambda x: 1j * x[0]},
            "the value of f must be real numbers, got complex128",
        ),
        (
            directional_derivative,
            SLOPE | {"f": lambda x: None},
            "the value of f must be real numbers, got object",
        ),
        (
            directional_derivative,
            SLOPE | {"f": lambda x: 2.0, "method": "complex"},
            "f must return complex values for a complex argument, got float64",
        ),
        (
            numerical_gradient,
            {"f": lambda x: np.outer(x, x), "x": P},
            "f must return one number, got shape (2, 2)",
        ),
        (
            numerical_gradient,
            {"f": bowl, "x": np.array([1.0, 1e17]), "h": 1e-3},
            "h must be large enough to change x, got 0.001",
        ),
        (
            numerical_gradient,
            {"f": lambda x: NAN, "x": P},
            "the derivative of f must be finite, got nan",
        ),
        (
            numerical_jacobian,
            {"F": bowl, "x": P},
            "F must return a vector, got shape ()",
        ),
        (
            numerical_jacobian,
            {"F": lambda x: np.outer(x, x), "x": P},
            "F must return a vector, got shape (2, 2)",
        ),
        (
            numerical_jacobian,
            {"F": lambda x: NAN * x, "x": P},
            "the value of f must be finite, got nan",
        ),
        (
            numerical_jacobian,
            {"F": lambda x: [NAN * (1 + 1j)] * 2, "x": P, "method": "complex"},
            "the derivative of F must be finite, got nan",
        ),
        (
            gradient_check,
            CHECK | {"f": lambda x: x},
            "f must return one number, got shape (2,)",
        ),
        (
            gradient_check,
            CHECK | {"f": lambda x: 2.0, "method": "complex"},
            "f must return complex values for a complex argument, got float64",
        ),
        (
            gradient_check,
            CHECK | {"grad": lambda x: 1j * x},
            "the value of grad must be real numbers, got complex128",
        ),
        (
            directional_derivative,
            SLOPE | {"v": np.array([1e308, 1e308]), "normalize": False},
            "the derivative of f must be finite, got inf",
        ),
        (numerical_gradient, {"f": bowl, "x": np.ones(0)}, FLAT + "(0,)"),
        (numerical_gradient, {"f": bowl, "x": P, "method": "newton"}, KNOWN),
        (
            numerical_gradient,
            {"f": bowl, "x": P, "h": NAN},
            "h must be finite and > 0, got nan",
        ),
        (numerical_jacobian, {"F": waves, "x": np.ones((3, 1))}, FLAT + "(3, 1)"),
        (numerical_jacobian, {"F": waves, "x": P, "method": "newton"}, KNOWN),
        (
            numerical_jacobian,
            {"F": waves, "x": np.ones(3), "h": 0.0},
            "h must be finite and > 0, got 0.0",
        ),
        (gradient_check, CHECK | {"x": np.ones(0)}, FLAT + "(0,)"),
        (gradient_check, CHECK | {"method": "newton"}, KNOWN),
        (gradient_check, CHECK | {"n_dir": 0}, "n_dir must be an integer >= 1, got 0"),
        (
            gradient_check,
            CHECK | {"grad": lambda x: np.ones(3)},
            "grad must return the shape (2,) of x, got shape (3,)",
        ),
        (
            gradient_check,
            CHECK | {"grad": lambda x: np.array([0.0, NAN])},
            "the value of grad must be finite, got nan",
        ),
        (
            hvp,
            HESSIAN | {"x": torch.ones(0), "v": torch.ones(0)},
            "x must not be empty, got shape (0,)",
        ),
        (
            hvp,
            HESSIAN | {"v": torch.ones(3)},
            "v must have the shape (2,) of x, got shape (3,)",
        ),
        (
            hvp,
            HESSIAN | {"x": POINT.long()},
            "x must be a tensor of floating numbers, got torch.int64",
        ),
        (
            hvp,
            HESSIAN | {"v": np.ones(2)},
            "v must be a tensor of floating numbers, got float64",
        ),
        (
            hvp,
            HESSIAN | {"v": POINT.float()},
            "v must have the dtype torch.float64 of x, got torch.float32",
        ),
        (
            hvp,
            HESSIAN | {"f": lambda x: x},
            "f must return a tensor of one number, got shape (2,)",
        ),
        (
            hvp,
            HESSIAN | {"f": lambda x: 2.0},
            "f must return a tensor of one number, got 2.0",
        ),
        (
            hvp,
            HESSIAN | {"f": lambda x: (x - 1).sqrt().sum()},
            "the product must be finite, got -inf",
        ),
        (hvp, HESSIAN | {"x": POINT * NAN}, "x must be finite, got nan"),
        (hvp, HESSIAN | {"v": POINT * INF}, "v must be finite, got inf"),
        (dual_direction, {"g": np.ones(0)}, "g must not be empty, got shape (0,)"),
        (dual_direction, {"g": np.zeros(2)}, "g must not be zero, got 0.0"),
        (dual_direction, {"g": np.array([1, NAN])}, "g must be finite, got nan"),
        (
            dual_direction,
            {"g": P, "norm": "l3"},
            "norm must be one of l1, l2, linf, spectral or a matrix, got l3",
        ),
        (
            dual_direction,
            {"g": P, "norm": "spectral"},
            "g must be a matrix for norm spectral, got 1 axes",
        ),
        (
            dual_direction,
            {"g": np.ones((2, 2)), "norm": np.eye(2)},
            "g must be a vector where norm is a matrix, got 2 axes",
        ),
        (
            dual_direction,
            {"g": P, "norm": np.eye(3)},
            "norm must have shape (2, 2), got shape (3, 3)",
        ),
        (
            dual_direction,
            {"g": P, "norm": np.array([[1.0, NAN], [NAN, 1.0]])},
            "norm must be finite, got nan",
        ),
        (
            dual_direction,
            {"g": P, "norm": np.array([[1.0, 0.5], [0.0, 1.0]])},
            "norm must be symmetric positive definite, got a matrix that is not symmetric",
        ),
        (
            dual_direction,
            {"g": P, "norm": np.diag([1.0, -2.0])},
            "norm must be symmetric positive definite, got a smallest eigenvalue of -2",
        ),
        (
            dual_direction,
            {"g": P, "norm": np.outer(P, P)},
            "norm must be symmetric positive definite, got a smallest eigenvalue of 0",
        ),
        (
            dual_direction,
            {"g": P, "norm": np.array([[1e-300, 1e300], [1e300, 1e-300]])},
            "norm must be symmetric positive definite, got a smallest eigenvalue of -inf",
        ),
        (dual_direction, {"g": 1j * P}, "g must be real numbers, got complex128"),
        (
            dual_direction,
            {"g": P, "norm": 1j * np.eye(2)},
            "norm must be real numbers, got complex128",
        ),
    ],
)
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(kernel, args, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kernel(**args)


def test_names_of_the_norms():
    assert NORMS == ("l1", "l2", "linf", "spectral")
