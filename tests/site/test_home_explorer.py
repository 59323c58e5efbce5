"""The home page's figure: walks that keep their law, and a way back by the exact denoiser."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from utils.diffusion.mixtures import GaussianMixture
from utils.diffusion.samplers import euler


@pytest.fixture
def emblem(call):
    """The picture's points, as the page has them."""
    flat = call("home", "picture", [[]])[0]
    return torch.tensor(flat, dtype=torch.float64).reshape(-1, 2)


def mixture(points):
    return GaussianMixture(torch.ones(len(points), dtype=torch.float64), points, 0.0)


def test_points_are_even_along_the_emblem(emblem):
    assert len(emblem) in (280, 281)
    gaps = emblem.diff(dim=0).norm(dim=1)
    assert gaps.median() < 0.06
    assert (gaps > 0.3).sum() <= 1, "only from the walk's end to the bell's beginning"


def test_walks_end_in_the_bell(call):
    states = call("home", "walks", [[3, 4000, 60]])[0]
    ends = np.array(states[-1]).reshape(-1, 2)
    assert len(states) == 61
    assert_allclose(ends.std(0), 0.9, rtol=0.05)
    assert_allclose(ends.mean(0), 0, atol=0.06)


def test_denoiser_is_the_mixtures(call, emblem):
    x = np.random.default_rng(0).normal(size=(12, 2)) * 3
    sigmas = np.geomspace(0.05, 40, 12)
    flat = emblem.flatten().tolist()
    got = call(
        "home",
        "denoise",
        [[flat, *xy, s] for xy, s in zip(x.tolist(), sigmas.tolist(), strict=True)],
    )
    want = mixture(emblem)(torch.tensor(x), torch.tensor(sigmas))
    assert_allclose(got, want, atol=1e-9)


def test_the_way_back_is_ddim(open_page, site_url, emblem):
    starts = np.random.default_rng(1).normal(size=(5, 2)) * 0.9
    page = open_page("sources.html")
    seen = page.evaluate(
        """async ([url, ends]) => {
          const m = await import(url), back = m.turn(Float64Array.from(ends)), points = m.picture();
          while (back.states.length < m.levels.length) m.descend(back, points);
          return {levels: m.levels, last: [...back.states.at(-1)]};
        }""",
        [
            f"{site_url}_static/explorers/home.mjs",
            starts.flatten().tolist(),
        ],
    )
    sigmas = torch.tensor(seen["levels"], dtype=torch.float64)
    screen = (1 + (sigmas / 0.9) ** 2).sqrt()
    want = euler(mixture(emblem), torch.tensor(starts) * screen[0], sigmas) / screen[-1]
    assert_allclose(seen["last"], want.flatten(), atol=1e-8)
