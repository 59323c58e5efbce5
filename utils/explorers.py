"""Explorers: figures that compute in the reader's browser, one ES module each.

The modules live in ``_static/explorers`` and run in two places: in JupyterLab and VS Code through
anywidget, their state shared with Python, and on the site through ``_static/explorer-loader.js``,
without a kernel.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

from utils.runtime import static

HERE = Path(__file__).resolve().parent
# inside the package where it is installed, beside it in the repository
STATIC = (HERE if (HERE / "_static").is_dir() else HERE.parent) / "_static"
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


def _slugs() -> list[str]:
    """Explorers of this book; ``common.mjs`` is what they share."""
    return sorted(
        path.stem
        for path in (STATIC / "explorers").glob("*.mjs")
        if path.stem != "common"
    )


def _defaults(slug: str) -> dict[str, Any]:
    """State an explorer starts from, read from the one place that states it: its module."""
    source = (STATIC / "explorers" / f"{slug}.mjs").read_text(encoding="utf-8")
    match = re.search(
        r"^export const defaults = (\{.*?\});$", source, re.MULTILINE | re.DOTALL
    )
    if match is None:
        raise ValueError(
            f"{slug}.mjs must contain a line `export const defaults = {{...}};` in JSON"
        )
    return json.loads(match[1])


def _esm(slug: str) -> str:
    """Module in one piece: anywidget loads it from a blob, where ``./common.mjs`` leads nowhere."""
    folder = STATIC / "explorers"
    common = base64.b64encode((folder / "common.mjs").read_bytes()).decode("ascii")
    source = (folder / f"{slug}.mjs").read_text(encoding="utf-8")
    return source.replace('"./common.mjs"', f'"data:text/javascript;base64,{common}"')


def read_repr(text: str) -> tuple[str, dict[str, Any]] | None:
    """Slug and parameters from the text that a notebook stores of an explorer; None of anything else.

    Examples
    --------
    >>> read_repr("Explorer('random_walks', n=80)")
    ('random_walks', {'n': 80})
    """
    if not text.startswith("Explorer("):
        return None
    call = ast.parse(text, mode="eval").body
    params = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
    return ast.literal_eval(call.args[0]), params


class Explorer:
    """An explorer: live where a kernel and anywidget are, else a picture the site brings alive.

    The state is readable and writable as attributes (``explorer.n``, ``explorer.n = 80``); once the
    explorer is displayed live, they follow the reader's hand.

    Parameters
    ----------
    slug : name of the module in ``_static/explorers``.
    alt : what the picture shows, in one sentence, for those who do not see it.
    figure : matplotlib figure for readers without JavaScript; it is not displayed a second time.
    **params : state to start from, where it differs from the module's own ``defaults``.

    Raises
    ------
    ValueError
        If the slug or a parameter is unknown, or ``alt`` is empty.

    Examples
    --------
    >>> explorer = Explorer("random_walks", alt="Where a walk of 80 steps ends.", n=80)
    >>> explorer.n, explorer.p
    (80, 0.5)
    """

    def __init__(
        self, slug: str, *, alt: str, figure: Any = None, **params: Any
    ) -> None:
        if slug not in _slugs():
            raise ValueError(
                f"unknown explorer {slug!r}, known are: {', '.join(_slugs())}"
            )
        if not alt.strip():
            raise ValueError("alt must say what the picture shows, got an empty text")
        defaults = _defaults(slug)
        if unknown := sorted(params.keys() - defaults.keys()):
            raise ValueError(
                f"unknown parameters {unknown} of {slug!r}, known are: {', '.join(defaults)}"
            )
        # Past __setattr__, which is for the state.
        vars(self).update(
            slug=slug,
            alt=alt,
            figure=figure,
            params=params,
            _state=defaults | params,
            _widget=None,
        )
        if figure is not None and "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(figure)

    def __getattr__(self, name: str) -> Any:
        state = vars(self).get("_state", {})
        if name not in state:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            )
        return state[name] if self._widget is None else getattr(self._widget, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._state:
            raise AttributeError(
                f"{name!r} is not part of the state, which is: {', '.join(self._state)}"
            )
        self._state[name] = value
        if self._widget is not None:
            setattr(self._widget, name, value)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._state]

    def __repr__(self) -> str:
        params = "".join(
            f", {name}={value!r}" for name, value in sorted(self.params.items())
        )
        return f"Explorer({self.slug!r}{params})"

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        # No html: viewers of notebooks prefer it to a picture, and the picture has to win.
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        metadata: dict[str, Any] = {}
        if self.figure is not None:
            png = io.BytesIO()
            self.figure.savefig(png, format="png", dpi=144)
            bundle["image/png"] = base64.b64encode(png.getvalue()).decode("ascii")
            metadata["image/png"] = {"alt": self.alt}
        if not static() and (widget := self._live()) is not None:
            live, for_colab = widget._repr_mimebundle_()
            bundle[WIDGET_MIME] = live[WIDGET_MIME]
            metadata |= for_colab
        return bundle, metadata

    def _live(self) -> Any:
        """Make the widget behind this explorer, or None where anywidget is not installed."""
        if self._widget is None:
            try:
                import anywidget
                import traitlets
            except ImportError:
                return None
            traits = {
                name: traitlets.Any(value).tag(sync=True)
                for name, value in self._state.items()
            }
            source = {
                "_esm": _esm(self.slug),
                "_css": (STATIC / "explorers.css").read_text(encoding="utf-8"),
            }
            vars(self)["_widget"] = type(
                "ExplorerWidget", (anywidget.AnyWidget,), source | traits
            )()
        return self._widget
