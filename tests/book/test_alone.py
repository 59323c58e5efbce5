"""A notebook alone in an empty folder, and the book as a wheel: what a reader elsewhere has."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from plain_notebooks import Copy
from test_plain_notebooks import book

from chapters import ROOT, all_chapters, find, source

CHAPTER = find("poisson_processes")
SETUP = source(CHAPTER.code_cells[0])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RUN = """
import json, sys
import nbformat, nbclient
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=100, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[1])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The book's wheel, built from a copy: building leaves files behind."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("utils", "_static"):
        shutil.copytree(ROOT / name, folder / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index"]
    subprocess.run([*command, "--no-build-isolation", "."], cwd=folder, check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture
def python(tmp_path) -> Path:
    """An interpreter that sees all installed packages but the book's."""
    seen = tmp_path / "packages"
    seen.mkdir()
    for package in Path(pytest.__file__).parents[1].iterdir():
        if "random_walks_to_reasoning" not in package.name:
            (seen / package.name).symlink_to(package)
    venv.create(tmp_path / "venv", symlinks=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(f"{seen}\n")
    return tmp_path / "venv" / "bin" / "python"


def alone(python, code: str, folder: Path, *options) -> subprocess.CompletedProcess:
    """Run code in a folder, as a kernel that was started there would."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"PYTHONWARNINGS": "ignore", "PIP_NO_INDEX": "1"}
    return subprocess.run(
        [python, "-c", code, *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_the_wheel_has_the_whole_package(wheel):
    found = {n for n in zipfile.ZipFile(wheel).namelist() if n.startswith("utils/")}
    code = {p.relative_to(ROOT).as_posix() for p in (ROOT / "utils").rglob("*.py")}
    static = [ROOT / "_static/explorers.css", *(ROOT / "_static").rglob("*.mjs")]
    assert found == code | {f"utils/{p.relative_to(ROOT).as_posix()}" for p in static}


def test_what_the_chapters_import_is_declared():
    """By ranges that admit what the book is tested with, and bring no jupyter and no exact version."""
    code = [source(cell) for c in all_chapters() for cell in c.code_cells]
    code += [p.read_text("utf-8") for p in (ROOT / "utils").rglob("*.py")]
    names = re.findall(r"^ *(?:import|from) ([a-z_]\w*)", "\n".join(code), re.M | re.I)
    renamed = {"sklearn": "scikit-learn", "IPython": "ipython"}
    brought = {"traitlets", "matplotlib_inline", "cycler"}  # by IPython, matplotlib
    needed = {renamed.get(n, n) for n in names} - set(sys.stdlib_module_names)
    declared = {r.name: r for r in map(Requirement, PROJECT["dependencies"])}
    assert needed - brought - {"utils"} == declared.keys()
    pins = (ROOT / "constraints.txt").read_text("utf-8")
    versions = dict(re.findall(r"^([\w.-]+)==(\S+)$", pins, re.MULTILINE))
    for name, requirement in declared.items():
        assert requirement.specifier.contains(versions[name]), name
        assert {s.operator for s in requirement.specifier} == {">="}, name


def test_a_copy_installs_the_package_and_runs(wheel, python, tmp_path):
    """The address is that of a wheel here; no index is asked, so nothing else can be installed."""
    copy = Copy(CHAPTER, book(repository="https://github.com/somebody/book"))
    wanted = ("%pip", "rng = setup", "show_source(po.poisson_pmf)", "Explorer(\n")
    notebook = copy.notebook()
    cells = [c for c in notebook["cells"] if any(w in c["source"] for w in wanted)]
    cells = [c for c in cells if c["cell_type"] == "code"]
    assert len(cells) == len(wanted)
    for cell in cells:
        cell["source"] = cell["source"].replace(copy.address, str(wheel))
    notebook["cells"] = cells
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "alone.ipynb").write_text(json.dumps(notebook))
    done = alone(python, RUN, folder, "alone.ipynb")
    assert done.returncode == 0, done.stderr
    _, _, shown, explorer = json.loads((folder / "alone.ipynb").read_text())["cells"]
    assert "def poisson_pmf" in str(shown["outputs"])
    assert "application/vnd.jupyter.widget-view+json" in explorer["outputs"][0]["data"]


@pytest.mark.parametrize(
    ("before", "files", "messages"),
    [
        (
            "",
            {},
            ["No module named 'utils'", "utils is not there", "Install the book with"],
        ),
        (
            "",
            {"utils.py": "mine = 1"},
            ["'utils' is not a package", "alone/utils.py", "has to give way"],
        ),
        (
            "import sys; sys.modules['threadpoolctl'] = None",
            {"utils/__init__.py": "", "utils/runtime.py": "import threadpoolctl"},
            ["threadpoolctl", "alone/utils/__init__.py"],
        ),
    ],
    ids=["no package", "a module of that name", "a package missing"],
)
def test_the_setup_cell_says_what_is_wrong(python, tmp_path, before, files, messages):
    folder = tmp_path / "alone"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    done = alone(python, f"{before}\n{SETUP}", folder)
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith("ImportError: ")
    assert "was the direct cause of the following exception" in done.stderr
    for message in messages:
        assert message in last


@pytest.mark.parametrize("chapter", all_chapters(), ids=lambda chapter: chapter.slug)
def test_every_chapter_begins_alike(chapter):
    start, end = "try:\n    from utils.runtime import ", ") from error\n"
    assert source(chapter.code_cells[0]).startswith(start)
    ours = source(chapter.code_cells[0]).split("\n", 2)[2].split(end)[0]
    assert ours == SETUP.split("\n", 2)[2].split(end)[0]
