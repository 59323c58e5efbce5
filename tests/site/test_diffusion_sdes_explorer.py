"""The explorer of reverse processes computes what the kernels compute, and obeys the hand on the humps."""

import numpy as np
import pytest
import torch
from conftest import control

from utils.diffusion import processes, samplers
from utils.diffusion.mixtures import GaussianMixture

PROCESSES = {
    "VP": processes.vp(),
    "sub-VP": processes.sub_vp(),
    "VE": processes.ve(),
}


def law(w, m1, m2):
    weights = torch.tensor([w, 1 - w], dtype=torch.float64)
    means = torch.tensor([[m1], [m2]], dtype=torch.float64)
    return GaussianMixture(weights, means, 0.04)


def kernels(name, x, t, w, m1, m2):
    """s, sigma, f, g^2, log p_t(x) and score, from the Python side."""
    process, t = PROCESSES[name], torch.tensor(t, dtype=torch.float64)
    s, sigma = process.s(t), process.sigma(t)
    at = (torch.tensor([[x]], dtype=torch.float64) / s, sigma)
    logp = law(w, m1, m2).log_prob(*at) - s.log()
    score = law(w, m1, m2).score(*at) / s
    values = (s, sigma, process.f(t), process.g2(t), logp, score)
    return [float(value) for value in values]


@pytest.fixture(scope="module")
def drawn_cases():
    """50 of them, the same in every run: process, x, t, w, m1, m2."""
    rng = np.random.default_rng(20265)
    names = rng.choice(list(PROCESSES), 50)
    ranges = [(-2, 2), (0.01, 1), (0.05, 0.95), (-2, 2), (-2, 2)]
    rows = zip(*(rng.uniform(*ends, 50) for ends in ranges), strict=True)
    return [
        [str(name), *map(float, row)] for name, row in zip(names, rows, strict=True)
    ]


def test_density_score_and_coefficients_agree_with_the_kernels(call, drawn_cases):
    got = call("diffusion_sdes", "density", drawn_cases)
    for case, here in zip(drawn_cases, got, strict=True):
        want = kernels(*case)
        assert here["logp"] == pytest.approx(want[4], rel=1e-9, abs=1e-11)
        assert here["score"] == pytest.approx(want[5], rel=1e-9, abs=1e-11)


def test_values_of_the_specification(call):
    known = {
        ("VP", 0.1): (0.946722, 0.340177, -1.005446, 3.194139),
        ("sub-VP", 0.1): (0.946722, 0.109555, -1.883436, 9.584520),
        ("VE", 0.1): (1, 0.023437, -2.755664, 12.330675),
        ("VP", 0.3): (0.629550, 1.234151, -0.905540, -0.063829),
        ("sub-VP", 0.5): (0.281183, 3.275221, -0.954721, -0.412605),
    }
    cases = [[name, 0.5, t, 0.3, -1, 1] for name, t in known]
    got = call("diffusion_sdes", "density", cases)
    for case, here, want in zip(cases, got, known.values(), strict=True):
        python = kernels(*case)
        np.testing.assert_allclose([*python[:2], *python[4:]], want, atol=1e-6)
        assert here["logp"] == pytest.approx(want[2], abs=1e-6)
        assert here["score"] == pytest.approx(want[3], abs=1e-6)


def test_a_step_is_that_of_euler_maruyama(call, drawn_cases):
    cases = [
        [name, x, t, 0.3 * t, c, 0, w, m1, m2]
        for (name, x, t, w, m1, m2), c in zip(
            drawn_cases, np.linspace(0, 2, 50), strict=True
        )
    ]
    got = call("diffusion_sdes", "step", cases)
    noisy = call("diffusion_sdes", "step", [[*c[:5], 0.7, *c[6:]] for c in cases])
    for case, here, shaken in zip(cases, got, noisy, strict=True):
        name, x, t, h, c, _, w, m1, m2 = case
        generator = torch.Generator().manual_seed(1)
        ts = torch.tensor([t, t - h], dtype=torch.float64)
        start = torch.tensor([[x]], dtype=torch.float64)
        want = samplers.euler_maruyama(
            law(w, m1, m2), start, ts, PROCESSES[name], c, generator=generator
        )
        z = torch.randn(
            1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
        )
        added = c * float((PROCESSES[name].g2(ts[0]) * h).sqrt())
        assert here + added * float(z) == pytest.approx(
            float(want), rel=1e-9, abs=1e-10
        )
        assert shaken - here == pytest.approx(0.7 * added, rel=1e-9, abs=1e-10)


