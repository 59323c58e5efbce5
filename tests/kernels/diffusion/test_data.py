"""The data: exact supports and areas, scikit-learn's own moons, the digits as they come."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.datasets import load_digits, make_moons

from utils.diffusion.data import checkerboard, dequantise, digits, quantise, two_moons

LEVELS = torch.arange(17, dtype=torch.float64) / 8 - 1
pytestmark = pytest.mark.usefixtures("global_generator_untouched")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def off_the_moons(x):
    """Distance of points to the two half circles, by their implicit equations."""
    x_1, x_2 = np.asarray(x).T
    upper = np.where(x_2 >= -1e-12, abs(np.hypot(x_1, x_2) - 1), np.inf)
    lower = np.where(x_2 <= 0.5 + 1e-12, abs(np.hypot(x_1 - 1, x_2 - 0.5) - 1), np.inf)
    return upper, lower


def test_moons_lie_on_the_half_circles_of_scikit_learn():
    ours = off_the_moons(two_moons(4000, 0.0, generator=generator()))
    theirs = off_the_moons(make_moons(500)[0])
    for upper, lower in (ours, theirs):
        assert np.minimum(upper, lower).max() < 1e-12
    on_upper = ours[0] < 1e-12
    assert stats.binomtest(int(on_upper.sum()), 4000).pvalue > 1e-6


def test_moons_are_uniform_in_the_angle_and_blurred_normally():
    x = two_moons(20_000, 0.0, generator=generator(1)).numpy()
    upper, _ = off_the_moons(x)
    angle = np.arctan2(x[:, 1], x[:, 0])[upper < 1e-12]
    assert stats.kstest(angle / math.pi, "uniform").pvalue > 1e-6
    blurred = two_moons(20_000, 0.3, generator=generator(1)).numpy()
    assert stats.kstest((blurred - x).ravel() / 0.3, "norm").pvalue > 1e-6


def test_checkerboard_has_eight_dark_squares_of_equal_weight():
    x = checkerboard(40_000, generator=generator(2))
    assert x.abs().max() <= 2
    square = x.floor().long()
    assert (square.sum(dim=1) % 2 == 0).all()
    counts = torch.bincount(4 * (square[:, 0] + 2) + square[:, 1] + 2, minlength=16)
    assert (counts > 0).sum() == 8
    assert stats.chisquare(counts[counts > 0]).pvalue > 1e-6
    within = (x - x.floor()).ravel()
    assert stats.kstest(within, "uniform").pvalue > 1e-6


def test_checkerboard_moments():
    x = checkerboard(200_000, generator=generator(3))
    product = x[:, 0] * x[:, 1]
    for values, want in ((x[:, 0], 0), (x[:, 1], 0), (product, 1 / 4)):
        z = (values.mean() - want) / (values.std() / math.sqrt(len(values)))
        assert abs(z) < 5
    for column in x.T:
        assert stats.kstest(column / 4 + 0.5, "uniform").pvalue > 1e-6


@pytest.mark.parametrize("law", [two_moons, checkerboard])
def test_toys_are_reproducible_and_double(law):
    x = law(7, generator=generator(4))
    assert x.shape == (7, 2)
    assert x.dtype == torch.float64
    assert torch.equal(x, law(7, generator=generator(4)))
    assert not torch.equal(x, law(7, generator=generator(5)))
    assert law(0, generator=generator()).shape == (0, 2)


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


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_moons(-1, generator=generator()), "n must be an integer >= 0, got -1"),
        (lambda: two_moons(2.5, generator=generator()), r"n must be an integer >= 0, got 2\.5"),
        (lambda: two_moons(3, -0.1, generator=generator()), r"noise must be finite and >= 0, got -0\.1"),
        (lambda: checkerboard(-2, generator=generator()), "n must be an integer >= 0, got -2"),
        (lambda: quantise(torch.tensor([0.0, math.nan])), "x must be finite, got nan"),
        (lambda: dequantise(torch.tensor([math.inf]), generator=generator()), "x must be finite, got inf"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()
