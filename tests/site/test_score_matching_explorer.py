"""The picture of denoising score matching computes what the kernels compute, and obeys the hand."""

import math

import numpy as np
import pytest
import torch
from conftest import control
from scipy import integrate, stats

from utils.diffusion.mixtures import GaussianMixture

START = [-1.0, -0.8, 0.9, 1.1]


@pytest.fixture(scope="module")
def drawn_cases():
    """(x, points, sigma): 50 of them, the same in every run."""
    rng = np.random.default_rng(20263)
    return [
        (float(x), [float(m) for m in points], float(sigma))
        for x, points, sigma in zip(
            rng.uniform(-2.5, 2.5, 50),
            rng.uniform(-2.2, 2.2, (50, 4)),
            rng.uniform(0.1, 1.2, 50),
            strict=True,
        )
    ]


def law(points):
    means = torch.tensor(points, dtype=torch.float64)[:, None]
    return GaussianMixture(torch.ones(len(points)), means, 0.0)


def test_score_agrees_with_the_specification(call):
    known = {
        (0.0, 0.3): -3.823202,
        (0.0, 1.0): 0.005307,
        (0.5, 0.5): 1.658384,
        (-1.2, 0.1): 20.049452,
    }
    got = call("score_matching", "score", [[x, START, sigma] for x, sigma in known])
    np.testing.assert_allclose(got, list(known.values()), atol=5e-7)


def test_score_density_and_responsibilities_agree_with_the_mixture(call, drawn_cases):
    arguments = [list(case) for case in drawn_cases]
    names = ("score", "density", "responsibilities")
    got = {name: call("score_matching", name, arguments) for name in names}
    for i, (x, points, sigma) in enumerate(drawn_cases):
        p, at = law(points), torch.tensor([[x]], dtype=torch.float64)
        want = p.score(at, sigma).item()
        assert got["score"][i] == pytest.approx(want, rel=1e-9, abs=1e-9)
        want = p.log_prob(at, sigma).exp().item()
        assert got["density"][i] == pytest.approx(want, rel=1e-9)
        want = p.responsibilities(at, sigma)[0].numpy()
        np.testing.assert_allclose(got["responsibilities"][i], want, atol=1e-12)


def test_noise_is_normal_and_points_are_equally_likely(call):
    drawn = call("score_matching", "noise", [[1, 8000, 4]])[0]
    eps, which = np.array(drawn["eps"]), np.array(drawn["which"])
    assert stats.kstest(eps, "norm").pvalue > 1e-3
    assert stats.chisquare(np.bincount(which, minlength=4)).pvalue > 1e-3


def test_the_regression_is_the_mean_target_of_each_bin(call):
    drawn = call("score_matching", "noise", [[3, 500, 4]])[0]
    sigma = 0.4
    fit = call("score_matching", "regression", [[drawn, START, sigma, 500]])[0]
    eps = np.array(drawn["eps"])
    x = np.array(START)[drawn["which"]] + sigma * eps
    bins = np.floor(x / fit["h"]).astype(int) - fit["first"]
    for k, mean in enumerate(fit["means"]):
        inside = bins == k
        if mean is None:
            assert not inside.any()
        else:
            assert mean == pytest.approx(-eps[inside].mean() / sigma, rel=1e-9)


def predicted(fit, x):
    """Lines from the middle of one bin to the next; a lone bin is constant, no bin is 0."""
    means = np.array([np.nan if m is None else m for m in fit["means"]])
    means = np.r_[np.nan, means, np.nan]
    at = np.clip(x / fit["h"] - 0.5 - fit["first"] + 1, 0, len(means) - 2)
    k = np.floor(at).astype(int)
    line = (1 - (at - k)) * means[k] + (at - k) * means[k + 1]
    near = means[np.where(at - k < 0.5, k, k + 1)]
    return np.nan_to_num(np.where(np.isnan(line), near, line))


def test_the_regression_joins_its_means(call):
    fit = {"first": -3, "h": 0.5, "means": [1.0, None, 2.0, 4.0, -1.0, None, None]}
    x = np.random.default_rng(5).uniform(-3, 3, 50)
    got = call("score_matching", "predict", [[fit, float(y)] for y in x])
    np.testing.assert_allclose(got, predicted(fit, x), rtol=1e-12, atol=1e-12)


