"""Each module of kernels has a page of its own, and a line on the overview that names its chapters."""

import re

import pytest
from docutils import nodes
from kernel_pages import used_in

from chapters import ROOT, all_chapters

# doors, and what judges exercises: not called by those who take kernels along
SERVANTS = ("__init__", "validate")
MODULES = {
    path.relative_to(ROOT / "utils").with_suffix("").as_posix()
    for path in (ROOT / "utils").rglob("*.py")
    if path.stem not in SERVANTS and "exercises" not in path.parts
}


def faults(root) -> list[str]:
    """What the pages of a book lack."""
    contents = re.findall(r"file: api/(\S+)", (root / "_toc.yml").read_text("utf-8"))
    line = r"^- \{doc\}`utils\.([\w.]+) <api/(\S+)>`: \w.*\.$"
    lines = re.findall(line, (root / "api.md").read_text("utf-8"), re.MULTILINE)
    overview = [page for _, page in lines]
    wrong = []
    for module in sorted(MODULES):
        name, page = f"utils.{module.replace('/', '.')}", root / f"api/{module}.md"
        text = page.read_text("utf-8") if page.exists() else ""
        if f"\n# {name}\n" not in text or f".. automodule:: {name}\n" not in text:
            wrong.append(f"api/{module}.md must show {name}")
        if contents.count(module) != 1:
            wrong.append(f"_toc.yml must name api/{module} once")
        if lines.count((module.replace("/", "."), module)) != 1:
            wrong.append(f"api.md must have one line for {name}")
    if contents != overview:
        wrong.append("_toc.yml and api.md must have the same order")
    return wrong


def test_every_module_has_its_page():
    assert faults(ROOT) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "api/kl.md",
            "automodule:: utils.kl",
            "automodule:: utils.calculus",
            "api/kl.md must",
        ),
        (
            "api.md",
            "`utils.kl <",
            "`utils.ki <",
            "api.md must have one line for utils.kl",
        ),
        (
            "_toc.yml",
            "file: api/kl\n",
            "file: api/kl2\n",
            "_toc.yml must name api/kl once",
        ),
        (
            "_toc.yml",
            "file: api/kl\n          - file: api/special",
            "file: api/special\n          - file: api/kl",
            "the same order",
        ),
    ],
)
def test_a_missing_page_is_named(tmp_path, name, old, new, message):
    for path in [ROOT / "_toc.yml", ROOT / "api.md", *(ROOT / "api").rglob("*.md")]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text("utf-8")
        if copy == tmp_path / name:
            assert old in text
            text = text.replace(old, new)
        copy.write_text(text, "utf-8")
    assert message in " ".join(faults(tmp_path))


def said(*slugs: str) -> str:
    book = all_chapters()
    users = [chapter for chapter in book if chapter.slug in slugs]
    return nodes.inline("", "", *used_in(users, book)).astext()


def test_a_line_names_the_chapters_that_use_the_module():
    assert said() == " Used by other modules."
    assert said("random_walks") == " Chapter 1."
    assert said("gradients", "random_walks") == " Chapters 1, 3."
    assert said(*(chapter.slug for chapter in all_chapters())) == " All chapters."


def test_a_chapter_knows_its_modules():
    (first, *_) = all_chapters()
    assert "utils.random_walk" in first.modules
    assert "utils.poisson" not in first.modules
