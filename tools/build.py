"""Build the site: one build at a time, and one clear sentence where the disk or its rights are in the way.

python tools/build.py            the site, if anything of it has changed: a source, or an address it is given
python tools/build.py as-built   the same, but an address that is not given stays what it was
python tools/build.py epub       the book as an EPUB

Addresses are given in the environment: BOOK_REPO, BOOK_URL, BOOK_BRANCH.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from offer import offer

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows: whoever builds twice at once has to wait himself
    flock = None

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
BUILT = BUILD / "html" / ".built"  # when and with what addresses
COMMAND = ["jupyter-book", "build", ".", "-W", "-n", "--keep-going", "--all", "-q"]
ADDRESSES = ("BOOK_REPO", "BOOK_URL", "BOOK_BRANCH")
FOLDERS = ("api", "chapters", "utils", "_ext", "_static", "_templates")


def addresses(as_built: bool) -> dict[str, str]:
    """The addresses that the site is to have."""
    given = {name: os.environ.get(name, "") for name in ADDRESSES}
    if not as_built:
        return given
    return {name: value or built().get(name, "") for name, value in given.items()}


def built() -> dict[str, str]:
    """The addresses that the site has; empty if there is none."""
    try:
        return dict(json.loads(BUILT.read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def sources() -> list[Path]:
    """Everything that the site is made of."""
    found = [p for name in FOLDERS for p in (ROOT / name).rglob("*") if p.is_file()]
    found = [
        path
        for path in found
        if path.suffix not in (".pyc", ".tmp")
        and ".ipynb_checkpoints" not in path.parts
    ]
    top = [path for kind in ("*.md", "*.yml", "*.bib") for path in ROOT.glob(kind)]
    pins = [path for path in [ROOT / ".venv" / "read"] if path.exists()]
    return found + top + pins


def current(wanted: dict[str, str]) -> bool:
    """Whether the site is the one that a build would give."""
    if built() != wanted:
        return False
    since = BUILT.stat().st_mtime
    return all(path.stat().st_mtime <= since for path in sources())


def one_at_a_time():
    """Wait for a build that goes on here; what is returned keeps others waiting while it lives."""
    try:
        BUILD.mkdir(exist_ok=True)
        lock = (BUILD / ".lock").open("w")
    except OSError as error:
        sys.exit(
            f"Cannot write to {BUILD}: {error.strerror}. Build in a copy you may write to."
        )
    if flock is None:
        return lock
    try:
        flock(lock, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        print("Another build is running here: waiting for it to end", flush=True)
        flock(lock, LOCK_EX)
    return lock


def jupyter_book(site: Path, wanted: dict[str, str], *options: str) -> None:
    """Run it on an empty folder, and end with its reason if it fails."""
    shutil.rmtree(site, ignore_errors=True)
    program = shutil.which(COMMAND[0], path=str(Path(sys.executable).parent))
    done = subprocess.run(
        [program or COMMAND[0], *COMMAND[1:], *options],
        cwd=ROOT,
        env=os.environ | wanted,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    sys.stderr.write(done.stderr)
    if "No space left on device" in done.stderr:
        free = shutil.disk_usage(BUILD).free / 1e6
        sys.exit(
            f"The disk is full, {free:.0f} MB are free: make room and build again."
        )
    if done.returncode:
        sys.exit("The build failed; the reason stands above.")


def main(what: str = "site") -> None:
    wanted = addresses(as_built=what == "as-built")
    if what == "epub":
        folder = BUILD / "epub"
        with one_at_a_time():
            jupyter_book(
                folder, wanted, "--builder", "custom", "--custom-builder", "epub"
            )
        (book,) = folder.glob("*.epub")
        offer(book)
        print(f"The book is in {book.relative_to(ROOT)}")
        return
    if not current(wanted):
        with one_at_a_time():
            if not current(wanted):  # whoever was waited for may have built it
                start = time.time()
                jupyter_book(BUILT.parent, wanted)
                BUILT.write_text(json.dumps(wanted), "utf-8")
                os.utime(BUILT, (start, start))  # what changed since is not in it
    if what == "site":
        page = BUILT.with_name("index.html").relative_to(ROOT)
        print(f"The book is in {page}; 'make serve' shows it")


if __name__ == "__main__":
    main(*sys.argv[1:])
