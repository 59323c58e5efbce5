"""The door of every kernel: it returns what it lets in, and refuses the rest in a sentence.

Numbers, arrays and lists come in as float64 or int64, whatever their width outside: the arithmetic of a
kernel never depends on the dtype of its input. Tensors keep their precision. What a kernel asks beyond
that, it says with ``require``.
"""

import math
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

LIMIT = 2**63  # of int64


def plain(x: ArrayLike) -> ArrayLike:
    """A numpy view of numbers, arrays and torch tensors, for looking at them."""
    if not hasattr(x, "detach"):
        return x
    # numpy has no bfloat16
    return (x.double() if x.is_floating_point() else x).numpy(force=True)


def require(ok: ArrayLike, rule: str, got: ArrayLike) -> None:
    """Raise ``ValueError`` unless all is ok, naming the first value got that breaks the rule.

    Parameters
    ----------
    ok : booleans, one or as many as there are values in ``got``.
    rule : what has to hold, in words that begin with the parameter's name.
    got : the value or values the rule is about.
    """
    if ok is True or ok is np.True_:
        return
    ok = np.asarray(plain(ok), bool)
    if not ok.all():
        raise ValueError(f"{rule}, got {np.asarray(plain(got))[~ok][0]}")


def _array(name: str, x: Any, kind: str) -> np.ndarray:
    """Whatever numpy makes of ``x``; refused is what it makes nothing of."""
    if getattr(x, "requires_grad", False):
        raise ValueError(f"{name} must not require a gradient, detach it; got {x!r}")
    if isinstance(x, np.ma.MaskedArray):
        raise ValueError(f"{name} must be {kind}, got a masked array")
    try:
        return np.asarray(plain(x))
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {kind}, got {x!r}") from None


def _wide(name: str, x: Any) -> np.ndarray:
    a = _array(name, x, "real numbers")
    if a.dtype.kind == "O" and None not in a:  # integers beyond int64, fractions
        try:
            return a.astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            pass
    if a.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be real numbers, got {a.dtype}")
    return a.astype(np.float64, copy=False)


def reals(name: str, x: ArrayLike) -> np.ndarray:
    """Finite real numbers of any shape, as float64.

    Parameters
    ----------
    name : the parameter, for the message.
    x : numbers, lists, arrays or tensors of real numbers; integers and float32 are widened.

    Returns
    -------
    ndarray
        float64; ``x`` itself where it is that already, so a kernel must not write into it.

    Raises
    ------
    ValueError
        If an entry is complex, not a number, NaN or infinite.
    """
    if type(x) is not np.ndarray or x.dtype != np.float64:
        x = _wide(name, x)
    # One pass: a finite sum of squares has finite terms. Where it overflows, each entry is looked at.
    if not math.isfinite(np.vdot(x, x)):
        require(np.isfinite(x), f"{name} must be finite", x)
    return x


def real(name: str, x: Any) -> float:
    """One real number, as a float; its range, NaN included, is for the kernel to ask about."""
    if type(x) is float:
        return x
    a = _wide(name, x)
    require(a.ndim == 0, f"{name} must be one number", f"shape {a.shape}")
    return float(a)


def vector(name: str, x: ArrayLike) -> np.ndarray:
    """A non-empty vector of finite real numbers, as float64."""
    x = reals(name, x)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"{name} must be a non-empty vector, got shape {x.shape}")
    return x


def together(**arrays: ArrayLike) -> list[np.ndarray]:
    """Finite real numbers, as float64, in shapes that broadcast."""
    found = [reals(name, x) for name, x in arrays.items()]
    try:
        np.broadcast_shapes(*(x.shape for x in found))
    except ValueError:
        shapes = " and ".join(str(x.shape) for x in found)
        names = " and ".join(arrays)
        raise ValueError(f"{names} must broadcast, got shapes {shapes}") from None
    return found


def integers(name: str, x: ArrayLike, least: float = -np.inf) -> np.ndarray:
    """Integers of any shape, as int64; refused is what is not one, below ``least`` or beyond int64."""
    rule = f"{name} must be an integer" + f" >= {least}" * (least > -np.inf)
    a = _array(name, x, "integers")
    if a.dtype.kind == "O" and all(type(v) is int for v in a.flat):
        fits = [-LIMIT <= v < LIMIT for v in a.flat]
        require(fits, f"{name} must fit into 64 bits", a.ravel())
    elif a.dtype.kind not in "iu" and a.size:
        raise ValueError(f"{rule}, got {a.flat[0]}")
    elif a.dtype == np.uint64:
        require(a < LIMIT, f"{name} must fit into 64 bits", a)
    a = a.astype(np.int64, copy=False)
    if least > -np.inf:
        require(a >= least, rule, a)
    return a


def integer(name: str, x: Any, least: float = -np.inf) -> int:
    """One integer, as an ``int``: a count, a dimension. Integers of numpy and torch are taken, too."""
    try:
        n = x if type(x) is int else index(x)
        odd = isinstance(x, bool | np.ma.MaskedArray) or getattr(x, "ndim", 0) > 0
        ok = not odd and n >= least
    except (TypeError, ValueError):
        n, ok = x, False
    if not ok:
        rule = f"{name} must be an integer" + f" >= {least}" * (least > -np.inf)
        raise ValueError(f"{rule}, got {x}")
    require(-LIMIT <= n < LIMIT, f"{name} must fit into 64 bits", n)
    return n


def tensor(name: str, x: Any) -> Any:
    """A tensor of finite floating numbers, as it is.

    Parameters
    ----------
    name : the parameter, for the message.
    x : what should be such a tensor; integer tensors are refused, since they would turn a level of 0.5
        into 0.

    Returns
    -------
    Tensor
        ``x`` itself.

    Raises
    ------
    ValueError
        If ``x`` is no tensor, not floating, or an entry is NaN or infinite.
    """
    if not hasattr(x, "is_floating_point") or not x.is_floating_point():
        got = getattr(x, "dtype", type(x).__name__)
        raise ValueError(f"{name} must be a tensor of floating numbers, got {got}")
    # One pass, as in ``reals``.
    if not math.isfinite(x.detach().sum()):
        require(x.isfinite(), f"{name} must be finite", x)
    return x
