"""Launch, edit and issue links appear when the build is given an address, and only then."""

import re
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from repository import link_repository
from small_book import build
from sphinx.errors import ExtensionError

PAGE = "_build/html/chapters/foundations/random_walks.html"
REPOSITORY = "https://github.com/somebody/book"
ADDRESS = "https://pages.example/book/"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of a small book built with both addresses."""
    folder = tmp_path_factory.mktemp("book")
    done = build(folder, BOOK_REPO=REPOSITORY, BOOK_URL=ADDRESS, BOOK_COPIES="copies")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_links_point_to_the_repository_given(published):
    html = (published / PAGE).read_text(encoding="utf-8")
    notebook = "chapters/foundations/random_walks.ipynb"
    assert f"{REPOSITORY}/edit/main/{notebook}" in html
    assert f"{REPOSITORY}/issues/new" in html
    for launcher in ("https://mybinder.org", "https://colab.research.google.com"):
        assert launcher in html
    assert f"github/somebody/book/blob/copies/{notebook}" in html
    copy = (published / "_build/html/_sources" / notebook).read_text(encoding="utf-8")
    assert f'%pip install -q \\"git+{REPOSITORY}\\"' in copy
    assert f"({ADDRESS}chapters/foundations/random_walks.html)" in copy


@pytest.mark.parametrize(
    ("page", "picture"),
    [(PAGE, "posters/random_walks.png"), ("_build/html/index.html", "home.png")],
)
def test_every_page_has_a_card(published, page, picture):
    html = (published / page).read_text(encoding="utf-8")
    assert f'property="og:image" content="{ADDRESS}_static/{picture}"' in html
    assert 'name="twitter:card" content="summary_large_image"' in html


def test_a_known_address_is_cited_and_mapped(published):
    site = published / "_build/html"
    html = (published / PAGE).read_text(encoding="utf-8")
    assert f"url = {{{ADDRESS}chapters/foundations/random_walks.html}}" in html
    assert '<base href="/book/">' in (site / "404.html").read_text("utf-8")
    assert f"Sitemap: {ADDRESS}sitemap.xml" in (site / "robots.txt").read_text()
    found = ElementTree.parse(site / "sitemap.xml").iter()
    addresses = {e.text for e in found if e.tag.endswith("loc")}
    assert addresses == {
        f"{ADDRESS}{name}.html"
        for name in ("index", "chapters/foundations/random_walks", "licences")
    }


@pytest.mark.parametrize("address", ["somebody/book", "http://git.example/a/b"])
def test_an_address_of_another_form_is_refused(monkeypatch, address):
    monkeypatch.setenv("BOOK_REPO", address)
    message = f"REPO must look like https://host/owner/name, got '{address}'"
    with pytest.raises(ExtensionError, match=re.escape(message)):
        link_repository(None, SimpleNamespace(html_baseurl=""))
