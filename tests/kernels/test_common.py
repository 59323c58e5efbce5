"""One suite for every public kernel: documented, pure, double precision, strict at the door.

A new kernel needs one line in ``EXAMPLES``: arguments of a small, valid call. Everything else is
found by itself.
"""

import ast
import dataclasses
import importlib
import inspect
import random
import re
import subprocess
import sys
import unicodedata
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from utils.diffusion.processes import flow
from utils.quadratic import Quadratic

ROOT = Path(__file__).resolve().parents[2]
SERVANTS = {"__init__", "checks", "plotting", "runtime", "explorers", "validate"}
MODULES = [
    ".".join(f.relative_to(ROOT).with_suffix("").parts)
    for f in sorted((ROOT / "utils").rglob("*.py"))
    if f.stem not in SERVANTS and "exercises" not in f.parts
]
WITHOUT_TORCH = [
    "utils.kl",
    "utils.calculus",
    "utils.poisson",
    "utils.quadratic",
    "utils.random_walk",
    "utils.special",
]


def rng():
    return np.random.default_rng(0)


def wave(x):
    return (x * x).sum() + (x * x * x).sum()


def bowl():
    return Quadratic(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([-4.0, 2.0]))


def descent(**more):
    return {"q": bowl(), "x0": np.array([1.0, 2.0]), "n_steps": 5, **more}


def sphere():
    return {"A": np.array([[2.0, 1.0], [1.0, 3.0]]), "x0": np.array([1.0, 2.0])}


def samples():
    return {"logq": np.array([-1.0, -2.0, -0.5]), "logp": np.array([-1.2, -0.9, -3.0])}


def three_outcomes():
    return {
        "logits_q": np.array([0.3, -1.0, 0.5]),
        "logits_p": np.array([0.0, 1.0, -0.5]),
    }


def points(*rows):
    return torch.tensor(rows or ((1.0, -2.0), (0.5, 3.0)), dtype=torch.float64)


def gauss(x, sigma):
    """Denoiser of data from N(0, I)."""
    return x / (1 + sigma**2)


def gauss_score(x, sigma):
    return -x / (1 + sigma**2)


def descending(**more):
    return {"D": gauss, "x": points(), "sigmas": points(2.0, 1.0, 0.5)} | more


def draw():
    return {"generator": torch.Generator().manual_seed(0)}


def chains():
    return {
        "Q": np.array([[0.7, 0.3], [0.4, 0.6]]),
        "P": np.array([[0.5, 0.5], [0.2, 0.8]]),
        "pi0": np.array([0.5, 0.5]),
        "T": 3,
    }


def generator():
    return torch.Generator().manual_seed(0)


def noisy():
    return {
        "x_0": torch.tensor([[1.0, -2.0], [0.5, 0.25]], dtype=torch.float64),
        "eps": torch.tensor([[0.3, -0.1], [-1.2, 0.7]], dtype=torch.float64),
    }


def two_levels():
    return torch.tensor([0.5, 2.0], dtype=torch.float64)


def start_at_zero():
    model = torch.nn.utils.skip_init(torch.nn.Linear, 2, 2, dtype=torch.float64)
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    return model


def clouds():
    return {
        "a": torch.tensor([[0.0, 1.0], [2.0, 0.5], [-1.0, 0.0]], dtype=torch.float64),
        "b": torch.tensor([[0.5, 1.0], [1.0, -2.0]], dtype=torch.float64),
    }


def gap(a, b):
    return float((a.mean() - b.mean()).abs())


def training():
    return {
        "model": start_at_zero(),
        "sample": noisy()["x_0"],
        "loss": lambda F, x_0, generator: (F(x_0) - x_0).square().sum(dim=1),
        "n_steps": 3,
        "batch": 2,
        "lr": 0.1,
        "generator": generator(),
    }


