"""Checks that can fail: every numbered equation of the book is tested by one of these four functions.

Each prints one line (label, method, tolerance, number of values, rivals) and leaves its evidence in
the notebook, from where the page :doc:`/verified` collects it. The raw error is never printed: it
differs from one processor to the next. A *rival* is a plausible wrong value - a dropped factor, the
other sign - that the same comparison has to reject: a check that accepts a rival proves nothing.

Each numeric check also tries itself: with the expected value 10 % too large, and 10 % too small, it has to
fail. Where Monte Carlo or a measured order cannot see that much, the call says why (``blind``), and the
line shows it. An expected value of 0 has no 10 %: there a rival has to show what would be seen.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape

import numpy as np
from IPython.display import display
from numpy.typing import ArrayLike

EVIDENCE_MIME = "application/vnd.book.check+json"
OFF = (0.9, 1.1)  # an expected value that is wrong by so much must not pass


@dataclass(frozen=True)
class Evidence:
    """What a passed check leaves behind: shown as one line, stored as json beside it."""

    label: str
    method: str
    tolerance: str
    count: int
    rivals: tuple[str, ...] = ()
    blind: str = ""

    @property
    def summary(self) -> str:
        parts = [
            self.method,
            self.tolerance,
            f"{self.count} value{'s' * (self.count != 1)}",
        ]
        if self.rivals:
            parts.append("rejects " + ", ".join(self.rivals))
        if self.blind:
            parts.append(f"does not see 10 %: {self.blind}")
        return " · ".join(parts)

    def __repr__(self) -> str:
        return f"✓ {self.label}: {self.summary}"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {
            "text/plain": repr(self),
            "text/html": f'<div class="check" data-check="{escape(self.label)}">✓ '
            f"<code>{escape(self.label)}</code> {escape(self.summary)}</div>",
            EVIDENCE_MIME: {
                key: list(value) if key == "rivals" else value
                for key, value in asdict(self).items()
                if value or key != "blind"
            },
        }


def equal(
    label: str,
    got: ArrayLike,
    want: ArrayLike,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    rivals: Mapping[str, ArrayLike] | None = None,
) -> None:
    r"""Deterministic identity: ``|got - want| <= atol + rtol |want|`` in every component.

    Parameters
    ----------
    label : the equation's label, ``eq-<slug>-<name>``.
    got : the left-hand side, any shape, finite.
    want : the right-hand side by an independent route: the same shape, or one number.
    rtol, atol : relative and absolute tolerance; both 0 asks for exact equality.
    rivals : name -> wrong value of the right-hand side, each of which must be rejected.

    Raises
    ------
    AssertionError
        If a component differs (worst index, got, want and tolerance are named), a rival passes, or an
        expected value off by 10 % would pass.
    ValueError
        If there is nothing to compare: empty or non-finite input, shapes that differ, one object
        given twice.
    """
    if got is want and np.ndim(got):  # equal numbers may well be one object
        raise ValueError(
            f"{label}: got and want are the same object, this check cannot fail"
        )
    got, want = _values(label, "got", got), _values(label, "want", want)
    want = _spread(label, "want", want, got.shape)
    excess = _excess(got, want, rtol, atol)
    _require_all(
        label, excess <= 0, got, want, f"rtol={rtol:g} atol={atol:g}", worst=excess
    )

    def differs(value):
        return _excess(got, value, rtol, atol) > 0

    _reject(label, rivals, got.shape, differs)
    _require_sight(label, want, differs, rivals)
    stated = [
        f"{kind} {value:g}" for kind, value in (("rtol", rtol), ("atol", atol)) if value
    ]
    _show(label, "equal", " ".join(stated) or "exact", got.size, rivals)


def sampled(
    label: str,
    samples: ArrayLike,
    want: ArrayLike,
    *,
    resolves: float,
    z: float = 4.0,
    rivals: Mapping[str, ArrayLike] | None = None,
    blind: str = "",
) -> None:
    r"""Monte Carlo: the sample mean lies within ``z`` standard errors of ``want``, and has power.

    Parameters
    ----------
    label : the equation's label.
    samples : independent draws of shape ``(n,)`` or ``(n, k)`` for k means at once, from a fixed seed.
    want : the exact mean, one number or shape ``(k,)``.
    resolves : the difference this check promises to see; ``z`` standard errors must not exceed it.
    z : width of the acceptance band in standard errors.
    rivals : name -> wrong mean, each of which must be rejected.
    blind : why a mean off by 10 % would pass, where it would; shown in the line.

    Raises
    ------
    AssertionError
        If a mean is too far off, a rival passes, the standard error is too large for ``resolves``, or
        a mean off by 10 % would pass without ``blind`` saying why (or be seen although it says so).
    ValueError
        If there are fewer than two draws, or input is not finite.
    """
    draws = _values(label, "samples", samples)
    if draws.ndim not in (1, 2) or len(draws) < 2:
        raise ValueError(
            f"{label}: samples must be (n,) or (n, k) with n >= 2, got {draws.shape}"
        )
    mean = draws.mean(axis=0)
    band = z * draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    if (band > resolves).any():
        raise AssertionError(
            f"{label}: no power, {z:g} standard errors are {band.max():.3g}"
            f" and cannot resolve {resolves:g}; draw more samples"
        )
    want = _spread(label, "want", _values(label, "want", want), mean.shape)
    excess = abs(mean - want) - band
    _require_all(
        label, excess <= 0, mean, want, f"{z:g} s.e. = {band.max():.3g}", worst=excess
    )

    def differs(value):
        return abs(mean - value) > band

    _reject(label, rivals, mean.shape, differs)
    _require_sight(label, want, differs, rivals, blind)
    tolerance = f"{z:g} s.e., resolves {resolves:g}"
    _show(label, "sampled", tolerance, len(draws), rivals, blind)


def order(
    label: str,
    h: ArrayLike,
    err: ArrayLike,
    order: float,
    *,
    atol: float = 0.05,
    rivals: Mapping[str, float] | None = None,
    blind: str = "",
) -> None:
    r"""Order of convergence: the slope of :math:`\log\mathrm{err}` against :math:`\log h`.

    Parameters
    ----------
    label : the equation's label.
    h : step sizes ``(n,)``, n >= 3, positive and distinct.
    err : errors ``(n,)``, positive.
    order : the claimed power of ``h``.
    atol : tolerance on the slope.
    rivals : name -> wrong order, each of which must be rejected.
    blind : why an order off by 10 % would pass, where it would; shown in the line.

    Raises
    ------
    AssertionError
        If the fitted slope is off, a rival passes, or an order off by 10 % would pass without
        ``blind`` saying why (or be seen although it says so).
    ValueError
        If there are fewer than three points, or a step or an error is not positive.
    """
    h, err = _values(label, "h", h), _values(label, "err", err)
    if h.shape != err.shape or h.ndim != 1 or len(np.unique(h)) < 3:
        raise ValueError(
            f"{label}: need three distinct steps, got h {h.shape} and err {err.shape}"
        )
    if (h <= 0).any() or (err <= 0).any():
        raise ValueError(
            f"{label}: steps and errors must be positive, got {h.min()}, {err.min()}"
        )
    slope = np.polyfit(np.log(h), np.log(err), 1)[0]
    if not abs(slope - order) <= atol:
        raise AssertionError(
            f"{label}: measured order {slope:.4g}, want {order:g} within {atol:g}"
        )
    for name, rival in (rivals or {}).items():
        _require_rejected(label, name, abs(slope - rival) > atol)

    def differs(value):
        return abs(slope - value) > atol

    _require_sight(label, np.array(order, float), differs, rivals, blind)
    tolerance = f"slope within {atol:g}"
    _show(label, f"order {order:g}", tolerance, len(h), rivals, blind)


def holds(
    label: str,
    condition: ArrayLike,
    *,
    because: str,
    rivals: Mapping[str, ArrayLike] | None = None,
) -> None:
    r"""Inequality or logical fact, true in every instance.

    Parameters
    ----------
    label : the equation's label.
    condition : booleans of any shape, at least one.
    because : what was tried, in a few words; shown in the line.
    rivals : name -> the same condition under a wrong claim, false in at least one instance.

    Raises
    ------
    AssertionError
        If the condition fails somewhere (the index is named), or a rival holds everywhere.
    ValueError
        If the condition is empty or not boolean.
    """
    condition = _booleans(label, "condition", condition)
    if not condition.all():
        where = tuple(int(i) for i in np.argwhere(~condition)[0])
        raise AssertionError(f"{label}: fails at index {where} ({because})")
    for name, value in (rivals or {}).items():
        wrong = _booleans(label, f"rival {name!r}", value)
        _require_rejected(label, name, not wrong.all())
    _show(label, "holds", because, condition.size, rivals)


def _show(label, method, tolerance, count, rivals, blind="") -> None:
    display(Evidence(label, method, tolerance, int(count), tuple(rivals or ()), blind))


def _require_sight(label, want, differs, rivals, blind="") -> None:
    """The check has to see an expected value that is off by 10 %, or to say why it cannot."""
    if not np.any(want):
        if not rivals:
            raise AssertionError(
                f"{label}: 0 has no 10 %, a rival must show what the check would see"
            )
        return
    passed = [factor for factor in OFF if not np.any(differs(factor * want))]
    if passed and not blind:
        raise AssertionError(
            f"{label}: {passed[0]:g} times the expected value passes, too: sharpen the check"
        )
    if blind and not passed:
        raise AssertionError(f"{label}: sees 10 % although it says that it is blind")


def _values(label: str, name: str, value: ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    array = array.astype(float) if array.dtype.kind in "biu" else array
    if array.dtype.kind not in "fc":
        raise ValueError(f"{label}: {name} must be numbers, got {array.dtype}")
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{label}: {name} must be finite and not empty, got {array}")
    return array


def _booleans(label: str, name: str, value: ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype != bool or array.size == 0:
        raise ValueError(
            f"{label}: {name} must be booleans, got {array.dtype} of size {array.size}"
        )
    return array


def _spread(
    label: str, name: str, value: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    if value.ndim and value.shape != shape:
        raise ValueError(f"{label}: {name} must have shape {shape}, got {value.shape}")
    return np.broadcast_to(value, shape)


def _excess(got, want, rtol, atol) -> np.ndarray:
    return abs(got - want) - (atol + rtol * abs(want))


def _require_all(label, passed, got, want, tolerance, *, worst) -> None:
    if np.all(passed):
        return
    index = np.unravel_index(np.argmax(worst), np.shape(worst))
    raise AssertionError(
        f"{label}: worst at index {tuple(int(i) for i in index)}:"
        f" got {got[index]:.17g}, want {want[index]:.17g}, {tolerance}"
    )


def _reject(label, rivals, shape, differs) -> None:
    """Each rival value has to differ from what was got in at least one component."""
    for name, value in (rivals or {}).items():
        rival = _values(label, f"rival {name!r}", value)
        rival = _spread(label, f"rival {name!r}", rival, shape)
        _require_rejected(label, name, bool(differs(rival).any()))


def _require_rejected(label: str, name: str, rejected: bool) -> None:
    if not rejected:
        raise AssertionError(
            f"{label}: the rival {name!r} is accepted, the check has no teeth"
        )
