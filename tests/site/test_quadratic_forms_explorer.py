"""The bowl designer computes what the kernels compute, and obeys hand and keyboard."""

import numpy as np
import pytest
from conftest import TWO_FRAMES, control

from utils import quadratic
from utils.quadratic import Quadratic

A, B = [[2, 1], [1, 3]], [-4, 2]


@pytest.fixture(scope="module")
def drawn_cases():
    """(λ₁, λ₂, angle, tilt, start, η, β): 50 of them, some flat, the same in every run."""
    rng = np.random.default_rng(20261)
    cases = []
    for i in range(50):
        first, second = rng.uniform(-3, 3, size=2)
        cases.append(
            (
                first,
                0.0 if i % 5 == 0 else second,
                rng.uniform(-90, 90),
                0.0 if i % 10 == 0 else rng.uniform(-2, 2),
                rng.uniform(-4, 4, size=2).tolist(),
                rng.uniform(0.01, 0.3),
                rng.uniform(0, 0.95),
            )
        )
    return cases


@pytest.fixture
def built(call, drawn_cases):
    """Matrix and vector of each case, as the explorer builds them."""
    made = call("quadratic_forms", "build", [list(case[:4]) for case in drawn_cases])
    return [(one["A"], one["b"]) for one in made]


def python(A, b):
    return Quadratic(np.array(A, float), np.array(b, float))


def test_values_of_the_specification(call):
    def js(name, *args):
        return call("quadratic_forms", name, [list(args)])[0]

    near = {"rel": 1e-9, "abs": 1e-12}
    eigenvalues = js("eigenvalues", A)
    x_star = js("stationary", A, B)
    assert eigenvalues == pytest.approx([1.3819660112501, 3.6180339887499], **near)
    assert eigenvalues[1] / eigenvalues[0] == pytest.approx(2.6180339887499, **near)
    assert x_star == pytest.approx([1.4, -0.8], **near)
    assert js("value", A, B, x_star) == pytest.approx(-3.6, **near)
    assert 1 / sum(eigenvalues) == pytest.approx(0.2, **near)  # the best step
    assert js("spectralRadius", eigenvalues, 0.2) == pytest.approx(0.2**0.5, **near)
    assert js("spectralRadius", eigenvalues, 0.276393202) == pytest.approx(1, abs=1e-8)
    descent = js("heavyBall", A, B, [0, 0], 0.2, 0, 10)
    assert descent[-1] == pytest.approx([1.399552, -0.799744], abs=5e-7)
    steps = js("conjugateGradient", A, B, [0, 0])
    assert steps[1] == pytest.approx([10 / 7, -5 / 7], **near)
    assert steps[2] == pytest.approx([1.4, -0.8], **near)


def test_the_arms_are_eigenvectors(built, drawn_cases):
    for (matrix, b), (first, second, angle, tilt, *_) in zip(
        built, drawn_cases, strict=True
    ):
        q, phi = python(matrix, b), np.radians(angle)
        v = np.array([[np.cos(phi), np.sin(phi)], [-np.sin(phi), np.cos(phi)]])
        np.testing.assert_allclose(q.A @ v[0], first * v[0], atol=1e-12)
        np.testing.assert_allclose(q.A @ v[1], second * v[1], atol=1e-12)
        np.testing.assert_allclose(b, tilt * v[1], atol=1e-12)


def test_shape_and_stationary_point_agree_with_the_kernel(call, built):
    for name in ("eigenvalues", "classify", "stationary"):
        arguments = [[m] if name == "eigenvalues" else [m, b] for m, b in built]
        got = call("quadratic_forms", name, arguments)
        for value, (matrix, b) in zip(got, built, strict=True):
            q = python(matrix, b)
            want = q.eigvals if name == "eigenvalues" else getattr(q, name)()
            if isinstance(want, str):  # the browser hands over its letters
                assert "".join(value) == want
            elif want is None:
                assert value is None
            else:
                np.testing.assert_allclose(value, want, rtol=1e-9, atol=1e-9)
    shapes = {python(*one).classify() for one in built}
    assert {"minimum", "maximum", "saddle", "valley", "slope"} <= shapes


def test_paths_agree_with_the_kernels(call, built, drawn_cases):
    arguments = [
        [m, b, start, eta, beta, 12]
        for (m, b), (*_, start, eta, beta) in zip(built, drawn_cases, strict=True)
    ]
    got = call("quadratic_forms", "heavyBall", arguments)
    for path, (m, b, start, eta, beta, n) in zip(got, arguments, strict=True):
        want = quadratic.heavy_ball(python(m, b), np.array(start), n, eta, beta)
        np.testing.assert_allclose(path, want, rtol=1e-9, atol=1e-9)
    definite = [a[:3] for a in arguments if python(*a[:2]).classify() == "minimum"]
    assert len(definite) >= 8
    for path, (m, b, start) in zip(
        call("quadratic_forms", "conjugateGradient", definite), definite, strict=True
    ):
        want = quadratic.conjugate_gradient(python(m, b), np.array(start), 2)
        np.testing.assert_allclose(path, want, rtol=1e-9, atol=1e-9)


