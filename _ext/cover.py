"""The cover of the EPUB and of the PDF, drawn when they are built: walks that spread, and one that stands out."""

import io

import numpy as np
from colophon import AUTHORS, SUBTITLE, TITLE
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

SIZE, DPI = (6.0, 8.5), 200  # inches; the proportions of A4, nearly
GROUND, INK, WALK, LAST = "#0b2a3f", "#ffffff", "#56b4e9", "#e69f00"
ALT = f"Cover of {TITLE}: many random walks spread from one point, one of them stands out."


def cover() -> bytes:
    """The picture as PNG."""
    rng = np.random.default_rng(1905)  # the year in which the walk got its name
    steps = rng.choice([-1, 1], (120, 400))
    walks = np.cumsum(steps, axis=1, dtype=float)
    time = np.arange(1, 401)
    figure = Figure(SIZE, dpi=DPI, facecolor=GROUND)
    axes = figure.add_axes((0, 0.13, 1, 0.5))
    axes.set_axis_off()
    axes.plot(time, walks.T, color=WALK, lw=0.6, alpha=0.3)
    axes.plot(time, walks[np.argmax(walks[:, -1])], color=LAST, lw=1.8)
    axes.set(xlim=(-30, 430))
    words = {"color": INK, "ha": "left", "family": "DejaVu Sans"}
    for line, height in zip(
        ("Random Walks", "to Reasoning"), (0.86, 0.79), strict=True
    ):
        figure.text(0.09, height, line, size=34, weight="bold", **words)
    figure.text(0.09, 0.73, SUBTITLE, size=18, **words)
    figure.text(0.09, 0.06, AUTHORS, size=11, **words)
    canvas, png = FigureCanvasAgg(figure), io.BytesIO()
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    image.quantize(64).save(png, "PNG", optimize=True)
    return png.getvalue()
