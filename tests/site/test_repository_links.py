"""Launch, edit and issue links appear when the build is given an address, and only then."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from repository import link_repository
from sphinx.errors import ExtensionError

PAGE = "_build/html/chapters/foundations/random_walks.html"
REPOSITORY = "https://github.com/somebody/book"


CONTENTS = """format: jb-book
root: index
chapters:
  - file: chapters/foundations/random_walks
"""


def build(folder, **environment) -> subprocess.CompletedProcess:
    """Build the home page and one chapter; what they say of other pages leads nowhere here."""
    for name in ("_config.yml", "references.bib", "index.md", "glossary.md"):
        shutil.copy(ROOT / name, folder)
    (folder / "_toc.yml").write_text(CONTENTS)
    for name in ("_ext", "_static", "_templates", "chapters", "utils"):
        shutil.copytree(ROOT / name, folder / name)
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    return subprocess.run(
        [jupyter_book, "build", ".", "-q"],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def test_links_point_to_the_repository_given(tmp_path):
    done = build(
        tmp_path,
        BOOK_REPO=REPOSITORY,
        BOOK_URL="https://pages.example/book/",
        BOOK_COPIES="copies",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    html = (tmp_path / PAGE).read_text(encoding="utf-8")
    notebook = "chapters/foundations/random_walks.ipynb"
    assert f"{REPOSITORY}/edit/main/{notebook}" in html
    assert f"{REPOSITORY}/issues/new" in html
    for launcher in ("https://mybinder.org", "https://colab.research.google.com"):
        assert launcher in html
    assert f"github/somebody/book/blob/copies/{notebook}" in html
    copy = (tmp_path / "_build/html/_sources" / notebook).read_text(encoding="utf-8")
    assert f'%pip install -q \\"git+{REPOSITORY}\\"' in copy
    assert "(https://pages.example/book/chapters/foundations/random_walks.html)" in copy
    poster = "https://pages.example/book/_static/posters/random_walks.png"
    assert f'property="og:image" content="{poster}"' in html


@pytest.mark.parametrize("address", ["somebody/book", "http://git.example/a/b"])
def test_an_address_of_another_form_is_refused(monkeypatch, address):
    monkeypatch.setenv("BOOK_REPO", address)
    message = f"REPO must look like https://host/owner/name, got '{address}'"
    with pytest.raises(ExtensionError, match=re.escape(message)):
        link_repository(None, SimpleNamespace(html_baseurl=""))
