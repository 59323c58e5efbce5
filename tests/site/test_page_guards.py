"""The guards of the site: faults planted in a copy of a page are caught and named."""

import os
import re
import shutil

import page_rules
import pytest
from conftest import serve
from formulas import chtml

PAGE = "notation.html"


def inline(tex):
    """A formula as it stands in a page's text."""
    return f'<span class="math">{chtml(tex)}</span>'


@pytest.fixture
def planted(site, tmp_path, open_page):
    """``planted(text)``: the site with ``text`` added to a page, served; gives folder and opener."""
    servers = []

    def planted(text):
        copy = tmp_path / "site"
        shutil.copytree(site, copy, copy_function=os.symlink)
        page, html = copy / PAGE, (site / PAGE).read_text("utf-8")
        page.unlink()  # a new file: the old one is the site's own
        page.write_text(html.replace("</article>", f"{text}</article>"), "utf-8")
        servers.append(serve(copy))
        base = f"http://127.0.0.1:{servers[-1].server_port}/"
        return copy, lambda **options: open_page(PAGE, base=base, **options)

    yield planted
    for server in servers:
        server.shutdown()


def test_a_third_party_script_is_caught(planted):
    folder, opened = planted('<script src="https://cdn.example/widget.js"></script>')
    found = opened().found
    assert "request to another host: https://cdn.example/widget.js" in found
    refused = [f for f in found if "Content Security Policy" in f]
    assert refused[0].startswith("console: ")
    assert "https://cdn.example/widget.js" in refused[0]
    named = f"{PAGE}: <script> loads https://cdn.example/widget.js from another host"
    assert named in page_rules.links(folder)


def test_broken_links_are_caught(planted):
    links = ("no_such_page.html", "#no-such-anchor", "api/kl.html#utils.nothing")
    folder, _ = planted("".join(f'<a href="{link}">a link</a>' for link in links))
    assert page_rules.links(folder) == [
        f"{PAGE}: no_such_page.html leads nowhere",
        f"{PAGE}: #no-such-anchor has no such anchor",
        f"{PAGE}: api/kl.html#utils.nothing has no such anchor",
    ]


def test_a_heavy_page_is_caught(planted):
    folder, opened = planted('<img src="heavy.png" alt="a heavy picture">')
    (folder / "heavy.png").write_bytes(os.urandom(page_rules.ELSEWHERE[0]))
    (problem,) = page_rules.light(opened())
    assert re.fullmatch(r"it loads \d+ KB", problem)


def test_an_icon_that_brings_the_whole_font_is_caught(planted):
    _, opened = planted('<i class="fa-solid fa-dragon"></i>')
    (problem,) = page_rules.light(opened())
    assert "_ext/icons.py lacks one" in problem


def test_a_page_of_too_many_elements_is_caught(planted):
    _, opened = planted("<i></i>" * page_rules.ELSEWHERE[1])
    (problem,) = page_rules.light(opened())
    assert re.fullmatch(r"it has \d+ elements", problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '<div><div data-check="eq-a">(1.2) holds at 3 values</div></div>',
            "the check of eq-a has no code behind it",
        ),
        (
            '<div><div data-check="eq-a">eq-a holds</div>'
            '<details class="code-fold"><summary>code</summary><pre>1</pre></details></div>',
            "the check of eq-a does not say its equation's number: eq-a holds",
        ),
        (
            '<details class="code-fold" open><summary>code of the figure</summary></details>',
            "code is open from the start: code of the figure",
        ),
        (
            '<div class="cell_input"><pre>x = 1</pre></div>',
            "code stands open in the text: x = 1",
        ),
    ],
    ids=["no code", "a raw label", "open", "not folded"],
)
def test_evidence_in_the_way_of_the_text_is_caught(planted, text, problem):
    _, opened = planted(text)
    assert page_rules.evidence(opened()) == [problem]


def test_an_explorer_that_stays_dead_is_caught(planted, monkeypatch):
    monkeypatch.setattr(page_rules, "PATIENCE", 500)
    _, opened = planted(
        '<div data-explorer="no_such_explorer" style="height: 9px"></div>'
    )
    assert page_rules.explorers(opened()) == ["no_such_explorer does not come alive"]


def test_a_page_wider_than_a_phone_is_caught(planted):
    _, opened = planted('<div style="width: 500px">wide</div>')
    (problem,) = page_rules.overflow(opened(width=390))
    assert "px wide in a window of 390 px" in problem
    assert "width: 500px" in problem


