"""Run every part of the tests to its end, then sum up what passed and what failed.

python tools/run_tests.py         all of it
python tools/run_tests.py slug    what belongs to one chapter

PARTS in the environment names the parts to run, all if it is empty: PARTS="kernels, strict run"
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from notebooks import STRICT, chapters

ROOT = chapters.ROOT
BIN = Path(sys.executable).parent
PYTEST = [sys.executable, "-m", "pytest", "-q", "-n", "2"]
SITE = [*PYTEST, "--dist", "worksteal", "tests/site"]
BUILD = "site build"
# "2 failed, 40 passed in 3.21s", the last line of a run of pytest
COUNTS = re.compile(r"\d+ \w+(?:, \d+ \w+)* in [\d.]+s.*?(?= =|$)")


@dataclass
class Part:
    """A command of the tests; ``needs`` names the part without which it cannot run."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    needs: str = ""


@dataclass
class Result:
    name: str
    state: str  # passed, FAILED or skipped
    said: str = ""
    seconds: float = 0.0


def everything() -> list[Part]:
    return [
        *lint(),
        Part("kernels", [*PYTEST, "tests/kernels", types_checked()]),
        Part("book", [*PYTEST, "tests/book"]),
        strict_run("strict run", "chapters"),
        build(),
        Part("site", SITE, needs=BUILD),
    ]


def of_chapter(slug: str) -> list[Part]:
    chapter = chapters.find(slug)
    modules = chapter.modules
    return [
        *lint(),
        Part(
            f"kernels of {', '.join(m.removeprefix('utils.') for m in modules)}",
            [*PYTEST, *kernel_tests(modules), types_checked()],
        ),
        Part(f"book rules of {slug}", [*PYTEST, "tests/book", "-k", slug]),
        strict_run(f"strict run of {slug}", str(chapter.path)),
        build(),
        Part(
            f"site, the pages of {slug} and all links",
            [*SITE, "-k", f"{slug} or test_links_resolve"],
            needs=BUILD,
        ),
    ]


def lint() -> list[Part]:
    return [
        Part("ruff check", [f"{BIN}/ruff", "check", "-q", "."]),
        Part("ruff format", [f"{BIN}/ruff", "format", "-q", "--check", "."]),
        Part("codespell", [f"{BIN}/codespell"]),
    ]


def strict_run(name: str, *paths: str) -> Part:
    """Every cell again, and every output compared; the cells of a notebook stay together."""
    return Part(name, [*PYTEST, *STRICT, "--dist", "loadscope", *paths])


def build() -> Part:
    return Part(BUILD, [sys.executable, str(ROOT / "tools" / "build.py")])


def types_checked() -> str:
    """The option that checks shapes in every module and package of ``utils`` that states them."""
    states = {
        f"utils.{path.relative_to(ROOT / 'utils').with_suffix('').parts[0]}"
        for path in (ROOT / "utils").rglob("*.py")
        if "jaxtyping" in path.read_text(encoding="utf-8")
    }
    return f"--jaxtyping-packages={','.join(sorted(states))},beartype.beartype"


def kernel_tests(modules: list[str]) -> list[str]:
    """What pytest is to run for them: their own tests, and their part of the common suite."""
    own = [
        Path("tests/kernels", *folders, f"test_{name}.py")
        for _, *folders, name in (module.split(".") for module in modules)
    ]
    own = [path for path in own if (ROOT / path).exists()]
    wanted = [path.name for path in own] + modules
    common = "tests/kernels/test_common.py"
    return [*map(str, own), common, "-k", " or ".join([*wanted, "test_every_kernel"])]


def run(part: Part) -> Result:
    """Run a part, showing what it says; of what it says, the last line with counts is kept."""
    print(f"\n== {part.name}", flush=True)
    start, counts = time.perf_counter(), ""
    process = subprocess.Popen(
        part.command,
        cwd=ROOT,
        env=os.environ | part.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in process.stdout:
        print(line, end="", flush=True)
        if found := COUNTS.search(line):
            counts = found[0]
    state = "FAILED" if process.wait() else "passed"
    return Result(part.name, state, counts, time.perf_counter() - start)


def run_all(parts: list[Part]) -> list[Result]:
    """Run the parts one after another, whatever becomes of those before."""
    results = []
    for part in parts:
        states = {result.name: result.state for result in results}
        if part.needs and states.get(part.needs, "passed") != "passed":
            why = f"{part.needs} failed, there is nothing to test"
            results.append(Result(part.name, "skipped", why))
        else:
            results.append(run(part))
    return results


def sum_up(results: list[Result]) -> int:
    """Print one line for each part; 1 if one of them failed, else 0."""
    print("\n== summary")
    for result in results:
        said = f": {result.said}" if result.said else ""
        print(f"{result.state:8}{result.seconds:5.0f} s  {result.name}{said}")
    failed = [result.name for result in results if result.state == "FAILED"]
    total = sum(result.seconds for result in results)
    verdict = f"failed: {', '.join(failed)}" if failed else "everything passed"
    print(f"{verdict}, in {total / 60:.1f} minutes", flush=True)
    return int(bool(failed))


def chosen(parts: list[Part], names: str) -> list[Part]:
    """The parts that are named, or all of them if none is.

    Raises
    ------
    ValueError
        If there is no part of that name.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = [part.name for part in parts]
    for name in wanted:
        if name not in known:
            raise ValueError(f"no part {name!r}; there are {', '.join(known)}")
    return [part for part in parts if not wanted or part.name in wanted]


def main(slugs: list[str]) -> int:
    try:
        parts = of_chapter(*slugs) if slugs else everything()
        parts = chosen(parts, os.environ.get("PARTS", ""))
    except ValueError as error:
        sys.exit(str(error))
    return sum_up(run_all(parts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
