"""Repeat the kernel tests and the strict run as other processors would execute them.

python tools/processors.py [slug ...]

Numerical libraries choose their inner loops by the processor and so differ in the last bits.
Environment variables make them choose as an older processor would. Each setting is first proved
to change something, then the kernels have to pass their tests under it and the chapters to
reproduce their stored outputs.
"""

import json
import os
import subprocess
import sys

from notebooks import STRICT, chapters
from run_tests import PYTEST, ROOT, Part, Result, kernel_tests, run, sum_up

# setting -> (environment, what it must change)
SETTINGS = {
    "torch without AVX": ({"ATEN_CPU_CAPABILITY": "default"}, "torch softmax"),
    "MKL's common path": ({"MKL_CBWR": "COMPATIBLE"}, "torch product"),
    "OpenBLAS for Nehalem": ({"OPENBLAS_CORETYPE": "Nehalem"}, "numpy product"),
    "OpenBLAS for Prescott": ({"OPENBLAS_CORETYPE": "Prescott"}, "numpy product"),
    "numpy without AVX": (
        {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
        "numpy functions",
    ),
    "two threads": ({"BOOK_THREADS": "2"}, "threads"),
}

PROBE = """
import hashlib, json, sys
import numpy as np
import torch
from threadpoolctl import threadpool_info
from utils.runtime import setup

setup()
x = np.random.default_rng(0).normal(size=(257, 257))
t = torch.tensor(x, dtype=torch.float32)
found = {
    "numpy product": x @ x,
    # exp and log differ where AVX-512 is lost, tanh where AVX2 is
    "numpy functions": np.stack([np.exp(x), np.log(abs(x)), np.tanh(x)]),
    "torch product": (t @ t).numpy(),
    "torch softmax": torch.softmax(t, 1).numpy(),
    "threads": np.array([pool["num_threads"] for pool in threadpool_info()]),
}
print(json.dumps({k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in found.items()}))
"""


def probe(environment: dict[str, str]) -> dict[str, str]:
    """Digests of a few results, as computed under ``environment``."""
    run = subprocess.run(
        [sys.executable, "-c", PROBE],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def parts(slugs: list[str]) -> dict[str, list[str]]:
    """What is repeated under each setting, for the whole book or a few chapters."""
    book = [chapters.find(slug) for slug in slugs]
    modules = sorted({module for chapter in book for module in chapter.modules})
    notebooks = [str(chapter.path) for chapter in book]
    return {
        "kernels": kernel_tests(modules) if book else ["tests/kernels"],
        "strict run": [*STRICT, "--dist", "loadscope", *(notebooks or ["chapters"])],
    }


def under(setting: str, environment: dict[str, str], what: dict) -> list[Result]:
    workers = "1" if "BOOK_THREADS" in environment else "2"  # threads wait for a core
    return [
        run(Part(f"{setting}: {name}", [*PYTEST, "-n", workers, *options], environment))
        for name, options in what.items()
    ]


def main(slugs: list[str]) -> int:
    what, usual, results = parts(slugs), probe({}), []
    together: dict[str, str] = {}
    for setting, (environment, changes) in SETTINGS.items():
        variables = " ".join(f"{key}={value!r}" for key, value in environment.items())
        if probe(environment)[changes] == usual[changes]:
            why = f"{variables} changes no {changes} on this machine and proves nothing"
            results.append(Result(setting, "FAILED", why))
            continue
        print(f"\n{setting}: {variables}, changes {changes}", flush=True)
        together |= environment
        results += under(setting, environment, what)
    return sum_up(results + under("all of them at once", together, what))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ValueError as error:
        sys.exit(str(error))
