"""The digits as they come, and their grey levels."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.datasets import load_digits

from utils.diffusion.data import dequantise, digits, quantise

LEVELS = torch.arange(17, dtype=torch.float64) / 8 - 1
pytestmark = pytest.mark.usefixtures("global_generator_untouched")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_digits_are_the_whole_data_set_once():
    x_train, x_held, y_train, y_held = digits()
    assert x_train.shape == (898, 64)
    assert x_held.shape == (899, 64)
    pixels, labels = load_digits(return_X_y=True)
    ours = torch.cat([x_train, x_held]).numpy()
    ours = np.column_stack([ours * 8 + 8, np.concatenate([y_train, y_held])])
    theirs = np.column_stack([pixels, labels])
    assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


def test_digits_are_stratified():
    *_, y_train, y_held = digits()
    difference = torch.bincount(y_train) - torch.bincount(y_held)
    assert difference.abs().max() <= 1


def test_digits_golden_values():
    x_train, x_held, *_ = digits()
    assert_allclose(x_train.std(correction=0), 0.7504498, atol=5e-8)
    assert_allclose((x_train - x_train.mean(dim=0)).std(), 0.5405, atol=5e-5)
    assert_allclose(x_train.mean(), -0.3922258, atol=5e-8)
    for x in (x_train, x_held):
        assert x.min() == -1
        assert x.max() == 1
        assert torch.isin(x, LEVELS).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_quantise_undoes_dequantise(dtype):
    x = LEVELS.to(dtype).repeat(2000, 1)
    spread = dequantise(x, generator=generator(6))
    assert spread.dtype == dtype
    assert torch.equal(quantise(spread), x)
    assert torch.equal(quantise(x), x)
    inside = ((spread - x) * 8 + 0.5).double()
    assert stats.kstest(inside.ravel(), "uniform").pvalue > 1e-6


def test_dequantise_keeps_the_mean_and_adds_a_known_variance():
    noise = dequantise(torch.zeros(10**6).double(), generator=generator(7))
    assert abs(noise.mean()) < 5 * math.sqrt(1 / 768 / 10**6)
    assert_allclose(noise.var(), 1 / 768, rtol=5e-3)


def test_quantise_goes_to_the_nearest_level_and_to_the_ends():
    x = torch.tensor([-3.0, -1.0, -0.95, 0.06, 0.07, 0.99, 1.2, 1e4, -1e4])
    want = torch.tensor([-1.0, -1.0, -1.0, 0.0, 0.125, 1.0, 1.0, 1.0, -1.0])
    assert torch.equal(quantise(x), want)
    y = torch.linspace(-1, 1, 1001, dtype=torch.float64)
    assert ((quantise(y) - y).abs() <= 1 / 16 + 1e-12).all()


def test_only_grey_levels_are_spread():
    for x in (
        torch.tensor([0.1]),
        torch.tensor([-1.125]),
        torch.tensor([0.0, 1.0 + 1e-6]),
    ):
        with pytest.raises(ValueError, match=r"^x must be on the grey levels"):
            dequantise(x, generator=generator())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_levels_are_found_in_any_precision(dtype):
    assert torch.equal(quantise(LEVELS.to(dtype)), LEVELS.to(dtype))
    x = torch.linspace(-1.2, 1.2, 4001).to(dtype)
    assert torch.equal(quantise(x), quantise(x.double()).to(dtype))
    assert quantise(torch.tensor([6e4, -6e4]).to(dtype)).tolist() == [1, -1]


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantise(torch.tensor([0.0, math.nan])), "x must be finite, got nan"),
        (lambda: dequantise(torch.tensor([math.inf]), generator=generator()), "x must be finite, got inf"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()
