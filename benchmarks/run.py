"""Run all benchmarks and write ``benchmarks/results.md``."""

import datetime
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import book
import kernels
import lighthouse
import numpy
import torch
from threadpoolctl import threadpool_limits

RESULTS = Path(__file__).with_name("results.md")


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def text() -> Iterator[str]:
    today = datetime.date.today().isoformat()
    yield "# Benchmarks\n"
    yield (
        f"Written by `make bench` on {today}: {processor()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, numpy {numpy.__version__}, torch {torch.__version__}.\n"
    )
    yield "## Kernels\n"
    yield f"{kernels.__doc__.strip()}\n"
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield from kernels.rows()
    yield f"\n{kernels.REMARKS}"
    yield "## The book\n"
    yield f"{book.__doc__.strip()}\n"
    yield from book.rows()
    yield "\n## Lighthouse\n"
    yield f"{lighthouse.__doc__.strip()}\n"
    yield from lighthouse.rows()


def main() -> None:
    lines = []
    for line in text():
        print(line, flush=True)
        lines.append(line)
    RESULTS.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