def test_the_walk_takes_such_steps(call):
    n, count, c, where = 7, 6, 0.8, (0.3, -1.0, 1.0)
    rng = np.random.default_rng(3)
    z = rng.normal(size=(n + 1) * count)
    for name, process in PROCESSES.items():
        row = call(
            "diffusion_sdes",
            "walkBack",
            [[name, n, c, *where, z.tolist(), count]],
        )[0]
        row = list(row.values()) if isinstance(row, dict) else row
        paths = np.array(row).reshape(n + 1, count)
        t = torch.linspace(1, 0, n + 1, dtype=torch.float64)
        s, sigma = process.s(t).numpy(), process.sigma(t).numpy()
        x = paths * (s * np.sqrt(1 + sigma**2))[:, None]
        for i in range(n):
            steps = [
                [name, x[i, k], float(t[i]), 1 / n, c, z[(i + 1) * count + k], *where]
                for k in range(count)
            ]
            want = call("diffusion_sdes", "step", steps)
            np.testing.assert_allclose(x[i + 1], want, rtol=1e-4, atol=2e-5)


def test_distance_has_the_size_of_chance_for_exact_draws(call):
    where, t = (0.3, -1.0, 1.0), 0.2
    generator = torch.Generator().manual_seed(5)
    sigma = float(PROCESSES["VP"].sigma(torch.tensor(t, dtype=torch.float64)))
    rows = []
    for _ in range(20):
        x_0 = law(*where).sample(600, generator=generator)
        noise = torch.randn(600, 1, dtype=torch.float64, generator=generator)
        y = (x_0 + sigma * noise) / (1 + sigma**2) ** 0.5
        rows.append(["VP", y[:, 0].tolist(), t, *where])
    got = call("diffusion_sdes", "distance", rows)
    ratio = np.mean([row["W1"] for row in got]) / got[0]["floor"]
    assert 0.8 < ratio < 1.2
    far = call("diffusion_sdes", "distance", [["VP", [7.0] * 600, t, *where]])[0]
    assert far["W1"] > 5


def number_after(host, words):
    text = host.locator(".ex-ways").inner_text().replace("−", "-")
    return float(text.split(words)[1].split()[0].rstrip(",;.)"))


def test_the_forward_correlation_is_that_of_forward_paths(call):
    where, n = (0.3, -1.0, 1.0), 200_000
    generator = torch.Generator().manual_seed(6)
    for name, process in PROCESSES.items():
        x_t = law(*where).sample(n, generator=generator)[:, 0]
        seen, clock = [], 0.0
        for t in (0.2, 0.45):
            now = float(process.sigma(torch.tensor(t, dtype=torch.float64))) ** 2
            noise = torch.randn(n, dtype=torch.float64, generator=generator)
            x_t, clock = x_t + (now - clock) ** 0.5 * noise, now
            seen.append(x_t.numpy())
        got = call("diffusion_sdes", "forwardCorrelation", [[name, 0.2, 0.45, *where]])
        assert got[0] == pytest.approx(np.corrcoef(seen)[0, 1], abs=0.01), name


def test_the_cloud_stays_and_the_memory_goes(explorer):
    host = explorer("diffusion_sdes")
    control(host, "slider", "steps N").press("End")
    assert "400" in control(host, "slider", "steps N").get_attribute("aria-valuetext")
    memory = {}
    for c in ("0", "1", "2"):
        control(host, "slider", "noise c").fill(c)
        assert host.locator(".ex-alarm").count() == 0, c
        memory[c] = number_after(host, "t = 0.25: ")
    forward = number_after(host, "(forward: ")
    assert memory["0"] > forward + 0.1
    assert abs(memory["1"] - forward) < 0.1
    assert memory["2"] < forward - 0.1


def test_the_drawing_is_described_from_the_start(explorer):
    host = explorer("diffusion_sdes")
    said = host.locator("svg[aria-label]").first.get_attribute("aria-label")
    assert "c = 1: the time reversal, VP, 100 steps: distance to" in said


def test_few_steps_miss_the_curve(explorer):
    host = explorer("diffusion_sdes")
    control(host, "slider", "noise c").fill("2")
    control(host, "slider", "steps N").press("Home")
    assert host.locator(".ex-alarm").count() == 1


def test_a_hump_follows_the_hand_and_pointing_picks_a_time(explorer):
    host = explorer("diffusion_sdes")
    hump = control(host, "slider", "First hump")
    before = float(hump.get_attribute("aria-valuetext").replace("−", "-"))
    box = hump.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = host.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 50, y - 3, steps=4)
    mouse.up()
    after = float(hump.get_attribute("aria-valuetext").replace("−", "-"))
    assert after > before + 0.2
    area = host.locator(".ex-look").bounding_box()
    mouse.move(area["x"] + 100, area["y"] + 30)
    assert host.locator(".ex-coefficients").inner_text().startswith("t = 0.9")
    mouse.move(area["x"] + 100, area["y"] - 40)
    assert host.locator(".ex-coefficients").inner_text().startswith("t = 0.05")