EXAMPLES = {
    "utils.special.exp_remainder": lambda: {"x": np.array([-3.0, 1e-9, 0.2])},
    "utils.special.sinh_remainder": lambda: {"x": np.array([-3.0, 1e-9, 0.2])},
    "utils.special.log_quotient": lambda: {
        "a": np.array([1.0, 3.0]),
        "b": np.array([1.0 + 1e-9, 0.5]),
    },
    "utils.kl.k1": samples,
    "utils.kl.k2": samples,
    "utils.kl.k3": samples,
    "utils.kl.k_lambda": lambda: samples() | {"lam": 0.7},
    "utils.kl.gaussian_kl": lambda: {"m_q": 0.0, "s_q": 1.0, "m_p": 0.5, "s_p": 1.2},
    "utils.kl.gaussian_moments": lambda: {
        "m": np.array([0.1, 1.0]),
        "s": np.array([1.0, 0.8]),
    },
    "utils.kl.optimal_lambda": lambda: {"log_r": np.array([0.3, -0.1, -0.5])},
    "utils.kl.categorical_kl": three_outcomes,
    "utils.kl.expected_estimator_gradient": lambda: (
        three_outcomes()
        | {"kind": "rho_k3", "logits_behaviour": np.array([0.1, 0.0, 0.2])}
    ),
    "utils.kl.kl_loss": lambda: {
        "logq": torch.tensor([-1.0, -2.0], dtype=torch.float64),
        "logp": torch.tensor([-1.2, -0.9], dtype=torch.float64),
        "kind": "rho_k3",
        "log_behaviour": torch.tensor([-1.1, -1.9], dtype=torch.float64),
    },
    "utils.kl.markov_sequence_kl": chains,
    "utils.kl.sequence_estimates": lambda: chains() | {"n_samples": 4, "rng": rng()},
    "utils.diffusion.denoisers.from_denoised": lambda: {
        "D_x": points() / 2,
        "x": points(),
        "sigma": 1.0,
        "kind": "v",
    },
    "utils.diffusion.denoisers.to_denoised": lambda: {
        "value": points() / 2,
        "x": points(),
        "sigma": 1.0,
        "kind": "velocity",
    },
    "utils.diffusion.discrete.linear_betas": lambda: {"T": 5, "lo": 0.1, "hi": 0.2},
    "utils.diffusion.discrete.cosine_alpha_bar": lambda: {
        "T": 5,
        "offset": 0.01,
        "beta_clip": 0.9,
    },
    "utils.diffusion.discrete.alpha_bar_to_sigma": lambda: {
        "alpha_bar": points(0.9, 0.5)
    },
    "utils.diffusion.discrete.posterior": lambda: {
        "x_0": points() / 2,
        "x_t": points(),
        "alpha_bar_s": 0.9,
        "alpha_bar_t": 0.5,
    },
    "utils.diffusion.discrete.vlb_terms": lambda: (
        {"D": gauss, "x_0": points(), "sigmas": points(2.0, 1.0, 0.5)} | draw()
    ),
    "utils.diffusion.grids.karras": lambda: {
        "n": 4,
        "sigma_min": 0.1,
        "sigma_max": 9.0,
        "rho": 7.0,
    },
    "utils.diffusion.grids.geometric": lambda: {
        "n": 4,
        "sigma_min": 0.1,
        "sigma_max": 9.0,
    },
    "utils.diffusion.grids.uniform_t": lambda: {
        "process": flow(),
        "n": 4,
        "sigma_min": 0.1,
        "sigma_max": 9.0,
    },
    "utils.diffusion.grids.ddpm_strided": lambda: {
        "sigmas": points(0.1, 0.2, 0.4, 0.9),
        "S": 2,
    },
    "utils.diffusion.likelihood.divergence_exact": lambda: {
        "F": torch.sin,
        "x": points(),
    },
    "utils.diffusion.likelihood.divergence_hutchinson": lambda: {
        "F": torch.sin,
        "x": points(),
        "v": points() / 2,
    },
    "utils.diffusion.likelihood.ode_log_prob": lambda: {
        "D": gauss,
        "x": points(),
        "sigma_min": 0.1,
        "sigma_max": 9.0,
        "n_steps": 3,
        "probes": points() / 2,
    },
    "utils.diffusion.mixtures.reference_mixture": dict,
    "utils.diffusion.mixtures.song_ermon_mixture": dict,
    "utils.diffusion.mixtures.eight_gaussians": lambda: {"r": 2.0, "sd": 0.1},
    "utils.diffusion.processes.vp": lambda: {"beta_min": 0.2, "beta_d": 10.0},
    "utils.diffusion.processes.sub_vp": lambda: {"beta_min": 0.2, "beta_d": 10.0},
    "utils.diffusion.processes.ve": lambda: {"sigma_min": 0.1, "sigma_max": 9.0},
    "utils.diffusion.processes.ve_sqrt": dict,
    "utils.diffusion.processes.ve_linear": dict,
    "utils.diffusion.processes.flow": dict,
    "utils.diffusion.processes.forward_kernel": lambda: {
        "process": flow(),
        "t": points(0.2, 0.7),
    },
    "utils.diffusion.processes.perturb": lambda: {
        "process": flow(),
        "x_0": points(),
        "t": 0.3,
        "eps": points() / 2,
    },
    "utils.diffusion.processes.ode_velocity": lambda: {
        "D": gauss,
        "process": flow(),
        "x_t": points(),
        "t": 0.3,
    },
    "utils.diffusion.samplers.euler": descending,
    "utils.diffusion.samplers.heun": descending,
    "utils.diffusion.samplers.midpoint": descending,
    "utils.diffusion.samplers.dpmpp_2s": descending,
    "utils.diffusion.samplers.dpmpp_2m": lambda: descending(record=True),
    "utils.diffusion.samplers.rk4_logsigma": descending,
    "utils.diffusion.samplers.ancestral": lambda: descending(eta=0.5, **draw()),
    "utils.diffusion.samplers.edm_stochastic": lambda: descending(
        S_churn=1.0, S_min=0.5, S_noise=1.1, **draw()
    ),
    "utils.diffusion.samplers.euler_maruyama": lambda: {
        "D": gauss,
        "x_t": points(),
        "ts": points(0.8, 0.4, 0.1),
        "process": flow(),
        "c": 0.5,
        **draw(),
    },
    "utils.diffusion.samplers.ode_general": lambda: {
        "D": gauss,
        "x_t": points(),
        "ts": points(0.8, 0.4, 0.1),
        "process": flow(),
    },
    "utils.diffusion.samplers.predictor_corrector": lambda: descending(
        snr=0.2, **draw()
    ),
    "utils.diffusion.samplers.langevin": lambda: {
        "score": torch.neg,
        "x": points(),
        "step": 0.1,
        "n_steps": 3,
        **draw(),
    },
    "utils.diffusion.samplers.annealed_langevin": lambda: {
        "score": gauss_score,
        "x": points(),
        "sigmas": points(2.0, 1.0),
        "step": 0.1,
        "n_each": 2,
        **draw(),
    },
    "utils.calculus.directional_derivative": lambda: {
        "f": wave,
        "x": np.array([1.0, 2.0]),
        "v": np.array([3.0, 4.0]),
        "h": 1e-6,
    },
    "utils.calculus.numerical_gradient": lambda: {
        "f": wave,
        "x": np.array([1.0, 2.0]),
    },
    "utils.calculus.numerical_jacobian": lambda: {
        "F": np.sin,
        "x": np.array([1.0, 2.0]),
    },
    "utils.calculus.gradient_check": lambda: {
        "f": wave,
        "grad": lambda x: 2 * x + 3 * x * x,
        "x": np.array([1.0, 2.0]),
        "rng": rng(),
    },
    "utils.calculus.hvp": lambda: {
        "f": wave,
        "x": torch.tensor([1.0, 2.0], dtype=torch.float64),
        "v": torch.tensor([3.0, 4.0], dtype=torch.float64),
    },
    "utils.calculus.dual_direction": lambda: {
        "g": np.array([3.0, -1.0]),
        "norm": np.array([[2.0, 0.5], [0.5, 1.0]]),
    },
    "utils.random_walk.walk_pmf": lambda: {"n": 10, "p": 0.3},
    "utils.random_walk.ftcs": lambda: {
        "v": np.array([0.0, 1.0, 0.5]),
        "r": 0.4,
        "n_steps": 3,
    },
    "utils.random_walk.gaussian_local": lambda: {
        "n": 10,
        "k": np.arange(-10, 11),
        "p": 0.3,
    },
    "utils.random_walk.return_probs": lambda: {"m_max": 5, "d": 3},
    "utils.random_walk.first_returns": lambda: {"u": np.array([1.0, 0.5, 0.375])},
    "utils.random_walk.hitting_pmf": lambda: {"a": 2, "n": np.arange(9), "p": 0.4},
    "utils.random_walk.max_tail": lambda: {"n": 10, "r": np.arange(6)},
    "utils.random_walk.arcsine_pmf": lambda: {"m": 5},
    "utils.random_walk.ruin": lambda: {"i": np.arange(11), "N": 10, "p": 0.4},
    "utils.random_walk.polya_constant": lambda: {"d": 3},
    "utils.random_walk.simulate_walks": lambda: {
        "n_walks": 3,
        "n_steps": 4,
        "rng": rng(),
    },
    "utils.poisson.poisson_pmf": lambda: {"n": np.arange(6), "mu": 2.5},
    "utils.poisson.poisson_binomial_pmf": lambda: {"p": np.array([0.1, 0.4, 0.2])},
    "utils.poisson.tv_distance": lambda: {
        "a": np.array([0.5, 0.5]),
        "b": np.array([0.2, 0.3, 0.5]),
    },
    # One path needs no padding, so that all results are finite.
    "utils.poisson.simulate_homogeneous": lambda: {
        "rate": 3.0,
        "t_end": 2.0,
        "n_paths": 1,
        "rng": rng(),
    },
    "utils.poisson.simulate_by_counts": lambda: {
        "rate": 3.0,
        "t_end": 2.0,
        "n_paths": 1,
        "rng": rng(),
    },
    "utils.poisson.simulate_thinning": lambda: {
        "rate_fn": np.sqrt,
        "rate_max": 2.0,
        "t_end": 4.0,
        "n_paths": 1,
        "rng": rng(),
    },
    "utils.poisson.panjer": lambda: {
        "mu": 2.0,
        "jump_pmf": np.array([0.0, 0.5, 0.5]),
        "n_max": 6,
    },
    "utils.poisson.garwood_interval": lambda: {"count": np.arange(4), "alpha": 0.1},
    "utils.poisson.dispersion_test": lambda: {"x": np.array([1.0, 0.0, 3.0])},
    "utils.poisson.dispersion_split": lambda: {
        "table": np.array([[1.0, 0.0, 3.0], [2.0, 1.0, 1.0]]),
        "exposure": np.array([1.0, 2.0]),
    },
    "utils.poisson.gof_poisson": lambda: {
        "observed": np.array([30.0, 40.0, 20.0, 10.0]),
        "min_expected": 2.0,
    },
    "utils.quadratic.gradient_descent": lambda: descent(eta=0.1),
    "utils.quadratic.heavy_ball": lambda: descent(eta=0.1, beta=0.3),
    "utils.quadratic.nesterov": lambda: descent(eta=0.1, beta=0.3),
    "utils.quadratic.barzilai_borwein": descent,
    "utils.quadratic.conjugate_gradient": lambda: descent(tol=0.1, M_inv=np.eye(2)),
    "utils.quadratic.newton": lambda: {"q": bowl(), "x0": np.array([1.0, 2.0])},
    "utils.quadratic.power_iteration": lambda: sphere() | {"n_steps": 3},
    "utils.quadratic.rayleigh_iteration": lambda: sphere() | {"n_steps": 2},
    "utils.quadratic.trust_region_sphere": lambda: {
        "A": np.array([[2.0, 1.0], [1.0, -3.0]]),
        "b": np.array([1.0, 0.5]),
        "radius": 2.0,
    },
    "utils.quadratic.kkt_solve": lambda: {
        "q": bowl(),
        "C": np.array([[1.0, 1.0]]),
        "d": np.array([1.0]),
    },
    "utils.quadratic.unadjusted_langevin": lambda: {
        "q": bowl(),
        "x0": np.zeros((3, 2)),
        "eta": 0.1,
        "n_steps": 4,
        "rng": rng(),
    },
    "utils.diffusion.precond.edm": lambda: {"sigma_data": 0.5},
    "utils.diffusion.precond.eps_vp": lambda: {"M": 1000},
    "utils.diffusion.precond.score_ve": dict,
    "utils.diffusion.precond.v_pred": dict,
    "utils.diffusion.precond.flow_pred": dict,
    "utils.diffusion.precond.x0_pred": lambda: {"sigma_data": 0.5},
    "utils.diffusion.losses.explicit_sm": lambda: {
        "score_net": torch.sin,
        "x": noisy()["x_0"],
        "score": noisy()["eps"],
    },
    "utils.diffusion.losses.implicit_sm": lambda: {
        "score_net": torch.sin,
        "x": noisy()["x_0"],
    },
    "utils.diffusion.losses.sliced_sm": lambda: {
        "score_net": torch.sin,
        "x": noisy()["x_0"],
        "v": noisy()["eps"],
    },
    "utils.diffusion.losses.denoising_sm": lambda: (
        noisy() | {"score_net": torch.sin, "sigma": two_levels()}
    ),
    "utils.diffusion.losses.denoising_loss": lambda: (
        noisy() | {"D": lambda x, _: x / 2, "sigma": 0.5, "weight": two_levels()}
    ),
    "utils.diffusion.losses.ddpm_loss": lambda: (
        noisy()
        | {
            "eps_net": lambda x, _: x / 2,
            "t": torch.tensor([1, 3]),
            "alpha_bar": torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64),
        }
    ),
    "utils.diffusion.losses.lognormal_sigma": lambda: {
        "n": 3,
        "P_mean": -1.2,
        "P_std": 1.2,
        "generator": generator(),
    },
    "utils.diffusion.losses.vp_sigma": lambda: {
        "n": 3,
        "eps_t": 1e-5,
        "generator": generator(),
    },
    "utils.diffusion.losses.discrete_sigma": lambda: {
        "n": 3,
        "sigmas": two_levels(),
        "generator": generator(),
    },
    "utils.diffusion.nets.train": training,
    "utils.diffusion.data.digits": dict,
    "utils.diffusion.data.dequantise": lambda: {
        "x": torch.tensor([0.0, 0.125, -1.0], dtype=torch.float64),
        "generator": generator(),
    },
    "utils.diffusion.data.quantise": lambda: {"x": two_levels()},
    "utils.diffusion.metrics.sliced_w2": lambda: (
        clouds() | {"n_proj": 3, "generator": generator()}
    ),
    "utils.diffusion.metrics.frechet_distance": clouds,
    "utils.diffusion.metrics.digit_classifier": lambda: {
        "x": clouds()["a"],
        "y": torch.arange(3),
    },
    "utils.diffusion.metrics.digit_features": lambda: {
        "x": clouds()["a"],
        "classifier": tuple(
            torch.ones(shape, dtype=torch.float64)
            for shape in ((2, 64), (64,), (64, 3), (3,))
        ),
    },
    "utils.diffusion.metrics.mode_report": lambda: {
        "x": clouds()["a"],
        "means": clouds()["b"],
        "sd": 0.5,
        "cutoff": 5.0,
    },
    "utils.diffusion.metrics.nearest_distance": lambda: {
        "x": clouds()["a"],
        "data": clouds()["b"],
    },
    "utils.diffusion.metrics.floor": lambda: {
        "metric": gap,
        "real": clouds()["a"],
        "n_splits": 3,
        "generator": generator(),
    },
}


