"""The KL estimator lab computes what the kernels compute, and obeys the hand on the curve."""

import math

import numpy as np
import pytest
from conftest import control

from utils import kl

KEYS = {
    "kl": "kl",
    "klForward": "kl_forward",
    "chi2": "chi2",
    "bias2": "bias2",
    "var1": "var1",
    "var2": "var2",
    "var3": "var3",
    "lam": "lam",
    "varLam": "var_lam",
}


@pytest.fixture(scope="module")
def drawn_cases():
    """(m, s): 50 of them, on both sides of the square root of two, the same in every run."""
    rng = np.random.default_rng(20262)
    pairs = zip(rng.uniform(-3, 3, 50), rng.uniform(0.4, 2, 50), strict=True)
    return [(float(m), float(s)) for m, s in pairs]


def test_moments_agree_with_the_kernel(call, drawn_cases):
    cases = [*drawn_cases, (0.1, 1), (1, 1), (0.5, 1.2), (0, 0.5), (0, 1.5)]
    got = call("kl_estimators", "moments", [list(case) for case in cases])
    for (m, s), here in zip(cases, got, strict=True):
        want = kl.gaussian_moments(float(m), float(s))
        for name, theirs in KEYS.items():
            value = math.inf if here[name] is None else here[name]
            assert value == pytest.approx(want[theirs], rel=1e-8, abs=1e-13), (
                m,
                s,
                name,
            )


def test_quality_agrees_with_the_specification(call):
    known = {
        (0.1, 1): (20, 1.4177446879, 1.4165745186),
        (1, 1): (2, 1.7320508076, 1.6950301808),
    }
    got = call("kl_estimators", "quality", [[m, s, 1] for m, s in known])
    for here, want in zip(got, known.values(), strict=True):
        np.testing.assert_allclose([k["sd"] for k in here[:3]], want, rtol=1e-8)
        assert here[3] == pytest.approx(here[2])
    best = call("kl_estimators", "moments", [[1, 1]])[0]
    assert best["lam"] == pytest.approx(0.5819767069, rel=1e-9)
    at_best = call("kl_estimators", "quality", [[1, 1, best["lam"]]])[0][3]["sd"]
    assert at_best == pytest.approx(math.sqrt(best["varLam"]) / best["kl"], rel=1e-9)
    third = call("kl_estimators", "moments", [[0.5, 1.2]])[0]
    assert third["var3"] == pytest.approx(0.34941803, rel=1e-7)
    assert third["bias2"] == pytest.approx(-0.02595807, rel=1e-6)


def test_estimates_agree_with_the_kernels(call):
    rng = np.random.default_rng(4)
    log_r = np.r_[rng.normal(size=50), rng.normal(size=50) * 1e-4]
    lam = rng.uniform(0, 3, 100)
    got = call(
        "kl_estimators", "estimates", list(map(list, zip(log_r, lam, strict=True)))
    )
    zero = np.zeros(100)
    mixed = [kl.k_lambda(0.0, a, b) for a, b in zip(log_r, lam, strict=True)]
    want = [kl.k1(zero, log_r), kl.k2(zero, log_r), kl.k3(zero, log_r), mixed]
    np.testing.assert_allclose(np.transpose(got), want, rtol=1e-9, atol=1e-22)


def test_samples_are_normal_and_the_race_is_their_running_mean(call):
    x = np.ravel(call("kl_estimators", "normals", [[1, 10_000]]))
    assert abs(x.mean()) < 4 / 100
    assert abs((x**2).mean() - 1) < 4 * math.sqrt(2) / 100
    m, s, lam = 0.7, 1.3, 0.4
    runs = call("kl_estimators", "race", [[x[:500].tolist(), m, s, lam]])[0]
    log_r = x[:500] ** 2 / 2 - ((x[:500] - m) / s) ** 2 / 2 - math.log(s)
    zero = np.zeros(500)
    values = [
        kl.k1(zero, log_r),
        kl.k2(zero, log_r),
        kl.k3(zero, log_r),
        kl.k_lambda(zero, log_r, lam),
    ]
    for got, want in zip(runs, values, strict=True):
        got = np.array(list(got.values()) if isinstance(got, dict) else got)
        np.testing.assert_allclose(got, want.cumsum() / np.arange(1, 501), rtol=1e-9)


def test_the_winner_has_the_least_error(call, drawn_cases):
    for n in (10, 10_000):
        got = call("kl_estimators", "winner", [[m, s, n] for m, s in drawn_cases])
        for (m, s), here in zip(drawn_cases, got, strict=True):
            at = kl.gaussian_moments(m, s)
            square = at["var1"] / n, at["bias2"] ** 2 + at["var2"] / n, at["var3"] / n
            assert here == int(np.argmin(square))


def table(host):
    return host.locator(".ex-estimators tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].slice(1).map(cell => cell.textContent))"
    )


def test_infinite_variance_is_shown_as_such(explorer):
    host = explorer("kl_estimators")
    control(host, "slider", "mean m of p").fill("1")
    control(host, "slider", "width s of p").fill("1")
    rows = table(host)
    assert [row[1] for row in rows[:3]] == ["2.00", "1.73", "1.70"]
    assert [row[0] for row in rows] == ["0", "0.250", "0", "0"]
    assert host.locator(".ex-alarm").count() == 0
    control(host, "slider", "width s of p").fill("1.5")
    assert table(host)[2][1] == "∞"
    assert host.locator(".ex-alarm").inner_text() != ""
    control(host, "slider", "width s of p").fill("1")
    control(host, "slider", "mean m of p").fill("0")
    assert host.locator(".ex-badge").inner_text() == "q = p"


def test_dragging_moves_mean_and_width(explorer):
    host = explorer("kl_estimators")

    def drag(name, by):
        box = control(host, "slider", name).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        mouse = host.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + by, y + 5, steps=4)
        mouse.up()

    def value(name):
        return float(control(host, "slider", name).input_value())

    mean, width = value("mean m of p"), value("width s of p")
    drag("Mean of p", 60)
    moved = value("mean m of p")
    assert moved > mean + 0.3
    assert value("width s of p") == width
    drag("Flank of p", 40)
    assert value("width s of p") > width + 0.2
    assert value("mean m of p") == moved


def test_a_tie_is_called_a_tie(explorer):
    host = explorer("kl_estimators")
    control(host, "slider", "width s of p").fill("1")
    control(host, "slider", "mean m of p").fill("1.12")
    assert host.locator(".ex-badge").inner_text() == "k₁ and k₃ tie"
    control(host, "slider", "mean m of p").fill("0.8")
    assert host.locator(".ex-badge").inner_text() == "k₃ wins"
