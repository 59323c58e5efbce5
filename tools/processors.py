"""Repeat the strict run as other processors would execute it.

python tools/processors.py [slug ...]

Numerical libraries choose their inner loops by the processor and so differ in the last bits.
Environment variables make them choose as an older processor would. Each setting is first proved
to change something, then the chapters have to reproduce their stored outputs under it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "_ext"))
import chapters  # noqa: E402

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


def strict_run(environment: dict[str, str], files: list[str]) -> bool:
    workers = "1" if "BOOK_THREADS" in environment else "2"  # threads wait for a core
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env"]
    command += ["--nbval-cell-timeout", "240", "-n", workers, "--dist", "loadscope"]
    command += files
    environment = os.environ | {"BOOK_STATIC": "1"} | environment
    return subprocess.run(command, env=environment, cwd=ROOT).returncode == 0


def main(slugs: list[str]) -> None:
    book = [chapters.find(slug) for slug in slugs] or chapters.all_chapters()
    files = [str(chapter.path) for chapter in book]
    usual, failed = probe({}), []
    together: dict[str, str] = {}
    for name, (environment, changes) in SETTINGS.items():
        variables = " ".join(f"{key}={value!r}" for key, value in environment.items())
        if probe(environment)[changes] == usual[changes]:
            print(
                f"{name}: {variables} changes no {changes} on this machine and proves nothing"
            )
            failed.append(name)
            continue
        print(f"{name}: {variables}, changes {changes}", flush=True)
        together |= environment
        if not strict_run(environment, files):
            failed.append(name)
    print("all of them at once", flush=True)
    if not strict_run(together, files):
        failed.append("all at once")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ValueError as error:
        sys.exit(str(error))