def public_functions(module):
    found = inspect.getmembers(importlib.import_module(module), inspect.isfunction)
    return {
        f"{module}.{n}": f
        for n, f in found
        # Mutation testing keeps its variants of a function beside it.
        if f.__module__ == module and n[0] != "_" and "__mutmut_" not in n
    }


KERNELS = {
    name: f for module in MODULES for name, f in public_functions(module).items()
}
each_kernel = pytest.mark.parametrize("name", KERNELS)


def example(name):
    assert name in EXAMPLES, f"{name} is public: add an example call of it to EXAMPLES"
    return EXAMPLES[name]()


def parameters(name):
    return inspect.signature(inspect.unwrap(KERNELS[name])).parameters


def section(name, title):
    """Body of a numpydoc section, or '' where there is none."""
    match = re.search(
        rf"(?ms)^{title}\n-+\n(.*?)(?=^\w[^\n]*\n-+$|\Z)", inspect.getdoc(KERNELS[name])
    )
    return match.group(1) if match else ""


def raises(function):
    """Whether a function raises, itself, at the common door or in a private function."""
    tree = ast.parse(inspect.getsource(inspect.unwrap(function)))
    if any(isinstance(node, ast.Raise) for node in ast.walk(tree)):
        return True
    home = vars(sys.modules[function.__module__])
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    doors = [
        home[n]
        for n in called
        if inspect.isfunction(home.get(n))
        and (n[0] == "_" or home[n].__module__.endswith("validate"))
    ]
    return any(raises(door) for door in doors if door is not function)


