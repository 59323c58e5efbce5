"""Records what longer training does to the designs of the chapter: three seeds, two lengths.

Run from the root of the book: ``python -m chapters.diffusion.data.unified_diffusion``. It takes two
minutes on one core and writes ``unified_diffusion.json`` beside itself. The rows of 450 steps are those that
the chapter itself trains, which has to find them again.
"""

import json
import platform
from dataclasses import replace
from datetime import date
from pathlib import Path

import torch

from utils.diffusion import data, grids, losses, metrics, nets, precond, samplers
from utils.runtime import setup

STEPS, SEEDS = (450, 1500), range(3)
rng = setup(seed=0)
torch.set_num_threads(1)
x_train, x_held, y_train, y_held = data.digits()
edm = precond.edm(float(x_train.std(correction=0)))
classifier = metrics.digit_classifier(x_train, y_train)


def low(n, *, generator):
    return losses.lognormal_sigma(n, generator=generator)


def wide(n, *, generator):
    return losses.lognormal_sigma(n, 0.0, 1.0, generator=generator)


raw = precond.score_ve()
mixed = replace(raw, c_skip=edm.c_skip, c_out=edm.c_out)
flow, noise = precond.flow_pred(), precond.eps_vp()
designs = {  # the preconditioning, the levels, and whose weight
    "raw VE": (raw, low, raw),
    "raw, c_in": (replace(raw, c_in=edm.c_in), low, raw),
    "raw, c_skip, c_out": (mixed, low, raw),
    "EDM": (edm, low, edm),
    "EDM wide": (edm, wide, edm),
    "flow": (flow, wide, flow),
    "DDPM": (noise, losses.vp_sigma, noise),
}
ways = {
    "Heun": lambda D, x, g: samplers.heun(D, x, grids.karras(18)),
    "Euler": lambda D, x, g: samplers.euler(D, x, grids.karras(35)),
    "ancestral": lambda D, x, g: samplers.ancestral(
        D, x, grids.karras(35), generator=g
    ),
    "churn": lambda D, x, g: samplers.edm_stochastic(
        D, x, grids.karras(18), 10.0, generator=g
    ),
}


def learn(design, seed, steps):
    """A trained denoiser, the average of its weights, as the chapter trains it."""
    parts, law, weigh = design
    generator = rng.torch(f"seed {seed}")
    D = precond.Preconditioned(nets.ResMLP(64, 96, 2, generator=generator), parts)

    def loss(D, x_0, *, generator):
        x_0 = data.dequantise(x_0, generator=generator)
        sigma = law(len(x_0), generator=generator).float()
        eps = torch.randn(x_0.shape, generator=generator)
        return losses.denoising_loss(D, x_0, sigma, eps, weigh.weight(sigma)) / 64

    average = nets.EMA(D)
    nets.train(
        D,
        x_train.float(),
        loss,
        n_steps=steps,
        batch=128,
        lr=2e-3,
        generator=generator,
        ema=average,
    )
    return average.model


def seen(x):
    return metrics.digit_features(data.quantise(x.double()), classifier)


def measure(D, seed):
    """Frechet distance to the held-out digits, for each way to sample."""
    found = {}
    for way, sample in ways.items():
        generator = rng.torch(f"sampling {seed}")
        x = sample(D, 80 * torch.randn(899, 64, generator=generator), generator)
        fd = metrics.frechet_distance(seen(x), seen(x_held))
        found[way] = float(f"{fd:.4g}")
    return found


if __name__ == "__main__":
    rows = []
    for steps in STEPS:
        for name, design in designs.items():
            for seed in SEEDS:
                fd = measure(learn(design, seed, steps), seed)
                rows.append({"design": name, "steps": steps, "seed": seed, **fd})
                print(rows[-1], flush=True)
    record = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, one thread, torch {torch.__version__}",
        "rows": rows,
    }
    there = Path(__file__).with_suffix(".json")
    text = json.dumps(record, indent=1).replace("\n   ", " ").replace("\n  }", " }")
    there.write_text(text + "\n")
