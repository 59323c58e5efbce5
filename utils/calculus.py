r"""Derivatives by machine: finite differences, the complex step, automatic differentiation, norms.

A function ``f`` takes one vector of shape ``(n,)`` and returns a number, a function ``F`` returns a
vector of shape ``(m,)``. The functions stand in the order of the chapter. Only ``hvp`` needs torch,
and only when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float

from utils.validate import require, require_finite, require_integer, require_vector

if TYPE_CHECKING:
    import torch

ROUND_OFF = 2.0**-53  # largest relative error of one rounding in double precision
METHODS = ("forward", "central", "complex")
NORMS = ("l1", "l2", "linf", "spectral")


def _default_step(x, method: str) -> float:
    """Steps that balance truncation against rounding where ``f`` and its derivatives have size 1."""
    if method == "complex":
        return 1e-20
    power = 1 / 2 if method == "forward" else 1 / 3
    return ROUND_OFF**power * max(1.0, float(np.linalg.norm(x)))


def _require_arguments(x, method, h) -> None:
    require_vector("x", x)
    require_finite("x", x)
    require(method in METHODS, f"method must be one of {', '.join(METHODS)}", method)
    require(h is None or 0 < h < np.inf, "h must be finite and > 0", h)


def _along(F, x, unit, method: str, h: float | None):
    """Derivative of ``F`` at ``x`` along the unit vector ``unit``, whatever shape ``F`` returns."""
    h = _default_step(x, method) if h is None else h
    if method == "forward":
        quotient = (np.asarray(F(x + h * unit)) - F(x)) / h
    elif method == "central":
        quotient = (np.asarray(F(x + h * unit)) - F(x - h * unit)) / (2 * h)
    else:
        value = np.asarray(F(x + 1j * h * unit))
        rule = "f must return complex values for a complex argument"
        require(np.iscomplexobj(value), rule, value.dtype)
        quotient = value.imag / h
    require_finite("the derivative of f", quotient)
    return quotient


def directional_derivative(
    f: Callable,
    x: Float[np.ndarray, " n"],
    v: Float[np.ndarray, " n"],
    method: Literal["forward", "central", "complex"] = "central",
    h: float | None = None,
    normalize: bool = True,
) -> float:
    r"""Rate of change of ``f`` at ``x`` in the direction ``v``, from the definition.

    .. math:: D_v f(x) = \lim_{t\to0} \frac{f(x+tv) - f(x)}{t}

    No gradient is formed, so the result is right even where ``f`` has slopes in all directions but
    no gradient that knows them (with ``method="forward"``, since such an ``f`` may have a kink).

    Parameters
    ----------
    f : function of a vector ``(n,)`` that returns a number.
    x : point.
    v : direction, not zero where it is normalised.
    method : ``"forward"`` takes ``(f(x+hu) - f(x))/h`` with the unit vector ``u`` along ``v``, error
        ``O(h)``; ``"central"`` takes ``(f(x+hu) - f(x-hu))/2h``, error ``O(h^2)``; ``"complex"`` takes
        ``Im f(x+ihu)/h``, exact to rounding, but ``f`` has to be analytic and accept complex input.
    h : length of the step, finite and > 0; by default the square root (forward) or cube root
        (central) of the unit round-off times ``max(1, |x|)``, and 1e-20 for the complex step.
    normalize : whether ``v`` stands for its direction only (rate of change per unit length), or for
        itself (the linear map applied to ``v``: the result then scales with the length of ``v``).

    Returns
    -------
    float
        The derivative.

    Raises
    ------
    ValueError
        If ``x`` is empty, not one-dimensional or not finite, ``v`` is not finite, has another shape or
        is zero although it is to be normalised, ``method`` is unknown, ``h`` is not finite or not
        positive, ``f`` answers a complex argument with real values, or the result is not finite.

    References
    ----------
    Squire and Trapp 1998 for the complex step. Equations :eq:`def-gradients-directional`,
    :eq:`eq-gradients-homogeneous`, :eq:`eq-gradients-complex-step`.
    """
    _require_arguments(x, method, h)
    same = np.shape(v) == np.shape(x)
    require(same, f"v must have the shape {np.shape(x)} of x", f"shape {np.shape(v)}")
    require_finite("v", v)
    length = float(np.linalg.norm(v))
    require(length > 0 or not normalize, "v must not be zero", np.max(np.abs(v)))
    if length == 0:
        return 0.0
    return float(_along(f, x, v / length, method, h)) * (1.0 if normalize else length)


def numerical_gradient(
    f: Callable,
    x: Float[np.ndarray, " n"],
    method: Literal["forward", "central", "complex"] = "central",
    h: float | None = None,
) -> Float[np.ndarray, " n"]:
    r"""All partial derivatives of ``f`` at ``x``: one directional derivative along each axis.

    .. math:: (\nabla f)_i = \frac{\partial f}{\partial x_i} = D_{e_i} f(x)

    Parameters
    ----------
    f : function of a vector ``(n,)`` that returns a number.
    x : point.
    method : as in ``directional_derivative``; ``n`` evaluations for ``"complex"``, ``2n`` otherwise.
    h : length of the step, as in ``directional_derivative``.

    Returns
    -------
    ndarray
        The vector of partial derivatives. It is the gradient only where ``f`` is differentiable.

    Raises
    ------
    ValueError
        If ``x`` is empty, not one-dimensional or not finite, ``method`` is unknown, ``h`` is not finite
        or not positive, ``f`` answers a complex argument with real values, or the result is not finite.

    References
    ----------
    Equations :eq:`eq-gradients-forward`, :eq:`eq-gradients-central`, :eq:`eq-gradients-complex-step`.
    """
    _require_arguments(x, method, h)
    return np.array([float(_along(f, x, e, method, h)) for e in np.eye(len(x))])


def numerical_jacobian(
    F: Callable,
    x: Float[np.ndarray, " n"],
    method: Literal["forward", "central", "complex"] = "central",
    h: float | None = None,
) -> Float[np.ndarray, "m n"]:
    r"""Jacobian of ``F`` at ``x``, column by column.

    .. math:: J_{ki} = \frac{\partial F_k}{\partial x_i}

    Parameters
    ----------
    F : function of a vector ``(n,)`` that returns a vector ``(m,)``.
    x : point.
    method : as in ``directional_derivative``.
    h : length of the step, as in ``directional_derivative``.

    Returns
    -------
    ndarray
        ``J`` of shape ``(m, n)``.

    Raises
    ------
    ValueError
        If ``x`` is empty, not one-dimensional or not finite, ``method`` is unknown, ``h`` is not finite
        or not positive, ``F`` answers a complex argument with real values, or the result is not finite.

    References
    ----------
    Equations :eq:`eq-gradients-central`, :eq:`eq-gradients-chain`.
    """
    _require_arguments(x, method, h)
    return np.stack([_along(F, x, e, method, h) for e in np.eye(len(x))], axis=-1)


def gradient_check(
    f: Callable,
    grad: Callable,
    x: Float[np.ndarray, " n"],
    n_dir: int = 5,
    method: Literal["forward", "central", "complex"] = "central",
    *,
    rng: np.random.Generator,
) -> tuple[float, Float[np.ndarray, " n"]]:
    r"""Compare a gradient with directional derivatives along random directions.

    .. math:: \max_i \frac{|D_{v_i} f(x) - \nabla f(x)\cdot v_i|}{\max_j |D_{v_j} f(x)|},
              \qquad |v_i| = 1

    A few directions see every component at once: a wrong entry, a transposed matrix or a lost factor
    shows in each of them, at the price of ``n_dir`` and not ``n`` derivatives.

    Parameters
    ----------
    f : function of a vector ``(n,)`` that returns a number.
    grad : function of a vector that is meant to return the gradient of ``f``, shape ``(n,)``.
    x : point.
    n_dir : number of directions, >= 1.
    method : how ``D_v f`` is found, as in ``directional_derivative``.
    rng : source of the directions.

    Returns
    -------
    error : the largest disagreement, relative to the largest slope seen. About 1e-10 is what central
        differences leave of a correct gradient, 1e-15 the complex step; a wrong one shows the
        relative size of its mistake.
    worst : the unit direction where it occurs.

    Raises
    ------
    ValueError
        If ``x`` is empty, not one-dimensional or not finite, ``n_dir`` is not an integer >= 1,
        ``method`` is unknown, ``grad`` returns another shape, or a result is not finite.

    References
    ----------
    Equation :eq:`eq-gradients-linear`.
    """
    _require_arguments(x, method, None)
    require_integer("n_dir", n_dir, 1)
    g = np.asarray(grad(x))
    shape = f"shape {g.shape}"
    require(g.shape == x.shape, f"grad must return the shape {x.shape} of x", shape)
    require_finite("the value of grad", g)
    V = rng.normal(size=(n_dir, len(x)))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    slopes = np.array([directional_derivative(f, x, v, method) for v in V])
    error = np.abs(slopes - V @ g)
    scale = max(np.abs(slopes).max(), np.abs(V @ g).max())
    worst = int(error.argmax())
    return float(error[worst] / scale) if scale else 0.0, V[worst].copy()


class Var:
    """A number, vector or matrix that remembers how it was made: reverse mode in miniature.

    Supports ``a + b`` and ``a * b`` (entry by entry, of equal shape), ``W @ x``, ``a.tanh()`` and
    ``a.sum()``. After ``y.backward()`` on a scalar ``y`` every ancestor holds ``dy/d(ancestor)`` in
    ``grad``.

    Parameters
    ----------
    value : array or number.
    parents : pairs (ancestor, function that pulls a derivative back to it).
    """

    def __init__(self, value, parents: tuple = ()):
        self.value = np.asarray(value, dtype=float)
        self.grad = np.zeros_like(self.value)
        self.parents = parents

    def __add__(self, other: Var) -> Var:
        pull = (self, lambda g: g), (other, lambda g: g)
        return Var(self.value + other.value, pull)

    def __mul__(self, other: Var) -> Var:
        pull = (self, lambda g: g * other.value), (other, lambda g: g * self.value)
        return Var(self.value * other.value, pull)

    def __matmul__(self, other: Var) -> Var:
        x = other.value.reshape(len(other.value), -1)  # a vector is one column
        left = (self, lambda g: g.reshape(len(g), -1) @ x.T)
        right = (other, lambda g: self.value.T @ g)
        return Var(self.value @ other.value, (left, right))

    def tanh(self) -> Var:
        y = np.tanh(self.value)
        return Var(y, ((self, lambda g: g * (1 - y**2)),))

    def sum(self) -> Var:
        return Var(self.value.sum(), ((self, lambda g: g * np.ones_like(self.value)),))

    def backward(self) -> None:
        """Visit the graph from the result to its leaves, each node after all that use it."""
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        for node in order:
            node.grad = np.zeros_like(node.value)
        self.grad = np.ones_like(self.value)
        for node in reversed(order):
            for parent, pull in node.parents:
                parent.grad = parent.grad + pull(node.grad)


def hvp(f: Callable, x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    r"""Product of the Hessian of ``f`` at ``x`` with a vector, without the Hessian.

    .. math:: \nabla^2 f(x)\, v = \frac{d}{dt}\, \nabla f(x + tv)\Big|_{t=0}

    Forward mode through reverse mode: a small multiple of one gradient, whatever the dimension.

    Parameters
    ----------
    f : function of a torch tensor that returns a scalar tensor, twice differentiable.
    x : point, a floating tensor of any shape.
    v : direction, of the shape of ``x``.

    Returns
    -------
    Tensor
        ``H v``, of the shape of ``x``.

    Raises
    ------
    ValueError
        If ``x`` is empty, ``x`` or ``v`` is not finite, or their shapes differ.

    References
    ----------
    Pearlmutter 1994. Equation :eq:`eq-gradients-hvp`.
    """
    from torch.func import grad, jvp

    require(x.numel() > 0, "x must not be empty", f"shape {tuple(x.shape)}")
    shape = f"shape {tuple(v.shape)}"
    require(v.shape == x.shape, f"v must have the shape {tuple(x.shape)} of x", shape)
    require_finite("x", x)
    require_finite("v", v)
    return jvp(grad(f), (x,), (v,))[1]


def dual_direction(
    g: Float[np.ndarray, "*shape"],
    norm: Literal["l1", "l2", "linf", "spectral"] | Float[np.ndarray, "n n"] = "l2",
) -> tuple[Float[np.ndarray, "*shape"], float]:
    r"""Direction of steepest ascent among the vectors of length 1, and the slope along it.

    .. math:: d = \arg\max_{\|v\|=1} \langle g, v\rangle, \qquad
              \langle g, d\rangle = \|g\|_*

    Steepest descent with step ``eta`` is ``x - eta * dual_norm * d``.

    Parameters
    ----------
    g : gradient, not zero; a matrix ``(m, n)`` where ``norm`` is ``"spectral"``, a vector where it is a
        matrix, any shape otherwise.
    norm : how ``v`` is measured: sum, root of squares or maximum of the absolute entries, largest
        singular value, or ``sqrt(v @ M @ v)`` with a symmetric positive definite matrix ``M``.

    Returns
    -------
    d : for ``"l1"`` the first largest coordinate, for ``"linf"`` the signs (0 where ``g`` is 0), for
        ``"spectral"`` ``U V^T`` of the reduced singular value decomposition, for ``M`` a multiple of
        ``M^-1 g``. The maximiser is unique only for ``"l2"`` and ``M``.
    dual_norm : the dual norm of ``g``.

    Raises
    ------
    ValueError
        If ``g`` is empty, zero or not finite or has the wrong number of dimensions, or ``norm`` is
        unknown or not a symmetric positive definite matrix of the size of ``g``.

    References
    ----------
    Boyd and Vandenberghe 2004, section 9.4. Equation :eq:`eq-gradients-dual`.
    """
    require(np.size(g) > 0, "g must not be empty", f"shape {np.shape(g)}")
    require_finite("g", g)
    require(np.any(g != 0), "g must not be zero", 0.0)
    if not isinstance(norm, str):
        return _metric_direction(g, norm)
    require(norm in NORMS, f"norm must be one of {', '.join(NORMS)} or a matrix", norm)
    if norm == "l1":
        d = np.zeros_like(g)
        largest = np.unravel_index(np.abs(g).argmax(), g.shape)
        d[largest] = np.sign(g[largest])
    elif norm == "linf":
        d = np.sign(g)
    elif norm == "l2":
        top = np.abs(g).max()  # first, so that squares neither overflow nor vanish
        d = g / top / np.linalg.norm(g / top)
    else:
        require(g.ndim == 2, "g must be a matrix for norm spectral", f"{g.ndim} axes")
        U, _, Vt = np.linalg.svd(g, full_matrices=False)
        d = U @ Vt
    return d, float((g * d).sum())


def _metric_direction(g, M):
    require(g.ndim == 1, "g must be a vector where norm is a matrix", f"{g.ndim} axes")
    square = np.shape(M) == (len(g), len(g))
    require(square, f"norm must have shape {(len(g),) * 2}", f"shape {np.shape(M)}")
    require_finite("norm", M)
    rule = "norm must be symmetric positive definite"
    require(
        np.allclose(M, M.T, rtol=1e-10, atol=0), rule, "a matrix that is not symmetric"
    )
    least = np.linalg.eigvalsh(M)[0]
    require(least > 0, rule, f"a smallest eigenvalue of {least:.3g}")
    step = np.linalg.solve(M, g)
    dual_norm = float(np.sqrt(g @ step))
    return step / dual_norm, dual_norm