def arrays(value):
    """All numpy arrays and scalars inside a result or an argument list; tensors as arrays."""
    if isinstance(value, torch.Tensor):
        value = value.numpy()  # shares its memory
    if dataclasses.is_dataclass(value):
        value = tuple(vars(value)[field.name] for field in dataclasses.fields(value))
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return [a for item in value for a in arrays(item)]
    return [value] if isinstance(value, np.ndarray | np.generic | float) else []


def spoiled(args):
    """Pairs (parameter, arguments) with one floating value made NaN or infinite."""
    for key, value in args.items():
        for bad in (np.nan, np.inf, -np.inf):
            if isinstance(value, float):
                yield key, args | {key: bad}
            elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
                copy = value.copy()
                copy.flat[-1] = bad
                yield key, args | {key: copy}
            elif isinstance(value, torch.Tensor) and value.is_floating_point():
                copy = value.clone()
                copy[-1] = bad
                yield key, args | {key: copy}


def test_every_kernel_module_was_found():
    assert "utils.random_walk.walk_pmf" in KERNELS
    assert set(EXAMPLES) == set(KERNELS), "EXAMPLES and the public kernels must agree"


@each_kernel
def test_documented(name):
    summary, *rest = inspect.getdoc(KERNELS[name]).split("\n")
    assert summary.endswith("."), "the docstring opens with one sentence on one line"
    assert rest[:1] == [""], "an empty line follows the summary"
    assert ".. math::" in inspect.getdoc(KERNELS[name]), "the law is shown"
    documented = re.findall(r"(?m)^(\w+(?:, \w+)*) :", section(name, "Parameters"))
    assert sorted(p for line in documented for p in line.split(", ")) == sorted(
        parameters(name)
    )
    assert section(name, "Returns")
    assert section(name, "References")
    assert "]_" not in inspect.getdoc(KERNELS[name]), (
        "no footnote citations in docstrings"
    )


