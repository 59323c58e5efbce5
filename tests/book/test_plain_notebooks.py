"""The plain copy of a chapter: nothing in it needs the book to be understood."""

import re
from functools import cache
from itertools import pairwise

import nbformat
import plain_notebooks
import pytest
from docutils.nodes import make_id
from plain_notebooks import Book, Copy
from pybtex.database import parse_file
from sphinx.errors import ExtensionError

from chapters import ROOT, Chapter, all_chapters, find, source

SITE = "https://pages.example/book/"
CHAPTERS = all_chapters()
# what a reader without MyST would see as it stands
RAW = re.compile(
    r"\{[a-z:-]+\}`|^:{3,}|^`{3,}\{|\b(?:eq|def|ex|fig|thm)-[a-z]+_|^\([\w-]+\)=", re.M
)


def book(**more) -> Book:
    """As the site would number it, nearly: what carries a label counts up through the chapter."""
    numbers, figures = {}, {}
    for part, chapter in enumerate(CHAPTERS, start=1):
        labels = [label for label, _ in chapter.equations]
        labels += re.findall(r"^:label: (\S+)", chapter.markdown, re.MULTILINE)
        meta = [cell["metadata"].get("mystnb", {}) for cell in chapter.code_cells]
        captioned = [m["figure"] for m in meta if "caption" in m.get("figure", {})]
        figures[chapter.docname] = [f"{part}.{i + 1}" for i in range(len(captioned))]
        for i, label in enumerate([*labels, *(f.get("name", "") for f in captioned)]):
            numbers[make_id(label)] = f"{part}.{i + 1}"
    titles = {c.docname: c.title for c in CHAPTERS}
    titles |= {"sources": "Sources", "verified": "Everything that is checked"}
    return Book(numbers, figures, titles, works(), **more)


@cache
def works():
    return parse_file(ROOT / "references.bib")


def texts(notebook: dict) -> list[str]:
    return [c["source"] for c in notebook["cells"] if c["cell_type"] == "markdown"]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.slug)
def test_a_copy_has_no_raw_markup_and_keeps_the_code(chapter):
    notebook = Copy(chapter, book()).notebook()
    nbformat.validate(nbformat.from_dict(notebook))
    for text in texts(notebook):
        assert not RAW.search(text), text
        assert text.count("<details>") == text.count("</details>"), text
        assert text.count("<blockquote>") == text.count("</blockquote>"), text
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert [c["source"] for c in code] == [source(c) for c in chapter.code_cells]
    assert not any(
        "narrow" in str(o.get("metadata")) for c in code for o in c["outputs"]
    )
    whole = "\n".join(texts(notebook))
    assert whole.count(r"\tag{") == len(chapter.equations)
    assert whole.count("<summary>Solution to exercise") == len(chapter.exercises)


def cells(*sources: str) -> Chapter:
    """A chapter of one's own, of text cells, at the place of the second."""
    chapter = Chapter(ROOT / "chapters/foundations/poisson_processes.ipynb")
    found = [
        {"cell_type": "markdown", "metadata": {}, "source": source}
        for source in sources
    ]
    vars(chapter)["notebook"] = {"cells": found, "metadata": {"kernelspec": {}}}
    return chapter


def converted(*sources: str, **more) -> list[str]:
    return texts(Copy(cells(*sources), book(**more)).notebook())


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("By {doc}`/sources`.", "By *Sources*."),
        ("{doc}`the walk <random_walks>`", "*the walk*"),
        ("{doc}`kl_estimators`", "*Three estimators of a divergence*"),
        ("{footcite:t}`song2019`", "Song and Ermon (2019)"),
        ("{footcite:p}`lecam1960,barbour1984`", "(Le Cam 1960; Barbour and Hall 1984)"),
        ("{footcite:t}`vcd`", "Meyer et al."),
        ("{ref}`ex-poisson_processes-kl`", r"exercise 2\.\d+"),
        (
            ":::{div} facts\n**You need** much.\n:::",
            "<blockquote>\n\n**You need** much.\n\n</blockquote>",
        ),
        (
            ":::{admonition} Proof\n:class: proof\n\nClear.\n:::",
            "<blockquote>\n\n**Proof**\n\nClear.\n\n</blockquote>",
        ),
        (
            ":::{admonition} Proof of a < b\n:class: proof dropdown\n\nClear.\n:::",
            "<details>\n<summary>Proof of a &lt; b</summary>\n\nClear.\n\n</details>",
        ),
        (
            "Then\n\n$$\na = b .\n$$ (eq-poisson_processes-pmf)\n\nby {eq}`eq-poisson_processes-pmf`",
            "Then\n\n$$\na = b . \\tag{2.1, pmf}\n$$\n\nby (2.1)",
        ),
    ],
)
def test_each_form_has_a_plain_one(text, plain):
    (found,) = converted(text)
    if "\\d" in plain:
        assert re.fullmatch(plain, found)
    elif text == "{doc}`kl_estimators`":
        assert found == f"*{find('kl_estimators').title}*"
    else:
        assert found == plain


