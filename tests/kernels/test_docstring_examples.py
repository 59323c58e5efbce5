"""The examples of docstrings run as they are printed, and every public function has one."""

import doctest
import importlib
import re
import types

import pytest
from test_common import MODULES, each_kernel, section

WIDEST = 80  # what fits the column of its page


def faults(module) -> str:
    """What doctest says of a module's examples, empty if they run as printed."""
    said = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder().find(module):
        runner.run(test, out=said.append)
    return "".join(said)


def lacks(name: str, example: str) -> str:
    """What an example must have and has not, in words."""
    if not re.match(r" *>>> ", example):
        return "an example shows how it is called"
    if not re.search(rf"\b{name}\(", example):
        return f"its example calls {name}"
    if re.search(r"np\.\w+\(-?\d", example.replace(">>>", "").split("\n")[-1]):
        return "its example prints plain numbers"
    if len(max(example.splitlines(), key=len)) > WIDEST:
        return f"a line of its example has more than {WIDEST} characters"
    return ""


@pytest.mark.parametrize("name", MODULES)
def test_examples_run_as_printed(name):
    assert faults(importlib.import_module(name)) == ""


@each_kernel
def test_a_function_has_an_example(name):
    example = section(name, "Examples").rstrip()
    assert lacks(name.rsplit(".", 1)[1], example) == ""


def test_an_example_that_is_wrong_is_noticed():
    module = types.ModuleType("planted", ">>> 1 + 1\n3")
    assert "Expected:\n    3\nGot:\n    2" in faults(module)
    module.__doc__ = ">>> 1 + 1\n2"
    assert faults(module) == ""


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ("", "an example shows"),
        (">>> 1 + 1\n2", "calls k1"),
        (">>> k1(0, 0)\nnp.float64(0.5)", "plain numbers"),
        (f">>> k1(0, 0){' ' * 80}# zero\n0.0", "more than 80"),
        (">>> np.round(k1(0, 0), 4)\n0.0", ""),
    ],
)
def test_what_an_example_lacks_is_said(example, said):
    assert said in lacks("k1", example)
    assert bool(said) == bool(lacks("k1", example))