@each_kernel
def test_errors_are_documented(name):
    assert raises(KERNELS[name]) == ("ValueError" in section(name, "Raises"))


@cache
def labels():
    """The labels of all equations of the book."""
    notebooks = (ROOT / "chapters").rglob("*.ipynb")
    text = "\n".join(notebook.read_text(encoding="utf-8") for notebook in notebooks)
    return set(re.findall(r"\$\$ *\(((?:eq|def)-[\w-]+)\)", text))


@each_kernel
def test_equations_exist_in_the_book(name):
    cited = re.findall(r":eq:`([^`]+)`", inspect.getdoc(KERNELS[name]))
    in_a_paper = re.search(
        r"\d{4}, (equation|algorithm|table|section|appendix) \w",
        section(name, "References"),
    )
    assert cited or in_a_paper, "the docstring names its equation, here or in a paper"
    missing = sorted(set(cited) - labels())
    assert not missing, f"no notebook has {missing}"


@each_kernel
def test_works_named_are_in_the_bibliography(name):
    works = re.findall(r"([A-Z][\w-]+)[^;]*? (\d{4})\b", section(name, "References"))
    text = (ROOT / "references.bib").read_text(encoding="utf-8")
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    for author, year in works:
        assert any(
            re.search(rf"author += .*\b{author}\b", entry)
            and re.search(rf"year += \{{{year}\}}", entry)
            for entry in plain.split("\n@")
        ), f"references.bib has no work of {author} from {year}"


