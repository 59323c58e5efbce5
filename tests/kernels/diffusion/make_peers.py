"""What other libraries compute on the reference mixture; running this file writes ``peers.json``.

States are float64 and the schedulers of diffusers are handed float64 levels, so that the comparison is
one of algorithms and not of rounding.
"""

import json
from pathlib import Path

import numpy as np
import torch

from utils.diffusion.discrete import alpha_bar_to_sigma, linear_betas
from utils.diffusion.grids import ddpm_strided, karras
from utils.diffusion.mixtures import reference_mixture

FILE = Path(__file__).with_name("peers.json")
ALPHABAR = (1 - linear_betas()).cumprod(0)
MIXTURE = reference_mixture()


def start(scale=1.0):
    """Sixteen states that no generator has to make."""
    return scale * torch.sin(torch.arange(32, dtype=torch.float64)).view(16, 2) * 2


def levels(S):
    return ddpm_strided(alpha_bar_to_sigma(ALPHABAR), S)


def rng():
    return torch.Generator().manual_seed(0)


def eps_of(x_t, t):
    """What a perfect network predicts at index ``t`` of the chain, in the scaled coordinate."""
    ab = ALPHABAR[t]
    x, sigma = x_t / ab.sqrt(), ((1 - ab) / ab).sqrt()
    return (x - MIXTURE(x, sigma)) / sigma


def chain(scheduler, S, **options):
    """Sample with a scheduler of diffusers that speaks of indices, clipped nowhere."""
    scheduler.alphas_cumprod = ALPHABAR
    scheduler.betas = linear_betas()
    scheduler.one = scheduler.final_alpha_cumprod = torch.tensor(1.0).double()
    scheduler.set_timesteps(S)
    t = scheduler.timesteps[0]
    x = start() * (1 - ALPHABAR[t]).sqrt()
    for t in scheduler.timesteps:
        x = scheduler.step(eps_of(x, t), t, x, **options).prev_sample
    return x


def diffusers_values():
    from diffusers import (
        DDIMScheduler,
        DDPMScheduler,
        EDMDPMSolverMultistepScheduler,
        EDMEulerScheduler,
    )

    ddim = DDIMScheduler(clip_sample=False, beta_end=0.02, beta_start=1e-4)
    out = {
        "ddim_20": chain(ddim, 20),
        "ddim_20_eta": chain(ddim, 20, eta=0.5, generator=rng()),
    }
    for kind in ("fixed_small", "fixed_large"):
        ddpm = DDPMScheduler(
            clip_sample=False, beta_end=0.02, beta_start=1e-4, variance_type=kind
        )
        out[f"ddpm_50_{kind}"] = chain(ddpm, 50, generator=rng())
    dpm = EDMDPMSolverMultistepScheduler(lower_order_final=False)
    dpm.set_timesteps(20)
    out["edm_sigmas_20"] = dpm.sigmas
    dpm.sigmas = grid = karras(20)
    x = start(80.0)
    for t, sigma in zip(dpm.timesteps, grid, strict=False):
        c_skip = 0.25 / (sigma**2 + 0.25)
        c_out = 0.5 * sigma / (sigma**2 + 0.25).sqrt()
        F = (MIXTURE(x, sigma) - c_skip * x) / c_out
        x = dpm.step(F, t, x).prev_sample
    out["dpmpp_2m_20"] = x
    euler = EDMEulerScheduler()
    euler.set_timesteps(18)
    out["edm_sigmas_18"] = euler.sigmas
    return out


def ve_values():
    """One predictor and one corrector step of the VE sampler, with the noise of float32."""
    from diffusers import ScoreSdeVeScheduler

    ve = ScoreSdeVeScheduler(snr=0.16)
    a, b = 2.0, 1.5
    ve.discrete_sigmas = torch.tensor([b, a])
    ve.timesteps = torch.tensor([0.5, 1.0])
    x = start(2.0).float()
    score = MIXTURE.score(x, a)
    predicted = ve.step_pred(score, torch.tensor(1.0), x, generator=rng()).prev_sample
    score = MIXTURE.score(x, b)
    return {
        "ve_predictor": predicted,
        "ve_corrector": ve.step_correct(score, x, generator=rng()).prev_sample,
    }


def ode_values():
    """The end of the ODE, and the likelihood, by two adaptive integrators."""
    from scipy.integrate import solve_ivp
    from torchdiffeq import odeint

    x = start(0.4)[:8]

    def rate(u, state):
        sigma = u.exp()
        y = state[:, :2]
        trace = MIXTURE.posterior_cov(y, sigma).diagonal(dim1=1, dim2=2).sum(1)
        change = 2 - trace / sigma**2
        return torch.cat([y - MIXTURE(y, sigma), change[:, None]], 1)

    span = torch.tensor([0.002, 80.0]).double().log()
    state = torch.cat([x, torch.zeros(8, 1).double()], 1)
    neural = odeint(rate, state, span, method="dopri5", rtol=1e-7, atol=1e-7)[-1]
    scipy = solve_ivp(
        lambda u, y: rate(
            torch.tensor(u), torch.from_numpy(y).view(8, 3)
        ).numpy().ravel(),
        span.tolist(),
        state.numpy().ravel(),
        rtol=1e-7,
        atol=1e-7,
    ).y[:, -1]  # fmt: skip
    out = {}
    for name, end in (("torchdiffeq", neural), ("scipy", torch.from_numpy(scipy))):
        end = end.view(8, 3)
        out[f"{name}_latent"] = end[:, :2]
        out[f"{name}_log_prob"] = MIXTURE.log_prob(end[:, :2], 80.0) + end[:, 2]
    return out


def make():
    found = diffusers_values() | ve_values() | ode_values()
    return {name: np.asarray(value).astype(float) for name, value in found.items()}


if __name__ == "__main__":
    text = json.dumps({k: np.round(v, 14).tolist() for k, v in make().items()})
    FILE.write_text(text.replace('], "', '],\n"') + "\n", encoding="utf-8")
