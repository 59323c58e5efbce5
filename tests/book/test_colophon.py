"""Authors, licences, citations, the cover, and what a site offers."""

import io

import cover
import pytest
import yaml
from colophon import AUTHORS, PARTS, TEXTS, TITLE, YEAR, bibtex, licence_text
from folded_search import folded
from offer import PLACE, offer
from PIL import Image
from sphinx.errors import ExtensionError

import chapters


def test_citation_file_and_configuration_say_the_same():
    cited = yaml.safe_load((chapters.ROOT / "CITATION.cff").read_text("utf-8"))
    config = yaml.safe_load((chapters.ROOT / "_config.yml").read_text("utf-8"))
    assert config["title"] == TITLE
    assert cited["title"].startswith(TITLE)
    assert cited["authors"] == [{"name": AUTHORS}]
    assert config["author"] == AUTHORS
    assert config["copyright"] == YEAR
    assert config["sphinx"]["config"]["release"] == cited["version"]


def test_the_words_of_every_licence_are_there():
    assert {part.licence for part in PARTS} == set(TEXTS)
    for licence in TEXTS:
        assert 1000 < len(licence_text(licence)) < 11_000
    assert "SIL" in licence_text("OFL-1.1")
    assert "Version 2.0" in licence_text("Apache-2.0")


def test_a_licence_that_is_gone_is_named(monkeypatch):
    monkeypatch.setitem(TEXTS, "MIT", ("sphinx-exercise", "NOTHING", "", ""))
    with pytest.raises(ExtensionError, match="has no NOTHING with the text of MIT"):
        licence_text("MIT")


def test_a_chapter_is_cited_with_its_book_and_address():
    entry = bibtex("walks_2026", "Walks", "https://host.example/walks.html")
    assert entry.startswith("@incollection{walks_2026,\n")
    assert "  title = {Walks},\n" in entry
    assert f"  booktitle = {{{TITLE}: executable notes}},\n" in entry
    assert "  url = {https://host.example/walks.html},\n}" in entry
    book = bibtex("book_2026")
    assert book.startswith("@book{book_2026,\n")
    assert "url" not in book


def test_the_cover_is_the_same_each_time():
    picture = Image.open(io.BytesIO(cover.cover()))
    assert picture.size == (1200, 1700)
    assert cover.cover() == cover.cover()


@pytest.mark.parametrize(
    ("word", "bare"),
    [("Pólya", "Polya"), ("Hyvärinen", "Hyvarinen"), ("Itô", "Ito"), ("Łoś", "Los")],
)
def test_search_words_lose_their_accents(word, bare):
    assert folded(word) == bare


def test_a_site_offers_only_what_lies_beside_it(tmp_path):
    site, file = tmp_path / "site", tmp_path / "book.pdf"
    file.write_bytes(b"x" * 2_000_000)
    offer(file, site=site)  # there is no site: nothing to do
    site.mkdir()
    home = site / "index.html"
    home.write_text(f"<p>before</p>{PLACE}<p>after</p>")
    for said in ("9 pages", "10 pages"):
        offer(file, said, site)
    line = '<p class="download"><a href="book.pdf">The book as PDF</a> (10 pages, 2.0 MB)</p>'
    assert home.read_text() == f"<p>before</p>{line}\n{PLACE}<p>after</p>"
    assert (site / "book.pdf").stat().st_size == 2_000_000
    home.write_text("no place")
    with pytest.raises(ValueError, match="has no <!-- downloads -->"):
        offer(file, site=site)
