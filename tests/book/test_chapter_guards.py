"""The guards themselves: each fault, planted in a copy, is caught by a message that names it."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise

import chapter_rules
import pytest
from notebooks import STRICT

from chapters import EVIDENCE_MIME, ROOT, Chapter, find, source

CHAPTER = find("random_walks")


@pytest.fixture
def copy(tmp_path):
    """``copy(change, keep=None)``: the chapter with ``change(notebook)`` applied, cut after ``keep``."""

    def copy(change, keep: str | None = None) -> Chapter:
        notebook = json.loads(CHAPTER.path.read_text(encoding="utf-8"))
        if keep is not None:
            last = next(
                i for i, cell in enumerate(notebook["cells"]) if keep in source(cell)
            )
            notebook["cells"] = notebook["cells"][: last + 1]
        change(notebook)
        path = tmp_path / CHAPTER.path.relative_to(ROOT)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        (tmp_path / "chapters" / "conftest.py").symlink_to(
            ROOT / "chapters/conftest.py"
        )
        return Chapter(path, tmp_path)

    return copy


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def solution_cells(notebook):
    return [
        after
        for before, after in pairwise(notebook["cells"])
        if "{solution-start}" in source(before)
    ]


def replace_in_source(notebook, old, new):
    hits = [cell for cell in notebook["cells"] if old in source(cell)]
    assert hits, f"nothing to change: {old!r} is not in the chapter"
    for cell in hits:
        cell["source"] = source(cell).replace(old, new)


def strict_run(
    chapter: Chapter, *more: str, **environment
) -> subprocess.CompletedProcess:
    """The strict re-execution, as `make test` runs it, on one notebook."""
    settings = ["-c", ROOT / "pyproject.toml", "--rootdir", chapter.root]
    options = ["-q", "-p", "no:cacheprovider", *settings, *STRICT, *more]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, chapter.path],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        cwd=chapter.root,
    )


def fails_with(done: subprocess.CompletedProcess, *messages: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    for message in messages:
        assert message in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda nb: code_cells(nb)[3].update(execution_count=None),
            "code cell 4 has execution count None",
        ),
        (
            lambda nb: nb["cells"].append(
                {"cell_type": "markdown", "id": "new", "metadata": {}}
                | {"source": "$$\n1 = 2\n$$ (eq-random_walks-new)"}
            ),
            "equation eq-random_walks-new has no check",
        ),
        (
            lambda nb: replace_in_source(nb, "$$ (eq-random_walks-ballot)", "$$"),
            "a check names eq-random_walks-ballot, which labels no equation",
        ),
        (
            lambda nb: replace_in_source(
                nb, "(eq-random_walks-gf)", "(eq-random_walks-pmf)"
            ),
            "equation label eq-random_walks-pmf appears 2 times",
        ),
        (
            lambda nb: code_cells(nb)[1]["metadata"]["mystnb"].pop("image"),
            "the figure of code cell 2 has no alt text",
        ),
        (
            lambda nb: code_cells(nb)[1]["outputs"][0]["metadata"].clear(),
            "the figure of code cell 2 has no narrow version",
        ),
        (
            lambda nb: code_cells(nb)[2].update(
                outputs=[
                    {"output_type": "stream", "name": "stderr", "text": "a warning"}
                ]
            ),
            "code cell 3 stores stderr",
        ),
        (
            lambda nb: nb["metadata"].update(author="somebody"),
            "not in normal form",
        ),
        (
            lambda nb: replace_in_source(nb, "## Paper vs here", "## Other"),
            "the page contract asks for '## Paper vs here'",
        ),
        (
            lambda nb: [
                output.get("data", {}).pop("image/png", None)
                for cell in code_cells(nb)
                if "Explorer(" in source(cell)
                for output in cell["outputs"]
            ],
            "an explorer has no picture",
        ),
        (
            lambda nb: [
                output["data"].update({"text/html": "<div></div>"})
                for cell in code_cells(nb)
                for output in cell["outputs"]
                if chapter_rules.is_explorer(output.get("data", {}))
            ],
            "an explorer stores html",
        ),
        (
            lambda nb: code_cells(nb)[1]["metadata"].pop("jupyter"),
            "code cell 2 stands open where the site folds it",
        ),
        (
            lambda nb: solution_cells(nb)[0]["metadata"].pop("jupyter"),
            "is a solution and stands open",
        ),
        (
            lambda nb: solution_cells(nb)[0].update(source="answer = 42"),
            "is a solution and has to begin with a comment",
        ),
        (
            lambda nb: replace_in_source(
                nb, "{solution-start} ex-random_walks-lazy", "{note}"
            ),
            "do not match",
        ),
        (
            lambda nb: replace_in_source(
                nb, ":label: ex-random_walks-lazy", ":label: ex-random_walks-other"
            ),
            "exercise ex-random_walks-other needs an open attempt and a right one",
        ),
        (
            lambda nb: replace_in_source(nb, ":kind: literature", ":kind: rumour"),
            "kind must be one of literature, post, common belief, got 'rumour'",
        ),
        (
            lambda nb: replace_in_source(
                nb, ":evidence: eq-random_walks-polya", ":evidence: def-random_walks-ou"
            ),
            "evidence def-random_walks-ou has no check in the chapter",
        ),
        (
            lambda nb: replace_in_source(
                nb, ":::{finding} A digit", "::::{finding} A digit"
            ),
            "2 findings are begun and 1 are of the form",
        ),
    ],
)
def test_a_structural_fault_is_named(copy, change, message):
    found = chapter_rules.problems(copy(change))
    assert any(message in problem for problem in found), found


def test_rivals_are_counted(copy):
    def without_rivals(notebook):
        for cell in code_cells(notebook):
            for output in cell["outputs"]:
                if EVIDENCE_MIME in output.get("data", {}):
                    output["data"][EVIDENCE_MIME]["rivals"] = []

    assert any(
        "face a rival" in problem
        for problem in chapter_rules.problems(copy(without_rivals))
    )


def test_an_untouched_excerpt_passes_the_strict_run(copy):
    done = strict_run(copy(lambda nb: None, keep='check.equal("eq-random_walks-gf"'))
    assert done.returncode == 0, done.stdout
    assert re.search(r"3 passed", done.stdout)


def test_a_changed_digit_an_accepted_rival_and_a_check_without_power_are_caught(copy):
    def change(notebook):
        *_, printed = [
            o for c in code_cells(notebook) for o in c["outputs"] if "text" in o
        ]
        text = "".join(printed["text"])
        assert "0.07959" in text
        printed["text"] = text.replace("0.07959", "0.07958")
        replace_in_source(notebook, "coefficients[::-1]", "coefficients")
        few = "check.sampled('eq-random_walks-few', rng('few').normal(size=50), 0.0, resolves=0.01)"
        code_cells(notebook)[1]["source"] = few

    done = strict_run(copy(change, keep="largest |v|: {"))
    fails_with(
        done,
        *("0.07959", "0.07958"),
        "eq-random_walks-gf: the rival 'p and q exchanged' is accepted",
        "eq-random_walks-few: no power",
        "cannot resolve 0.01",
    )


def test_a_wrong_formula_is_caught(copy):
    """The lattice's factor 2 dropped in the kernel of the local limit theorem."""
    chapter = copy(lambda nb: None, keep='check.order("eq-random_walks-local-clt"')
    shutil.copytree(ROOT / "utils", chapter.root / "utils")
    shutil.copytree(ROOT / "_static", chapter.root / "_static")
    kernel = chapter.root / "utils" / "random_walk.py"
    right = kernel.read_text(encoding="utf-8")
    wrong = right.replace("2 * density * bracket", "density * bracket")
    assert wrong != right
    kernel.write_text(wrong, encoding="utf-8")
    done = strict_run(chapter, PYTHONPATH=str(chapter.root))
    fails_with(done, "AssertionError", "eq-random_walks-local-clt: measured order")


def test_a_cell_that_takes_too_long_is_one_failure(copy):
    """The cells after it are skipped: what they would say follows from it."""

    def change(notebook):
        notebook["cells"] = code_cells(notebook)[:4]
        for cell in notebook["cells"]:
            cell.update(source="pass", outputs=[])
        notebook["cells"][1]["source"] = "import time; time.sleep(60)"

    done = strict_run(copy(change), "--nbval-cell-timeout=1")
    fails_with(done, "Timeout of 1 seconds exceeded")
    assert re.search(r"1 failed, 1 passed, 2 skipped", done.stdout)
