"""Metrics against POT, scipy and scikit-learn, closed forms of normal laws, and the floors of the digits."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import sqrtm
from sklearn.neighbors import NearestNeighbors

from utils.diffusion.data import digits, quantise
from utils.diffusion.metrics import (
    digit_classifier,
    digit_features,
    floor,
    frechet_distance,
    mode_report,
    nearest_distance,
    sliced_w2,
)

from . import make_training_peers as training

pytestmark = pytest.mark.usefixtures("global_generator_untouched")
seeded = settings(derandomize=True, deadline=None, max_examples=40, database=None)
seeds = st.integers(0, 10**6)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def sw2(a, b, n_proj=64, seed=0):
    return sliced_w2(a, b, n_proj, generator=generator(seed))


@pytest.fixture
def given_directions(monkeypatch):
    """Let the metric use the directions that the peer was given."""
    *_, theta = training.clouds()
    monkeypatch.setattr(torch, "randn", lambda *_, **__: torch.tensor(3.0 * theta))


def sliced_values():
    a, b, _ = (torch.tensor(x) for x in training.clouds())
    return [sw2(a, b, 5), sw2(a, b[:7], 5), sw2(b, a, 5)]


@pytest.mark.usefixtures("given_directions")
def test_sliced_agrees_with_the_stored_values_of_pot():
    stored = json.loads(training.STORED.read_text(encoding="utf-8"))["sliced"]
    assert_allclose(sliced_values(), stored, rtol=1e-12)


def test_pot_still_says_the_same():
    stored = json.loads(training.STORED.read_text(encoding="utf-8"))["sliced"]
    assert_allclose(training.sliced(), stored, rtol=1e-12)


def test_sliced_on_the_line_by_hand():
    a = torch.tensor([[0.0], [4.0]], dtype=torch.float64)
    b = torch.tensor([[1.0], [2.0], [9.0]], dtype=torch.float64)
    # quantiles: a 0 | 0 4 | 4 and b 1 | 2 2 | 9 on pieces of length 1/3, 1/6, 1/6, 1/3
    want = math.sqrt((1 + 25) / 3 + (4 + 4) / 6)
    assert_allclose(sw2(a, b), want, rtol=1e-14)


@seeded
@given(seeds, st.integers(1, 4), st.integers(1, 8), st.integers(1, 8))
def test_sliced_is_a_distance(seed, d, n, m):
    a, b, c = (normal(k, d, seed=seed + i) for i, k in enumerate((n, m, 5)))
    assert_allclose(sw2(a, b), sw2(b, a), rtol=1e-10)
    assert sw2(a, c) <= sw2(a, b) + sw2(b, c) + 1e-10
    assert sw2(a, a.flip(0)) < 1e-7
    assert_allclose(sw2(3 * a, 3 * b), 3 * sw2(a, b), rtol=1e-10)
    assert_allclose(sw2(a.repeat(3, 1), b), sw2(a, b), rtol=1e-10)


def test_sliced_of_a_shift():
    a, shift, d = normal(50, 3), torch.tensor([1.0, -2.0, 2.0]).double(), 3
    squares = torch.tensor([sw2(a, a + shift, 1, seed) ** 2 for seed in range(400)])
    z = (squares.mean() - 9 / d) / (squares.std() / math.sqrt(400))
    assert abs(z) < 5


def test_sliced_of_two_normal_laws():
    """N(0, I) against N(0, 9 I): every slice is |3 - 1|."""
    assert_allclose(sw2(normal(50_000, 2), 3 * normal(50_000, 2, seed=1), 8), 2, rtol=0.02)  # fmt: skip


def frechet_by_scipy(a, b):
    a, b = a.numpy(), b.numpy()
    S, T, m = np.cov(a.T), np.cov(b.T), a.mean(axis=0) - b.mean(axis=0)
    return m @ m + np.trace(S + T - 2 * sqrtm(S @ T).real)


@seeded
@given(seeds, st.integers(2, 6))
def test_frechet_by_the_matrix_root_of_scipy(seed, d):
    a = normal(30, d, seed=seed) @ normal(d, d, seed=seed + 1)
    b = normal(40, d, seed=seed + 2) @ normal(d, d, seed=seed + 3) + 1
    assert_allclose(frechet_distance(a, b), frechet_by_scipy(a, b), rtol=1e-7)


def test_frechet_of_known_moments():
    """Clouds with exact moments: N(0, diag s^2) and N(m, diag t^2) are |m|^2 + |s - t|^2 apart."""
    unit = math.sqrt(2.5) * torch.cat([torch.eye(3), -torch.eye(3)]).double()
    s, t = torch.tensor([[1.0, 2.0, 0.5], [3.0, 2.0, 0.0]]).double()
    m = torch.tensor([1.0, 0.0, -2.0]).double()
    want = (m**2).sum() + ((s - t) ** 2).sum()
    assert_allclose(frechet_distance(unit * s, m + unit * t), want, rtol=1e-12)


@seeded
@given(seeds, st.integers(2, 9))
def test_frechet_laws(seed, n):
    a, b = (
        normal(n, 5, seed=seed),
        2 * normal(7, 5, seed=seed + 1),
    )  # singular for n < 6
    rotation = torch.linalg.qr(normal(5, 5, seed=seed + 2)).Q
    value = frechet_distance(a, b)
    assert_allclose(frechet_distance(b, a), value, rtol=1e-10)
    assert_allclose(frechet_distance(a @ rotation + 3, b @ rotation + 3), value, rtol=1e-9)  # fmt: skip
    assert_allclose(frechet_distance(2 * a, 2 * b), 4 * value, rtol=1e-10)
    assert_allclose(frechet_distance(a, a + 1), 5, rtol=1e-10)
    assert 0 <= frechet_distance(a, a.flip(0)) < 1e-12


@pytest.fixture(scope="module")
def eye():
    """The digits, seen by the classifier that was trained on the first half."""
    x_train, x_held, y_train, y_held = digits()
    return x_train, x_held, y_held, digit_classifier(x_train, y_train)


def test_classifier_is_right_on_held_out_digits(eye):
    _, x_held, y_held, classifier = eye
    _, _, W_2, b_2 = classifier
    guess = (digit_features(x_held, classifier) @ W_2 + b_2).argmax(dim=1)
    assert (guess == y_held).double().mean() > 0.96  # 0.974 was measured


def test_features_are_those_of_the_hidden_layer(eye):
    x_train, _, _, classifier = eye
    W_1, b_1, *_ = (w.numpy() for w in classifier)
    want = np.maximum(x_train.numpy() @ W_1 + b_1, 0)
    assert_allclose(digit_features(x_train, classifier), want, atol=1e-12)
    assert digit_features(x_train.float(), classifier).dtype == torch.float32


def test_floors_of_the_digits(eye):
    x_train, x_held, _, classifier = eye
    assert_allclose(frechet_distance(x_train, x_held), 0.2932274756, rtol=1e-8)
    a, b = (digit_features(x, classifier) for x in (x_train, x_held))
    split = frechet_distance(a, b)
    assert_allclose(split, 0.449, rtol=0.15)
    mean, sd = floor(frechet_distance, torch.cat([a, b]), generator=generator(1))
    assert_allclose(mean, 0.61, rtol=0.2)
    assert 0.03 < sd < 0.3
    L = torch.linalg.cholesky(x_train.T.cov() + 1e-9 * torch.eye(64).double())
    fit = quantise(x_train.mean(dim=0) + normal(899, 64, seed=2) @ L.T)
    assert_allclose(frechet_distance(fit, x_held), 1.06, rtol=0.1)
    gaussian = frechet_distance(digit_features(fit, classifier), b)
    assert_allclose(gaussian, 4.3, rtol=0.15)
    assert gaussian > 5 * mean


def test_modes_by_hand():
    means = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 50.0]]).double()
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [9.0, 2.0], [10.0, 30.0]]).double()
    report = mode_report(x, means, sd=1.0)
    assert report["weights"].tolist() == [0.5, 0.25, 0.25]
    assert_allclose(report["radius"], math.sqrt((1 + 1 + 5) / 3), rtol=1e-14)
    assert report["off_mode"] == 0.25
    wide = mode_report(x, means, sd=2.0, cutoff=100.0)
    assert_allclose(wide["radius"], math.sqrt((7 + 500) / 16), rtol=1e-14)
    assert wide["off_mode"] == 0
    nowhere = mode_report(x[3:], means, sd=1.0)
    assert (nowhere["radius"], nowhere["off_mode"]) == (math.inf, 1.0)


def test_modes_of_eight_gaussians():
    n, sd = 20_000, 0.05
    angle = torch.arange(8).double() * math.pi / 4
    means = torch.stack([angle.cos(), angle.sin()], dim=1)
    k = torch.randint(8, (n,), generator=generator(3))
    report = mode_report(means[k] + sd * normal(n, 2, seed=4), means, sd)
    assert abs(report["radius"] ** 2 - 2) < 5 * 2 / math.sqrt(n)
    assert report["off_mode"] < 5e-4
    assert (abs(report["weights"] - 1 / 8) < 5 * math.sqrt(7 / 64 / n)).all()


def test_nearest_by_scikit_learn():
    x, data = normal(20, 3), normal(50, 3, seed=1)
    search = NearestNeighbors(n_neighbors=1).fit(data)
    assert_allclose(nearest_distance(x, data), search.kneighbors(x)[0].ravel(), rtol=1e-10)  # fmt: skip
    assert (nearest_distance(data, data) == 0).all()


def test_held_out_digits_are_no_copies():
    x_train, x_held, *_ = digits()
    distance = nearest_distance(x_held, x_train)
    assert_allclose(distance.median(), 2.05, rtol=0.1)
    assert distance.min() > 0.5


def test_floor_sees_disjoint_halves_that_make_the_whole():
    real, seen = torch.arange(9.0).double()[:, None], []

    def metric(a, b):
        seen.append((len(a), len(b)))
        assert torch.equal(torch.cat([a, b]).sort(dim=0).values, real)
        return float(a.mean() - b.mean())

    mean, sd = floor(metric, real, 6, generator=generator(5))
    assert seen == [(5, 4)] * 6
    again = [
        float(half.mean() - other.mean())
        for g in [generator(5)]
        for half, other in [real[torch.randperm(9, generator=g)].split([5, 4]) for _ in range(6)]
    ]  # fmt: skip
    assert_allclose([mean, sd], [np.mean(again), np.std(again, ddof=1)], rtol=1e-12)


def test_floor_of_eight_gaussians_is_noise_of_the_counts():
    """Sliced W2 of 4000 points against 4000 of the same law: 0.03 to 0.05, whatever the sampler."""
    angle = torch.arange(8).double() * math.pi / 4
    k = torch.randint(8, (8000,), generator=generator(6))
    x = torch.stack([angle.cos(), angle.sin()], dim=1)[k] + 0.05 * normal(8000, 2)
    mean, _ = floor(lambda a, b: sw2(a, b, 32), x, 5, generator=generator(7))
    assert 0.02 < mean < 0.06


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_metrics_are_numbers_in_any_precision(dtype):
    a, b = normal(9, 2).to(dtype), normal(5, 2, seed=1).to(dtype)
    for value in (sw2(a, b), frechet_distance(a, b)):
        assert isinstance(value, float)
    assert nearest_distance(a, b).dtype == dtype
    assert mode_report(a, b, 1.0)["weights"].dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_less_precision_follows_double(dtype):
    a, b = normal(30, 3).to(dtype), (1 + 2 * normal(20, 3, seed=1)).to(dtype)
    wide = a.double(), b.double()
    assert sw2(a, b) == sw2(*wide)
    assert frechet_distance(a, b) == frechet_distance(*wide)
    assert torch.equal(nearest_distance(a, b), nearest_distance(*wide).to(dtype))
    assert mode_report(a, b, 0.5)["radius"] == mode_report(*wide, 0.5)["radius"]


@pytest.mark.parametrize("columns", [1, 3, 6])
def test_frechet_of_dependent_features_keeps_its_digits(columns):
    """Copied and constant columns: squares would leave half of the digits."""
    a, b = normal(40, 3), normal(50, 3, seed=1) @ normal(3, 3, seed=2)
    want = frechet_distance(a, b)
    stretch = torch.cat([a, b])[:, :1] * 0
    more = [torch.cat([x, stretch[: len(x)].expand(-1, columns)], 1) for x in (a, b)]
    assert_allclose(frechet_distance(*more), want, rtol=1e-12)
    twice = [torch.cat([x, x], 1) for x in (a, b)]
    assert_allclose(frechet_distance(*twice), 2 * want, rtol=1e-12)
    assert frechet_distance(twice[0], twice[0].flip(0)) < 1e-12


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-6, 1e-9])
def test_frechet_of_flat_clouds_by_hand(spread):
    """Moments are exact, and so is the answer, whichever way the covariance is factored."""
    unit = math.sqrt(2.5) * torch.cat([torch.eye(3), -torch.eye(3)]).double()
    turn = torch.linalg.qr(normal(3, 3, seed=3)).Q
    s, t = torch.tensor([[1.0, 2.0, spread], [3.0, 2.5, 3 * spread]]).double()
    got = frechet_distance(unit * s @ turn, unit * t @ turn)
    assert_allclose(got, float(((s - t) ** 2).sum()), rtol=1e-12)


@pytest.mark.usefixtures("without_type_checks")
def test_requirements_of_the_eye_are_asked_for():
    x = normal(6, 4)
    with pytest.raises(ValueError, match=r"^y must have three classes or more, got 2$"):
        digit_classifier(x, torch.tensor([0, 1, 0, 1, 0, 1]))
    eyes = digit_classifier(x, torch.tensor([0, 1, 2, 0, 1, 2]))
    with pytest.raises(
        ValueError, match=r"^x must have 4 columns, got shape \(6, 3\)$"
    ):
        digit_features(x[:, :3], eyes)


A, B = torch.zeros(3, 2).double(), torch.ones(2, 2).double()
Y = torch.arange(3)


def bad(call, message):
    return pytest.param(call, message, id=message[:45])


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        bad(lambda: sw2(A, B[:, :1]), r"b must have the 2 columns of a, got shape \(2, 1\)"),
        bad(lambda: sw2(A, B[0]), r"b must be a matrix, got shape \(2,\)"),
        bad(lambda: sw2(A[:0], B), r"a must have 1 rows or more, got shape \(0, 2\)"),
        bad(lambda: sw2(A, B, 0), "n_proj must be an integer >= 1, got 0"),
        bad(lambda: sw2(A, B * math.nan), "b must be finite, got nan"),
        bad(lambda: frechet_distance(A[:1], B), r"a must have 2 rows or more, got shape \(1, 2\)"),
        bad(lambda: digit_classifier(A, Y[:2]), r"y must have 3 entries, got shape \(2,\)"),
        bad(lambda: digit_features(A + math.inf, (B, B[0])), "x must be finite, got inf"),
        bad(lambda: mode_report(A, B, 0.0), r"sd must be finite and > 0, got 0\.0"),
        bad(lambda: mode_report(A, B, 1.0, -1.0), r"cutoff must be finite and > 0, got -1\.0"),
        bad(lambda: mode_report(A, B[:0], 1.0), r"means must have 1 rows or more, got shape \(0, 2\)"),
        bad(lambda: nearest_distance(A, B[:, :1]), r"data must have the 2 columns of x, got shape \(2, 1\)"),
        bad(lambda: floor(sw2, A[:1], generator=generator()), r"real must have 2 rows or more, got shape \(1, 2\)"),
        bad(lambda: floor(sw2, A, 1, generator=generator()), "n_splits must be an integer >= 2, got 1"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()
