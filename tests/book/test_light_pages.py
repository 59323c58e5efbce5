"""What makes a page light: code with few colours, icons in a small font."""

import re
from html import unescape
from types import SimpleNamespace

import code_colours
import icons
import pytest
from fontTools.ttLib import TTFont
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.errors import ExtensionError

CODE = '''def step(x, n=3):
    """Two lines
    of words."""
    return np.where(x is None, -1, x.sum(0) + n)  # a remark
'''


def spans(html):
    return re.findall(r'<span class="(\w+)">([^<]*)</span>', html)


def test_code_keeps_its_words_and_few_spans():
    html = highlight(CODE, PythonLexer(), code_colours.Formatter())
    plain = highlight(CODE, PythonLexer(), HtmlFormatter())
    assert unescape(re.sub("<[^>]+>", "", html)).strip() == CODE.strip()
    assert len(spans(html)) < len(spans(plain)) / 3
    told = {(kind, unescape(text).strip()) for kind, text in spans(html)}
    assert {("k", "def"), ("nf", "step"), ("k", "return"), ("m", "3")} <= told
    assert {
        ("k", "is None"),
        ("c", "# a remark"),
        ("s", 'of words."""'),
    } <= told
    assert not {"n", "p", "o", "w"} & {kind for kind, _ in told}


def test_the_small_font_has_the_icons_in_use(tmp_path):
    sheets = []
    icons.write_icons(
        SimpleNamespace(
            builder=SimpleNamespace(name="html"),
            outdir=tmp_path,
            add_css_file=sheets.append,
        )
    )
    assert sheets == [icons.SHEET]
    font = tmp_path / "_static/icons/icons.woff"
    assert font.stat().st_size < 10_000
    bars, bell = 0xF0C9, 0xF0F3  # the menu, and the mark of a proof
    assert {bars, bell} <= set(TTFont(font).getBestCmap())


def test_an_icon_that_the_theme_does_not_have_is_named(monkeypatch):
    monkeypatch.setattr(icons, "NAMES", ["bars", "dodo"])
    with pytest.raises(ExtensionError, match="no icon 'dodo'"):
        icons.codes()
