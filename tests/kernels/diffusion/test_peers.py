"""The kernels against diffusers, torchdiffeq and scipy: stored values, and the peers themselves."""

import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from utils.diffusion.grids import karras
from utils.diffusion.likelihood import ode_log_prob
from utils.diffusion.samplers import (
    ancestral,
    dpmpp_2m,
    euler,
    predictor_corrector,
)

from .make_peers import ALPHABAR, FILE, MIXTURE, levels, make, rng, start

PEERS = {k: np.array(v) for k, v in json.loads(FILE.read_text()).items()}


def chain_start(S):
    """The states that ``chain`` begins with, in the unscaled coordinate."""
    return start() * levels(S)[0]


def test_ddim_is_euler():
    got = euler(MIXTURE, chain_start(20), levels(20))
    assert_allclose(got, PEERS["ddim_20"], rtol=0, atol=1e-13)


def test_ddim_with_noise_is_ancestral():
    got = ancestral(MIXTURE, chain_start(20), levels(20), 0.5, generator=rng())
    assert_allclose(got, PEERS["ddim_20_eta"], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("noise", "peer"), [("posterior", "fixed_small"), ("vp", "fixed_large")]
)
def test_ddpm_is_ancestral(noise, peer):
    x, sigmas = chain_start(50), levels(50)
    got = ancestral(MIXTURE, x, sigmas, noise=noise, generator=rng())
    assert_allclose(got, PEERS[f"ddpm_50_{peer}"], rtol=0, atol=1e-12)


def test_multistep_solver():
    got = dpmpp_2m(MIXTURE, start(80.0), karras(20))
    assert_allclose(got, PEERS["dpmpp_2m_20"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [18, 20])
def test_grid(n):
    # diffusers keeps its grids in float32
    assert_allclose(karras(n), PEERS[f"edm_sigmas_{n}"], rtol=2e-6, atol=0)


def test_ve_predictor_and_corrector():
    x, sigmas = start(2.0).float(), torch.tensor([2.0, 1.5])
    got = ancestral(MIXTURE, x, sigmas, noise="ve", generator=rng())
    # float32 on both sides, and normal draws differ in the last digits from processor to processor
    assert_allclose(got, PEERS["ve_predictor"], rtol=0, atol=1e-5)
    stay = lambda D, x, sigmas: x  # noqa: E731
    got = predictor_corrector(MIXTURE, x, sigmas, 0.16, 1, stay, generator=rng())
    assert_allclose(got, PEERS["ve_corrector"], rtol=0, atol=1e-5)


def test_ode():
    x, prior = start(0.4)[:8], lambda z: MIXTURE.log_prob(z, 80.0)
    logp, latent = ode_log_prob(MIXTURE, x, log_prior=prior)
    for peer in ("torchdiffeq", "scipy"):  # to the tolerance they were asked for
        assert_allclose(latent, PEERS[f"{peer}_latent"], rtol=0, atol=2e-4)
        assert_allclose(logp, PEERS[f"{peer}_log_prob"], rtol=0, atol=1e-4)


def test_alphabar_is_the_chain_of_ddpm():
    assert_allclose(ALPHABAR[-1], 4.035829765e-5, rtol=1e-9)


def test_peers_still_say_so():
    made = make()
    assert made.keys() == PEERS.keys()
    for name, value in made.items():
        # as precisely as the peer itself: float32, the tolerance of an integrator, float64
        kind = name.split("_")[0]
        atol = {"ve": 1e-5, "torchdiffeq": 1e-5, "scipy": 1e-5}.get(kind, 1e-11)
        rtol = 1e-6 if kind == "edm" else 0  # its grids are float32
        assert_allclose(value, PEERS[name], rtol=rtol, atol=atol, err_msg=name)
