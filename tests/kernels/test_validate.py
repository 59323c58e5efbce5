"""The common door: what comes in, what comes out, what is refused and in which words."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from utils.validate import (
    integer,
    integers,
    real,
    reals,
    require,
    tensor,
    together,
    vector,
)


def test_require_names_the_first_value_that_breaks_the_rule():
    x = np.array([0.0, 2.0, -1.0, -3.0])
    with pytest.raises(ValueError, match=r"^x must be >= 0, got -1\.0$"):
        require(x >= 0, "x must be >= 0", x)
    with pytest.raises(ValueError, match=r"^d must be odd, got 4$"):
        require(False, "d must be odd", 4)
    with pytest.raises(ValueError, match=r"^d must be odd, got 4$"):
        require(np.False_, "d must be odd", 4)
    require(x < 5, "x must be < 5", x)
    for ok in (True, np.True_, torch.tensor(True)):
        require(ok, "d must be odd", 3)


@pytest.mark.parametrize(
    "x", [[1, 2], (1, 2.0), np.int8([1, 2]), np.float32([1, 2]), torch.tensor([1, 2]),
          torch.tensor([1.0, 2.0], dtype=torch.bfloat16), [Fraction(1), 2], [True, 2]]
)  # fmt: skip
def test_real_numbers_come_in_as_float64(x):
    got = reals("x", x)
    assert got.dtype == np.float64
    assert got.tolist() == [1.0, 2.0]


def test_what_is_float64_already_is_not_copied():
    x = np.ones((3, 2))
    assert reals("x", x) is x
    assert integers("n", n := np.arange(3)) is n or integers("n", n).base is n


def test_numbers_beyond_64_bits_are_real():
    assert reals("x", [10**30, 1]).tolist() == [1e30, 1.0]
    assert reals("x", np.uint64(2**64 - 1)) == 2.0**64


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_finite_values_only(bad):
    with pytest.raises(ValueError, match=rf"^x must be finite, got {bad}$"):
        reals("x", np.array([[1.0, bad]]))
    with pytest.raises(ValueError, match=rf"^x must be finite, got {bad}$"):
        tensor("x", torch.tensor([1.0, bad], requires_grad=True))
    assert np.isnan(real("x", np.nan)), "the range of one number is asked afterwards"


def test_squares_and_sums_may_overflow():
    assert reals("x", [1e200, -1e200]).tolist() == [1e200, -1e200]
    assert reals("x", [1.7e308, 1.7e308]).size == 2
    x = torch.full((3,), 3e38)
    assert tensor("x", x) is x
    half = torch.full((9,), 60000.0, dtype=torch.float16)
    assert tensor("x", half) is half


@pytest.mark.parametrize(
    ("x", "got"),
    [
        (1j, "complex128"),
        ("a", "<U1"),
        (None, "object"),
        ({}, "object"),
        ([[1], [2, 3]], r"\[\[1\], \[2, 3\]\]"),
        (np.ma.masked_equal([1, 2], 2), "a masked array"),
    ],
)
def test_what_is_no_real_number_is_refused(x, got):
    for door in (reals, real, vector):
        with pytest.raises(ValueError, match=rf"^x must be real numbers, got {got}"):
            door("x", x)


def test_a_gradient_is_not_dropped_in_silence():
    with pytest.raises(ValueError, match=r"^x must not require a gradient, detach it"):
        reals("x", torch.ones(2, requires_grad=True))


@pytest.mark.parametrize(
    "x", [2, 2.0, np.int8(2), np.float32(2), np.array(2), torch.tensor(2)]
)
def test_one_number(x):
    assert type(real("x", x)) is float
    assert real("x", x) == 2.0


@pytest.mark.parametrize("x", [[2.0], np.ones((1, 1)), torch.ones(1)])
def test_one_number_is_no_array(x):
    with pytest.raises(ValueError, match=r"^x must be one number, got shape \(1"):
        real("x", x)


@pytest.mark.parametrize("bad", [np.zeros(0), np.zeros((2, 2)), 3.0, [[1.0]], []])
def test_vectors_only(bad):
    with pytest.raises(
        ValueError, match=r"^u must be a non-empty vector, got shape \("
    ):
        vector("u", bad)
    assert vector("u", [1]).dtype == np.float64


@pytest.mark.parametrize(
    "n", [7, np.int8(7), np.uint64(7), np.array(7), torch.tensor(7)]
)
def test_one_integer(n):
    assert type(integer("n", n, 7)) is int
    assert integer("n", n) == 7


@pytest.mark.parametrize("bad", [1.5, 2.0, "3", np.array([1]), None, True, np.True_, torch.ones(1, dtype=int)])  # fmt: skip
def test_integers_only(bad):
    with pytest.raises(ValueError, match=r"^n must be an integer, got "):
        integer("n", bad)


@pytest.mark.parametrize("bad", [[1.5], 2.0, ["3"], None, [True], 1j])
def test_arrays_of_integers_only(bad):
    with pytest.raises(ValueError, match=r"^n must be (an integer|integers).*, got "):
        integers("n", bad)


def test_integers_below_the_least_are_refused():
    with pytest.raises(ValueError, match=r"^n must be an integer >= 1, got 0$"):
        integers("n", np.array([3, 0, 2]), 1)
    with pytest.raises(ValueError, match=r"^n must be an integer >= 1, got 0$"):
        integers("n", torch.tensor([3, 0]), 1)
    with pytest.raises(ValueError, match=r"^n must be an integer >= 1, got 0$"):
        integer("n", 0, 1)
    assert integers("n", [1, 2], 1).tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, object])
def test_integers_come_in_as_int64(dtype):
    got = integers("n", np.array([100, 3], dtype))
    assert got.dtype == np.int64
    assert got.tolist() == [100, 3]
    assert integers("n", []).dtype == np.int64


@pytest.mark.parametrize("n", [2**63, -(2**63) - 1, 10**30, np.uint64(2**63)])
def test_what_does_not_fit_is_refused(n):
    for door in (integer, integers):
        with pytest.raises(ValueError, match=rf"^n must fit into 64 bits, got {n}$"):
            door("n", n)
    assert integer("n", 2**63 - 1) == integers("n", 2**63 - 1) == 2**63 - 1


def test_shapes_that_go_together():
    a, b = together(a=[[1], [2]], b=[1, 2, 3])
    assert a.shape == (2, 1)
    assert b.dtype == np.float64
    message = r"^a and b must broadcast, got shapes \(2,\) and \(3,\)$"
    with pytest.raises(ValueError, match=message):
        together(a=[1, 2], b=[1, 2, 3])


@pytest.mark.parametrize("bad", [np.ones(2), 1.0, None, torch.arange(2), torch.ones(2, dtype=torch.cfloat)])  # fmt: skip
def test_floating_tensors_only(bad):
    with pytest.raises(
        ValueError, match=r"^x must be a tensor of floating numbers, got"
    ):
        tensor("x", bad)
