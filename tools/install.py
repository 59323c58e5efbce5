"""Make the book's environment, .venv, with the Python that runs this.

python tools/install.py read    what it takes to read, run and build the book
python tools/install.py dev     also what it takes to test and write it

An environment that another Python made is made anew. Any Python 3 can run this file, to be told in one sentence
which one the book needs.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
WINDOWS = sys.platform == "win32"
BIN = VENV / ("Scripts" if WINDOWS else "bin")
PYTHON = BIN / ("python.exe" if WINDOWS else "python")
# what each environment installs; the last file is given to pip
FILES = {
    "read": ("pyproject.toml", "constraints.txt", "requirements.txt"),
    "dev": (
        "pyproject.toml",
        "constraints.txt",
        "requirements.txt",
        "requirements-dev.txt",
    ),
}


def supported() -> tuple:
    """The first Python that the pins support, and the first one that they do not, as tuples of numbers."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^requires-python = ">=([\d.]+),<([\d.]+)"$', text, re.MULTILINE)
    first, beyond = (tuple(map(int, v.split("."))) for v in found.groups())
    return first, beyond


def range_in_words() -> str:
    """``3.11 to 3.14``."""
    first, beyond = supported()
    return "{}.{} to {}.{}".format(*first, beyond[0], beyond[1] - 1)


def refuse_other_pythons(version: tuple = sys.version_info[:3]) -> None:
    first, beyond = supported()
    if not first <= version < beyond:
        way = "py -3.12 tools book" if WINDOWS else "make PYTHON=python3.12 book"
        sys.exit(
            f"The book needs Python {range_in_words()}; '{sys.executable}' is"
            f" {'.'.join(map(str, version))}. Try another: {way}"
        )


def identity() -> str:
    """What an environment stands and falls with: its Python, and its place."""
    return f"{sys.base_prefix} {sys.version} {VENV.resolve()}"


def current(level: str) -> bool:
    """Whether the environment has what its files ask for."""
    stamp = VENV / level
    return stamp.exists() and all(
        (ROOT / name).stat().st_mtime <= stamp.stat().st_mtime for name in FILES[level]
    )


def run(*command: str) -> None:
    if subprocess.call(command, cwd=str(ROOT)):
        sys.exit("The installation failed; the reason stands above.")


def main(level: str) -> None:
    refuse_other_pythons()
    made = VENV / "made"
    if not made.exists() or made.read_text(encoding="utf-8") != identity():
        if VENV.exists():
            print("The .venv here is of another Python or not whole: it is made anew")
        python = getattr(sys, "_base_executable", sys.executable)
        run(python, "-m", "venv", "--clear", str(VENV))
        made.write_text(identity(), encoding="utf-8")
    if not current(level):
        print(
            f"Installing {FILES[level][-1]} into .venv: some minutes, up to 2 GB",
            flush=True,
        )
        pip = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        run(*pip, "-r", FILES[level][-1])
        for stamp in ("read", level):
            (VENV / stamp).touch()


if __name__ == "__main__":
    main(*sys.argv[1:])
