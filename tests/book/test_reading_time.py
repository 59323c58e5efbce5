"""Reading time: words, displayed formulas and figures, rounded up to five minutes."""

import json

import pytest
from reading_time import minutes
from report import sentence

from chapters import Chapter, all_chapters


@pytest.mark.parametrize(
    ("words", "formulas", "want"),
    [(1000, 0, 5), (1001, 0, 10), (1000, 20, 10), (1000, 21, 15)],
)
def test_time_is_counted_and_rounded_up(tmp_path, words, formulas, want):
    text = "word " * words + "$$ x + y + z $$ " * formulas
    cell = {"cell_type": "markdown", "source": text, "metadata": {}}
    path = tmp_path / "short.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}}), encoding="utf-8")
    assert minutes(Chapter(path, tmp_path)) == want


def test_no_chapter_takes_an_hour():
    assert all(15 <= minutes(chapter) <= 60 for chapter in all_chapters())


def test_a_mistake_is_reported_with_its_commit():
    text = sentence("https://git.example/a/b", "0123abcdef")
    assert "(https://git.example/a/b/issues/new?title=Mistake" in text
    assert "0123abcdef" in text.split("issues/new?")[1].split(")")[0]
    assert "https" not in sentence("", "")