@each_kernel
def test_signature_is_annotated(name):
    signature = inspect.signature(inspect.unwrap(KERNELS[name]))
    for key, parameter in parameters(name).items():
        assert parameter.annotation is not parameter.empty, f"{key} has no type"
        if key in ("rng", "generator"):
            assert parameter.kind is parameter.KEYWORD_ONLY
            assert parameter.default is parameter.empty, (
                "randomness is handed in, never assumed"
            )
    assert signature.return_annotation is not signature.empty


@each_kernel
def test_pure(name):
    args, untouched = example(name), example(name)
    random_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch_state = torch.get_rng_state()
    first = arrays(KERNELS[name](**args))
    assert random.getstate() == random_state
    assert torch.equal(torch.get_rng_state(), torch_state)
    for before, after in zip(numpy_state, np.random.get_state(), strict=True):  # noqa: NPY002
        assert_array_equal(before, after)
    for want, got in zip(arrays(untouched), arrays(args), strict=True):
        assert_array_equal(got, want)
    again = arrays(KERNELS[name](**untouched))
    for want, got in zip(first, again, strict=True):
        assert_array_equal(got, want)
    assert not any(np.shares_memory(a, b) for a in first for b in arrays(args))


@each_kernel
def test_double_precision(name):
    results = arrays(KERNELS[name](**example(name)))
    assert results, "a kernel returns numbers"
    for value in results:
        assert (
            np.asarray(value).dtype.kind in "iub"
            or np.asarray(value).dtype == np.float64
        )
        assert np.isfinite(value).all()


