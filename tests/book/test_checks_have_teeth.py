"""What the stored evidence says of its own sight, and what happens to a check that has no teeth."""

import json
import os
import re
import subprocess
import sys

import checks_page
import pytest

from chapters import EVIDENCE_MIME, ROOT, Chapter, all_chapters, find, source

BOOK = all_chapters()
CHAPTER = find("random_walks")
SEEING = 'check.equal("eq-random_walks-gf", coefficients, enumerated, atol=1e-14'


def kind(evidence: dict) -> str:
    """``equal``, ``sampled``, ``order`` or ``holds``."""
    return evidence["method"].split()[0]


@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.slug)
def test_only_sampled_and_order_checks_are_blind_and_they_say_why(chapter):
    for evidence in chapter.evidence:
        if evidence.get("blind"):
            assert kind(evidence) in ("sampled", "order"), evidence
            assert len(evidence["blind"].split()) >= 3, evidence


@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.slug)
def test_each_equation_with_numeric_checks_has_one_that_sees(chapter):
    labels = {evidence["label"] for evidence in chapter.evidence}
    for label in sorted(labels):
        numeric = [e for e in chapter.evidence_for(label) if kind(e) != "holds"]
        seeing = [e for e in numeric if not e.get("blind")]
        assert seeing or not numeric, f"all numeric checks of {label} are blind"


@pytest.fixture
def excerpt(tmp_path):
    """``excerpt(change)``: setup cell and first check of the chapter, ``change(notebook)`` applied."""

    def excerpt(change) -> Chapter:
        notebook = json.loads(CHAPTER.path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
        last = next(i for i, cell in enumerate(cells) if SEEING in source(cell))
        setup = next(i for i, cell in enumerate(cells) if cell["cell_type"] == "code")
        notebook["cells"] = [cells[setup], cells[last]]
        change(notebook)
        path = tmp_path / CHAPTER.path.relative_to(ROOT)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return Chapter(path, tmp_path)

    return excerpt


def strict_run(chapter: Chapter) -> subprocess.CompletedProcess:
    """The strict re-execution of one notebook, as ``make test`` does it."""
    options = ["-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    where = [f"--rootdir={chapter.root}", str(chapter.path)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *where],
        capture_output=True,
        text=True,
        env=os.environ | {"BOOK_STATIC": "1"},
        cwd=chapter.root,
    )


TOOTHLESS = {
    "one": 'check.equal("eq-random_walks-one", coefficients, enumerated, atol=0.5)',
    "two": 'check.equal("eq-random_walks-two", 1.05, 1.0, rtol=0.1)',
    "three": """check.sampled("eq-random_walks-three", 1 + rng("few").normal(size=500), 1.0,
              resolves=0.3)""",
    "four": """check.order("eq-random_walks-four", [1, 2, 4], [1, 2, 4], 1,
            atol=0.2)""",
}


def test_planted_checks_without_teeth_fail_the_strict_run(excerpt):
    def plant(notebook):
        last = notebook["cells"][-1]
        for name, toothless in TOOTHLESS.items():
            planted = {"source": toothless, "id": name, "outputs": []}
            notebook["cells"].append(last | planted)

    done = strict_run(excerpt(plant))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "4 failed, 2 passed" in done.stdout, done.stdout
    for name in TOOTHLESS:
        sentence = rf"eq-random_walks-{name}: (0\.9|1\.1) times the expected value passes, too: sharpen"
        assert re.search(sentence, done.stdout), done.stdout


def test_the_list_of_checks_shows_what_is_blind(excerpt):
    def blind(notebook):
        (output,) = notebook["cells"][-1]["outputs"]
        output["data"][EVIDENCE_MIME]["blind"] = "ten draws cost a night"
        claim = "# A chapter\n$$1$$ (eq-random_walks-gf)"
        notebook["cells"].append({"cell_type": "markdown", "source": claim})

    chapter = excerpt(blind)
    _, told = checks_page.entry(chapter, "eq-random_walks-gf")
    assert "; it does not see 10 %: ten draws cost a night" in told
