"""What the book needs is pinned whole, and said the same everywhere; what it makes comes from the Python asked for."""

import importlib.metadata
import os
import re
import subprocess
import sys

import install
import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from chapters import ROOT

FORMULA = "import formulas; print(formulas.chtml('x')[:4])"
SYSTEMS = {
    "linux": ("Linux", "posix"),
    "darwin": ("Darwin", "posix"),
    "win32": ("Windows", "nt"),
}
OWN = "random-walks-to-reasoning"


def pythons() -> list[str]:
    (major, first), (_, beyond) = install.supported()
    return [f"{major}.{minor}" for minor in range(first, beyond)]


def pinned(name: str) -> dict[str, Requirement]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    found = map(Requirement, (line for line in lines if line and line[0] not in "#-"))
    return {canonicalize_name(r.name): r for r in found}


def test_the_engine_of_the_formulas_lets_the_interpreter_end():
    for _ in range(20):
        done = subprocess.run(
            [sys.executable, "-c", FORMULA],
            cwd=ROOT / "_ext",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, "<mjx\n"), done.stderr


def test_what_is_installed_is_pinned():
    pins = pinned("constraints.txt")
    for found in importlib.metadata.distributions():
        name = canonicalize_name(found.name)
        if name in (OWN, "pip"):
            continue
        assert name in pins, f"{name} {found.version} is missing in constraints.txt"
        # a build of PyTorch says after a plus sign what it is for
        assert found.version.split("+")[0] in pins[name].specifier, name


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", pythons())
def test_what_requirements_bring_is_pinned(python, system):
    platform, name = SYSTEMS[system]
    environment = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "sys_platform": system,
        "platform_system": platform,
        "os_name": name,
    }
    pins = pinned("constraints.txt")
    tops = (pinned("requirements.txt") | pinned("requirements-dev.txt")).values()
    ahead, seen = [*tops], set()
    while ahead:
        requirement = ahead.pop()
        name = canonicalize_name(requirement.name)
        if (name, *sorted(requirement.extras)) in seen:
            continue
        seen.add((name, *sorted(requirement.extras)))
        assert name in pins, f"{name} is missing in constraints.txt"
        marker = pins[name].marker
        assert marker is None or marker.evaluate(environment), f"{name} is not for here"
        try:
            brings = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # it is for another system
        for r in map(Requirement, brings):
            if r.marker is None or any(
                r.marker.evaluate(environment | {"extra": extra})
                for extra in requirement.extras or {""}
            ):
                ahead.append(r)


def test_the_oldest_python_is_one_that_the_pins_admit():
    oldest = ".".join(map(str, (*install.supported()[0], 0)))
    pins, first = pinned("constraints.txt"), {"python_version": pythons()[0]}
    for found in importlib.metadata.distributions():
        pin = pins.get(canonicalize_name(found.name))
        if pin and pin.marker and not pin.marker.evaluate(first):
            continue  # it is for newer ones only
        asks = found.metadata.get("Requires-Python")
        assert asks is None or oldest in SpecifierSet(asks), f"{found.name}: {asks}"


def test_the_pythons_are_the_same_everywhere():
    words = f"Python {install.range_in_words()}"
    for page in ("README.md", "index.md"):
        assert words in (ROOT / page).read_text("utf-8"), page
    workflow = (ROOT / ".github/workflows/test.yml").read_text("utf-8")
    tested = re.findall(r'"(3\.\d+)"', workflow)
    assert sorted(tested) == sorted(pythons())
    binder = (ROOT / ".binder/runtime.txt").read_text("utf-8").strip()
    assert binder.removeprefix("python-") in pythons()
    assert install.supported()[0] <= sys.version_info[:2]


def test_the_build_system_is_pinned_like_the_rest():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    (asked,) = re.findall(r'^requires = \["(.*)"\]$', text, re.MULTILINE)
    pin = pinned("constraints.txt")["setuptools"]
    assert Requirement(asked).specifier == pin.specifier


@pytest.mark.parametrize("version", [(3, 9, 6), (3, 10, 13), (3, 15, 0)])
def test_another_python_is_refused_in_a_sentence(version):
    with pytest.raises(SystemExit, match=r"The book needs Python 3\.11 to 3\.14; .*"):
        install.refuse_other_pythons(version)


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 11, 2), (3, 14, 3)])
def test_the_range_is_let_in(version):
    install.refuse_other_pythons(version)


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment in a folder of its own, and the commands that would have been run."""
    commands = []

    def run(*command):
        commands.append(" ".join(command[1:4]))
        install.VENV.mkdir(exist_ok=True)

    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(install, "run", run)
    return commands


MADE, INSTALLED = "-m venv --clear", "-m pip install"


def test_an_environment_is_made_once(environment, capsys):
    install.main("read")
    assert environment == [MADE, INSTALLED]
    assert "of another Python" not in capsys.readouterr().out
    install.main("read")
    assert environment == [MADE, INSTALLED]
    install.main("dev")
    assert environment == [MADE, INSTALLED, INSTALLED]
    install.main("read")
    assert environment == [MADE, INSTALLED, INSTALLED]


def test_an_environment_of_another_python_is_made_anew(
    environment, monkeypatch, capsys
):
    install.main("read")
    monkeypatch.setattr(sys, "version", "3.12.1 of another day")
    os.utime(install.VENV / "read", (0, 0))  # as after a clear
    install.main("read")
    assert environment == [MADE, INSTALLED] * 2
    assert "of another Python" in capsys.readouterr().out


def test_new_pins_are_installed(environment):
    install.main("read")
    os.utime(install.VENV / "read", (0, 0))
    install.main("read")
    assert environment == [MADE, INSTALLED, INSTALLED]


def test_an_interrupted_installation_is_taken_up(environment, monkeypatch):
    def stopped(*command):
        environment.append(" ".join(command[1:4]))
        install.VENV.mkdir(exist_ok=True)
        if "pip" in command:
            raise KeyboardInterrupt

    run = install.run
    monkeypatch.setattr(install, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        install.main("read")
    monkeypatch.setattr(install, "run", run)
    install.main("read")
    assert environment == [MADE, INSTALLED, INSTALLED]


def test_binder_installs_the_pins_without_cuda():
    lines = (ROOT / ".binder/requirements.txt").read_text("utf-8").splitlines()
    options = [line for line in lines if not line.startswith("#")]
    index = "https://download.pytorch.org/whl/cpu"
    assert options == [f"--extra-index-url {index}", "-r ../requirements.txt"]
    for name in ("test.yml", "publish.yml"):
        workflow = yaml.safe_load(
            (ROOT / ".github/workflows" / name).read_text("utf-8")
        )
        assert workflow["env"]["PIP_EXTRA_INDEX_URL"] == index
    assert f"PIP_EXTRA_INDEX_URL={index}" in (ROOT / "README.md").read_text("utf-8")
