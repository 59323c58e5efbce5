"""Mutation testing: plant small faults in utils/ and count how many the kernel tests notice.

python tools/mutate.py        every mutant, a matter of hours
python tools/mutate.py 1500   a random sample of so many, the same each time

Writes ``benchmarks/mutants.md``: the rate of each module, and every survivor with what was changed in it.
"""

import collections
import datetime
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOAL = 0.85
REPORT = ROOT / "benchmarks" / "mutants.md"
KILLED = (1, 3, 24, -24, 36, 152, -9, -11)  # failed, out of time, crashed


def results() -> dict[str, int | None]:
    """Exit code of the tests under every mutant, None where they have not run."""
    metas = sorted((ROOT / "mutants" / "utils").rglob("*.meta"))
    found = [json.loads(meta.read_text("utf-8")) for meta in metas]
    return {name: code for f in found for name, code in f["exit_code_by_key"].items()}


def module(name: str) -> str:
    """``utils.kl`` of the mutant ``utils.kl.x_k1__mutmut_3``."""
    return name.rsplit(".", 1)[0]


def change(name: str) -> str:
    """What a mutant changes: the lines before, an arrow, the lines after."""
    show = ["mutmut", "show", name]
    diff = subprocess.run(show, cwd=ROOT, capture_output=True, text=True).stdout
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    old, new = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign))
        for sign in "-+"
    )
    return f"`{old}` → `{new}`"


def report(codes: dict[str, int | None], of: int) -> str:
    """The kill rate of each module, and the survivors."""
    tried = collections.Counter(map(module, codes))
    survivors = sorted(name for name, code in codes.items() if code not in KILLED)
    alive = collections.Counter(map(module, survivors))
    lines = [
        "# Mutation testing\n",
        f"`make mutate N={len(codes)}` on {datetime.date.today().isoformat()}: of {of} mutants of `utils/` "
        f"{len(codes)} were tried and {len(codes) - len(survivors)} killed, "
        f"{1 - len(survivors) / len(codes):.1%}; the goal is {GOAL:.0%}.\n",
        "| module | tried | killed |",
        "|---|--:|--:|",
        *[f"| {m} | {n} | {1 - alive[m] / n:.0%} |" for m, n in sorted(tried.items())],
        "\n## Survivors\n",
        *[f"- {name}: {change(name)}" for name in survivors],
    ]
    return "\n".join(lines) + "\n"


def main(sample: int) -> None:
    shutil.rmtree(ROOT / "mutants", ignore_errors=True)  # half of one would be believed
    run = ["mutmut", "run"]
    if sample:
        # The first mutant makes mutmut write all of them and learn which test calls what.
        subprocess.run(
            [*run, "utils.validate.x_require__mutmut_1"], cwd=ROOT, check=True
        )
        names = sorted(results())
        chosen = random.Random(0).sample(names, min(sample, len(names)))
    else:
        chosen = []
    subprocess.run([*run, *chosen], cwd=ROOT, check=True)
    codes = results()
    tried = {name: codes[name] for name in chosen or codes}
    REPORT.write_text(report(tried, len(codes)), "utf-8")
    rate = sum(code in KILLED for code in tried.values()) / len(tried)
    print(
        f"{rate:.1%} of {len(tried)} mutants killed, the goal is {GOAL:.0%}: {REPORT}"
    )
    sys.exit(rate < GOAL)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
