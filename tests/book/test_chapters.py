"""Every chapter keeps the page contract, and the book's pages name every chapter."""

import json
import subprocess
import sys

import chapter_rules
import pytest

from chapters import ROOT, all_chapters

BOOK = all_chapters()


@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.slug)
def test_chapter_keeps_the_contract(chapter):
    assert chapter_rules.problems(chapter) == []


def test_every_notebook_is_in_the_table_of_contents():
    listed = {chapter.path for chapter in BOOK}
    found = {
        p
        for p in (ROOT / "chapters").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in p.parts
    }
    assert found == listed
    assert BOOK, "the book has no chapter"


def test_sources_name_every_chapter():
    sources = (ROOT / "sources.md").read_text(encoding="utf-8")
    assert [c.slug for c in BOOK if f"{{doc}}`{c.docname}`" not in sources] == []


def test_no_path_of_a_machine_is_stored():
    stored = {c.slug: json.dumps(c.notebook) for c in BOOK}
    assert [
        slug for slug, text in stored.items() if str(ROOT) in text or "/home/" in text
    ] == []


def test_unknown_slug_gives_one_clear_sentence():
    tool = ROOT / "tools" / "notebooks.py"
    done = subprocess.run(
        [sys.executable, tool, "execute", "no_such_chapter"],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "no chapter 'no_such_chapter'" in done.stderr
    assert "Traceback" not in done.stderr


def test_normalising_twice_changes_nothing(tmp_path):
    copy = tmp_path / "copy.ipynb"
    copy.write_text(BOOK[0].path.read_text(encoding="utf-8"), encoding="utf-8")
    tool = ROOT / "tools" / "notebooks.py"
    done = subprocess.run(
        [sys.executable, tool, "normalise", copy], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