def test_links_lead_to_the_pages_where_they_are_known():
    first, rest = converted(
        "# Title", "{eq}`eq-random_walks-tv` in {doc}`random_walks`", site=SITE
    )
    page = f"{SITE}chapters/foundations/random_walks.html"
    assert re.fullmatch(
        rf"\[\(1\.\d+\)\]\({page}#equation-eq-random-walks-tv\) in \[Random walks[\w ]*\]\({page}\)",
        rest,
    )
    assert f"{SITE}chapters/foundations/poisson_processes.html" in first


def test_a_solution_stays_folded_over_several_cells():
    start = "::::{solution-start} ex-poisson_processes-kl\n:class: dropdown\n::::\n\nA."
    end = "::::{solution-end}\n::::\n\n## After"
    one, two, three = converted(start, "B.", end)
    assert re.fullmatch(
        r"<details>\n<summary>Solution to exercise 2\.\d+</summary>\n\nA\.\n\n</details>",
        one,
    )
    assert two == (
        "<details>\n<summary>Solution, continued</summary>\n\nB.\n\n</details>"
    )
    assert three == "## After"


def test_references_are_those_that_are_cited():
    (found,) = converted("{footcite:p}`lecam1960`\n\n```{footbibliography}\n```")
    assert found.startswith("(Le Cam 1960)\n\n- Lucien Le Cam")
    assert "1181–1197" in found
    assert found.count("\n- ") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (":::{tabs}\n:::", "no plain form for {tabs}"),
        ("{term}`walk`", "no plain form for {term}`walk`"),
        ("{footcite:p}`nobody1900`", "no work 'nobody1900'"),
        (":::{div} facts\nfor ever", "has no end"),
    ],
)
def test_what_has_no_plain_form_stops_the_build(text, message):
    with pytest.raises(ExtensionError, match=re.escape(message)):
        converted(text)


def test_the_package_is_installed_from_the_address_and_from_no_other():
    chapter = find("poisson_processes")
    address = "https://github.com/somebody/book"
    install, setup = (
        c["source"]
        for c in Copy(chapter, book(repository=address)).notebook()["cells"]
        if c["cell_type"] == "code" and address in c["source"]
    )
    assert f'%pip install -q "git+{address}"' in install
    assert f"`pip install git+{address}`" in setup
    without = Copy(chapter, book()).notebook()
    assert not any("%pip" in c["source"] for c in without["cells"])
    assert plain_notebooks.ADDRESS in source(chapter.code_cells[0])


def test_figures_keep_captions_and_explorers_their_picture():
    cells = Copy(find("poisson_processes"), book(site=SITE)).notebook()["cells"]
    after = {c["source"]: follower for c, follower in pairwise(cells)}
    (poster,) = (c for c in after if "hours = 2400" in c)
    assert after[poster]["source"].startswith("**Fig. 2.1** One of these three")
    (explorer,) = (c for c in cells if "Explorer(\n" in c["source"])
    assert explorer["outputs"][0]["data"].keys() == {"image/png", "text/plain"}
    assert "comes alive when the cell" in after[explorer["source"]]["source"]
    folded = {"jupyter": {"source_hidden": True}, "cellView": "form"}
    assert explorer["metadata"] == folded
