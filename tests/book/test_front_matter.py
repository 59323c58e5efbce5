"""The home page says what stands and what is planned, and the notation names no chapter that is not there."""

import re

from chapters import ROOT, all_chapters

HOME = (ROOT / "index.md").read_text("utf-8")


def planned() -> list[str]:
    rows = re.findall(
        r"^\| [A-Z]\w+ \| (.+) \|$", HOME.split("## What is planned")[1], re.M
    )
    return [title for row in rows for title in row.split(" · ")]


def test_the_home_page_counts_what_stands_and_what_is_planned():
    standing, of = map(
        int, re.search(r"\*\*(\d+) of (\d+) chapters\*\*", HOME).groups()
    )
    assert standing == len(all_chapters())
    assert of == standing + len(planned())


def test_what_is_planned_is_not_linked_and_does_not_stand():
    section = HOME.split("## What is planned")[1].split("\n## ")[0]
    assert "](" not in section
    assert "{doc}" not in section
    titles = {chapter.title.lower() for chapter in all_chapters()}
    assert not titles & {title.lower() for title in planned()}


def test_symbols_stand_in_one_table_only():
    text = (ROOT / "notation.md").read_text("utf-8")
    one, several = text.split("## Letters with several meanings")
    first = [
        re.split(r"(?<!\\)\|", row)[1]
        for row in one.splitlines()
        if row.startswith("| $")
    ]
    letters = [
        row.split("|")[1].strip()
        for row in several.splitlines()
        if row.startswith("| $")
    ]
    assert len(first) == len(set(first)) > 30
    assert len(letters) == len(set(letters)) > 20
