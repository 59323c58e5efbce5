"""The tests' runner: no part hides another, and the summary tells what became of each."""

import subprocess
import sys

import pytest
from run_tests import Part, chosen, kernel_tests, run_all, sum_up

from chapters import ROOT, find


def python(name, code, needs=""):
    return Part(name, [sys.executable, "-c", code], needs=needs)


def test_a_red_part_hides_nothing(capfd):
    red = "print('== 1 failed, 2 passed in 0.01s =='); raise SystemExit(1)"
    parts = [
        python("first", red),
        python("build", "print('built')"),
        python("last", "print('40 passed in 3.21s (0:00:03)')", needs="build"),
    ]
    assert sum_up(run_all(parts)) == 1
    said = capfd.readouterr().out
    assert "built" in said, "what a part says is shown"
    *_, first, build, last, verdict = said.splitlines()
    assert first.startswith("FAILED")
    assert first.endswith("first: 1 failed, 2 passed in 0.01s")
    assert build.startswith("passed")
    assert build.endswith("build")
    assert last.endswith("last: 40 passed in 3.21s (0:00:03)")
    assert verdict.startswith("failed: first, in ")


def test_what_needs_a_failed_part_is_skipped_with_a_sentence(capfd):
    parts = [python("build", "raise SystemExit(3)"), python("last", "", needs="build")]
    assert sum_up(run_all(parts)) == 1
    said = capfd.readouterr().out
    assert "last: build failed, there is nothing to test" in said
    assert "failed: build, in" in said


def test_green_is_green(capfd):
    assert sum_up(run_all([python("only", "")])) == 0
    assert "everything passed" in capfd.readouterr().out


def test_the_kernel_tests_of_a_chapter():
    modules = find("ddpm_ddim").modules
    assert {"utils.checks", "utils.diffusion.discrete"} <= set(modules)
    assert "utils.random_walk" not in modules
    *paths, _, wanted = kernel_tests(modules)
    assert "tests/kernels/diffusion/test_discrete.py" in paths
    assert all((ROOT / path).exists() for path in paths)
    assert "utils.diffusion.discrete" in wanted.split(" or ")


@pytest.mark.parametrize("tool", ["run_tests.py", "processors.py"])
def test_unknown_slug_gives_one_clear_sentence(tool):
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / tool, "no_such_chapter"],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert done.stderr.startswith("no chapter 'no_such_chapter' in _toc.yml; there is")
    assert done.stderr.count("\n") == 1


def test_parts_are_chosen_by_name():
    parts = [python(name, "") for name in ("kernels", "book", "strict run")]
    assert chosen(parts, "") == parts
    assert chosen(parts, "strict run, kernels") == [parts[0], parts[2]]
    with pytest.raises(ValueError, match="no part 'kernel'; there are kernels, book,"):
        chosen(parts, "kernels, kernel")


def test_the_site_is_tested_as_it_is_if_its_build_is_not_chosen(capfd):
    assert sum_up(run_all([python("site", "print('tested')", needs="build")])) == 0
    assert "tested" in capfd.readouterr().out
