"""Blur, score, walk: the browser's mixture is the kernel's, its particles obey it, its rings can be dragged."""

import json
import math

import numpy as np
import pytest
import torch
from conftest import control

from utils.diffusion.mixtures import GaussianMixture, reference_mixture

KNOWN = {
    (0, 0, 0): (-7.801388, 13.337788, -9.909528, 0, 0),
    (0, 0, 0.3): (-3.566087, 2.497014, 1.351651, 0.224731, 0.121649),
    (0, 0, 1): (-2.375958, 0.177478, 0.207176, 0.177478, 0.207176),
    (1, 1, 0.3): (-1.686373, -3.318799, -2.139824, 0.701308, 0.807416),
}


def as_modes(law):
    parts = zip(
        law.weights.tolist(), law.means.tolist(), law.covs.tolist(), strict=True
    )
    return [{"w": w, "m": m, "C": C} for w, m, C in parts]


@pytest.fixture(scope="module")
def drawn_cases():
    """50 random mixtures with a point and a level each, the same in every run."""
    rng = np.random.default_rng(20263)
    cases = []
    for _ in range(50):
        K = int(rng.integers(1, 5))
        root = rng.normal(size=(K, 2, 2)) * 0.4
        covs = root @ root.transpose(0, 2, 1) + 0.01 * np.eye(2)
        law = GaussianMixture(
            torch.as_tensor(rng.uniform(0.1, 1, K)),
            torch.as_tensor(rng.normal(size=(K, 2))),
            torch.as_tensor(covs),
        )
        x, y = rng.uniform(-3, 3, 2)
        cases.append((law, float(x), float(y), float(rng.choice([0, 0.05, 0.5, 3]))))
    return cases


def flat(answer):
    return [answer["logp"], *answer["score"], *answer["denoised"]]


def test_field_agrees_with_the_specification(call):
    modes = as_modes(reference_mixture())
    got = call("score_functions", "field", [[modes, *case] for case in KNOWN])
    np.testing.assert_allclose([flat(a) for a in got], list(KNOWN.values()), atol=6e-7)


def test_field_agrees_with_the_kernel(call, drawn_cases):
    got = call(
        "score_functions",
        "field",
        [[as_modes(law), x, y, s] for law, x, y, s in drawn_cases],
    )
    for (law, x, y, sigma), answer in zip(drawn_cases, got, strict=True):
        at = torch.tensor([[x, y]], dtype=torch.float64)
        want = [
            *law.log_prob(at, sigma).tolist(),
            *law.score(at, sigma)[0].tolist(),
            *(at + sigma**2 * law.score(at, sigma))[0].tolist(),
        ]
        np.testing.assert_allclose(flat(answer), want, rtol=1e-9, atol=1e-9)
        r = law.responsibilities(at, sigma)[0].numpy()
        np.testing.assert_allclose(answer["r"], r, rtol=1e-8, atol=1e-12)


def test_the_ladder_falls_geometrically(call):
    levels = call("score_functions", "ladder", [[t] for t in (0, 0.5, 1)])
    assert levels[0] == pytest.approx(2.5)
    assert levels[2] == pytest.approx(0.05)
    assert levels[1] == pytest.approx(math.sqrt(2.5 * 0.05))


RUN = """async ([url, sigma, step, steps, seed, centres, start]) => {
  const m = await import(url), flat = m.blur(m.trio(centres), sigma), normal = m.normals(seed);
  const points = Float64Array.from(start);
  for (let i = 0; i < steps; i++) m.walk(points, flat, step, normal);
  return [[...points], m.shares(points, centres)];
}"""


@pytest.fixture
def walked(explorer, site_url):
    page = explorer("score_functions").page

    def run(*arguments):
        url = f"{site_url}_static/explorers/score_functions.mjs"
        return page.evaluate(RUN, [url, *arguments])

    return run


def test_particles_settle_in_the_law_of_the_chapter(walked):
    """One mode, many particles: the variance of the walk is c^2 / (1 - a / 4 c^2)."""
    far = [[0, 0], [90, 90], [-90, 90]]
    step, c2 = 0.05, 0.0625
    points, shares = walked(0, step, 150, 3, far, [0.0] * 8000)
    want = c2 / (1 - step / (4 * c2))
    squares = np.array(points) ** 2
    assert abs(squares.mean() - want) < 4 * squares.std() / math.sqrt(len(squares))
    assert abs(squares.mean() - c2) > 8 * squares.std() / math.sqrt(len(squares))
    assert shares == [1, 0, 0]


def test_much_noise_brings_all_particles_to_all_modes(walked):
    """At sigma = 2 the particles of one mode spread like the blurred mixture."""
    centres = [[-1.1, 0.5], [1.2, 0.9], [0.5, -1.2]]
    points, _ = walked(2, 0.4, 200, 5, centres, [-1.1, 0.5] * 4000)
    x = np.array(points).reshape(-1, 2)
    mean = np.array([0.5, 0.3, 0.2]) @ np.array(centres)
    error = x.std(axis=0) / math.sqrt(len(x))
    assert (abs(x.mean(axis=0) - mean) < 4 * error).all()


def shares(host):
    return host.locator("[data-share]").evaluate_all(
        "all => all.map(e => Number(e.dataset.share))"
    )


def test_annealing_finds_the_weights_and_scattering_does_not(explorer):
    host = explorer("score_functions")
    control(host, "button", "Anneal").click()
    host.page.wait_for_timeout(300)
    annealed = np.array(shares(host))
    assert annealed.sum() == pytest.approx(1)
    assert abs(annealed - [0.5, 0.3, 0.2]).max() < 0.12
    assert control(host, "slider", "noise σ").input_value() == "0.05"
    control(host, "slider", "noise σ").press("Home")
    control(host, "button", "Scatter").click()
    host.page.wait_for_timeout(300)
    assert abs(np.array(shares(host)) - [0.5, 0.3, 0.2]).max() > 0.08


def test_dragging_a_ring_moves_its_mode_only(explorer):
    host = explorer("score_functions")
    before = {k: spot(host, f"Mode {k}") for k in "ABC"}
    grip = control(host, "slider", "Mode A")
    grip.scroll_into_view_if_needed()
    box = grip.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = host.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 60, y + 40, steps=4)
    mouse.up()
    after = {k: spot(host, f"Mode {k}") for k in "ABC"}
    assert after["B"] == before["B"]
    assert after["C"] == before["C"]
    moved = np.array(after["A"]) - before["A"]
    assert moved[0] > 0.4
    assert moved[1] < -0.3


def spot(host, name):
    said = control(host, "slider", name).get_attribute("aria-valuetext")
    place = said.split("at ")[1].replace("−", "-")
    return json.loads(f"[{place}]")
