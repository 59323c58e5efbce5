r"""Derivatives by machine: finite differences, the complex step, automatic differentiation, norms.

A function ``f`` takes one vector of shape ``(n,)`` and returns a number, a function ``F`` returns a
vector of shape ``(m,)``. The functions stand in the order of the chapter. Only ``hvp`` needs torch,
and only when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float, Real

from utils.validate import integer, real, reals, require, tensor, vector

if TYPE_CHECKING:
    import torch

ROUND_OFF = 2.0**-53  # largest relative error of one rounding in double precision
METHODS = ("forward", "central", "complex")
# These powers of the round-off balance truncation against rounding where f and its derivatives
# have size 1. The complex step has no rounding to balance.
POWERS = {"forward": 1 / 2, "central": 1 / 3}
NORMS = ("l1", "l2", "linf", "spectral")


def _arguments(x, method, h):
    """Door: the point, and the step for each of its coordinates."""
    x = vector("x", x)
    require(method in METHODS, f"method must be one of {', '.join(METHODS)}", method)
    if h is not None:
        h = real("h", h)
        require(0 < h < np.inf, "h must be finite and > 0", h)
        return x, np.full(len(x), h)
    size = np.abs(x)
    if method != "complex":
        return x, ROUND_OFF ** POWERS[method] * np.maximum(size, 1.0)
    h = 1e-20 * np.where(size >= 1e-300, size, 1.0)
    floor = np.minimum(1e-290, 1e-8 * size)  # a smaller quotient would lose its digits
    return x, np.maximum(h, floor)


def _step_along(x, u, steps, method):
    """The longest step along ``u`` that is none too long for a coordinate, nor lost in rounding."""
    h = 1 / _unit(u / steps)[1]
    if method == "complex":
        return h
    return max(h, (ROUND_OFF * np.abs(x * u).max()) ** POWERS[method])


def _value(F, x):
    value = F(x)
    if isinstance(value, float):
        return value
    return reals("the value of f", value).copy()  # F may return the same array again


def _along(F, x, step, method: str):
    """Change of ``F`` along ``step``, and the step as it comes out once the points are rounded."""
    if method == "complex":
        value = np.asarray(F(x + 1j * step))
        rule = "f must return complex values for a complex argument"
        require(np.iscomplexobj(value), rule, value.dtype)
        return value.imag, step
    ahead, back = x + step, x.copy() if method == "forward" else x - step
    made = ahead - back  # now, since F may write into its argument
    return _value(F, ahead) - _value(F, back), made


def _partials(F, x, h, method: str):
    """Derivatives of ``F`` along the axes, of whatever shape ``F`` returns."""
    for i, h_i in enumerate(h):
        step = np.zeros(len(x))
        step[i] = h_i
        change, made = _along(F, x, step, method)
        require(made[i] > 0, "h must be large enough to change x", h_i)
        yield change / made[i]


def _unit(v):
    """Unit vector along ``v``, and the length of ``v``."""
    top = np.abs(v).max()  # first, so that squares neither overflow nor vanish
    size = np.linalg.norm(v / top)
    return v / top / size, float(top * size)


def directional_derivative(
    f: Callable,
    x: Real[np.ndarray, " n"],
    v: Real[np.ndarray, " n"],
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
    h : length of the step, finite and > 0. By default a coordinate ``x_i`` moves by the square root
        (forward) or cube root (central) of the unit round-off times ``max(1, |x_i|)``, and by
        ``1e-20 |x_i|`` in the complex step; in a direction with several coordinates the step is as
        long as suits all of them. Where ``f`` varies faster than that, as ``sin`` does at ``1e6``, give
        ``h``.
    normalize : whether ``v`` stands for its direction only (rate of change per unit length), or for
        itself (the linear map applied to ``v``: the result then scales with the length of ``v``).

    Returns
    -------
    float
        The derivative.

    Raises
    ------
    ValueError
        If ``x`` is not a non-empty vector of finite real numbers, ``v`` is not of the kind, has
        another shape or is zero although it is to be normalised, ``method`` is unknown, ``h`` is
        not finite and positive or too small to move ``x`` along ``v``, ``f`` does not return one
        real number or answers a complex argument with a real one, or the result is not finite.

    References
    ----------
    Squire and Trapp 1998 for the complex step. Equations :eq:`def-gradients-directional`,
    :eq:`eq-gradients-homogeneous`, :eq:`eq-gradients-complex-step`.

    Examples
    --------
    >>> x, v = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    >>> round(directional_derivative(lambda x: x @ x, x, v), 6)
    4.4
    """
    (x, steps), v = _arguments(x, method, h), reals("v", v)
    same = v.shape == x.shape
    require(same, f"v must have the shape {x.shape} of x", f"shape {v.shape}")
    require(v.any() or not normalize, "v must not be zero", 0.0)
    if not v.any():
        return 0.0
    u, length = _unit(v)
    h = _step_along(x, u, steps, method) if h is None else steps[0]
    change, made = _along(f, x, h * u, method)
    width = made @ u  # h or 2h, but for the rounding of x
    straight = np.abs(made - width * u).max() < 1e-3 * width
    require(straight, "h must be large enough to move x along v", h)
    return _one_number(change / width * (1.0 if normalize else length))


