"""The design-space console computes what the kernels compute, and obeys the hand on the latent."""

import numpy as np
import pytest
import torch
from conftest import control

from utils.diffusion import discrete, grids, mixtures, processes, samplers

F64 = {"dtype": torch.float64}
LAW = mixtures.GaussianMixture(
    torch.tensor([0.3, 0.7], **F64), torch.tensor([[-1.0], [1.0]], **F64), 0.04
)
PROCESSES = {
    "VP": processes.vp(),
    "VE": processes.ve(0.002, 80.0),
    "heat": processes.ve_sqrt(),
    "EDM": processes.ve_linear(),
    "flow": processes.flow(),
}


def grid_of(grid, process, n):
    if grid == "uniform t":
        return grids.uniform_t(PROCESSES[process], n)
    return {"ρ = 7": grids.karras, "geometric": grids.geometric}[grid](n)


@pytest.fixture(scope="module")
def drawn_cases():
    """(process, grid, n, x): 50 of them, the same in every run."""
    rng = np.random.default_rng(20266)
    return [
        (
            str(rng.choice(list(PROCESSES))),
            str(rng.choice(["ρ = 7", "geometric", "uniform t"])),
            int(rng.integers(2, 41)),
            float(rng.uniform(-176, 176)),
        )
        for _ in range(50)
    ]


def test_grids_agree_with_the_kernels(call, drawn_cases):
    got = call("unified_diffusion", "levels", [[g, p, n] for p, g, n, _ in drawn_cases])
    for (process, grid, n, _), here in zip(drawn_cases, got, strict=True):
        np.testing.assert_allclose(here, grid_of(grid, process, n), rtol=1e-9)
    golden = [80, 42.415189, 21.108677, 9.723201, 4.066124]
    golden += [1.501742, 0.469979, 0.116639, 0.020435, 0.002, 0]
    here = call("unified_diffusion", "levels", [["ρ = 7", "EDM", 10]])[0]
    np.testing.assert_allclose(here, golden, atol=5e-7)


def test_denoiser_agrees_with_the_kernel(call):
    rng = np.random.default_rng(1)
    x, sigma = rng.uniform(-90, 90, 50), 80 * rng.uniform(0, 1, 50) ** 5 + 0.002
    got = call("unified_diffusion", "denoise", np.stack([x, sigma], 1).tolist())
    want = LAW(torch.as_tensor(x)[:, None], torch.as_tensor(sigma))[:, 0]
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("solver", ["Euler", "Heun"])
def test_trajectories_agree_with_the_kernels(call, drawn_cases, solver):
    lists = []
    for process, grid, n, x in drawn_cases:
        lists.append([solver, process, grid_of(grid, process, n).tolist(), x])
    got = call("unified_diffusion", "solve", lists)
    for (process, grid, n, x), here in zip(drawn_cases, got, strict=True):
        kind, sigmas = PROCESSES[process], grid_of(grid, process, n)
        if process == "VE":  # its clock does not reach 0: a jump to the denoiser
            sigmas = sigmas[:-1]
        ts = kind.sigma_inv(sigmas)
        start = kind.s(ts[0]) * torch.tensor([[x]], **F64)
        path = samplers.ode_general(
            LAW, start, ts, kind, solver.lower(), record=True
        ) / kind.s(ts).view(-1, 1, 1)
        if process == "VE":
            path = torch.cat([path, LAW(path[-1], sigmas[-1])[None]])
        size = float(path.abs().max())
        np.testing.assert_allclose(here, path.flatten(), rtol=1e-6, atol=1e-8 * size)


def test_multistep_agrees_with_the_kernel(call, drawn_cases):
    lists = [
        ["2M", p, grid_of(g, p, n).tolist(), float(x)] for p, g, n, x in drawn_cases
    ]
    got = call("unified_diffusion", "solve", lists)
    for (process, grid, n, x), here in zip(drawn_cases, got, strict=True):
        sigmas, start = grid_of(grid, process, n), torch.tensor([[x]], **F64)
        path = samplers.dpmpp_2m(LAW, start, sigmas, record=True).flatten()
        np.testing.assert_allclose(here, path, rtol=1e-7, atol=1e-7)