def test_the_loss_splits_into_excess_and_irreducible_part(call, drawn_cases):
    drawn = call("score_matching", "noise", [[2, 300, 4]])[0]
    arguments = [[drawn, points, sigma, 300] for _, points, sigma in drawn_cases]
    fits = call("score_matching", "regression", arguments)
    parts = call(
        "score_matching",
        "split",
        [
            [fit, points, sigma]
            for fit, (_, points, sigma) in zip(fits, drawn_cases, strict=True)
        ],
    )
    for part, fit, (_, points, sigma) in zip(parts, fits, drawn_cases, strict=True):
        p = law(points)
        x = torch.arange(-9, 9, 0.002, dtype=torch.float64)[:, None] + 0.001
        mass = p.log_prob(x, sigma).exp() * 0.002
        variance = p.posterior_cov(x, sigma)[:, 0, 0]
        irreducible = float((mass * variance).sum()) / (2 * sigma**4)
        assert part["irreducible"] == pytest.approx(irreducible, rel=2e-3, abs=2e-4)
        error = predicted(fit, x[:, 0].numpy()) - p.score(x, sigma)[:, 0].numpy()
        excess = float((mass.numpy() * error**2).sum()) / 2
        assert part["excess"] == pytest.approx(excess, rel=0.05, abs=2e-3)


def test_the_irreducible_part_of_one_place_is_that_of_a_gaussian(call):
    fit = {"first": -20, "h": 0.1, "means": [0.0] * 40}
    part = call("score_matching", "split", [[fit, [0.0] * 4, 0.4]])[0]
    # All data in one place: the target is known from where one stands, nothing is irreducible.
    assert part["irreducible"] == pytest.approx(0, abs=1e-4)
    square = integrate.quad(
        lambda x: stats.norm.pdf(x, scale=0.4) * x**2 / 0.4**4, -2, 2
    )[0]
    assert part["excess"] == pytest.approx(square / 2, rel=1e-3)


def value(host, name):
    return float(control(host, "slider", name).input_value())


def loss(host):
    words = host.locator(".ex-loss").inner_text().replace("−", "-").split()
    return float(words[1]), float(words[4]), float(words[7])


def test_loss_is_the_sum_and_its_floor_rises_as_noise_falls(explorer):
    host = explorer("score_matching")
    total, excess, floor = loss(host)
    assert total == pytest.approx(excess + floor, rel=0.02)
    control(host, "slider", "noise draws n").fill("1.5")
    assert loss(host)[1] > 5 * excess
    control(host, "slider", "noise level σ").fill("0.1")
    assert loss(host)[2] > 4 * floor
    assert "nearly all" in host.inner_text() or "too few" in host.inner_text()


def test_dragging_moves_one_point(explorer):
    host = explorer("score_matching")
    grip = control(host, "slider", "Point 3")
    before = [
        control(host, "slider", f"Point {i}").get_attribute("aria-valuetext")
        for i in range(1, 5)
    ]
    box = grip.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = host.page.mouse
    mouse.move(x - 8, y)
    mouse.down()
    mouse.move(x - 90, y + 5, steps=4)
    mouse.up()
    after = [
        control(host, "slider", f"Point {i}").get_attribute("aria-valuetext")
        for i in range(1, 5)
    ]
    assert after[2] != before[2]
    assert after[:2] + after[3:] == before[:2] + before[3:]
    assert math.isclose(value(host, "noise level σ"), 0.3)


def test_points_far_apart_leave_nothing_irreducible(explorer):
    host = explorer("score_matching")
    control(host, "slider", "noise level σ").fill("0.1")
    close = loss(host)[2]
    assert "gives away" not in host.inner_text()
    for point, key in enumerate(("Home", "Home", "End", "End"), start=1):
        control(host, "slider", f"Point {point}").press(key)
    assert loss(host)[2] < close / 100
    assert "gives away" in host.inner_text()
    assert "too few" not in host.inner_text()


def test_draws_go_up_to_ten_thousand(explorer):
    host = explorer("score_matching")
    control(host, "slider", "noise draws n").press("End")
    assert "10000" in host.inner_text()
