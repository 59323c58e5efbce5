"""A book of the home page and one chapter, built from the real sources: what they say of other pages leads nowhere."""

import os
import shutil
import subprocess
import sys

from conftest import ROOT

CONTENTS = """format: jb-book
root: index
chapters:
  - file: chapters/foundations/random_walks
  - file: licences
"""
FILES = (
    "_config.yml",
    "references.bib",
    "index.md",
    "glossary.md",
    "licences.md",
    "LICENSE",
)
FOLDERS = ("_ext", "_static", "_templates", "chapters", "utils")


def build(folder, *options, **environment) -> subprocess.CompletedProcess:
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    (folder / "_toc.yml").write_text(CONTENTS)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name)
    jupyter_book = os.path.join(os.path.dirname(sys.executable), "jupyter-book")
    return subprocess.run(
        [jupyter_book, "build", ".", "-q", *options],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
