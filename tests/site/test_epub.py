"""The EPUB of a small book, as an e-reader opens it."""

import re
import zipfile
from xml.etree import ElementTree

import pytest
from small_book import build

CHAPTER = "chapters/foundations/random_walks.xhtml"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The files of the book by name."""
    folder = tmp_path_factory.mktemp("book")
    done = build(folder, "--builder", "custom", "--custom-builder", "epub")
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (folder / "_build/epub").glob("*.epub")
    with zipfile.ZipFile(path) as opened:
        assert opened.namelist()[0] == "mimetype"
        return {name: opened.read(name) for name in opened.namelist()}


def test_every_page_is_well_formed_and_there_is_none_for_wrong_addresses(book):
    pages = [name for name in book if name.endswith((".xhtml", ".opf", ".ncx"))]
    for name in pages:
        ElementTree.fromstring(book[name])
    assert "404.xhtml" not in pages


def test_contents_name_every_page(book):
    nav = book["nav.xhtml"].decode()
    leads = re.findall(r'<a href="([^"#]+)"', nav)
    assert leads[:3] == ["index.xhtml", CHAPTER, "licences.xhtml"]


def test_it_says_who_made_it_under_which_licence(book):
    opf = book["content.opf"].decode()
    said = dict(re.findall(r"<dc:(\w+)[^>]*>(.*?)</dc:", opf))
    assert said["creator"] == "The authors of Random Walks to Reasoning"
    assert said["rights"].startswith("© 2026 The authors")
    assert "CC BY 4.0" in said["rights"]
    assert said["language"] == "en"
    assert "unknown" not in said.values()


def test_its_cover_is_a_picture(book):
    opf = book["content.opf"].decode()
    assert 'href="_static/cover.png" properties="cover-image"' in opf
    assert book["_static/cover.png"].startswith(b"\x89PNG")


def test_nothing_is_folded_that_a_reader_could_not_open(book):
    chapter = book[CHAPTER].decode()
    assert "<details" not in chapter
    assert "check.equal" in re.sub(r"<[^>]+>", "", chapter)
    assert "Show code" not in chapter
    assert "Hide code" not in chapter


def test_solutions_stand_at_the_end_with_links_there_and_back(book):
    text, solutions = book[CHAPTER].decode().split('<section id="solutions">')
    assert "<h2>Solutions</h2>" in solutions
    assert "Solution to" not in text
    there = re.findall(
        r'<p><a class="reference internal" href="#([^"]+)">Solution<', text
    )
    back = re.findall(
        r'Solution to<a class="reference internal" href="#(ex-[^"]+)"', solutions
    )
    assert len(there) == len(back) >= 3
    assert all(f'id="{anchor}"' in solutions for anchor in there)
    assert all(f'id="{anchor}"' in text for anchor in back)
