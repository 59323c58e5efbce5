"""Run the benchmarks, or the sections named, and write ``benchmarks/results.md``."""

import datetime
import os
import platform
import sys
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


def text(sections: list[str]) -> Iterator[str]:
    today = datetime.date.today().isoformat()
    yield "# Benchmarks\n"
    yield (
        f"Written by `benchmarks/run.py {' '.join(sections)}` on {today}: {processor()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"numpy {numpy.__version__}, torch {torch.__version__}.\n"
    )
    if "kernels" in sections:
        yield f"## Kernels\n\n{kernels.__doc__.strip()}\n"
        torch.set_num_threads(1)
        with threadpool_limits(1):
            yield from kernels.rows()
        yield f"\n{kernels.REMARKS}"
    if "book" in sections:
        yield f"## The book\n\n{book.__doc__.strip()}\n"
        yield from book.rows()
        yield ""
    if "lighthouse" in sections:
        yield f"## Lighthouse\n\n{lighthouse.__doc__.strip()}\n"
        yield from lighthouse.rows()


def main() -> None:
    lines = []
    for line in text(sys.argv[1:] or ["kernels", "book", "lighthouse"]):
        print(line, flush=True)
        lines.append(line)
    RESULTS.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
