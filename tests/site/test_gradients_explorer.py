"""The gradients explorer computes what the kernels compute."""

import math

import numpy as np
import pytest
from conftest import control

from utils import calculus

SURFACES = {
    "bowl": lambda x: x[0] ** 2 + x[1] ** 2,
    "valley": lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2,
    "kink": lambda x: x[0] ** 3 / (x[0] ** 2 + x[1] ** 2) if np.any(x != 0) else 0.0,
    "cliff": lambda x: (
        x[0] ** 2 * x[1] / (x[0] ** 4 + x[1] ** 2) if np.any(x != 0) else 0.0
    ),
}
NORMS = {"ℓ1": "l1", "ℓ2": "l2", "ℓ∞": "linf"}


@pytest.fixture(scope="module")
def drawn_cases():
    """50 points and directions for every surface, the same in every run."""
    rng = np.random.default_rng(20261)
    return {
        surface: [
            (float(x), float(y), float(theta))
            for x, y, theta in rng.uniform((-2, -1, -3.1), (2, 3, 3.1), size=(50, 3))
        ]
        for surface in SURFACES
    }


def unit(theta):
    return np.array([math.cos(theta), math.sin(theta)])


def test_slopes_agree_with_the_specification(call):
    known = {
        ("bowl", 1, 2, math.atan2(4, 3)): 4.4,
        ("bowl", 1, 2, 0): 2,
        ("bowl", 1, 2, math.atan2(2, 1)): 2 * math.sqrt(5),
        ("kink", 0, 0, math.pi / 4): 0.35355339,
        ("cliff", 0, 0, 0.3): 3.08834316,
    }
    got = call("gradients", "slope", [list(case) for case in known])
    np.testing.assert_allclose(got, list(known.values()), rtol=1e-6)
    promised = call("gradients", "promise", [["kink", 0, 0, math.pi / 4]])
    np.testing.assert_allclose(promised, math.sqrt(1 / 2), rtol=1e-12)
    g = np.array(call("gradients", "gradient", [["valley", -1.2, 1]])[0])
    np.testing.assert_allclose(g, [-215.6, -88], rtol=1e-12)
    assert np.linalg.norm(g) == pytest.approx(232.86769, rel=1e-7)


@pytest.mark.parametrize("surface", SURFACES)
def test_slopes_agree_with_the_kernel(call, drawn_cases, surface):
    f, cases = SURFACES[surface], drawn_cases[surface]
    want = [
        calculus.directional_derivative(f, np.array([x, y]), unit(theta), "complex")
        for x, y, theta in cases
    ]
    scale = np.maximum(1, np.abs(want))
    for name in ("slope", "promise"):
        got = np.ravel(call("gradients", name, [[surface, *case] for case in cases]))
        assert np.max(np.abs(got - want) / scale) < 1e-6, name
    got = call("gradients", "gradient", [[surface, x, y] for x, y, _ in cases])
    want = [calculus.numerical_gradient(f, np.array(c[:2]), "complex") for c in cases]
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("surface", ["kink", "cliff"])
def test_slopes_at_the_origin_agree_with_the_kernel(call, surface):
    angles = np.random.default_rng(4).uniform(0.2, 2.9, 50)
    got = np.ravel(call("gradients", "slope", [[surface, 0, 0, a] for a in angles]))
    want = [
        calculus.directional_derivative(
            SURFACES[surface], np.zeros(2), unit(a), "forward", h=1e-6
        )
        for a in angles
    ]
    np.testing.assert_allclose(got, want, rtol=1e-9)


@pytest.mark.parametrize("norm", NORMS)
def test_steepest_directions_agree_with_the_kernel(call, norm):
    gradients = np.random.default_rng(5).normal(size=(50, 2))
    got = call("gradients", "steepest", [[norm, *g] for g in gradients.tolist()])
    want = []
    for g in gradients:
        d, slope = calculus.dual_direction(g, NORMS[norm])
        want.append([*d, slope])
    np.testing.assert_allclose(got, want, rtol=1e-12)
    assert call("gradients", "steepest", [[norm, 0, 0]])[0] == [0, 0, 0]


def shown(host):
    return float(host.locator("[data-slope]").get_attribute("data-slope"))


def test_the_mark_shows_the_slope(explorer):
    host = explorer("gradients")
    want = 2 * math.cos(math.radians(53)) + 4 * math.sin(math.radians(53))
    assert shown(host) == pytest.approx(want, rel=1e-6)
    control(host, "slider", "angle θ").fill("0")
    assert shown(host) == pytest.approx(2, rel=1e-6)


def test_the_badge_tells_where_the_gradient_is_wrong(explorer):
    host = explorer("gradients")
    badge = host.locator(".ex-badge")
    alarmed = {}
    for surface in ("valley", "kink", "cliff", "bowl"):
        control(host, "radio", surface).check(force=True)
        alarmed[surface] = "ex-alarm" in badge.get_attribute("class")
    assert alarmed == {"valley": False, "kink": True, "cliff": True, "bowl": False}
    control(host, "radio", "kink").check(force=True)
    control(host, "slider", "x").fill("1")
    assert "ex-alarm" not in badge.get_attribute("class"), "away from the origin"


def test_point_and_arrow_can_be_dragged(explorer):
    host = explorer("gradients")
    page, drag = host.page, host.locator(".ex-drag").first
    box = drag.bounding_box()
    start = shown(host)
    page.mouse.move(box["x"] + box["width"] / 2 + 20, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 60, box["y"] + 120, steps=4)
    page.mouse.up()
    moved = control(host, "slider", "x").input_value()
    assert float(moved) < 0
    assert shown(host) != start
    dial = host.locator(".ex-drag-x")
    box = dial.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + 100)
    assert 50 < float(control(host, "slider", "angle θ").input_value()) < 130


def test_the_origin_catches_the_point(explorer):
    host = explorer("gradients")
    control(host, "radio", "kink").check(force=True)
    control(host, "slider", "x").fill("1")
    page, box = host.page, host.locator(".ex-drag").first.bounding_box()
    tick = host.locator("svg[role=img]").first.locator(".ex-grid")
    xs = tick.evaluate_all(
        "all => all.map(e => [e.x1, e.x2, e.y1, e.y2].map(v => v.baseVal.value))"
    )
    across = next(x1 for x1, x2, _, _ in xs[2:3] if x1 == x2)  # the line x = 0
    down = next(y1 for x1, x2, y1, y2 in xs[6:7] if y1 == y2)  # the line y = 0
    page.mouse.click(box["x"] + across + 6, box["y"] + down - 5)
    assert control(host, "slider", "x").input_value() == "0"
    assert control(host, "slider", "y").input_value() == "0"
    assert "ex-alarm" in host.locator(".ex-badge").get_attribute("class")
