"""Mutation testing: plant small faults in utils/ and count how many the kernel tests notice."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOAL = 0.85


def main() -> None:
    subprocess.run(["mutmut", "run"], cwd=ROOT, check=True)
    subprocess.run(["mutmut", "export-cicd-stats"], cwd=ROOT, check=True)
    stats = json.loads((ROOT / "mutants" / "mutmut-cicd-stats.json").read_text("utf-8"))
    killed = stats["killed"] + stats["timeout"]
    rate = killed / (
        killed + stats["survived"] + stats["no_tests"] + stats["suspicious"]
    )
    print(
        f"{killed} of {stats['total']} mutants killed, {rate:.1%}; the goal is {GOAL:.0%}"
    )
    print("`mutmut results` lists the survivors, `mutmut show NAME` shows one")
    sys.exit(rate < GOAL)


if __name__ == "__main__":
    main()
