"""The notebook that a page offers for download is its plain copy, numbered as the page is."""

import html
import json
import re

import pytest
from test_plain_notebooks import RAW, texts

from chapters import all_chapters, find


@pytest.mark.parametrize("chapter", all_chapters(), ids=lambda chapter: chapter.slug)
def test_the_download_is_a_plain_copy_with_the_numbers_of_the_page(site, chapter):
    page = (site / f"{chapter.docname}.html").read_text("utf-8")
    (href,) = re.findall(r'<a href="([^"]*_sources/[^"]*)"', page)
    file = (site / f"{chapter.docname}.html").parent / href
    text = "\n\n".join(texts(json.loads(file.read_text("utf-8"))))
    assert not RAW.search(text)
    shown = re.findall(r'<span class="eqno">\(([\d.]+)\)', page)
    assert re.findall(r"\\tag\{([\d.]+), ", text) == shown
    assert len(shown) == len(chapter.equations)
    captions = re.findall(r'<span class="caption-number">Fig\. ([\d.]+)\s', page)
    assert re.findall(r"^\*\*Fig\. ([\d.]+)\*\*", text, re.MULTILINE) == captions
    exercises = re.findall(r'caption-number">Exercise ([\d.]+)\s', page)
    assert re.findall(r"^\*\*Exercise ([\d.]+)\*\*", text, re.MULTILINE) == exercises
    assert len(exercises) == len(chapter.exercises)


def test_without_an_address_nothing_is_installed(site):
    file = site / "_sources" / f"{find('poisson_processes').docname}.ipynb"
    assert "%pip" not in html.unescape(file.read_text("utf-8"))