def test_ancestral_step_is_the_posterior(call):
    rng = np.random.default_rng(2)
    for a, b, x, z in rng.uniform([1, 0.1, -5, -2], [9, 0.9, 5, 2], (10, 4)):
        here = call(
            "unified_diffusion", "solve", [["ancestral", "EDM", [a, b], x, [z]]]
        )[0][-1]
        ab, state = 1 / (1 + np.array([a, b]) ** 2), torch.tensor([[x]], **F64)
        mean, var = discrete.posterior(
            LAW(state, a), ab[0] ** 0.5 * state, float(ab[1]), float(ab[0])
        )
        want = (mean.item() + float(var) ** 0.5 * z) / ab[1] ** 0.5
        assert here == pytest.approx(want, rel=1e-9)


def test_values_of_the_specification(call):
    known = {
        5: (0.808808, 1.927556, 1.101187),
        10: (0.971938, 1.106854, 1.159258),
        20: (1.003556, 1.038816, 1.044798),
    }
    for n, want in known.items():
        sigmas = grids.karras(n).tolist()
        got = call(
            "unified_diffusion",
            "solve",
            [[solver, "EDM", sigmas, 40] for solver in ("Euler", "Heun", "2M")],
        )
        np.testing.assert_allclose([path[-1] for path in got], want, atol=6e-7)
    ends = {40: 1.0285200038, -80: -0.9875171452, -10: 0.8399880306}
    ends |= {0: 0.8851295664, 10: 0.9250567761, 80: 1.1488207985}
    got = call("unified_diffusion", "carry", [[x, 80, 0] for x in ends])
    np.testing.assert_allclose(got, list(ends.values()), atol=5e-8)


def test_the_exact_map_follows_the_ode(call):
    rng = np.random.default_rng(3)
    starts = rng.uniform(-170, 170, 50)
    ends = np.sort(np.exp(rng.uniform(np.log(0.01), 4, 50)))[::-1]
    got = call(
        "unified_diffusion",
        "carry",
        [[x, 80, end] for x, end in zip(starts.tolist(), ends.tolist(), strict=True)],
    )
    # All of them go down together; at the i-th end the i-th has arrived.
    x, level = torch.as_tensor(starts)[:, None], 80.0
    for i, end in enumerate(ends.tolist()):
        x = samplers.rk4_logsigma(LAW, x, grids.geometric(60, end, level, zero=False))
        level = end
        assert got[i] == pytest.approx(x[i].item(), rel=1e-6, abs=1e-7)


def test_the_normal_law(call):
    x = np.r_[np.linspace(-8, 8, 60), -3.9999, 4.0001]
    got = call("unified_diffusion", "normal", [[float(v)] for v in x])
    want = torch.special.ndtr(torch.as_tensor(x))
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-16)


def error_of(host):
    return float(host.locator("[data-error]").get_attribute("data-error"))


def test_the_process_does_not_matter_where_it_should_not(explorer):
    host = explorer("unified_diffusion")
    control(host, "radio", "EDM").check(force=True)
    one = error_of(host)
    control(host, "radio", "flow").check(force=True)
    assert error_of(host) == one
    control(host, "radio", "VP").check(force=True)
    assert error_of(host) != one
    control(host, "radio", "2M").check(force=True)
    two = error_of(host)
    control(host, "radio", "heat").check(force=True)
    assert error_of(host) == two


def test_dragging_the_latent(explorer):
    host = explorer("unified_diffusion")
    ring = control(host, "slider", "Latent")
    end = host.locator("[data-share]")
    before = float(end.get_attribute("data-share"))
    box = ring.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = host.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x, y + 90, steps=4)
    mouse.up()
    assert before > 0.5
    assert float(end.get_attribute("data-share")) < -0.5