@each_kernel
def test_not_finite_is_refused(name):
    for key, args in spoiled(example(name)):
        with pytest.raises(ValueError, match=rf"\b{key}\b.* got .*(nan|inf)"):
            KERNELS[name](**args)


@each_kernel
@pytest.mark.usefixtures("without_type_checks")
def test_empty_is_refused_or_gives_empty(name):
    args = example(name)
    kinds = np.ndarray | torch.Tensor
    for key in [k for k, value in args.items() if isinstance(value, kinds)]:
        try:
            results, message = arrays(KERNELS[name](**args | {key: args[key][:0]})), ""
        except ValueError as error:
            results, message = [], str(error)
        gave_empty = bool(results) and all(np.size(value) == 0 for value in results)
        assert gave_empty or re.search(rf"\b{key}\b", message), (
            "the message must name the parameter"
        )


@each_kernel
def test_vectorised_equals_looped(name):
    args = example(name)
    for key in [
        k for k, v in args.items() if isinstance(v, np.ndarray) and v.dtype.kind == "i"
    ]:
        one_by_one = [
            arrays(KERNELS[name](**args | {key: args[key][j : j + 1]}))
            for j in range(len(args[key]))
        ]
        for whole, *parts in zip(
            arrays(KERNELS[name](**args)), *one_by_one, strict=True
        ):
            assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_import_is_light(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr or "torch was imported"
