"""The commands, as make runs them: what is built notices its addresses, and whatever is wrong is said in a sentence."""

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import chromium
import pytest

from chapters import ROOT

REPO = "https://github.com/somebody/book"
# In place of jupyter-book: it takes down what it was told.
STUB = """#!{python}
import json, os, pathlib
page = pathlib.Path("_build/html/index.html")
page.parent.mkdir(parents=True)
page.write_text(os.environ["BOOK_REPO"] + " " + os.environ["BOOK_URL"])
with open("builds", "a") as file:
    file.write("x")
"""


def tool(name: str):
    """The module of this name in tools, anew."""
    path = ROOT / f"tools/{name}.py"
    found = importlib.util.spec_from_file_location(f"tools_{name}", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def house(tmp_path):
    """The Makefile, the tools and a page in a folder of their own, with an environment that is there already."""
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    (tmp_path / "index.md").write_text("# Home\n")
    bin_folder = tmp_path / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").symlink_to(os.path.realpath(sys.executable))
    home = f"home = {Path(os.path.realpath(sys.executable)).parent}\n"
    (tmp_path / ".venv" / "pyvenv.cfg").write_text(home)
    program = bin_folder / "jupyter-book"
    program.write_text(STUB.format(python=sys.executable))
    program.chmod(0o755)

    class House:
        root = tmp_path
        page = tmp_path / "_build/html/index.html"

        def make(self, *arguments, code=0):
            environment = {
                k: v
                for k, v in os.environ.items()
                if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "REPO", "CH", "N")
                and k not in ("PORT", "PARTS", "PYTHON")
                and not k.startswith("BOOK_")
            }
            done = subprocess.run(
                ["make", "-o", ".venv/read", "-o", ".venv/dev", *arguments],
                cwd=self.root,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (done.returncode != 0) == bool(code), done.stdout + done.stderr
            return done.stdout + done.stderr

        def builds(self):
            file = self.root / "builds"
            return len(file.read_text()) if file.exists() else 0

    return House()


def test_each_transition_of_the_addresses_is_noticed(house):
    steps = [
        ([], ""),
        ([f"REPO={REPO}"], REPO),
        ([f"REPO={REPO}-two"], f"{REPO}-two"),
        ([], ""),
        (["BOOK_URL=https://pages.example/"], " https://pages.example/"),
        ([f"REPO={REPO}", "BOOK_URL=https://pages.example/"], f"{REPO} https://pages"),
        ([], ""),
    ]
    for number, (settings, told) in enumerate(steps, start=1):
        house.make("book", *settings)
        assert told in house.page.read_text()
        assert ("https" in house.page.read_text()) == bool(told)
        assert house.builds() == number
        house.make("book", *settings)
        assert house.builds() == number, f"built again without a reason: {settings}"


def test_serve_and_pdf_take_what_was_built(house):
    busy = socket.create_server(("127.0.0.1", 0))
    port = f"PORT={busy.getsockname()[1]}"  # so that serving ends at once
    (house.root / "tools/pdf.py").write_text("print('printed')")
    house.make("book", f"REPO={REPO}")
    house.make("serve", port, code=2)
    assert "printed" in house.make("-o", "browser", "pdf")
    assert house.builds() == 1
    (house.root / "index.md").write_text("# Another home\n")
    os.utime(house.root / "index.md", (2e9, 2e9))
    house.make("serve", port, code=2)
    assert house.builds() == 2
    assert REPO in house.page.read_text(), "its address stays"
    busy.close()


def test_a_changed_source_is_noticed(house):
    house.make("book")
    for name in (
        "utils/new.py",
        "_ext/new.py",
        "api/new.md",
        "chapters/new.md",
        "_toc.yml",
    ):
        before = house.builds()
        path = house.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        os.utime(path, (2e9, 2e9))
        house.make("book")
        assert house.builds() == before + 1, name
        path.unlink()
    (house.root / "utils/new.pyc").write_text("")
    os.utime(house.root / "utils/new.pyc", (2e9, 2e9))
    house.make("book")
    assert house.builds() == before + 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["serve", "PORT=abc"], "PORT must be a number from 1 to 65535, got 'abc'"),
        (["serve", "PORT=70000"], "PORT must be a number from 1 to 65535, got '70000'"),
        (["mutate", "N=abc"], "N must be a number of mutants, got 'abc'"),
        (["mutate", "N=-3"], "N must be a number of mutants, got '-3'"),
        (["book", "PYTHON=nopython"], "'nopython' is not there. Try another"),
        (["test", "CHROME=/no/chrome"], "CHROME=/no/chrome is no program that can be"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(house, command, said):
    options = [] if "PYTHON" in command[1] else ["-o", "python"]
    if options:
        text = house.make(*options, *command, code=2)
    else:  # the environment is asked for
        text = subprocess.run(
            ["make", *command], cwd=house.root, capture_output=True, text=True
        )
        assert text.returncode
        text = text.stdout + text.stderr
    assert said in text
    assert "Traceback" not in text


def test_a_busy_port_is_said_in_a_sentence(house):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        text = house.make("serve", f"PORT={port}", code=2)
    assert f"Port {port} cannot be had (" in text
    assert "Traceback" not in text


def test_root_is_let_into_jupyterlab(monkeypatch):
    commands = tool("__main__")
    settings = dict.fromkeys(commands.SETTINGS, "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "--allow-root" in commands.steps("lab", settings)[0]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "--allow-root" not in commands.steps("lab", settings)[0]


def test_make_and_tools_have_the_same_commands(house):
    commands = tool("__main__")
    text = house.make("help")
    listed = re.findall(r"(?m)^(\S+) +(\S.*)", text)
    assert [name for name, _ in listed] == ["help", *commands.NEEDS, "clean"]
    settings = dict.fromkeys(commands.SETTINGS, "")
    for name, what in listed[1:-1]:
        assert what in commands.help_text()
        assert commands.steps(name, settings)
        dry = house.make("-n", name)
        assert f".venv/bin/python tools {name}" in dry
        assert ("tools/chromium.py" in dry) == commands.NEEDS[name][1]
    readme = (ROOT / "README.md").read_text("utf-8")
    told = set(re.findall(r"`make ([a-z-]+)", readme)) | {"book", "test"}
    assert told <= {*commands.NEEDS, "clean"}


def test_commands_without_make(house):
    def tools(*arguments):
        return subprocess.run(
            [house.root / ".venv/bin/python", house.root / "tools", *arguments],
            cwd=house.root.parent,
            capture_output=True,
            text=True,
            env=os.environ | {"BOOK_REPO": "", "BOOK_URL": ""},
        )

    done = tools("book", f"REPO={REPO}")
    assert done.returncode == 0, done.stderr
    assert REPO in house.page.read_text()
    done = tools("nonsense")
    assert done.returncode
    assert done.stderr.startswith("no command 'nonsense'; there are book, serve, ")
    assert done.stderr.count("\n") == 1


def test_building_needs_no_file_locks(monkeypatch, tmp_path):
    """Windows has none."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    build = tool("build")
    monkeypatch.setattr(build, "BUILD", tmp_path / "_build")
    build.one_at_a_time().close()
    assert (tmp_path / "_build" / ".lock").exists()


@pytest.mark.parametrize("name", chromium.NAMES)
def test_chromium_is_found_by_each_of_its_names(monkeypatch, tmp_path, name):
    program = tmp_path / name
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROME", raising=False)
    assert chromium.find() == str(program)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CHROME", str(program))
    assert chromium.find() == str(program)


def test_chromium_is_found_where_an_application_keeps_it(monkeypatch, tmp_path):
    program = tmp_path / "Google Chrome"
    program.write_text("")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROME", raising=False)
    with pytest.raises(FileNotFoundError, match="Chromium is needed and not there"):
        chromium.find()
    monkeypatch.setattr(chromium, "INSIDE", [str(program)])
    assert chromium.find() == str(program)


def test_one_function_finds_chromium():
    """Nobody else knows its names."""
    for folder in ("tools", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name not in ("chromium.py", Path(__file__).name):
                assert 'which("chrom' not in path.read_text("utf-8"), path
    for name in ("Makefile", ".ci/run"):
        assert "command -v chrom" not in (ROOT / name).read_text("utf-8"), name
