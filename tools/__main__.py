"""The commands of the book, for `make` and for systems that have none: python tools book

Settings are given as to make: python tools execute CH=random_walks
"""

import os
import re
import subprocess
import sys

import chromium
import install

ROOT, TOOLS = install.ROOT, install.ROOT / "tools"
SETTINGS = ("REPO", "CH", "N", "PORT", "PARTS")
# what a command needs: an environment, and whether a browser
NEEDS = {
    "book": ("read", False),
    "serve": ("read", False),
    "lab": ("read", False),
    "execute": ("read", False),
    "test": ("dev", True),
    "test-cpus": ("dev", False),
    "mutate": ("dev", False),
    "bench": ("dev", True),
    "epub": ("read", False),
    "pdf": ("dev", True),
    "lint": ("dev", False),
}


def steps(name: str, settings: dict) -> list:
    """The programs that a command runs one after another, scripts of this folder or of .venv."""
    chapter, as_built = settings["CH"].split(), ["build.py", "as-built"]
    root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    return {
        "book": [["build.py"]],
        "serve": [as_built, ["serve.py", settings["PORT"] or "8000"]],
        "lab": [["jupyter", "lab", *root, "chapters"]],
        "execute": [["notebooks.py", "execute", *chapter]],
        "test": [["run_tests.py", *chapter]],
        "test-cpus": [["processors.py", *chapter]],
        "mutate": [["mutate.py", *settings["N"].split()]],
        "bench": [as_built, ["../benchmarks/run.py"]],
        "epub": [["build.py", "epub"]],
        "pdf": [as_built, ["pdf.py"]],
        "lint": [
            ["ruff", "check", "-q", "."],
            ["ruff", "format", "-q", "--check", "."],
            ["codespell"],
        ],
    }[name]


def program(first: str, *rest: str) -> list:
    script = [sys.executable, str(TOOLS / first)]
    return [*(script if first.endswith(".py") else [str(install.BIN / first)]), *rest]


def help_text() -> str:
    """What the Makefile says of each command."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    said = dict(re.findall(r"^([a-z-]+):.*?## (.*)", text, re.MULTILINE))
    lines = [f"  {name:10} {said[name]}" for name in NEEDS]
    return "\n".join([__doc__.strip(), "", *lines])


def main(arguments: list) -> int:
    install.refuse_other_pythons()
    names = [word for word in arguments if "=" not in word]
    given = dict(word.split("=", 1) for word in arguments if "=" in word)
    if names in ([], ["help"], ["--help"], ["-h"]):
        print(help_text())
        return 0
    if len(names) > 1 or names[0] not in NEEDS or set(given) - set(SETTINGS):
        sys.exit(
            f"no command {' '.join(arguments)!r}; there are {', '.join(NEEDS)},"
            f" with the settings {', '.join(SETTINGS)}"
        )
    name, settings = names[0], {k: os.environ.get(k, "") for k in SETTINGS} | given
    environment, browser = NEEDS[name]
    if browser:
        chromium.require()
    if os.path.realpath(sys.prefix) != os.path.realpath(install.VENV):
        install.main(environment)
        return subprocess.call([str(install.PYTHON), str(TOOLS), *arguments])
    os.environ["PATH"] = os.pathsep.join([str(install.BIN), os.environ.get("PATH", "")])
    os.environ["PARTS"] = settings["PARTS"]
    if settings["REPO"]:
        os.environ["BOOK_REPO"] = settings["REPO"]
    os.chdir(str(ROOT))
    for step in steps(name, settings):
        try:
            code = subprocess.call(program(*step))
        except KeyboardInterrupt:
            return 130
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