def _one_number(slope):
    require(np.size(slope) == 1, "f must return one number", f"shape {np.shape(slope)}")
    return float(reals("the derivative of f", slope).item())


def numerical_gradient(
    f: Callable,
    x: Real[np.ndarray, " n"],
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
        If ``x`` is not a non-empty vector of finite real numbers, ``method`` is unknown, ``h`` is
        not finite and positive or too small to change ``x``, ``f`` does not return one real number
        or answers a complex argument with a real one, or the result is not finite.

    References
    ----------
    Equations :eq:`eq-gradients-forward`, :eq:`eq-gradients-central`, :eq:`eq-gradients-complex-step`.

    Examples
    --------
    >>> gradient = numerical_gradient(lambda x: x @ x, np.array([1.0, 2.0]))
    >>> np.round(gradient, 6).tolist()
    [2.0, 4.0]
    """
    x, h = _arguments(x, method, h)
    gradient = reals("the derivative of f", list(_partials(f, x, h, method)))
    one = gradient.size == len(x)
    require(one, "f must return one number", f"shape {gradient.shape[1:]}")
    return gradient.reshape(len(x))


def numerical_jacobian(
    F: Callable,
    x: Real[np.ndarray, " n"],
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
        If ``x`` is not a non-empty vector of finite real numbers, ``method`` is unknown, ``h`` is
        not finite and positive or too small to change ``x``, ``F`` does not return a vector of
        real numbers or answers a complex argument with real ones, or the result is not finite.

    References
    ----------
    Equations :eq:`eq-gradients-central`, :eq:`eq-gradients-chain`.

    Examples
    --------
    >>> F = lambda x: np.array([x[0] * x[1], x.sum()])
    >>> J = numerical_jacobian(F, np.array([2.0, 3.0]))
    >>> np.round(J, 6).tolist()
    [[3.0, 2.0], [1.0, 1.0]]
    """
    x, h = _arguments(x, method, h)
    columns = reals("the derivative of F", list(_partials(F, x, h, method)))
    require(columns.ndim == 2, "F must return a vector", f"shape {columns.shape[1:]}")
    return columns.T.copy()


def gradient_check(
    f: Callable,
    grad: Callable,
    x: Real[np.ndarray, " n"],
    n_dir: int = 5,
    method: Literal["forward", "central", "complex"] = "central",
    *,
    rng: np.random.Generator,
) -> tuple[float, Float[np.ndarray, " n"]]:
    r"""Compare a gradient with directional derivatives along random directions.

    .. math:: \max_i \frac{|D_{v_i} f(x) - \nabla f(x)\cdot v_i|}{\max_j |D_{v_j} f(x)|},
              \qquad |v_i| = 1

    A few directions see every component at once: a wrong entry, a transposed matrix or a lost factor
    shows in each of them, at the price of ``n_dir`` and not ``n`` derivatives. Differences move the
    coordinates of each order of magnitude by themselves, since one step for all would suit none, and
    what the rounding of ``f`` alone explains does not count.

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
    error : the largest disagreement, relative to the largest slope seen. At most about 1e-10 is what
        central differences leave of a correct gradient, 1e-15 the complex step; a wrong one shows the
        relative size of its mistake.
    worst : the unit direction where it occurs.

    Raises
    ------
    ValueError
        If ``x`` is not a non-empty vector of finite real numbers, ``n_dir`` is not an integer >=
        1, ``method`` is unknown, ``f`` does not return one real number or answers a complex
        argument with a real one, ``grad`` returns another shape, or a result is not finite.

    References
    ----------
    Equation :eq:`eq-gradients-linear`.

    Examples
    --------
    >>> x, rng = np.array([1.0, 2.0]), np.random.default_rng(0)
    >>> right, _ = gradient_check(lambda x: x @ x, lambda x: 2 * x, x, rng=rng)
    >>> wrong, _ = gradient_check(lambda x: x @ x, lambda x: x, x, rng=rng)
    >>> right < 1e-9, round(wrong, 4)
    (True, 0.5)
    """
    (x, h), n_dir = _arguments(x, method, None), integer("n_dir", n_dir, 1)
    g = reals("the value of grad", grad(x.copy()))
    shape = f"shape {g.shape}"
    require(g.shape == x.shape, f"grad must return the shape {x.shape} of x", shape)
    V = rng.normal(size=(n_dir, len(x)))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    order = np.zeros(len(x)) if method == "complex" else np.floor(np.log10(h / h.min()))
    groups = [order == k for k in np.unique(order)]
    slopes, error = np.zeros((2, n_dir))
    values = []

    def noted(y):
        values.append(f(y))
        return values[-1]

    for i, v in enumerate(V):
        for group in groups:
            part = np.where(group, v, 0.0)
            change, made = _along(noted, x, part / _unit(part / h)[1], method)
            change, width = _one_number(change), made @ part / (part @ part)
            noise = 0.0
            if method != "complex":
                noise = 4 * ROUND_OFF * abs(_one_number(values[-1]))
            slopes[i] += change / width
            error[i] += max(abs(change - g @ made) - noise, 0.0) / width
    scale = max(np.abs(slopes).max(), np.abs(V @ g).max())
    worst = int(error.argmax())
    return float(error[worst] / scale) if scale else 0.0, V[worst].copy()


class Var:
    """A number, vector or matrix that remembers how it was made: reverse mode in miniature.

    Supports ``a + b``, ``a - b`` and ``a * b`` (entry by entry, with numpy's broadcasting), ``W @ x``
    with a matrix on the left, ``a.tanh()`` and ``a.sum()``; one of two operands may be an array or a
    number. After ``y.backward()`` on a scalar ``y`` every ancestor holds ``dy/d(ancestor)`` in ``grad``.

    Parameters
    ----------
    value : array or number, real and finite.
    parents : pairs (ancestor, function that pulls a derivative back to it).

    Raises
    ------
    ValueError
        If ``value``, or that of a result, is not real and finite, ``@`` meets anything but a
        matrix and a vector or matrix, or ``backward`` is called on more than one number.

    Examples
    --------
    >>> x = Var(np.array([1.0, 2.0]))
    >>> (x * x).sum().backward()
    >>> x.grad.tolist()
    [2.0, 4.0]
    """

    __array_ufunc__ = None  # array * Var is then left to Var

    def __init__(self, value, parents: tuple = ()):
        self.value = np.array(reals("the value of a Var", value))
        self.grad = np.zeros_like(self.value)
        self.parents = parents

    def __add__(self, other: Var | np.ndarray | float) -> Var:
        other = _var(other)
        pull = (self, lambda g: g), (other, lambda g: g)
        return Var(self.value + other.value, pull)

    def __mul__(self, other: Var | np.ndarray | float) -> Var:
        other = _var(other)
        pull = (self, lambda g: g * other.value), (other, lambda g: g * self.value)
        return Var(self.value * other.value, pull)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Var:
        return self * -1.0

    def __sub__(self, other: Var | np.ndarray | float) -> Var:
        return self + -_var(other)

    def __rsub__(self, other: Var | np.ndarray | float) -> Var:
        return -self + other

    def __matmul__(self, other: Var | np.ndarray | float) -> Var:
        other = _var(other)
        sizes = self.value.ndim, other.value.ndim
        rule = "@ must stand between a matrix and a vector or matrix"
        require(sizes in ((2, 1), (2, 2)), rule, f"{sizes[0]} and {sizes[1]} axes")
        x = other.value.reshape(len(other.value), -1)  # a vector is one column
        left = (self, lambda g: g.reshape(len(g), -1) @ x.T)
        right = (other, lambda g: self.value.T @ g)
        return Var(self.value @ other.value, (left, right))

    def __rmatmul__(self, other: np.ndarray) -> Var:
        return _var(other) @ self

    def tanh(self) -> Var:
        y = np.tanh(self.value)
        return Var(y, ((self, lambda g: g * (1 - y**2)),))

    def sum(self) -> Var:
        return Var(self.value.sum(), ((self, lambda g: g * np.ones_like(self.value)),))

    def backward(self) -> None:
        """Visit the graph from the result to its leaves, each node after all that use it."""
        one = self.value.size == 1
        require(one, "backward must start at one number", f"shape {self.value.shape}")
        order, seen, todo = [], set(), [(self, False)]
        while todo:  # not by recursion, whose depth has a limit
            node, parents_are_done = todo.pop()
            if parents_are_done:
                order.append(node)
            elif id(node) not in seen:
                seen.add(id(node))
                todo.append((node, True))
                todo.extend((parent, False) for parent, _ in node.parents)
        for node in order:
            node.grad = np.zeros_like(node.value)
        self.grad = np.ones_like(self.value)
        for node in reversed(order):
            for parent, pull in node.parents:
                parent.grad = parent.grad + _shrink(pull(node.grad), parent.value.shape)


def _var(value):
    return value if isinstance(value, Var) else Var(value)


def _shrink(g, shape):
    """Sum over the axes along which broadcasting repeated a value of this shape."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    repeated = tuple(i for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=repeated, keepdims=True)


def hvp(f: Callable, x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    r"""Product of the Hessian of ``f`` at ``x`` with a vector, without the Hessian.

    .. math:: \nabla^2 f(x)\, v = \frac{d}{dt}\, \nabla f(x + tv)\Big|_{t=0}

    Forward mode through reverse mode: a small multiple of one gradient, whatever the dimension.

    Parameters
    ----------
    f : function of a torch tensor that returns a tensor of one number, twice differentiable.
    x : point, a floating tensor of any shape.
    v : direction, of the shape and dtype of ``x``.

    Returns
    -------
    Tensor
        ``H v``, of the shape of ``x``.

    Raises
    ------
    ValueError
        If ``x`` or ``v`` is not a tensor of finite floating numbers, ``x`` is empty, their shapes
        or dtypes differ, ``f`` does not return a tensor of one number, or the product is not
        finite.

    References
    ----------
    Pearlmutter 1994. Equation :eq:`eq-gradients-hvp`.

    Examples
    --------
    >>> import torch
    >>> x, v = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.0])
    >>> hvp(lambda x: (x * x * x).sum(), x, v).tolist()
    [6.0, 12.0]
    """
    from torch.func import grad, jvp

    x, v = tensor("x", x), tensor("v", v)
    require(x.numel() > 0, "x must not be empty", f"shape {tuple(x.shape)}")
    shape = f"shape {tuple(v.shape)}"
    require(v.shape == x.shape, f"v must have the shape {tuple(x.shape)} of x", shape)
    require(v.dtype == x.dtype, f"v must have the dtype {x.dtype} of x", v.dtype)

    def scalar(y):
        value = f(y.clone())  # which f may change
        got = f"shape {tuple(value.shape)}" if hasattr(value, "numel") else repr(value)
        one = hasattr(value, "numel") and value.numel() == 1
        require(one, "f must return a tensor of one number", got)
        return value.reshape(())

    return tensor("the product", jvp(grad(scalar), (x,), (v,))[1])


def dual_direction(
    g: Real[np.ndarray, "*shape"],
    norm: Literal["l1", "l2", "linf", "spectral"] | Real[np.ndarray, "n n"] = "l2",
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
        If ``g`` is empty, zero or not real and finite or has the wrong number of dimensions, or
        ``norm`` is unknown or not a symmetric positive definite matrix of the size of ``g``.

    References
    ----------
    Boyd and Vandenberghe 2004, section 9.4. Equation :eq:`eq-gradients-dual`.

    Examples
    --------
    >>> d, dual_norm = dual_direction(np.array([3.0, -4.0]))
    >>> np.round(d, 6).tolist(), round(dual_norm, 6)
    ([0.6, -0.8], 5.0)
    >>> d, dual_norm = dual_direction(np.array([3.0, -4.0]), norm="linf")
    >>> d.tolist(), round(dual_norm, 6)
    ([1.0, -1.0], 7.0)
    """
    g = reals("g", g)
    require(g.size > 0, "g must not be empty", f"shape {g.shape}")
    require(g.any(), "g must not be zero", 0.0)
    if not isinstance(norm, str):
        return _metric_direction(g, norm)
    require(norm in NORMS, f"norm must be one of {', '.join(NORMS)} or a matrix", norm)
    top = np.abs(g).max()  # first, so that squares neither overflow nor vanish
    g = g / top
    if norm == "l1":
        d = np.zeros_like(g)
        largest = np.unravel_index(np.abs(g).argmax(), g.shape)
        d[largest] = np.sign(g[largest])
    elif norm == "linf":
        d = np.sign(g)
    elif norm == "l2":
        d = g / np.linalg.norm(g)
    else:
        require(g.ndim == 2, "g must be a matrix for norm spectral", f"{g.ndim} axes")
        U, _, Vt = np.linalg.svd(g, full_matrices=False)
        d = U @ Vt
    return d, float(top * (g * d).sum())


def _metric_direction(g, M):
    require(g.ndim == 1, "g must be a vector where norm is a matrix", f"{g.ndim} axes")
    M = reals("norm", M)
    square = M.shape == (len(g), len(g))
    require(square, f"norm must have shape {(len(g),) * 2}", f"shape {M.shape}")
    rule = "norm must be symmetric positive definite"
    skew = np.abs(M / 2 - M.T / 2).max() > 1e-10 * np.abs(M).max()
    require(not skew, rule, "a matrix that is not symmetric")
    # Each coordinate in its own unit: then M has 1 on its diagonal, whatever its size.
    units = np.sqrt(np.where(M.diagonal() > 0, M.diagonal(), 1.0))
    with np.errstate(over="ignore"):
        C = M / units / units[:, None]
    least = np.linalg.eigvalsh(C)[0] if np.isfinite(C).all() else -np.inf
    require(
        least > 20 * len(g) * ROUND_OFF, rule, f"a smallest eigenvalue of {least:.3g}"
    )
    w = g / units
    top = np.abs(w).max()
    w = w / top
    step = np.linalg.solve(C, w)
    size = np.sqrt(w @ step)
    return step / size / units, float(top * size)
