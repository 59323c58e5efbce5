"""Build the site: one build at a time, and one clear sentence where the disk or its rights are in the way.

python tools/build.py [options of jupyter-book ...]
"""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
COMMAND = ["jupyter-book", "build", ".", "-W", "-n", "--keep-going", "--all", "-q"]


def main(options: list[str]) -> None:
    site = BUILD / ("epub" if "epub" in options else "html")
    try:
        BUILD.mkdir(exist_ok=True)
        lock = (BUILD / ".lock").open("w")
    except OSError as error:
        sys.exit(
            f"Cannot write to {BUILD}: {error.strerror}. Build in a copy you may write to."
        )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another build is running here: waiting for it to end", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    shutil.rmtree(site, ignore_errors=True)
    bin_folder = Path(sys.executable).parent
    done = subprocess.run(
        [str(bin_folder / COMMAND[0]), *COMMAND[1:], *options],
        cwd=ROOT,
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


if __name__ == "__main__":
    main(sys.argv[1:])
