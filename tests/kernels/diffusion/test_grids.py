"""Grids of levels against published values, their defining spacing, and diffusers."""

import re

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from utils.diffusion.discrete import alpha_bar_to_sigma, linear_betas
from utils.diffusion.grids import ddpm_strided, geometric, karras, uniform_t
from utils.diffusion.processes import flow, ve, ve_linear, ve_sqrt, vp

EIGHTEEN = """80 57.586 40.7856 28.3746 19.3525 12.9101 8.4009 5.3152 3.2568 1.9233 1.0882
 0.5853 0.2964 0.1395 0.0599 0.0229 0.0075 0.002 0"""
TEN = "80 42.415189 21.108677 9.723201 4.066124 1.501742 .469979 .116639 .020435 .002"
CHAIN = alpha_bar_to_sigma((1 - linear_betas()).cumprod(0))


def test_published_values():
    assert_allclose(karras(18), np.array(EIGHTEEN.split(), float), atol=5e-5)
    assert_allclose(karras(10, zero=False), np.array(TEN.split(), float), atol=5e-7)


@settings(derandomize=True, deadline=None, database=None)
@given(
    st.integers(2, 40),
    st.floats(1e-4, 0.9),
    st.floats(1.0, 1e3),
    st.floats(0.5, 50.0),
    st.booleans(),
)
def test_spacing(n, low, high, rho, zero):
    for grid, clock in (
        (karras(n, low, high, rho, zero), lambda x: x ** (1 / rho)),
        (geometric(n, low, high, zero), np.log),
        (uniform_t(flow(), n, low, high, zero), lambda x: x / (1 + x)),
    ):
        assert grid.dtype == torch.float64
        assert len(grid) == n + zero
        assert grid[0] == high
        assert grid[n - 1] == low
        assert (grid.diff() < 0).all()
        assert not zero or grid[-1] == 0
        ticks = np.diff(clock(grid[:n].numpy()))
        assert_allclose(ticks, ticks[0], rtol=1e-7, atol=1e-13)


def test_rho_leads_from_uniform_to_geometric():
    assert_allclose(karras(9, rho=1.0), uniform_t(ve_linear(), 9), rtol=1e-13)
    assert_allclose(karras(9, rho=2.0), uniform_t(ve_sqrt_root(), 9), rtol=1e-12)
    assert_allclose(karras(9, rho=1e6), geometric(9), rtol=1e-4)
    assert_allclose(uniform_t(ve(0.002, 80.0), 9), geometric(9), rtol=1e-12)


def ve_sqrt_root():
    """A clock in which the level is the square of the time."""
    from dataclasses import replace

    return replace(ve_sqrt(), sigma=torch.square, sigma_inv=torch.sqrt)


def test_uniform_times():
    for process in (vp(), flow(), ve_linear(), ve_sqrt()):
        t = process.sigma_inv(uniform_t(process, 7, zero=False))
        assert_allclose(t.diff(), t.diff()[0].expand(6), rtol=1e-9)


def test_one_level():
    for grid in (karras(1), geometric(1), uniform_t(vp(), 1)):
        assert grid.tolist() == [80.0, 0.0]


@pytest.mark.parametrize("S", [1, 7, 20, 50, 1000])
@pytest.mark.parametrize("spacing", ["leading", "linspace"])
def test_strides_are_those_of_diffusers(S, spacing):
    from diffusers import DDIMScheduler

    peer = DDIMScheduler(timestep_spacing=spacing)
    peer.set_timesteps(S)
    if (S, spacing) == (1, "linspace"):
        assert peer.timesteps.tolist() == [0]  # where theirs begins, ours would end
        return
    got = ddpm_strided(CHAIN, S, spacing)
    assert torch.equal(got[:-1], CHAIN[peer.timesteps])
    assert got[-1] == 0


