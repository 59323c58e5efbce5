"""What diffusers and POT say of preconditioning and sliced distances; run it to write the json beside it."""

import json
from pathlib import Path

import numpy as np

STORED = Path(__file__).with_name("training_peers.json")
LEVELS = [0.002, 0.1, 0.5, 1.0, 80.0]


def clouds():
    """Two clouds of different size in three dimensions, and unit directions as columns."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 3)), rng.normal(0.5, 2.0, size=(12, 3))
    theta = rng.normal(size=(3, 5))
    return a, b, theta / np.linalg.norm(theta, axis=0)


def edm():
    """``c_in``, ``D`` for a state 0.7 and a network value -0.3, and ``c_noise``, level by level."""
    import torch
    from diffusers import EDMDPMSolverMultistepScheduler

    table = {}
    for kind in ("epsilon", "v_prediction"):
        peer = EDMDPMSolverMultistepScheduler(sigma_data=0.5, prediction_type=kind)
        x, F_x, one = torch.tensor([0.7, -0.3, 1.0], dtype=torch.float64)
        table[kind] = [
            [
                float(peer.precondition_inputs(one, sigma)),
                float(peer.precondition_outputs(x, F_x, sigma)),
                float(peer.precondition_noise(sigma)),
            ]
            for sigma in torch.tensor(LEVELS, dtype=torch.float64)
        ]
    return table


def sliced():
    """Sliced W2 distances along given directions, of clouds of different and of equal size."""
    import ot

    a, b, theta = clouds()
    return [
        float(ot.sliced.sliced_wasserstein_distance(x, y, projections=theta))
        for x, y in ((a, b), (a, b[:7]), (b, a))
    ]


def values():
    """All of it."""
    return {"edm": edm(), "sliced": sliced()}


if __name__ == "__main__":
    STORED.write_text(json.dumps(values(), indent=1) + "\n", encoding="utf-8")
