"""The PDF: two small pages are printed into one book, in which every link lands where it says."""

import pdf
import pikepdf
import pytest

PAGE = """<!doctype html><html lang="en"><body><article><section id="top"><h1>{title}</h1>{text}
<section id="again"><h2>Again</h2><p>{title} once more. <a href="#top">up</a></p></section>
<section id="exercises"><h2>Exercises</h2><p id="ask">Ask.</p>
<div class="solution" id="answer"><p>Answer to <a href="#ask">it</a>.</p></div><p>Other.</p></section>
</section></article></body></html>"""
NAMES = ["part/one", "part/two"]


@pytest.fixture(scope="module")
def small(browser, tmp_path_factory):
    """``small(links_of_one, **options)``: the book of two pages, and what the tool says of it."""

    def bound(links: str, **options):
        site = tmp_path_factory.mktemp("site")
        (site / "part").mkdir()
        for name, title, text in ((NAMES[0], "One", links), (NAMES[1], "Two", "")):
            page = PAGE.format(title=title, text=text)
            (site / f"{name}.html").write_text(page, "utf-8")
        target = site / "book.pdf"
        return target, pdf.bind(browser, site, NAMES, target, **options)

    return bound


@pytest.fixture(scope="module")
def book(small):
    links = """<p><a href="two.html#again">across</a> <a href="two.html">the other</a> <a href="#again">here</a>
      <a href="../api.html#x">not printed</a> <a href="https://example.org/">elsewhere</a></p>"""
    target, said = small(links)
    assert said.endswith("all land")
    with pikepdf.open(target) as opened:
        yield opened


def test_links_land_on_their_own_page(book):
    places = pdf.anchors(book)
    # the cover, the contents, one sheet for each page
    assert places["part/one--again"] == 2
    assert places["part/two--again"] == 3
    across = [
        str(note.Dest) for n, note in pdf.links(book) if n == 2 and "/Dest" in note
    ]
    assert across[:3] == ["/part/two--again", "/part/two", "/part/one--again"]
    addresses = [str(note.A.URI) for _, note in pdf.links(book) if "/A" in note]
    assert addresses == ["https://example.org/"]


def test_contents_and_bookmarks_reach_the_sections(book):
    listed = [str(note.Dest) for n, note in pdf.links(book) if n == 1]
    assert listed[:2] == ["/part/one", "/part/one--again"]
    assert listed[4:6] == ["/part/two", "/part/two--again"]
    assert b"(4) Tj" in book.pages[1].Contents[-1].read_bytes()
    with book.open_outline() as outline:
        marks = [(o.title, [c.title for c in o.children]) for o in outline.root]
    sections = ["Again", "Exercises", "Solutions"]
    assert marks == [("One", sections), ("Two", sections)]


def test_the_book_says_who_and_in_which_language_and_is_tagged(book):
    with book.open_metadata() as data:
        assert data["dc:rights"].startswith("© 2026 The authors")
        assert "CC BY 4.0" in data["dc:rights"]
        assert [*data["dc:language"]] == ["en"]
    assert book.docinfo["/Author"] == "The authors of Random Walks to Reasoning"
    assert book.Root.Lang == "en"
    assert book.Root.MarkInfo.Marked
    # every sheet and every link is in the tree of tags, under a key of its own
    tree = dict(pikepdf.NumberTree(book.Root.StructTreeRoot.ParentTree).items())
    keys = [int(sheet.StructParents) for sheet in book.pages]
    keys += [int(note.StructParent) for _, note in pdf.links(book)]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= set(tree)
    for sheet in book.pages:
        of = tree[int(sheet.StructParents)]
        elements = [e for e in of if isinstance(e, pikepdf.Dictionary) and "/Pg" in e]
        assert all(e.Pg.objgen == sheet.objgen for e in elements)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("two.html#nowhere", "part/two--nowhere is nowhere"),
        ("#nowhere", "part/one--nowhere"),
        ("http://localhost:8000/x", "http://localhost:8000/x leads to no web page"),
    ],
)
def test_a_link_that_leads_nowhere_stops_the_tool(small, link, said):
    with pytest.raises(ValueError, match="of the PDF do not land") as found:
        small(f'<p><a href="{link}">planted</a></p>')
    assert said in str(found.value)


def test_a_link_into_another_page_is_named(book):
    places = book.Root.Dests
    kept = places["/part/two--again"]
    places["/part/two--again"] = places["/part/one--again"]
    found = pdf.faults(book, NAMES, {"part/one--gone"})
    places["/part/two--again"] = kept
    assert "sheet 3: part/two--again leads to sheet 3" in found
    assert found[-1] == "the link to part/one--gone was lost"


def test_pages_about_the_making_are_not_printed():
    names = pdf.pages()
    assert {"index", "notation", "chapters/foundations/random_walks"} <= set(names)
    assert [n for n in names if n.startswith(("api", "verified", "sources"))] == []
