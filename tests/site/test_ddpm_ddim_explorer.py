"""The microscope shows the exact step that the kernels compute, and its dots obey it."""

import numpy as np
import pytest
import torch
from conftest import control, until

from utils.diffusion.mixtures import GaussianMixture

SLUG = "ddpm_ddim"
GIVEN = {
    (0.2, 1, 0.5): (
        0.451183,
        (0.1875, 0.46875, 0.572846),
        (0.555788, 0.09738, 0.086618),
    ),
    (0.2, 1, 0.9): (None, (0.1539, 0.17195, 0.178631), (0.006172, 0.000702, 0.000334)),
    (0, 2, 1): (0.29703, (0.75, 1.2, 1.235467), (0.079994, 0.006129, 0.005914)),
    (1.5, 0.5, 0.1): (
        1.086184,
        (0.0096, 0.19392, 0.041417),
        (0.926462, 0.378954, 0.000288),
    ),
}


def law():
    weights = torch.tensor([0.3, 0.7], dtype=torch.float64)
    means = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    return GaussianMixture(weights, means, 0.04)


@pytest.fixture(scope="module")
def drawn_cases():
    """50 triples (x, sigma_t, sigma_s), the same in every run."""
    rng = np.random.default_rng(20263)
    st = np.exp(rng.uniform(np.log(0.1), np.log(4), 50))
    triples = zip(
        rng.uniform(-2.6, 2.6, 50), st, st * rng.uniform(0.05, 0.98, 50), strict=True
    )
    return [tuple(map(float, triple)) for triple in triples]


def by_bayes(x, st, ss):
    """Mean, variance and entropy of q(x_s | x_t = x), from the noisy density alone."""
    x_s = torch.linspace(-16, 16, 16_001, dtype=torch.float64)
    log_q = law().log_prob(x_s[:, None], ss) - (x - x_s) ** 2 / (2 * (st**2 - ss**2))
    mass, h = log_q.softmax(0), x_s[1] - x_s[0]
    mean = mass @ x_s
    entropy = -torch.special.xlogy(mass, mass / h).sum()
    return mean.item(), (mass @ (x_s - mean) ** 2).item(), entropy.item()


def test_step_agrees_with_bayes_and_the_kernels(call, drawn_cases):
    cases = [*drawn_cases, *GIVEN]
    steps = call(SLUG, "kernel", [list(case) for case in cases])
    costs = call(SLUG, "prices", [list(case) for case in cases])
    for (x, st, ss), step, cost in zip(cases, steps, costs, strict=True):
        mean, variance, entropy = by_bayes(x, st, ss)
        small, large, exact = step["variances"]
        assert step["mean"] == pytest.approx(mean, abs=1e-7)
        assert exact == pytest.approx(variance, rel=1e-6)
        rho = (ss / st) ** 2
        spread = (
            law().posterior_cov(torch.tensor([[x]], dtype=torch.float64), st).item()
        )
        assert exact == pytest.approx(small + (1 - rho) ** 2 * spread, rel=1e-9)
        alpha = (1 + ss**2) / (1 + st**2)
        assert small == pytest.approx(ss**2 * (1 - rho), rel=1e-12)
        assert large == pytest.approx((1 - alpha) * (1 + ss**2), rel=1e-9)
        for V, here in zip(step["variances"], cost, strict=True):
            want = (np.log(2 * np.pi * V) + variance / V) / 2 - entropy
            assert here == pytest.approx(want, rel=1e-5, abs=2e-6)


def test_step_agrees_with_the_specification(call):
    cases = [list(case) for case in GIVEN]
    steps, costs = call(SLUG, "kernel", cases), call(SLUG, "prices", cases)
    for step, cost, (mean, variances, nats) in zip(
        steps, costs, GIVEN.values(), strict=True
    ):
        if mean is not None:
            assert step["mean"] == pytest.approx(mean, abs=1e-6)
        np.testing.assert_allclose(step["variances"], variances, atol=1e-6)
        np.testing.assert_allclose(cost, nats, atol=1e-6)
    (at,) = call(SLUG, "posterior", [[0.2, 1]])
    assert at["r"][1] == pytest.approx(0.774153, abs=1e-6)
    assert at["mean"] == pytest.approx(0.534910, abs=1e-6)
    assert at["variance"] == pytest.approx(0.685059, abs=1e-6)


def test_noise_given_x_has_its_mean_and_mass(call):
    e = np.linspace(-9, 9, 3601)
    density = np.ravel(call(SLUG, "noiseDensity", [[v, 0.2, 1] for v in e.tolist()]))
    assert density.sum() * (e[1] - e[0]) == pytest.approx(1, abs=1e-9)
    assert density @ e * (e[1] - e[0]) == pytest.approx(-0.33491, abs=1e-5)
    normal = np.exp(-(e**2) / 2) / np.sqrt(2 * np.pi)
    apart = np.abs(density - normal).sum() * (e[1] - e[0]) / 2
    assert apart == pytest.approx(0.593, abs=1e-3)


@pytest.mark.parametrize("case", list(GIVEN))
def test_dots_follow_the_exact_law(call, case):
    (dots,) = call(SLUG, "draws", [[3, 20_000, *case]])
    (step,) = call(SLUG, "kernel", [list(case)])
    to = np.array([dot["to"] for dot in dots])
    variance = step["variances"][2]
    assert abs(to.mean() - step["mean"]) < 4 * np.sqrt(variance / len(to))
    fourth = ((to - to.mean()) ** 4).mean() - variance**2
    assert abs(to.var() - variance) < 4 * np.sqrt(fourth / len(to))
    share, r = np.mean([dot["k"] for dot in dots]), step["r"][1]
    assert abs(share - r) <= 4 * np.sqrt(r * (1 - r) / len(to)) + 1e-9


def test_words_agree_with_the_prices(call):
    """Who is called close is close: over a grid of all that the sliders reach."""
    cases = [
        [x, st, st * ratio]
        for x in np.linspace(-2.6, 2.6, 27)
        for st in np.geomspace(0.1, 4, 9)
        for ratio in np.linspace(0.05, 0.98, 9)
    ]
    said, costs = call(SLUG, "verdict", cases), call(SLUG, "prices", cases)
    for words, (small, large, exact) in zip(said, costs, strict=True):
        assert ("all three bells are close" in words) == (max(small, large) <= 0.02)
        assert ("a mixture from two pictures" in words) == (exact > 0.02)
        if "Nearly normal" in words:
            cheaper = "small" if small < large else "large"
            assert f"The {cheaper} one is cheaper." in words
            assert ("the small variance is" in words) == (small > 0.02)
            assert ("the large variance is" in words) == (large > 0.02)


def test_ring_moves_the_noisy_value(explorer):
    host = explorer(SLUG)
    ring = control(host, "slider", "Noisy value")
    box = ring.bounding_box()
    at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = host.page.mouse
    mouse.move(*at)
    mouse.down()
    mouse.move(at[0] + 60, at[1], steps=4)
    mouse.up()
    said = control(host, "slider", "value x̂ₜ").get_attribute("aria-valuetext")
    assert float(said.replace("−", "-")) > 0.4
    cells = host.locator("tbody td").all_inner_texts()
    assert len(cells) == 6


def test_dots_land_one_by_one(explorer):
    host = explorer(SLUG, still=False)
    board = host.locator("[data-share]")
    early = float(board.get_attribute("data-share"))
    until(
        host.page,
        "([e, early]) => e.dataset.share > early",
        arg=[board.element_handle(), early],
    )
