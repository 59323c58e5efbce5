"""The door of every kernel: bad input is refused with a sentence that says what was got."""

import numpy as np
from numpy.typing import ArrayLike


def plain(x: ArrayLike) -> ArrayLike:
    """A numpy view of numbers, arrays and torch tensors, for looking at them."""
    return x.detach().double().numpy(force=True) if hasattr(x, "detach") else x


def require(ok: ArrayLike, rule: str, got: ArrayLike) -> None:
    """Raise ``ValueError`` unless all is ok, naming the first value got that breaks the rule.

    Parameters
    ----------
    ok : booleans, one or as many as there are values in ``got``.
    rule : what has to hold, in words that begin with the parameter's name.
    got : the value or values the rule is about.
    """
    ok = np.asarray(plain(ok), bool)
    if not ok.all():
        raise ValueError(f"{rule}, got {np.asarray(plain(got))[~ok][0]}")


def require_integer(name: str, x: ArrayLike, least: float = -np.inf) -> None:
    """Refuse what is not an integer, or not integers, or below ``least``."""
    rule = f"{name} must be an integer" + f" >= {least}" * (least > -np.inf)
    values = np.asarray(x)
    integer = np.issubdtype(values.dtype, np.integer)
    require(values >= least if integer else np.zeros(values.shape, bool), rule, x)


def require_finite(name: str, x: ArrayLike) -> None:
    """Refuse NaN and infinity."""
    require(np.isfinite(plain(x)), f"{name} must be finite", x)


def require_vector(name: str, x: ArrayLike) -> None:
    """Refuse what is empty or not one-dimensional."""
    ok = np.ndim(x) == 1 and len(x) > 0
    require(ok, f"{name} must be a non-empty vector", f"shape {tuple(np.shape(x))}")
