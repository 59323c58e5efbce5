"""Run the benchmarks, or the sections named, and write ``benchmarks/results.md``."""

import datetime
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import book
import faults
import kernels
import lighthouse
import numpy
import torch
from threadpoolctl import threadpool_limits

SECTIONS = {
    "kernels": kernels,
    "book": book,
    "lighthouse": lighthouse,
    "faults": faults,
}
RESULTS = Path(__file__).with_name("results.md")


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def measured(name: str) -> Iterator[str]:
    """The lines of one section."""
    section = SECTIONS[name]
    yield f"## {name.capitalize()}\n"
    yield f"{section.__doc__.strip()}\n"
    yield (
        f"`benchmarks/run.py {name}` on {datetime.date.today().isoformat()}: {processor()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"numpy {numpy.__version__}, torch {torch.__version__}.\n"
    )
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield from section.rows()
    yield f"\n{getattr(section, 'REMARKS', '')}"


def main() -> None:
    """Measure the sections named, or all; what is not measured anew stays as it stands."""
    old = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
    parts = {part.split("\n")[0]: f"## {part}" for part in old.split("\n## ")[1:]}
    for name in sys.argv[1:] or SECTIONS:
        lines = []
        for line in measured(name):
            print(line, flush=True)
            lines.append(line)
        parts[name.capitalize()] = "\n".join(lines)
        known = [parts.get(section.capitalize(), "").strip() for section in SECTIONS]
        text = "\n\n".join(["# Benchmarks", *filter(None, known)])
        RESULTS.write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main()
