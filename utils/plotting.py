"""One figure style for the whole book: quiet axes, one accent, colours that survive colour blindness.

Figures are drawn on white. The site turns them for its dark mode by inverting lightness and keeping
hue, so a colour needs contrast only against white: 3:1 for marks, 4.5:1 for coloured text.
"""

import base64
import io
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text

# The accent and three more colours of Okabe and Ito (2008); their remaining ones are too pale on white.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY, INK = "#767676", "#222222"
LIGHT = "#D9E6EF"  # fills behind the data

TEXT_CONTRAST = 4.5
WIDE, NARROW = 7.0, 3.6  # inches: the column of the page, and a phone


def use_style() -> None:
    """Set matplotlib's defaults for the running notebook."""
    mpl.rcdefaults()
    mpl.rcParams.update(
        {
            "figure.figsize": (WIDE, 3.6),
            "figure.dpi": 144,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.family": "STIXGeneral",
            "mathtext.fontset": "stix",
            "font.size": 12.0,
            "axes.titlesize": 12.5,
            "axes.titlelocation": "left",
            "axes.labelsize": 12.0,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": GREY,
            "axes.linewidth": 0.8,
            "axes.prop_cycle": cycler(color=[BLUE, VERMILION, GREEN, PURPLE]),
            "axes.labelcolor": INK,
            "text.color": INK,
            "xtick.color": GREY,
            "ytick.color": GREY,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "xtick.labelsize": 11.0,
            "ytick.labelsize": 11.0,
            "xtick.major.width": 0.8,
            "ytick.major.width": 0.8,
            "xtick.minor.visible": False,
            "lines.linewidth": 1.8,
            "lines.markersize": 4.5,
            "legend.frameon": False,
            "image.cmap": "viridis",
        }
    )
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    if get_ipython() is not None:
        # The exact bounding box: a cropped png would change its size with the labels.
        set_matplotlib_formats("png", bbox_inches=None)


def two_widths(
    rows: int | list = 1,
    cols: int = 1,
    *,
    height: float = 3.6,
    width: float = WIDE,
    narrow: tuple[int, int] | list | None = None,
    narrow_height: float | None = None,
    **options: Any,
) -> Iterator[Any]:
    """Draw one figure twice, for a page and for a phone: a loop whose body draws.

    ``for left, right in two_widths(1, 2, height=3.2):`` runs its body with the panels side by side, and
    again with the panels under each other on half the width. Both are stored in the cell's output, and the
    browser picks. Text keeps its size; where the two need different ticks or places, the body asks
    ``narrow(ax)``.

    Parameters
    ----------
    rows, cols : grid of the wide figure; or, as ``rows``, a mosaic as ``plt.subplot_mosaic`` takes it.
    height, width : its size in inches, as wide as the page if nothing is said.
    narrow : grid or mosaic of the narrow figure, of the same panels. If it is not given, up to three panels
        stand under each other, four two by two, and more keep the wide grid.
    narrow_height : its height in inches; 2.7 a row, if not given, or where the wide grid is kept, two
        thirds of the wide figure's height.
    options : passed on to matplotlib; ratios and shared axes only to a figure of the wide grid.

    Yields
    ------
    axes
        Twice, as ``plt.subplots`` gives them for ``rows`` and ``cols``, whatever the grid; of a mosaic the
        panels in the order of their names' first appearance.

    Raises
    ------
    ValueError
        If the narrow figure has not the panels of the wide one.
    """
    import matplotlib.pyplot as plt
    import numpy as np
    from IPython.display import publish_display_data

    wide = (
        rows if isinstance(rows, list) else np.arange(rows * cols).reshape(rows, cols)
    )
    names = list(dict.fromkeys(np.ravel(wide).tolist()))
    tall = narrow_height
    if narrow is None:
        if len(names) <= 3 or isinstance(rows, list):
            narrow = [[name] for name in names]
        elif len(names) == 4:
            narrow = (2, 2)
        else:
            narrow, tall = (rows, cols), narrow_height or height * 2 / 3
    if isinstance(narrow, tuple):
        if narrow[0] * narrow[1] != len(names):
            raise ValueError(f"narrow must have {len(names)} panels, got {narrow}")
        narrow = np.reshape(names, narrow)
    if set(np.ravel(narrow).tolist()) != set(names):
        raise ValueError(f"narrow must have the panels {names}, got {narrow}")
    tall = tall or 2.7 * len(narrow)
    drawn = []
    for grid, size in ((wide, (width, height)), (narrow, (NARROW, tall))):
        kept = options if np.array_equal(grid, wide) else {}
        fig = plt.figure(figsize=size)
        if isinstance(rows, list):
            panels = fig.subplot_mosaic(np.asarray(grid).tolist(), **kept)
            axes = np.array([panels[name] for name in names], dtype=object)
        else:
            axes = fig.subplots(*np.shape(grid), squeeze=False, **kept)
            axes = axes.reshape(rows, cols).squeeze()
        yield axes if axes.ndim else axes.item()
        png = io.BytesIO()
        fig.savefig(png, format="png")
        plt.close(fig)
        drawn.append(base64.b64encode(png.getvalue()).decode("ascii"))
    publish_display_data(
        {"image/png": drawn[0], "text/plain": f"<Figure of {len(names)} panels>"},
        {"image/png": {"narrow": drawn[1]}},
    )


def narrow(ax: Axes) -> bool:
    """Whether a panel belongs to the version for a phone."""
    return ax.figure.get_figwidth() == NARROW


def label(ax: Axes, x: float, y: float, text: str, color: str = INK, **options) -> Text:
    """Write ``text`` at data point ``(x, y)`` in a shade of ``color`` dark enough to read.

    Parameters
    ----------
    ax : axes to write on.
    x, y : position in data units.
    text : what to write.
    color : colour of the mark that the text names.
    options : passed on to ``Axes.text``.

    Returns
    -------
    Text
        The artist.
    """
    return ax.text(x, y, text, color=readable(color), **options)


def readable(color: str) -> str:
    """Darken ``color`` until it reaches a contrast of 4.5:1 on white.

    Parameters
    ----------
    color : any matplotlib colour.

    Returns
    -------
    str
        The colour as ``#rrggbb``, unchanged where it was dark enough.
    """
    rgb = to_rgb(color)
    while contrast_on_white(rgb) < TEXT_CONTRAST:
        rgb = tuple(0.97 * channel for channel in rgb)
    return to_hex(rgb)


def contrast_on_white(color: str | tuple[float, float, float]) -> float:
    """Contrast ratio of ``color`` against white, between 1 and 21 (WCAG 2.1)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(color)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 1.05 / (luminance + 0.05)