def test_a_formula_cut_off_on_a_phone_is_caught(planted):
    _, opened = planted(f"<p>text {inline('+ x' * 60)}</p>")
    page = opened(width=390)
    assert page_rules.overflow(page) == [], "it scrolls in a box of its own"
    page.evaluate("document.querySelector('.math[tabindex]').style.overflow = 'hidden'")
    (problem,) = page_rules.overflow(page)
    assert "this is cut off and does not scroll: " in problem


def test_four_displays_that_scroll_are_caught(planted):
    wide = '<div class="math"><span style="flex: none; width: 900px">x</span></div>'
    _, opened = planted(3 * wide + '<div class="math" id="fourth">x</div>')
    page = opened(width=390)
    assert page_rules.displays(page) == []
    page.evaluate("document.querySelector('#fourth').style.paddingLeft = '900px'")
    (problem,) = page_rules.displays(page)
    assert problem.startswith("4 displays scroll: ")


def test_what_scrolls_without_showing_it_is_caught(planted):
    wide = '<div style="width: 900px">wide</div>'
    _, opened = planted(f'<div id="bare" style="overflow-x: auto">{wide}</div>')
    (problem,) = page_rules.fading(opened(width=390))
    assert 'this scrolls and does not show it: <div id="bare"' in problem


def test_a_formula_is_set_smaller_to_fit_a_phone(planted):
    _, opened = planted(
        "".join(
            f'<div class="math" style="--w: {n}"><mjx-container jax="CHTML">'
            f'<span style="display: inline-block; width: {n}em">x</span></mjx-container></div>'
            for n in (10, 20, 40)
        )
    )
    page = opened(width=390)
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("article > .math")].map(
          e => [parseFloat(getComputedStyle(e.firstChild).fontSize), e.scrollWidth > e.clientWidth])"""
    )
    (full, _), (smaller, scrolls), (smallest, too_wide) = sizes
    assert not scrolls
    assert too_wide
    assert full > smaller > smallest
    assert smallest == pytest.approx(0.67 * full, rel=0.01)


def test_a_line_that_begins_with_a_full_stop_is_caught(planted):
    formula = inline("x + y")
    _, opened = planted(f'<p style="width: min-content">{formula}.</p>')
    (problem,) = page_rules.punctuation(opened(width=390))
    assert "a line begins with the punctuation of " in problem


def test_what_only_the_mouse_can_scroll_is_caught(planted):
    _, opened = planted(f'<div class="math">{"wide_" * 200}</div>')
    page = opened(width=390)
    assert page_rules.overflow(page) == []
    page.evaluate("document.querySelector('[tabindex].math').tabIndex = -1")
    (problem,) = page_rules.overflow(page)
    assert "the keyboard cannot scroll this: wide_" in problem


def test_an_equation_wider_than_the_column_is_caught(planted):
    wide = '<span style="flex: none; display: block; width: 2000px">wide formula</span>'
    _, opened = planted(f'<div class="math">{wide}</div>')
    (problem,) = page_rules.column(opened())
    assert "wide formula" in problem


def test_a_check_without_a_mark_is_caught(planted):
    _, opened = planted('<div class="check" data-check="eq-planted">planted</div>')
    assert page_rules.marks(opened())


def test_a_script_error_is_caught(planted):
    _, opened = planted("<script>throw new Error('planted')</script>")
    assert any("planted" in problem for problem in opened().found)


def test_a_formula_that_is_not_set_is_caught(planted):
    _, opened = planted('<p class="math">x + y</p>')
    (problem,) = page_rules.equations(opened())
    assert problem == "formula is not set: x + y"


def test_a_formula_left_as_tex_is_caught(planted):
    _, opened = planted(r"<p>estimates in $\chi^2$ tests</p>")
    assert any("raw TeX" in problem for problem in page_rules.equations(opened()))


def test_a_picture_without_words_is_caught(planted):
    _, opened = planted('<img src="_static/logo.svg" alt="">')
    assert any("no alt text" in problem for problem in page_rules.pictures(opened()))


@pytest.mark.parametrize(
    "style", ["color: #ccc; background: #fff", "color: #333"], ids=["light", "dark"]
)
def test_unreadable_contrast_is_caught(planted, style):
    _, opened = planted(f'<p style="{style}">hard to read</p>')
    (problem,) = page_rules.accessibility(opened())[:1]
    assert "color-contrast" in problem
    assert "hard to read" in problem