def test_radius_is_that_of_the_iteration_matrix(call, built, drawn_cases):
    eigenvalues = [python(m, b).eigvals.tolist() for m, b in built]
    arguments = [
        [values, case[5], case[6]]
        for values, case in zip(eigenvalues, drawn_cases, strict=True)
    ]
    got = call("quadratic_forms", "spectralRadius", arguments)
    for radius, (values, eta, beta) in zip(got, arguments, strict=True):
        H = 2 * np.diag(values)
        step = np.block(
            [[(1 + beta) * np.eye(2) - eta * H, -beta * np.eye(2)], [np.eye(2), np.zeros((2, 2))]]
        )  # fmt: skip
        assert radius == pytest.approx(abs(np.linalg.eigvals(step)).max(), abs=1e-7)


@pytest.mark.parametrize(
    ("first", "second", "tilt"),
    [(1.6, 0.4, 0.7), (1.2, -0.5, 0.3), (-1, -2, 0), (1.5, 0, 1), (1.5, 0, 0), (0, 1, 1)],
)  # fmt: skip
def test_level_lines_are_level(call, first, second, tilt):
    lines = call("quadratic_forms", "levelLines", [[first, second, tilt, 5]])[0]
    assert len(lines) > 8
    for one in lines:
        if "points" in one:
            u, v = np.array(one["points"], float).T
        else:
            angle = np.linspace(0, 6, 20)
            u = one["rx"] * np.cos(angle)
            v = one["centre"] + one["ry"] * np.sin(angle)
        f = first * u**2 + second * v**2 + tilt * v
        size = (abs(first) * u**2 + abs(second) * v**2 + abs(tilt * v)).max()
        np.testing.assert_allclose(f, f[0], atol=1e-9 * size)


def drag(page, locator, dx, dy):
    box = locator.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)
    page.mouse.up()


def test_an_arm_pulled_through_the_centre_makes_a_saddle(explorer):
    host = explorer("quadratic_forms")
    verdict = host.locator(".ex-caption")
    assert verdict.inner_text().startswith("A minimum")
    arm = control(host, "slider", "Arm 2")
    # λ₂ = 0.6 at 30°: the end of arm 2 lies 38 px from the centre, up and to the left.
    drag(host.page, arm, 40, 70)
    assert verdict.inner_text().startswith("A saddle")
    assert "stops" in host.locator(".ex-method output").nth(2).inner_text()
    assert "curvature −" in arm.get_attribute("aria-valuetext")


def test_the_start_follows_the_hand_and_a_click(explorer):
    host = explorer("quadratic_forms")
    start = control(host, "slider", "Start")
    before = start.bounding_box()
    drag(host.page, start, -60, 45)
    after = start.bounding_box()
    assert after["x"] - before["x"] == pytest.approx(-60, abs=1.5)
    assert after["y"] - before["y"] == pytest.approx(45, abs=1.5)
    stage = host.locator(".ex-stage").bounding_box()
    host.page.mouse.click(stage["x"] + 60, stage["y"] + 80)
    moved = start.bounding_box()
    assert moved["x"] + moved["width"] / 2 == pytest.approx(stage["x"] + 60, abs=1.5)


def test_an_arm_turns_the_bowl_all_the_way_round(explorer):
    host = explorer("quadratic_forms")
    arm, stage = (
        control(host, "slider", "Arm 1"),
        host.locator(".ex-stage").bounding_box(),
    )
    cx, cy = stage["x"] + stage["width"] / 2, stage["y"] + 200
    box = arm.bounding_box()
    host.page.mouse.move(box["x"] + 22, box["y"] + 22)
    host.page.mouse.down()
    for degrees in range(30, 391, 15):
        phi = np.radians(degrees)
        host.page.mouse.move(cx + 88 * np.cos(phi), cy - 88 * np.sin(phi))
        host.page.evaluate(TWO_FRAMES)
        at = arm.bounding_box()
        assert at["x"] + 22 == pytest.approx(cx + 88 * np.cos(phi), abs=2)
        assert at["y"] + 22 == pytest.approx(cy - 88 * np.sin(phi), abs=2)
    host.page.mouse.up()
