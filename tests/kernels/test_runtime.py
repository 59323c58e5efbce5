"""What every chapter does first, and how it shows its kernels."""

import base64
import importlib.util
import io
import os
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from threadpoolctl import threadpool_info

from utils import plotting, runtime


def test_streams_depend_on_seed_and_name_alone():
    rng = runtime.setup(seed=3)
    first = rng("a").random(5)
    rng("b").random(100)
    np.testing.assert_array_equal(first, rng("a").random(5))
    np.testing.assert_array_equal(first, runtime.Streams(3)("a").random(5))
    assert not np.array_equal(first, rng("b").random(5))
    assert not np.array_equal(first, runtime.setup(seed=4)("a").random(5))


def test_torch_has_streams_of_its_own():
    rng = runtime.setup(seed=3)
    state = torch.get_rng_state()
    first = torch.rand(5, generator=rng.torch("a"))
    assert torch.equal(first, torch.rand(5, generator=runtime.Streams(3).torch("a")))
    for other in (rng.torch("b"), runtime.Streams(4).torch("a")):
        assert not torch.equal(first, torch.rand(5, generator=other))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("seed", [-1, 1.0, "0", None])
def test_seed_must_be_a_non_negative_integer(seed):
    with pytest.raises(
        ValueError, match=f"seed must be a non-negative integer, got {seed!r}"
    ):
        runtime.setup(seed=seed)


@pytest.mark.parametrize("threads", [1, 2])
def test_setup_limits_threads(monkeypatch, threads):
    monkeypatch.setenv("BOOK_THREADS", str(threads))
    runtime.setup()
    assert os.environ["OMP_NUM_THREADS"] == str(threads)
    assert {pool["num_threads"] for pool in threadpool_info()} == {threads}


@pytest.mark.parametrize(("value", "static"), [("1", True), ("0", False), ("", False)])
def test_static_mode_follows_the_environment(monkeypatch, value, static):
    monkeypatch.setenv("BOOK_STATIC", value)
    assert runtime.static() is static
    monkeypatch.delenv("BOOK_STATIC")
    assert runtime.static() is False


def test_progress_is_silent_in_static_mode(monkeypatch, capsys):
    monkeypatch.setenv("BOOK_STATIC", "1")
    assert list(runtime.progress(range(3), "counting")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("BOOK_STATIC", "0")
    assert list(runtime.progress(range(3), "counting")) == [0, 1, 2]
    assert "counting" in capsys.readouterr().err


KERNEL = '''
class Walk:
    """A docstring."""

    def step(self, x: int) -> int:
        """Another,

        of several lines.
        """
        # a comment
        return x + 1


def only_a_docstring():
    """All there is."""
'''


def test_show_source_shows_the_kernel_without_its_docstrings(monkeypatch, tmp_path):
    file = tmp_path / "utils" / "kernel.py"
    file.parent.mkdir()
    file.write_text(KERNEL)
    spec = importlib.util.spec_from_file_location("kernel", file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "kernel", module)
    spec.loader.exec_module(module)
    shown = []
    monkeypatch.setattr(runtime, "ROOT", tmp_path)
    monkeypatch.setattr(runtime, "display", lambda bundle, raw: shown.append(bundle))
    runtime.show_source(module.Walk, module.only_a_docstring)
    code = shown[0]["text/plain"]
    assert code.splitlines() == [
        "# utils/kernel.py",
        "class Walk:",
        "    def step(self, x: int) -> int:",
        "        # a comment",
        "        return x + 1",
    ]
    assert shown[0]["text/markdown"] == f"```python\n{code}\n```"
    assert shown[1]["text/plain"].endswith('"""All there is."""')


def test_colours_reach_their_contrast_on_white():
    for color in (
        plotting.BLUE,
        plotting.VERMILION,
        plotting.GREEN,
        plotting.PURPLE,
        plotting.GREY,
    ):
        assert plotting.contrast_on_white(color) >= 3
        assert plotting.contrast_on_white(plotting.readable(color)) >= 4.5
    assert plotting.contrast_on_white("white") == 1
    assert plotting.contrast_on_white("black") == pytest.approx(21)
    assert plotting.contrast_on_white("#777777") == pytest.approx(4.48, abs=0.01)
    assert plotting.readable(plotting.BLUE) == plotting.BLUE.lower()


def test_label_writes_a_readable_shade():
    fig, ax = plt.subplots()
    text = plotting.label(ax, 0.1, 0.2, "a", plotting.GREEN, ha="right")
    assert (text.get_text(), text.get_position(), text.get_ha()) == (
        "a",
        (0.1, 0.2),
        "right",
    )
    assert text.get_color() == plotting.readable(plotting.GREEN)
    plt.close(fig)


def test_style_starts_from_the_defaults():
    mpl.rcParams["lines.linewidth"] = 99
    plotting.use_style()
    assert mpl.rcParams["lines.linewidth"] < 5
    assert mpl.rcParams["axes.prop_cycle"].by_key()["color"][0] == plotting.BLUE


@pytest.fixture
def published(monkeypatch):
    """The pictures a cell puts out: ``(wide, narrow)`` of each figure."""
    pictures = []

    def publish(data, metadata):
        both = data["image/png"], metadata["image/png"]["narrow"]
        opened = (Image.open(io.BytesIO(base64.b64decode(png))) for png in both)
        pictures.append(tuple(opened))

    monkeypatch.setattr("IPython.display.publish_display_data", publish)
    plotting.use_style()
    return pictures


def test_a_figure_is_drawn_in_two_widths(published):
    shapes = []
    for axes in plotting.two_widths(2, 3, height=4, width_ratios=[1, 2, 3]):
        axes[1, 2].plot([0, 1])
        shapes.append((axes.shape, plotting.narrow(axes[0, 0])))
    assert shapes == [((2, 3), False), ((2, 3), True)]
    ((wide, narrow),) = published
    assert wide.size == (7 * 144, 4 * 144)
    assert narrow.size == (int(3.6 * 144), 4 * 144 * 2 // 3)
    assert plt.get_fignums() == []


def test_one_panel_and_another_grid(published):
    for ax in plotting.two_widths(narrow_height=3):
        ax.plot([0, 1])
    for axes in plotting.two_widths(1, 4):
        places = [ax.get_position() for ax in axes]
        assert (places[0].y0 > places[2].y1) == plotting.narrow(axes[0])
    for left, right in plotting.two_widths(1, 2, narrow=(1, 2)):
        assert left.get_position().x1 < right.get_position().x0
    for top, low in plotting.two_widths([["a", "a"], ["b", "b"]], height_ratios=[1, 2]):
        assert top.get_position().y0 > low.get_position().y1
    heights = [narrow.size[1] for _, narrow in published[:3]]
    assert heights == [3 * 144, int(5.4 * 144), int(2.7 * 144)]
    with pytest.raises(ValueError, match=r"narrow must have 2 panels, got \(3, 1\)"):
        next(plotting.two_widths(1, 2, narrow=(3, 1)))
    with pytest.raises(ValueError, match=r"narrow must have the panels \['a', 'b'\]"):
        next(plotting.two_widths([["a", "b"]], narrow=[["a"]]))
