"""What every chapter does first: threads, style, random streams; and how it shows its kernels."""

import ast
import inspect
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from IPython.display import display
from threadpoolctl import threadpool_limits

from utils import plotting

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).resolve().parents[1]


def setup(seed: int = 0) -> "Streams":
    """Prepare a notebook: one thread, the book's figure style, named random streams.

    Parameters
    ----------
    seed : non-negative integer from which every stream of the chapter is derived.

    Returns
    -------
    Streams
        ``rng("paths")`` is a fresh generator for the experiment called *paths*.
    """
    threads = int(os.environ.get("BOOK_THREADS", "1"))
    os.environ["OMP_NUM_THREADS"] = str(
        threads
    )  # read by libraries that are loaded later
    threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    plotting.use_style()
    return Streams(seed)


class Streams:
    """Named random streams: an experiment draws the same numbers whatever ran before it.

    Parameters
    ----------
    seed : non-negative integer shared by all streams.

    Raises
    ------
    ValueError
        If ``seed`` is negative or not an integer.
    """

    def __init__(self, seed: int):
        if not isinstance(seed, int) or seed < 0:
            raise ValueError(f"seed must be a non-negative integer, got {seed!r}")
        self.seed = seed

    def __call__(self, name: str) -> np.random.Generator:
        """Return a fresh generator for the experiment ``name``."""
        return np.random.default_rng([self.seed, crc32(name.encode())])

    def torch(self, name: str) -> "torch.Generator":
        """Return a fresh generator of torch for the experiment ``name``."""
        import torch  # only for chapters that use it

        seed = int(self(name).integers(2**63))
        return torch.Generator().manual_seed(seed)


def static() -> bool:
    """Whether the notebook is run for storing its outputs rather than for a reader at a kernel."""
    return os.environ.get("BOOK_STATIC", "") not in ("", "0")


def progress(iterable: Iterable, what: str, **options) -> Iterable:
    """Loop with a progress bar for a reader at a kernel, silently in static mode.

    Parameters
    ----------
    iterable : what to loop over.
    what : description in front of the bar.
    options : passed on to ``tqdm``, for instance ``total``.
    """
    if static():
        return iterable
    from tqdm.auto import tqdm  # what only a reader at a kernel waits for

    return tqdm(iterable, desc=what, leave=False, **options)


def show_source(*kernels) -> None:
    """Show kernels as they stand in ``utils/``, docstrings left out (they are on the API page).

    Parameters
    ----------
    kernels : functions or classes of the package ``utils``.
    """
    for kernel in kernels:
        path = Path(inspect.getsourcefile(kernel)).resolve().relative_to(ROOT)
        code = f"# {path.as_posix()}\n{_without_docstrings(inspect.getsource(kernel))}"
        bundle = {"text/plain": code, "text/markdown": f"```python\n{code}\n```"}
        display(bundle, raw=True)


def _without_docstrings(source: str) -> str:
    lines = source.rstrip().splitlines()
    documented = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and ast.get_docstring(node) is not None
        and len(node.body) > 1
    ]
    for node in sorted(documented, key=lambda node: -node.lineno):
        first, last = node.body[0].lineno - 1, node.body[0].end_lineno
        blank = last < len(lines) and not lines[last].strip()
        del lines[first : last + blank]
    return "\n".join(lines)
