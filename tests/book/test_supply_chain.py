"""What the book is built from is named exactly, what comes out is tested first, and every file has its licence."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import install
import pytest
import yaml

from chapters import ROOT


@pytest.fixture
def repository():
    """Names of the files that the repository keeps or is about to."""
    if not (ROOT / ".git").exists():
        pytest.skip("this copy of the book is no clone")
    ask = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def test_pre_commit_is_content_with_a_clean_clone(repository, tmp_path):
    copy = tmp_path / "clone"
    for name in repository:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    for command in (["init", "-q"], ["add", "-A", ":!.venv"]):
        subprocess.run(["git", *command], cwd=copy, check=True)
    done = subprocess.run(
        [install.BIN / "pre-commit", "run", "--all-files", "--color=never"],
        cwd=copy,
        env=os.environ | {"PRE_COMMIT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def workflow(name: str) -> dict:
    text = (ROOT / ".github" / "workflows" / name).read_text("utf-8")
    return yaml.safe_load(text)


@pytest.mark.parametrize("name", ["test.yml", "publish.yml"])
def test_actions_are_named_by_commit(name):
    for job in workflow(name)["jobs"].values():
        used = [step["uses"] for step in job.get("steps", []) if "uses" in step]
        for action in used:
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action), action


def test_publishing_waits_for_the_tests():
    jobs = workflow("publish.yml")["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert jobs["publish"]["needs"] == "test"
    triggers = workflow("test.yml")[True]  # yaml reads `on` as a truth value
    assert "push" not in triggers, "a pull request's branch would be tested twice"
    assert {"pull_request", "workflow_call"} <= set(triggers)
    steps = workflow("test.yml")["jobs"]["everything"]["steps"]
    assert any("pre-commit run --all-files" in step.get("run", "") for step in steps)


def test_a_version_that_is_not_out_has_no_date():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    newest = re.search(
        r"(?m)^## (\S+) \((.*)\)$", (ROOT / "CHANGELOG.md").read_text("utf-8")
    )
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert citation["version"] == newest[1]
    assert f'version = "{newest[1]}"' in project
    date = str(citation.get("date-released", "unreleased"))
    assert date == newest[2]


def test_the_licence_covers_every_file(repository):
    """It names folders by ``name/``, kinds of files by ``*.kind``, and single files."""
    text = (ROOT / "LICENSE").read_text("utf-8")
    named = {
        word.strip("().,;") if word[0] != "." else word.strip("(),;")
        for word in text.split()
    }
    for name in repository:
        path = Path(name)
        folder = path.parts[0]
        assert (
            name in named
            or name == "LICENSE"
            or (len(path.parts) > 1 and f"{folder}/" in named and folder != "chapters")
            or (path.suffix and f"*{path.suffix}" in named)
            or (folder == "chapters" and path.suffix in (".ipynb", ".md"))
        ), f"LICENSE says nothing of {name}"


def test_text_ends_its_lines_alike_on_every_system(repository):
    if ".gitattributes" not in repository:
        pytest.fail(".gitattributes is missing")
    asked = subprocess.run(
        ["git", "check-attr", "eol", "binary", "--", *repository],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in repository:
        plain = f"{name}: eol: lf" in asked
        assert plain if not name.endswith(".png") else f"{name}: binary: set" in asked
