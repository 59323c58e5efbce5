"""What happens when a build or an execution is disturbed, tried on a clone of the book.

The clone's path has spaces and letters beyond ASCII. A command and its process group are killed at a random
moment, again and again; each time the notebooks are looked at, and then the same command runs undisturbed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The clone works with this environment instead of installing its own.
MAKE = ["make", "-o", ".venv/read", "-o", ".venv/dev"]
CHAPTER = "random_walks"


def clone(folder: Path) -> Path:
    copy = folder / "Bücher und Übungen"
    subprocess.run(["git", "clone", "-q", ROOT, copy], check=True)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


def start(copy: Path, *target: str) -> subprocess.Popen:
    return subprocess.Popen(
        [*MAKE, *target],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def changed(copy: Path) -> str:
    """Files of the clone that are not as committed."""
    status = ["git", "status", "--porcelain", "--", ":!.venv"]
    return subprocess.run(status, cwd=copy, capture_output=True, text=True).stdout


def whole(copy: Path) -> bool:
    """Whether every notebook is one: readable, with all of its cells executed."""
    for path in sorted(copy.glob("chapters/*/*.ipynb")):
        try:
            cells = json.loads(path.read_text("utf-8"))["cells"]
        except ValueError:
            return False
        if not all(cell.get("execution_count", 1) for cell in cells):
            return False
    return True


def kills(copy: Path, target: list[str], times: int) -> str:
    """Kill ``make target`` at random moments, a quarter of the times within its last tenth."""
    begin = time.perf_counter()
    done = start(copy, *target)
    output, _ = done.communicate()
    if done.returncode:
        return f"the undisturbed run failed: {output[-300:]}"
    full, rng = time.perf_counter() - begin, random.Random(0)
    runs = interrupted = intact = recovered = 0
    while interrupted < times:  # a run that ended before its moment does not count
        runs += 1
        (copy / "_build" / "html" / ".built").unlink(missing_ok=True)
        run = start(copy, *target)
        moment = full * (
            rng.uniform(0.9, 1.0) if runs % 4 == 0 else rng.uniform(0, 0.9)
        )
        timer = threading.Timer(moment, os.killpg, (run.pid, signal.SIGKILL))
        timer.start()
        run.communicate()
        timer.cancel()
        if run.returncode != -signal.SIGKILL:
            continue
        interrupted += 1
        intact += whole(copy)
        again = start(copy, *target)
        again.communicate()
        recovered += again.returncode == 0 and not changed(copy)
    return (
        f"killed {interrupted} times in its {full:.0f} s; all notebooks whole after {intact}, "
        f"the next run succeeds and leaves the committed files as they were after {recovered}"
    )


def two_builds(copy: Path) -> str:
    (copy / "_build" / "html" / ".built").unlink(missing_ok=True)
    runs = [start(copy, "book") for _ in range(2)]
    outputs = [run.communicate()[0] for run in runs]
    waited = sum("Another build is running here" in output for output in outputs)
    codes = [run.returncode for run in runs]
    return f"exit codes {codes[0]} and {codes[1]}; {waited} of them says that it waits for the other"


def last_line(run: subprocess.Popen, copy: Path) -> str:
    lines = run.communicate()[0].replace(str(copy), ".").splitlines()
    said = [line for line in lines if line.strip() and not line.startswith("make: ***")]
    return f"exit code {run.returncode}: “{said[-1]}”"


def mounted(copy: Path, options: str, command: str) -> str:
    """Run a shell command in a mount name space where ``_build`` is what ``options`` say."""
    mount = f"mount {options} && cd '{copy}' && {command}"
    try:
        run = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", mount],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except OSError as error:
        return f"not tried: {error}"
    return last_line(run, copy)


def full_disk(copy: Path) -> str:
    build = copy / "_build"
    return mounted(
        copy, f"-t tmpfs -o size=2m none '{build}'", f"{' '.join(MAKE)} book"
    )


def read_only(copy: Path) -> str:
    build = copy / "_build"
    (build / "html" / ".built").unlink(missing_ok=True)
    options = f"--bind '{build}' '{build}' && mount -o remount,ro,bind '{build}'"
    return mounted(copy, options, f"{' '.join(MAKE)} book")


def rows(times: int = 10) -> Iterator[str]:
    yield "| fault | what happens |"
    yield "|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        copy = clone(Path(folder))
        executed = kills(copy, ["execute", f"CH={CHAPTER}"], times)
        yield f"| `make execute` killed | {executed} |"
        yield f"| `make book` killed | {kills(copy, ['book'], times)} |"
        yield f"| two builds at once | {two_builds(copy)} |"
        yield f"| full disk | {full_disk(copy)} |"
        yield f"| read-only folder | {read_only(copy)} |"
