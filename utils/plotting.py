"""One figure style for the whole book: quiet axes, one accent, colours that survive colour blindness.

Figures are drawn on white. The site turns them for its dark mode by inverting lightness and keeping
hue, so a colour needs contrast only against white: 3:1 for marks, 4.5:1 for coloured text.
"""

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


def use_style() -> None:
    """Set matplotlib's defaults for the running notebook."""
    mpl.rcdefaults()
    mpl.rcParams.update(
        {
            "figure.figsize": (7.0, 3.6),
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
