"""The Python side of explorers: what a notebook stores and what a live kernel shows."""

import base64
import re
import subprocess
import sys

import pytest

from utils import explorers
from utils.explorers import WIDGET_MIME, Explorer, read_repr

SLUGS = explorers._slugs()


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("BOOK_STATIC", "1")


@pytest.fixture
def live(monkeypatch):
    monkeypatch.delenv("BOOK_STATIC", raising=False)
    pytest.importorskip("anywidget")


@pytest.fixture
def figure():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([0, 1])
    yield figure
    plt.close(figure)


@pytest.mark.parametrize("slug", SLUGS)
def test_static_output_is_deterministic_text(static, slug):
    first, second = (
        Explorer(slug, alt="A picture.")._repr_mimebundle_() for _ in range(2)
    )
    assert first == second == ({"text/plain": f"Explorer({slug!r})"}, {})


def test_the_stored_text_says_what_the_site_needs(static):
    explorer = Explorer("random_walks", alt="A picture.", view="maximum", n=80)
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == "Explorer('random_walks', n=80, view='maximum')"
    assert read_repr(bundle["text/plain"]) == (
        "random_walks",
        {"n": 80, "view": "maximum"},
    )
    assert read_repr("<Figure size 640x480 with 1 Axes>") is None


def test_figure_is_stored_as_png_and_not_shown_twice(static, figure):
    """There is no html beside it, which viewers would prefer."""
    import matplotlib.pyplot as plt

    bundle, metadata = Explorer(
        "random_walks", alt="A picture.", figure=figure
    )._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "image/png"}
    assert metadata == {"image/png": {"alt": "A picture."}}
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert figure.number not in plt.get_fignums()


def test_unknown_slug_names_the_known_ones():
    with pytest.raises(
        ValueError, match=r"'random_walk', known are: .*\brandom_walks\b"
    ):
        Explorer("random_walk", alt="A picture.")
    with pytest.raises(ValueError, match="unknown explorer 'common'"):
        Explorer("common", alt="A picture.")


def test_unknown_parameter_and_empty_alt_are_refused():
    with pytest.raises(ValueError, match=r"\['steps'\].*known are: n, p, view"):
        Explorer("random_walks", alt="A picture.", steps=3)
    with pytest.raises(ValueError, match="alt"):
        Explorer("random_walks", alt=" ")


def test_state_is_readable_and_writable_without_a_widget(static):
    explorer = Explorer("random_walks", alt="A picture.", n=80)
    assert (explorer.n, explorer.p) == (80, 0.5)
    explorer.n = 7
    assert explorer.n == 7
    with pytest.raises(AttributeError, match="steps"):
        _ = explorer.steps
    with pytest.raises(AttributeError, match="steps"):
        explorer.steps = 3


def test_live_output_adds_the_widget_and_keeps_the_stored_forms(live, figure):
    explorer = Explorer("random_walks", alt="A picture.", figure=figure, n=80)
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "image/png", WIDGET_MIME}
    again, _ = explorer._repr_mimebundle_()
    assert again[WIDGET_MIME] == bundle[WIDGET_MIME], "one explorer is one widget"


def test_what_colab_has_to_know_of_a_widget_goes_with_it(live, monkeypatch):
    for_colab = {WIDGET_MIME: {"colab": {"custom_widget_manager": {"url": "..."}}}}
    monkeypatch.setattr("anywidget._util.get_repr_metadata", lambda: for_colab)
    _, metadata = Explorer("random_walks", alt="A picture.")._repr_mimebundle_()
    assert metadata == for_colab


def test_state_follows_the_reader(live):
    explorer = Explorer("random_walks", alt="A picture.", n=80)
    explorer._repr_mimebundle_()
    explorer._widget.set_state({"n": 120})
    assert explorer.n == 120
    explorer.p = 0.3
    assert explorer._widget.get_state("p") == {"p": 0.3}


@pytest.mark.parametrize("slug", SLUGS)
def test_live_module_carries_what_it_imports(live, slug):
    explorer = Explorer(slug, alt="A picture.")
    explorer._repr_mimebundle_()
    imports = re.findall(r'from "([^"]*)"', explorer._widget._esm)
    assert len(imports) == 1
    head, payload = imports[0].split(",", 1)
    assert head == "data:text/javascript;base64"
    assert (
        base64.b64decode(payload)
        == (explorers.STATIC / "explorers" / "common.mjs").read_bytes()
    )


def test_without_anywidget_the_stored_forms_remain(monkeypatch):
    monkeypatch.delenv("BOOK_STATIC", raising=False)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    bundle, _ = Explorer("random_walks", alt="A picture.")._repr_mimebundle_()
    assert bundle == {"text/plain": "Explorer('random_walks')"}


def test_importing_the_module_does_not_import_anywidget():
    code = "import sys, utils.explorers; print('anywidget' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=explorers.STATIC.parent,
    )
    assert run.stdout.strip() == "False"
