"""The doors of the package: what passes, what comes back, and what the refusals say."""

import math
import re

import numpy as np
import pytest
import torch

from utils.diffusion.processes import flow, ve, vp
from utils.diffusion.validate import (
    against,
    as_given,
    band,
    clouds,
    level,
    levels,
    model,
    monotone,
    numbers,
    positive,
    positives,
    reached,
    rows,
    state,
    states,
    time,
    times,
    vector,
)

X = torch.ones(3, 2, 5)
HALF = X.half()
pytestmark = pytest.mark.usefixtures("without_type_checks")


def grid(*values):
    return torch.tensor(values, dtype=torch.float64)


SAME_LEVEL = [
    2, 2.0, np.float32(2), np.int64(2), np.array(2.0), torch.tensor(2.0), torch.tensor(2),
    torch.tensor(2.0, dtype=torch.bfloat16), grid(2, 2, 2), torch.tensor([2, 2, 2]),
    np.array([2, 2, 2], np.uint8), [2.0, 2.0, 2.0],
]  # fmt: skip


@pytest.mark.parametrize("value", SAME_LEVEL, ids=repr)
def test_a_level_is_double_whatever_it_was(value):
    got = level("sigma", value, HALF)
    assert got.dtype == torch.float64
    assert got.shape in ((), (3,))
    assert (against(got, X) * X == 2).all()


def test_levels_stand_against_rows():
    got = against(level("sigma", grid(1, 2, 3), X), X) * X
    assert got[:, 1, 4].tolist() == [1, 2, 3]
    assert against(torch.ones(3), torch.ones(3)).shape == (3,)


def test_coefficients_are_at_least_single():
    for value in (grid(1e5, 1e5, 1e5), grid(1e5)[0]):
        product = against(value, HALF) * HALF  # 1e5 is no number in half precision
        assert product.dtype == torch.float32
        assert (product == 1e5).all()
        assert (against(value, X) * X).dtype == torch.float32
        assert (against(value, X.double()) * X.double()).dtype == torch.float64


def test_results_are_cast_last():
    assert as_given(torch.ones(2).half(), grid(1, 2)).dtype == torch.float16
    for number in (1, 1.0, torch.tensor(1), np.float32(1)):
        assert as_given(number, grid(1, 2)).dtype == torch.float64


def test_what_passes_comes_back():
    assert state("x", X) is X
    assert all(got is X for got in states(x=X, y=X))
    assert positive("h", np.float32(0.5)) == 0.5
    assert positive("h", 0, zero=True) == 0
    assert band(1, torch.tensor(2)) == (1.0, 2.0)
    assert torch.equal(numbers("x", [1, 2]), grid(1, 2))
    assert torch.equal(clouds(a=torch.ones(2, 3))[0], torch.ones(2, 3).double())
    assert rows(torch.ones(0, 2, 3)).shape == (0, 6)
    assert rows(torch.ones(4)).shape == (4, 1)


def test_zero_passes_only_where_it_may():
    assert level("sigma", 0.0, X, zero=True) == 0
    assert levels("sigmas", grid(2, 1, 0))[-1] == 0
    assert levels("sigmas", [1, 2], rising=True).dtype == torch.float64
    assert monotone("ts", torch.tensor([3, 2, 1])).dtype == torch.float64


def test_a_level_of_each_row_stays_differentiable():
    sigma = grid(1, 2, 3).requires_grad_()
    against(level("sigma", sigma, X), X).sum().backward()
    assert sigma.grad.tolist() == [1, 1, 1]


def test_nobody_looks_at_what_vmap_hides():
    f = lambda x, s: against(level("sigma", s, x[None]), x) * state("x", x)  # noqa: E731
    got = torch.func.vmap(f)(X, grid(1, 2, 3).float())
    assert got[:, 0, 0].tolist() == [1, 2, 3]