def test_strides_by_hand():
    sigmas = torch.arange(1.0, 11.0)
    assert ddpm_strided(sigmas, 3).tolist() == [7, 4, 1, 0]
    assert ddpm_strided(sigmas, 4, "linspace").tolist() == [10, 7, 4, 1, 0]
    assert ddpm_strided(sigmas, 10).tolist() == [*range(10, -1, -1)]
    assert ddpm_strided(sigmas, 1, "linspace").tolist() == [10, 0]
    assert ddpm_strided(sigmas, 1).tolist() == [1, 0]


@pytest.mark.parametrize("rho", [1e-2, 0.3, 1.0, 7.0, 300.0, 1e6, 1e17, 1e300])
def test_any_exponent_by_exact_arithmetic(rho):
    """Roots of large rho are all close to 1: with fifty digits more, they still differ."""
    with mpmath.workdps(700):
        low, high = (mpmath.mpf(v) ** (1 / mpmath.mpf(rho)) for v in (0.002, 80.0))
        ramp = [high + mpmath.mpf(i) / 6 * (low - high) for i in range(7)]
        want = [float(r ** mpmath.mpf(rho)) for r in ramp]
    got = karras(7, rho=rho, zero=False)
    assert_allclose(got, want, rtol=1e-13)
    assert (got.diff() < 0).all()
    if rho >= 1e17:
        assert_allclose(got, geometric(7, zero=False), rtol=1e-12)


def test_levels_that_coincide_are_refused():
    near = 1 + 1e-15
    for make, name in (
        (lambda: karras(5, rho=1e-17), "rho"),
        (lambda: karras(9, 1.0, near), "rho"),
        (lambda: geometric(9, 1.0, near), "n"),
        (lambda: uniform_t(ve_linear(), 9, 1.0, near), "n"),
    ):
        with pytest.raises(ValueError, match=f"^{name} must leave the levels apart"):
            make()


@pytest.mark.parametrize(
    ("low", "high", "name"), [(0.002, 50.0, "sigma_min"), (0.01, 80.0, "sigma_max")]
)
def test_a_grid_stays_on_the_clock(low, high, name):
    with pytest.raises(ValueError, match=rf"^{name} must be in \[0.01, 50\] for VE"):
        uniform_t(ve(), 4, low, high)
    t = ve().sigma_inv(uniform_t(ve(), 4, 0.01, 50.0)[:-1])
    assert_allclose(t, [1, 2 / 3, 1 / 3, 0], atol=1e-15)


UP = torch.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("kernel", "args", "message"),
    [
        (karras, {"n": 0}, "n must be an integer >= 1, got 0"),
        (karras, {"n": 1, "zero": False}, "n must be an integer >= 2, got 1"),
        (karras, {"n": 2.5}, "n must be an integer >= 1, got 2.5"),
        (karras, {"n": 3, "sigma_min": 0.0}, "sigma_min must be finite and > 0, got 0.0"),
        (karras, {"n": 3, "sigma_max": 0.001}, "sigma_max must be > sigma_min = 0.002, got 0.001"),
        (karras, {"n": 3, "rho": 0.0}, "rho must be finite and > 0, got 0.0"),
        (geometric, {"n": 3, "sigma_min": 80.0}, "sigma_max must be > sigma_min = 80.0, got 80.0"),
        (uniform_t, {"process": vp(), "n": 0}, "n must be an integer >= 1, got 0"),
        (ddpm_strided, {"sigmas": UP.flip(0), "S": 1}, "sigmas must be strictly increasing, as t is, got 2.0"),
        (ddpm_strided, {"sigmas": UP - 1, "S": 1}, "sigmas must be > 0, got 0.0"),
        (ddpm_strided, {"sigmas": UP, "S": 4}, "S must be at most the number of levels 3, got 4"),
        (ddpm_strided, {"sigmas": UP, "S": 0}, "S must be an integer >= 1, got 0"),
        (ddpm_strided, {"sigmas": UP, "S": 2, "spacing": "x"}, "spacing must be leading or linspace, got x"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_type_checks")
def test_bad_input_says_what_was_got(kernel, args, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kernel(**args)
