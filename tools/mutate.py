"""Mutation testing: plant small faults in utils/ and count how many the kernel tests notice.

python tools/mutate.py        every mutant, a matter of hours
python tools/mutate.py 1500   a random sample of so many, the same each time
"""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOAL = 0.85
KILLED = (1, 3, 24, -24, 36, 152, -9, -11)  # failed, out of time, crashed


def results() -> dict[str, int | None]:
    """Exit code of the tests under every mutant, None where they have not run."""
    metas = sorted((ROOT / "mutants" / "utils").rglob("*.meta"))
    found = [json.loads(meta.read_text("utf-8")) for meta in metas]
    return {name: code for f in found for name, code in f["exit_code_by_key"].items()}


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
    codes = {name: codes[name] for name in chosen or codes}
    killed = sum(code in KILLED for code in codes.values())
    survivors = sorted(name for name, code in codes.items() if code not in KILLED)
    for name in survivors:
        print("survived:", name)
    rate = killed / len(codes)
    print(
        f"{killed} of {len(codes)} mutants killed, {rate:.1%}; the goal is {GOAL:.0%}"
    )
    print("`mutmut show NAME` shows a survivor")
    sys.exit(rate < GOAL)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