def test_a_model_is_called_in_the_precision_of_the_data():
    seen = []

    def F(x, *more):
        seen.append((x.dtype, *(m.dtype for m in more)))
        return x

    assert model("F", F, HALF)(X, grid(2)[0]).dtype == torch.float32
    model("F", F, HALF)(X, grid(1, 2, 3))
    model("F", F, X.double())(X.double(), torch.tensor([1, 2, 3]))
    model("F", F, X)(X)
    assert seen == [
        (torch.float16, torch.float64),
        (torch.float16, torch.float16),
        (torch.float64, torch.int64),
        (torch.float32,),
    ]


def test_a_network_inside_a_function_is_heard():
    """Torch's own words, under the name of what was handed in; other errors are not touched."""
    net = torch.nn.utils.skip_init(torch.nn.Linear, 5, 5)
    with pytest.raises(ValueError, match=r"^D must work in torch.float64, got .*dtype"):
        model("D", lambda x: net(x), X.double())(X.double())
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2 shapes cannot"):
        model("D", lambda x: net(x[..., :3]), X)(X)


def say(value, **more):
    return lambda: model("D", lambda _: value, X, **more)(X)


@pytest.mark.parametrize(
    ("door", "message"),
    [
        (lambda: positive("h", 0.0), "h must be finite and > 0, got 0.0"),
        (lambda: positive("h", math.nan), "h must be finite and > 0, got nan"),
        (lambda: positive("h", -1.0, zero=True), "h must be finite and >= 0, got -1.0"),
        (lambda: positive("h", [1.0]), "h must be one number, got shape (1,)"),
        (lambda: positive("h", 1j), "h must be real numbers, got complex128"),
        (lambda: band(2.0, 1.0), "sigma_max must be > sigma_min = 2.0, got 1.0"),
        (lambda: state("x", torch.tensor(1.0)), "x must have an axis for the batch, got shape ()"),
        (lambda: state("x", X.long()), "x must be a tensor of floating numbers, got torch.int64"),
        (lambda: state("x", X.cfloat()), "x must be a tensor of floating numbers, got torch.complex64"),
        (lambda: state("x", X.numpy()), "x must be a tensor of floating numbers, got float32"),
        (lambda: state("x", X / 0), "x must be finite, got inf"),
        (lambda: states(x=X, eps=X[:2]), "eps must have the shape of x, got shape (2, 2, 5)"),
        (lambda: states(x=X, eps=X.double()), "eps must have the dtype of x, torch.float32, got torch.float64"),
        (lambda: states(x=X, eps=X * math.nan), "eps must be finite, got nan"),
        (lambda: clouds(a=X), "a must be a matrix, got shape (3, 2, 5)"),
        (lambda: clouds(2, a=X[0], b=X[0, :1]), "b must have 2 rows or more, got shape (1, 5)"),
        (lambda: clouds(a=X[0], b=X[0, :, :3]), "b must have the 5 columns of a, got shape (2, 3)"),
        (lambda: clouds(a=X[0], b=X[0].double()), "b must have the dtype of a, torch.float32, got torch.float64"),
        (lambda: numbers("c", torch.tensor(1j)), "c must be real numbers, got torch.complex64"),
        (lambda: numbers("c", torch.tensor(True)), "c must be real numbers, got torch.bool"),
        (lambda: numbers("c", "three"), "c must be real numbers, got <U5"),
        (lambda: positives("sigma", 1e-200), "sigma must be in [1e-150, 1e+150], got 1e-200"),
        (lambda: positives("sigma", [1.0, 1e200]), "sigma must be in [1e-150, 1e+150], got 1e+200"),
        (lambda: vector("sigmas", grid()), "sigmas must be a non-empty vector, got shape (0,)"),
        (lambda: level("sigma", 0.0, X), "sigma must be > 0, got 0.0"),
        (lambda: level("sigma", -1.0, X, zero=True), "sigma must be >= 0, got -1.0"),
        (lambda: level("sigma", grid(1, -2, 3), X), "sigma must be > 0, got -2.0"),
        (lambda: level("sigma", math.nan, X), "sigma must be finite, got nan"),
        (lambda: level("sigma", grid(1, 2), X), "sigma must be a number or have shape (3,), got shape (2,)"),
        (lambda: level("sigma", torch.ones(3, 1), X), "sigma must be a number or have shape (3,), got shape (3, 1)"),
        (lambda: time("t", 1.5, vp(), X), "t must be in [0, 1.0], got 1.5"),
        (lambda: time("t", 1, flow(), X), "t must be a time with a finite sigma(t), got 1.0"),
        (lambda: time("t", -0.5, vp(), X), "t must be in [0, 1.0], got -0.5"),
        (lambda: time("t", grid(0.5, 0.5), vp(), X), "t must be a number or have shape (3,), got shape (2,)"),
        (lambda: times("t", grid(0.5, math.nan), vp()), "t must be finite, got nan"),
        (lambda: reached("sigma", 0.001, ve()), "sigma must be in [0.01, 50] for VE, got 0.001"),
        (lambda: reached("sigma", grid(1, 80), ve()), "sigma must be in [0.01, 50] for VE, got 80.0"),
        (lambda: levels("sigmas", torch.ones(2, 2)), "sigmas must be a non-empty vector, got shape (2, 2)"),
        (lambda: levels("sigmas", grid(1)), "sigmas must have at least 2 entries, got 1"),
        (lambda: levels("sigmas", grid(1, math.inf)), "sigmas must be finite, got inf"),
        (lambda: levels("sigmas", grid(3, 1, 2)), "sigmas must be strictly decreasing, got 2.0"),
        (lambda: levels("sigmas", grid(3, 3)), "sigmas must be strictly decreasing, got 3.0"),
        (lambda: levels("sigmas", grid(1, 2)), "sigmas must be strictly decreasing, got 2.0"),
        (lambda: levels("sigmas", grid(3, 1, 2), rising=True), "sigmas must be strictly decreasing or increasing, got 2.0"),
        (lambda: levels("sigmas", grid(1, 2, 1.5), rising=True), "sigmas must be strictly decreasing or increasing, got 1.5"),
        (lambda: levels("sigmas", grid(1, 2, 2), rising=True), "sigmas must be strictly decreasing or increasing, got 2.0"),
        (lambda: levels("sigmas", grid(0, 1), rising=True), "sigmas must be > 0 but for the last entry, got 0.0"),
        (lambda: levels("sigmas", grid(2, 0, -1)), "sigmas must be > 0 but for the last entry, got 0.0"),
        (lambda: levels("sigmas", grid(2, -1)), "sigmas must end at a value >= 0, got -1.0"),
        (lambda: levels("sigmas", grid(2, 0), zero=False), "sigmas must end at a value > 0, got 0.0"),
        (say(X[:, :1]), "D must return torch.float32 of shape (3, 2, 5), got torch.float32 of shape (3, 1, 5)"),
        (say(X[0]), "D must return torch.float32 of shape (3, 2, 5), got torch.float32 of shape (2, 5)"),
        (say(X.double()), "D must return torch.float32 of shape (3, 2, 5), got torch.float64 of shape (3, 2, 5)"),
        (say(X.numpy()), "D must return torch.float32 of shape (3, 2, 5), got float32 of shape (3, 2, 5)"),
        (say(None), "D must return torch.float32 of shape (3, 2, 5), got NoneType of shape ()"),
        (say(X, one_each=True), "D must return torch.float32 of shape (3,), got torch.float32 of shape (3, 2, 5)"),
        (lambda: model("D", torch.nn.Linear(5, 5).double(), X), "x must have the dtype of D, torch.float64, got torch.float32"),
    ],
)  # fmt: skip
def test_refusals_say_what_was_got(door, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        door()


def test_the_ends_of_the_range_of_levels_are_in_it():
    for ends in ([1e150, 1e151], [1e-150, 1e151]):
        with pytest.raises(ValueError, match=r"sigma must be in .*, got 1e\+151$"):
            positives("sigma", ends)
    assert positives("sigma", [1e-150, 1e150]).tolist() == [1e-150, 1e150]
