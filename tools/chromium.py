"""Where Chromium is, under any of its names: python tools/chromium.py

CHROME names another one: CHROME=/opt/chrome/chrome make test
"""

import os
import shutil
import sys
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
INSIDE = (  # where macOS and Windows keep it, beside what is on PATH
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    os.path.expandvars(r"%PROGRAMFILES%\Google\Chrome\Application\chrome.exe"),
    os.path.expandvars(r"%PROGRAMFILES(X86)%\Google\Chrome\Application\chrome.exe"),
    os.path.expandvars(r"%LOCALAPPDATA%\Google\Chrome\Application\chrome.exe"),
)
HOW = {
    "darwin": "brew install --cask chromium",
    "win32": "winget install Google.Chrome",
}


def find() -> str:
    """The path of the browser.

    Raises
    ------
    FileNotFoundError
        If there is none, or none where ``CHROME`` says.
    """
    asked = os.environ.get("CHROME")
    if asked:
        found = shutil.which(asked)
        if found is None:
            raise FileNotFoundError(f"CHROME={asked} is no program that can be run")
        return found
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    for path in INSIDE:
        if Path(path).is_file():
            return path
    how = HOW.get(sys.platform, "apt-get install chromium")
    raise FileNotFoundError(
        f"Chromium is needed and not there (looked for {', '.join(NAMES)}): {how},"
        " or say where it is by CHROME=/path/to/it"
    )


def require() -> str:
    """The same for a program: it ends with one sentence if there is none."""
    try:
        return find()
    except FileNotFoundError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    print(require())
