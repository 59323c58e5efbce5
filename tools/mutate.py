"""Plant small faults in utils/ and count how many the kernel tests notice.

python tools/mutate.py        every mutant, a matter of hours
python tools/mutate.py 1500   a random sample of so many, the same each time

Writes ``benchmarks/mutants.md``: the rate of each module, and every survivor with what was changed in it.
mutmut writes the mutants and learns which test calls what. The tests of a mutant run in a process of their own:
a child forked by mutmut may inherit a lock that nobody holds any more, and wait for ever.
"""

import collections
import datetime
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MUTANTS = ROOT / "mutants"
REPORT = ROOT / "benchmarks" / "mutants.md"
GOAL = 0.85
PYTEST = ["pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header"]
PYTEST += ["-k", "not documented"]  # mutants lose their docstrings
# Survivors that no test can kill, by a part of what they change.
EQUIVALENT = {
    "max_iter=1001": "the training ends of itself before either number of passes",
    "11 * np.sqrt(mean)": "gaps are drawn in blocks: blocks of another size give other draws of the same law",
    "XXExplorerWidgetXX": "nobody sees the name of this class",
    "maxiter=1001": "the bisection ends long before either number of steps",
    "keep, at, None": "None becomes nan there, which is no more inside the window than infinity",
}
NO_FAILURE = (0, 5)  # all tests passed, or there was none


def names() -> list[str]:
    """All mutants: ``utils.kl.x_k1__mutmut_3`` and so on."""
    metas = sorted((MUTANTS / "utils").rglob("*.meta"))
    found = [json.loads(meta.read_text("utf-8")) for meta in metas]
    return sorted(name for f in found for name in f["exit_code_by_key"])


def fate(name: str, stats: dict) -> str:
    """What becomes of a mutant: killed, out of time, or survived."""
    seconds = stats["duration_by_test"]
    tests = stats["tests_by_mangled_function_name"].get(name.split("__mutmut_")[0], [])
    tests = sorted(set(tests) & set(seconds), key=seconds.get)  # the fastest first
    # The module's own file first, all of it: it is collected quickly, and what a test file calls while it is
    # imported is in no list of mutmut's.
    home = f"test_{module(name).rsplit('.', 1)[-1]}.py"
    own = [str(p.relative_to(MUTANTS)) for p in (MUTANTS / "tests").rglob(home)]
    for chosen in (own, [test for test in tests if home not in test]):
        if chosen and (found := judged(name, chosen, seconds)) != "survived":
            return found
    return "survived"


def judged(name: str, tests: list[str], seconds: dict) -> str:
    """What these tests say of a mutant, in a process of their own."""
    environment = os.environ | {"MUTANT_UNDER_TEST": name, "PYTHONPATH": str(MUTANTS)}
    try:
        done = subprocess.run(
            [*PYTEST, *tests],
            cwd=MUTANTS,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60 + 10 * sum(seconds.get(test, 30) for test in tests),
        )
    except subprocess.TimeoutExpired:
        return "out of time"
    return "survived" if done.returncode in NO_FAILURE else "killed"


def change(name: str) -> str:
    """What a mutant changes: the lines before, an arrow, the lines after."""
    show = ["mutmut", "show", name]
    diff = subprocess.run(show, cwd=ROOT, capture_output=True, text=True).stdout
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    old, new = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign))
        for sign in "-+"
    )
    reasons = [why for part, why in EQUIVALENT.items() if part in new]
    return f"`{old}` → `{new}`" + "".join(f" (equivalent: {why})" for why in reasons)


def module(name: str) -> str:
    """``utils.kl`` of the mutant ``utils.kl.x_k1__mutmut_3``."""
    return name.rsplit(".", 1)[0]


def report(fates: dict[str, str], of: int) -> str:
    """The kill rate of each module, and the survivors."""
    tried = collections.Counter(map(module, fates))
    survivors = sorted(name for name, f in fates.items() if f == "survived")
    alive = collections.Counter(map(module, survivors))
    late = sum(f == "out of time" for f in fates.values())
    lines = [
        "# Mutation testing\n",
        f"`make mutate N={len(fates)}` on {datetime.date.today().isoformat()}: of {of} mutants of `utils/` "
        f"{len(fates)} were tried and {len(fates) - len(survivors)} killed ({late} of them ran out of time), "
        f"{1 - len(survivors) / len(fates):.1%}; the goal is {GOAL:.0%}.\n",
        "| module | tried | killed |",
        "|---|--:|--:|",
        *[f"| {m} | {n} | {1 - alive[m] / n:.0%} |" for m, n in sorted(tried.items())],
        "\n## Survivors\n",
        *[f"- {name}: {change(name)}" for name in survivors],
    ]
    return "\n".join(lines) + "\n"


def write_mutants() -> dict:
    """Let mutmut write the mutants and learn which test calls what; what it says of its first is not used."""
    stats = MUTANTS / "mutmut-stats.json"
    first = ["mutmut", "run", "utils.validate.x_require__mutmut_1"]
    process = subprocess.Popen(first, cwd=ROOT, start_new_session=True)
    while process.poll() is None and not stats.exists():
        time.sleep(1)
    try:  # time for its two trial runs of the tests, and then its forked child may wait for ever
        failed = process.wait(timeout=180)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        failed = False
    if failed or not stats.exists():
        sys.exit("mutmut could not run the tests; its reason stands above")
    return json.loads(stats.read_text("utf-8"))


def main(sample: int) -> None:
    shutil.rmtree(MUTANTS, ignore_errors=True)  # half of one would be believed
    stats = write_mutants()
    known = names()
    chosen = random.Random(0).sample(known, min(sample or len(known), len(known)))
    fates = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, f in pool.map(lambda name: (name, fate(name, stats)), chosen):
            fates[name] = f
            print(f"{len(fates)} of {len(chosen)}: {name} {f}", flush=True)
    REPORT.write_text(report(fates, len(known)), "utf-8")
    rate = 1 - list(fates.values()).count("survived") / len(fates)
    print(
        f"{rate:.1%} of {len(fates)} mutants killed, the goal is {GOAL:.0%}: {REPORT}"
    )
    sys.exit(rate < GOAL)


if __name__ == "__main__":
    number = sys.argv[1] if len(sys.argv) > 1 else "0"
    if not number.isdecimal():
        sys.exit(f"N must be a number of mutants, got {number!r}")
    main(int(number))
