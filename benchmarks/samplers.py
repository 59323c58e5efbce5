"""What a step of our samplers costs beside the network, against the schedulers of diffusers.

The denoiser returns a tensor that is ready, so what is left is the arithmetic of the step and its
bookkeeping. Both sides take the same number of steps with the same batch (64 rows of 64 numbers,
float32, one thread), in turn, many times over. Run it with ``.venv/bin/python benchmarks/samplers.py``.
"""

import statistics
import time

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EDMDPMSolverMultistepScheduler,
)

from utils.diffusion.discrete import alphabar_to_sigma, linear_betas
from utils.diffusion.grids import ddpm_strided, karras
from utils.diffusion.samplers import ancestral, dpmpp_2m, euler

STEPS, REPEATS = 50, 40
READY = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
CHAIN = ddpm_strided(alphabar_to_sigma((1 - linear_betas()).cumprod(0)), STEPS)
NOISE = {"generator": torch.Generator().manual_seed(0)}
PAIRS = [
    (euler, CHAIN, DDIMScheduler(clip_sample=False), {}),
    (dpmpp_2m, CHAIN, DPMSolverMultistepScheduler(), {}),
    (dpmpp_2m, karras(STEPS), EDMDPMSolverMultistepScheduler(), {}),
    (ancestral, CHAIN, DDPMScheduler(clip_sample=False), NOISE),
]


def ready(x, sigma):
    return READY


def ours(sampler, sigmas, options):
    """Microseconds a step, the door included."""
    begin = time.process_time()
    sampler(ready, READY, sigmas, **options)
    return (time.process_time() - begin) / STEPS * 1e6


def theirs(scheduler, options):
    """Microseconds a step, the choice of timesteps not included."""
    scheduler.set_timesteps(STEPS)
    begin, x = time.process_time(), READY
    for t in scheduler.timesteps:
        x = scheduler.step(READY, t, x, **options).prev_sample
    return (time.process_time() - begin) / STEPS * 1e6


def main():
    torch.set_num_threads(1)
    print(f"{'CPU us a step, median [quartiles]':44}{'ours':>16}{'theirs':>16}  ratio")
    for sampler, sigmas, scheduler, options in PAIRS:
        times = [
            (ours(sampler, sigmas, options), theirs(scheduler, options))
            for _ in range(REPEATS)
        ]
        columns = [statistics.quantiles(side, n=4) for side in zip(*times, strict=True)]
        cells = [f"{m:.0f} [{low:.0f}, {high:.0f}]" for low, m, high in columns]
        name = f"{sampler.__name__}, {type(scheduler).__name__}"
        ratio = columns[0][1] / columns[1][1]
        print(f"{name:44}{cells[0]:>16}{cells[1]:>16}  {ratio:.2f}")


if __name__ == "__main__":
    main()
