r"""Quadratic functions of n variables: what they look like, and how to descend them.

The book's convention is ``f(x) = x^T A x + b^T x + c`` without a factor 1/2: the gradient is
``2 A x + b`` and the Hessian ``H = 2 A``. ``L`` and ``mu`` are the largest and the smallest
eigenvalue of ``H``, ``kappa = L / mu``. Every method returns its iterates ``x_0, ..., x_k`` as rows;
``q(x)`` and ``q.grad(x)`` take them all at once. No matrix is inverted.
"""

from dataclasses import dataclass
from functools import cached_property
from math import frexp, hypot, ldexp, sqrt
from typing import Literal

import numpy as np
from jaxtyping import Float, Real
from scipy.linalg import null_space
from scipy.linalg.lapack import dposv
from scipy.optimize import brentq

from utils.validate import integer, real, reals, require

Shape = Literal[
    "minimum", "maximum", "saddle", "valley", "ridge", "saddles", "slope", "constant"
]
EPS = 2.0**-52  # distance from 1 to the next number
ROUNDING = 1e-12  # relative size of what counts as zero in an eigenvalue or a component


def _square(name, A):
    """Door of a square matrix."""
    A = reals(name, A)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or A.size == 0:
        raise ValueError(f"{name} must be a square matrix, got shape {A.shape}")
    return A


def _point(name, x, n):
    """Door of a vector of n components."""
    x = reals(name, x)
    if x.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {x.shape}")
    return x


def _require_definite(q) -> None:
    least = q.eigvals[0]
    rule = "A must be positive definite, its smallest eigenvalue > 0"
    require(least > ROUNDING * q.eigvals[-1], rule, least)


def _preconditioner(M, shape):
    """Door of ``M_inv``; its size cancels in the method, and is taken out."""
    M = reals("M_inv", M)
    require(M.shape == shape, "M_inv must have the shape of A", f"shape {M.shape}")
    M = M / _unit(M)
    rule = "M_inv must be symmetric positive definite"
    skew = abs(M - M.T).max() > 1e-10 * abs(M).max()
    require(not skew, rule, "a matrix that is not symmetric")
    # With 1 on the diagonal, a matrix is not called singular for its choice of units.
    units = np.sqrt(np.where(M.diagonal() > 0, M.diagonal(), 1.0))
    least = np.linalg.eigvalsh(M / units / units[:, None])[0]
    require(least > 10 * len(M) * EPS, rule, f"a smallest eigenvalue of {least:.3g}")
    return M


def _unit(v) -> float:
    """Power of two at the size of ``v``: divided by it, which rounds nothing, ``v`` has squares."""
    return ldexp(1.0, frexp(abs(v).max())[1] - 1)


def _normalised(v):
    v = v / _unit(v)
    return v / np.linalg.norm(v)


@dataclass(frozen=True, eq=False)
class Quadratic:
    r"""The function ``f(x) = x^T A x + b^T x + c``.

    .. math:: f(x) = \sum_{i,j} a_{ij} x_i x_j + \sum_i b_i x_i + c = x^T A x + b^T x + c,
              \qquad A = \tfrac12 (a + a^T)

    Parameters
    ----------
    A : coefficients ``a_ij``, any square array. Only its symmetric part matters, and is kept.
    b : coefficients of the linear part.
    c : constant.

    Raises
    ------
    ValueError
        If ``A``, ``b`` or ``c`` is not real and finite, ``A`` is empty or not square, ``b`` is of
        another length or ``c`` is not one number; later, if a point ``x`` is not real and finite
        or its last axis does not have length n.

    References
    ----------
    Equations :eq:`eq-quadratic_forms-symmetrise`, :eq:`eq-quadratic_forms-square`,
    :eq:`eq-quadratic_forms-classification`.

    Examples
    --------
    >>> q = Quadratic(np.array([[1.0, 0.0], [0.0, 4.0]]), np.array([-2.0, -8.0]))
    >>> q.stationary().tolist(), q.classify()
    ([1.0, 1.0], 'minimum')
    """

    A: Real[np.ndarray, "n n"]
    b: Real[np.ndarray, " n"]
    c: float = 0.0

    def __post_init__(self):
        A = _square("A", self.A)
        b, c = _point("b", self.b, len(A)), real("c", self.c)
        require(np.isfinite(c), "c must be finite", c)
        for name, value in [("A", A / 2 + A.T / 2), ("b", b.copy()), ("c", c)]:
            object.__setattr__(self, name, value)

    def __call__(
        self, x: Real[np.ndarray, "*batch n"]
    ) -> Float[np.ndarray, "*batch"] | float:
        """Values at one point, or at each row of ``x``."""
        x = self._points(x)
        return ((x @ self.A) * x).sum(-1) + x @ self.b + self.c

    def grad(self, x: Real[np.ndarray, "*batch n"]) -> Float[np.ndarray, "*batch n"]:
        """Gradient ``2 A x + b`` at one point, or at each row of ``x``."""
        return self._grad(self._points(x))

    def _grad(self, x):  # without a door: for the loops
        return 2 * x @ self.A + self.b

    def _points(self, x):
        x, n = reals("x", x), len(self.b)
        if x.shape[-1:] != (n,):
            raise ValueError(f"x must have points of length {n}, got shape {x.shape}")
        return x

    @property
    def hessian(self) -> Float[np.ndarray, "n n"]:
        """The matrix ``H = 2 A`` of second derivatives, the same everywhere."""
        return 2 * self.A

    @cached_property
    def _eigh(self):
        return np.linalg.eigh(self.A)

    @property
    def eigvals(self) -> Float[np.ndarray, " n"]:
        """Eigenvalues of ``A`` (not of ``H``), smallest first."""
        return self._eigh[0]

    @property
    def V(self) -> Float[np.ndarray, "n n"]:
        """Orthonormal eigenvectors of ``A`` as columns, in the order of ``eigvals``."""
        return self._eigh[1]

    @property
    def _flat(self):
        size = abs(self.eigvals)
        return size <= ROUNDING * size.max()

    @property
    def kernel(self) -> Float[np.ndarray, "n k"]:
        """Orthonormal basis of the directions that ``A`` maps to zero, as columns."""
        return self.V[:, self._flat]

    def stationary(self) -> Float[np.ndarray, " n"] | None:
        """Shortest ``x`` with ``2 A x + b = 0``; None where there is none. Unique if no kernel."""
        components, steep = self.V.T @ self.b, ~self._flat
        x = self.V[:, steep] @ (components[steep] / (-2 * self.eigvals[steep]))
        # V turns each product of A and x by about one rounding into the kernel.
        turned = 8 * EPS * len(x) * abs(self.eigvals).max() * hypot(*x)
        if hypot(*components[~steep]) > ROUNDING * hypot(*self.b) + turned:
            return None
        return x

    def classify(self) -> Shape:
        """What the graph looks like: a function of the signs of ``eigvals`` and of the range."""
        up = (self.eigvals[~self._flat] > 0).any()
        down = (self.eigvals[~self._flat] < 0).any()
        flat = self._flat.any()
        if self.stationary() is None:
            return "slope"
        if up and down:
            return "saddles" if flat else "saddle"
        if up:
            return "valley" if flat else "minimum"
        if down:
            return "ridge" if flat else "maximum"
        return "constant"


def gradient_descent(
    q: Quadratic,
    x0: Real[np.ndarray, " n"],
    n_steps: int,
    eta: float | Literal["optimal", "exact"] = "optimal",
) -> Float[np.ndarray, "{n_steps}+1 n"]:
    r"""Gradient descent with a fixed step, or with exact line search.

    .. math:: x_{k+1} = x_k - \eta\,\nabla f(x_k), \qquad
              \eta_{\mathrm{optimal}} = \frac{2}{L+\mu}, \qquad
              \eta_{\mathrm{exact}} = \frac{g_k^Tg_k}{g_k^THg_k}

    Parameters
    ----------
    q : the function; with ``"optimal"`` and ``"exact"`` its matrix has to be positive definite.
    x0 : start.
    n_steps : number of steps, >= 0.
    eta : ``eta`` > 0, or one of the two rules.

    Returns
    -------
    ndarray
        The iterates ``x_0, ..., x_{n_steps}``; a matrix-vector product a step.

    Raises
    ------
    ValueError
        If ``x0`` is not real and finite or of the wrong length, ``n_steps`` is not an integer >=
        0, ``eta`` is neither a positive number nor a rule, or a rule meets a matrix that is not
        positive definite.

    References
    ----------
    Nocedal and Wright 2006, ch. 3.3. Equations :eq:`eq-quadratic_forms-gd`,
    :eq:`eq-quadratic_forms-line-search`.

    Examples
    --------
    >>> q = Quadratic(np.diag([1.0, 4.0]), np.array([-2.0, -8.0]))
    >>> np.round(gradient_descent(q, np.zeros(2), 2, eta=0.125), 4).tolist()
    [[0.0, 0.0], [0.25, 1.0], [0.4375, 1.0]]
    """
    x0, n_steps = _point("x0", x0, len(q.b)), integer("n_steps", n_steps, 0)
    if isinstance(eta, str):
        require(eta in ("optimal", "exact"), "eta must be optimal or exact", eta)
        _require_definite(q)
    else:
        eta = real("eta", eta)
        require(0 < eta < np.inf, "eta must be finite and > 0", eta)
    exact = eta == "exact"
    if eta == "optimal":
        eta = 1 / (q.eigvals[0] + q.eigvals[-1])
    x = np.empty((n_steps + 1, len(x0)))
    x[0] = x0
    for k in range(n_steps):
        g = q._grad(x[k])
        if exact:
            u = g / _unit(g)  # which leaves eta as it is
            curvature = 2 * u @ q.A @ u
            eta = u @ u / curvature if curvature > 0 else 0.0  # at the minimum already
        x[k + 1] = x[k] - eta * g
    return x


def _tuned(q, eta, beta, optimal):
    """Step and momentum: those given, else the optimal ones, which need a positive definite A."""
    if eta is None or beta is None:
        _require_definite(q)
        best = optimal(2 * q.eigvals[-1], 2 * q.eigvals[0])
        eta, beta = best[0] if eta is None else eta, best[1] if beta is None else beta
    eta, beta = real("eta", eta), real("beta", beta)
    require(0 < eta < np.inf, "eta must be finite and > 0", eta)
    require(0 <= beta < np.inf, "beta must be finite and >= 0", beta)
    return eta, beta


def heavy_ball(
    q: Quadratic,
    x0: Real[np.ndarray, " n"],
    n_steps: int,
    eta: float | None = None,
    beta: float | None = None,
) -> Float[np.ndarray, "{n_steps}+1 n"]:
    r"""Polyak's heavy ball: gradient descent that remembers where it came from.

    .. math:: & x_{k+1} = x_k - \eta\,\nabla f(x_k) + \beta\,(x_k - x_{k-1}), \\
              & \eta = \frac{4}{(\sqrt L+\sqrt\mu)^2}, \quad
              \beta = \Bigl(\frac{\sqrt\kappa-1}{\sqrt\kappa+1}\Bigr)^2

    Parameters
    ----------
    q : the function.
    x0 : start; the ball starts at rest.
    n_steps : number of steps, >= 0.
    eta, beta : step > 0 and momentum >= 0; without them the optimal ones, for a positive definite
        matrix.

    Returns
    -------
    ndarray
        The iterates ``x_0, ..., x_{n_steps}``.

    Raises
    ------
    ValueError
        If ``x0`` is not real and finite or of the wrong length, ``n_steps`` is not an integer >=
        0, ``eta`` or ``beta`` is out of range, or the optimal ones are asked for and ``A`` is not
        positive definite.

    References
    ----------
    Polyak 1964. Equation :eq:`eq-quadratic_forms-heavy-ball`.

    Examples
    --------
    >>> q = Quadratic(np.diag([1.0, 4.0]), np.array([-2.0, -8.0]))
    >>> np.round(heavy_ball(q, np.zeros(2), 2), 4).tolist()
    [[0.0, 0.0], [0.4444, 1.7778], [0.7407, 0.5926]]
    """
    x0, n_steps = _point("x0", x0, len(q.b)), integer("n_steps", n_steps, 0)
    eta, beta = _tuned(q, eta, beta, _polyak)
    x = np.empty((n_steps + 1, len(x0)))
    x[0] = before = x0
    for k in range(n_steps):
        x[k + 1] = x[k] - eta * q._grad(x[k]) + beta * (x[k] - before)
        before = x[k]
    return x


def _polyak(L, mu):
    root, small = np.sqrt(L), np.sqrt(mu)
    return 4 / (root + small) ** 2, ((root - small) / (root + small)) ** 2


def nesterov(
    q: Quadratic,
    x0: Real[np.ndarray, " n"],
    n_steps: int,
    eta: float | None = None,
    beta: float | None = None,
) -> Float[np.ndarray, "{n_steps}+1 n"]:
    r"""Nesterov's accelerated gradient: the slope is taken where the momentum will carry us.

    .. math:: & y_k = x_k + \beta\,(x_k - x_{k-1}), \quad x_{k+1} = y_k - \eta\,\nabla f(y_k), \\
              & \eta = \frac1L, \quad \beta = \frac{\sqrt\kappa-1}{\sqrt\kappa+1}

    Parameters
    ----------
    q : the function.
    x0 : start, at rest.
    n_steps : number of steps, >= 0.
    eta, beta : step > 0 and momentum >= 0; without them those above, for a positive definite matrix.

    Returns
    -------
    ndarray
        The iterates ``x_0, ..., x_{n_steps}``.

    Raises
    ------
    ValueError
        If ``x0`` is not real and finite or of the wrong length, ``n_steps`` is not an integer >=
        0, ``eta`` or ``beta`` is out of range, or the optimal ones are asked for and ``A`` is not
        positive definite.

    References
    ----------
    Nesterov 2004, ch. 2.2. Equation :eq:`eq-quadratic_forms-nesterov`.

    Examples
    --------
    >>> q = Quadratic(np.diag([1.0, 4.0]), np.array([-2.0, -8.0]))
    >>> np.round(nesterov(q, np.zeros(2), 2), 4).tolist()
    [[0.0, 0.0], [0.25, 1.0], [0.5, 1.0]]
    """
    x0, n_steps = _point("x0", x0, len(q.b)), integer("n_steps", n_steps, 0)
    eta, beta = _tuned(q, eta, beta, lambda L, mu: (1 / L, np.sqrt(_polyak(L, mu)[1])))
    x = np.empty((n_steps + 1, len(x0)))
    x[0] = before = x0
    for k in range(n_steps):
        y = x[k] + beta * (x[k] - before)
        x[k + 1] = y - eta * q._grad(y)
        before = x[k]
    return x


def barzilai_borwein(
    q: Quadratic, x0: Real[np.ndarray, " n"], n_steps: int
) -> Float[np.ndarray, "{n_steps}+1 n"]:
    r"""Gradient descent with the step that the last line search would have wanted.

    .. math:: x_{k+1} = x_k - \eta_k\,g_k, \qquad
              \eta_k = \frac{g_{k-1}^Tg_{k-1}}{g_{k-1}^THg_{k-1}}

    Written with differences of iterates and gradients this is ``s^T s / s^T y``, and needs no matrix.

    Parameters
    ----------
    q : the function, with a positive definite matrix.
    x0 : start; the first step is that of exact line search.
    n_steps : number of steps, >= 0.

    Returns
    -------
    ndarray
        The iterates ``x_0, ..., x_{n_steps}``. They do not descend monotonically, and after some
        hundred steps on a badly conditioned problem they depend on rounding.

    Raises
    ------
    ValueError
        If ``x0`` is not real and finite or of the wrong length, ``n_steps`` is not an integer >=
        0, or ``A`` is not positive definite.

    References
    ----------
    Barzilai and Borwein 1988. Equation :eq:`eq-quadratic_forms-line-search`.

    Examples
    --------
    >>> q = Quadratic(np.diag([1.0, 4.0]), np.array([-2.0, -8.0]))
    >>> np.round(barzilai_borwein(q, np.zeros(2), 12)[-1], 4).tolist()
    [1.0, 1.0]
    """
    x0, n_steps = _point("x0", x0, len(q.b)), integer("n_steps", n_steps, 0)
    _require_definite(q)
    x = np.empty((n_steps + 1, len(x0)))
    x[0], eta = x0, None
    for k in range(n_steps):
        g = q._grad(x[k])
        u = g / _unit(g)  # which leaves the step as it is
        curvature = 2 * u @ q.A @ u
        exact = u @ u / curvature if curvature > 0 else 0.0
        x[k + 1] = x[k] - (exact if eta is None else eta) * g
        eta = exact
    return x


def conjugate_gradient(
    q: Quadratic,
    x0: Real[np.ndarray, " n"],
    n_steps: int,
    tol: float = 0.0,
    M_inv: Real[np.ndarray, "n n"] | None = None,
) -> Float[np.ndarray, "steps n"]:
    r"""Conjugate gradients: each step minimises over everything that was seen so far.

    .. math:: & \alpha_k = \frac{r_k^Tz_k}{p_k^THp_k}, \quad x_{k+1} = x_k + \alpha_k p_k, \\
              & r_{k+1} = r_k - \alpha_k Hp_k, \quad
              \beta_k = \frac{r_{k+1}^Tz_{k+1}}{r_k^Tz_k}, \quad p_{k+1} = z_{k+1} + \beta_k p_k

    with ``r_0 = p_0 = -grad f(x_0)`` and ``z = M^{-1} r``, or ``z = r`` without preconditioner.

    Parameters
    ----------
    q : the function.
    x0 : start.
    n_steps : largest number of steps, >= 0; in exact arithmetic n are enough.
    tol : stop when ``|r_k| <= tol |r_0|``, ``tol >= 0``.
    M_inv : inverse of the preconditioner, symmetric and positive definite.

    Returns
    -------
    ndarray
        The iterates ``x_0, ..., x_k``, fewer than ``n_steps + 1`` if the method stops before: at the
        tolerance, or in a valley once its floor is reached.

    Raises
    ------
    ValueError
        If ``x0`` is not real and finite or of the wrong length, ``n_steps`` is not an integer >=
        0, ``tol`` is negative or not finite, ``M_inv`` has the wrong shape or is not a real
        symmetric positive definite matrix, or a direction of curvature ``p^T H p <= 0`` turns up:
        then ``A`` is not positive definite.

    References
    ----------
    Hestenes and Stiefel 1952; Nocedal and Wright 2006, ch. 5.1. Equations
    :eq:`eq-quadratic_forms-cg`, :eq:`eq-quadratic_forms-preconditioned`.

    Examples
    --------
    >>> q = Quadratic(np.diag([1.0, 4.0]), np.array([-2.0, -8.0]))
    >>> np.round(conjugate_gradient(q, np.zeros(2), 2), 4).tolist()
    [[0.0, 0.0], [0.2615, 1.0462], [1.0, 1.0]]
    """
    x0, n_steps = _point("x0", x0, len(q.b)), integer("n_steps", n_steps, 0)
    tol = real("tol", tol)
    require(0 <= tol < np.inf, "tol must be finite and >= 0", tol)
    if M_inv is not None:
        M_inv = _preconditioner(M_inv, q.A.shape)
    Hx = 2 * x0 @ q.A
    unit = _unit(np.append(Hx, q.b))  # of r, z and p
    r, size = -(Hx + q.b) / unit, (hypot(*Hx) + hypot(*q.b)) / unit
    small, noise = tol * sqrt(r @ r), 50 * len(r) * EPS * size
    p = z = r if M_inv is None else M_inv @ r
    rz = pp = r @ z  # pp is p^T M p
    x, longest = [x0.copy()], 0.0
    for _ in range(n_steps):
        length = sqrt(r @ r)
        if length <= small:
            break
        Hp = 2 * (q.A @ p)
        curvature = p @ Hp
        if length <= noise and 10 * longest * curvature <= pp:
            break  # r is rounding, and p turns into the kernel of A
        require(curvature > 0, "A must be positive definite: p^T H p > 0", curvature)
        alpha = rz / curvature
        if length > noise:
            longest = max(longest, alpha)
        x.append(x[-1] + alpha * unit * p)
        r = r - alpha * Hp
        z = r if M_inv is None else M_inv @ r
        rz, old = r @ z, rz
        beta = rz / old
        p, pp = z + beta * p, rz + beta**2 * pp
    return np.array(x)


def newton(q: Quadratic, x0: Real[np.ndarray, " n"]) -> Float[np.ndarray, "2 n"]:
    r"""Newton's method, which needs one step: ``f`` is its own second-order expansion.

    .. math:: x_1 = x_0 - H^{-1}\,\nabla f(x_0)

    Parameters
    ----------
    q : the function, with a positive definite matrix.
    x0 : start.

    Returns
    -------
    ndarray
        ``x_0`` and ``x_1``; one Cholesky factorisation, ``n^3 / 3`` multiplications.

    Raises
    ------
    ValueError
        If ``x0`` is not real and finite or of the wrong length, or ``A`` is not positive definite.

    References
    ----------
    Equation :eq:`eq-quadratic_forms-newton`.

    Examples
    --------
    >>> q = Quadratic(np.diag([1.0, 4.0]), np.array([-2.0, -8.0]))
    >>> np.round(newton(q, np.zeros(2)), 4).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    x0 = _point("x0", x0, len(q.b))
    _require_definite(q)
    _, step, _ = dposv(q.hessian, q._grad(x0))  # solves by Cholesky's factorisation
    return np.array([x0, x0 - step])


def power_iteration(
    A: Real[np.ndarray, "n n"], x0: Real[np.ndarray, " n"], n_steps: int
) -> Float[np.ndarray, "{n_steps}+1 n"]:
    r"""Power iteration for the eigenvector of the eigenvalue largest in absolute value.

    .. math:: x_{k+1} = \frac{A x_k}{|A x_k|}

    Parameters
    ----------
    A : square matrix, of which the symmetric part is used.
    x0 : start, not zero; it is normalised first.
    n_steps : number of steps, >= 0.

    Returns
    -------
    ndarray
        Unit vectors ``x_0, ..., x_{n_steps}``. The Rayleigh quotients ``x^T A x`` approach the
        eigenvalue like ``(lambda_2 / lambda_1)^{2k}``.

    Raises
    ------
    ValueError
        If ``A`` is not a real and finite square matrix, ``x0`` is zero, not real and finite or of
        the wrong length, ``n_steps`` is not an integer >= 0, or ``A`` maps an iterate to zero.

    References
    ----------
    Trefethen and Bau 1997, lecture 27. Equation :eq:`eq-quadratic_forms-rayleigh`.

    Examples
    --------
    >>> A = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> np.round(power_iteration(A, np.array([1.0, 0.0]), 9)[-1], 4).tolist()
    [0.7071, 0.7071]
    """
    A, x, n_steps = _matrix_and_start(A, x0, n_steps)
    for _ in range(n_steps):
        image = A @ x[-1]
        require(image.any(), "A must not map an iterate to zero: |A x| > 0", 0.0)
        x.append(_normalised(image))
    return np.array(x)


def rayleigh_iteration(
    A: Real[np.ndarray, "n n"], x0: Real[np.ndarray, " n"], n_steps: int
) -> Float[np.ndarray, "steps n"]:
    r"""Rayleigh-quotient iteration: inverse iteration with the best guess of the eigenvalue so far.

    .. math:: x_{k+1} \propto (A - \rho_k I)^{-1} x_k, \qquad \rho_k = x_k^T A x_k

    Parameters
    ----------
    A : square matrix, of which the symmetric part is used.
    x0 : start, not zero; it is normalised first.
    n_steps : largest number of steps, >= 0; one linear system each.

    Returns
    -------
    ndarray
        Unit vectors; fewer than ``n_steps + 1`` if one is an eigenvector to rounding, and its
        Rayleigh quotient an eigenvalue exactly.
        The error is cubed in each step, but which eigenvector is found depends on the start.

    Raises
    ------
    ValueError
        If ``A`` is not a real and finite square matrix, ``x0`` is zero, not real and finite or of
        the wrong length, or ``n_steps`` is not an integer >= 0.

    References
    ----------
    Trefethen and Bau 1997, lecture 27. Equation :eq:`eq-quadratic_forms-rayleigh`.

    Examples
    --------
    >>> A = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> x = rayleigh_iteration(A, np.array([1.0, 0.5]), 3)[-1]
    >>> print(round(x @ A @ x, 6))
    3.0
    """
    A, x, n_steps = _matrix_and_start(A, x0, n_steps)
    eye, noise = np.eye(len(A)), 8 * EPS * len(A)
    for _ in range(n_steps):
        rho = x[-1] @ A @ x[-1]
        try:
            image = np.linalg.solve(A - rho * eye, x[-1])
        except np.linalg.LinAlgError:  # rho is an eigenvalue to the last bit
            if abs(A @ x[-1] - rho * x[-1]).max() <= noise:
                break
            image = np.linalg.solve(A - (rho + noise) * eye, x[-1])
        x.append(_normalised(image))
    return np.array(x)


def _matrix_and_start(A, x0, n_steps):
    """Symmetric part of A in units of its size, a list of one unit vector, and n_steps."""
    A = _square("A", A)
    x0, n_steps = _point("x0", x0, len(A)), integer("n_steps", n_steps, 0)
    require(x0.any(), "x0 must not be zero", "a zero vector")
    A = A / _unit(A)
    return (A + A.T) / 2, [_normalised(x0)], n_steps


def trust_region_sphere(
    A: Real[np.ndarray, "n n"], b: Real[np.ndarray, " n"], radius: float = 1.0
) -> tuple[Float[np.ndarray, " n"], float, bool]:
    r"""Minimum of ``x^T A x + b^T x`` on the sphere ``|x| = radius``, for any matrix.

    .. math:: 2 (A - \lambda I)\, x = -b, \qquad \lambda \le \lambda_{\min}, \qquad
              \sum_i \frac{\tilde b_i^2}{4 (\lambda_i - \lambda)^2} = \mathrm{radius}^2

    Parameters
    ----------
    A : square matrix, of which the symmetric part is used.
    b : linear part.
    radius : radius of the sphere, > 0.

    Returns
    -------
    x : a minimiser. In the hard case there are at least two; one of them.
    lam : the multiplier.
    hard_case : whether ``lam`` is the smallest eigenvalue, so that the secular equation has no root
        and a multiple of an eigenvector is added.

    Raises
    ------
    ValueError
        If ``A`` is not a real and finite square matrix, ``b`` is not real and finite or of the
        wrong length, or ``radius`` is not positive and finite.

    References
    ----------
    More and Sorensen 1983; Nocedal and Wright 2006, ch. 4.3. Equation
    :eq:`eq-quadratic_forms-trust-region`.

    Examples
    --------
    >>> A, b = np.diag([1.0, 4.0]), np.array([-2.4, -8.0])
    >>> x, lam, hard_case = trust_region_sphere(A, b)
    >>> np.round(x, 6).tolist(), round(lam, 6), hard_case
    ([0.6, 0.8], -1.0, False)
    """
    q, radius = Quadratic(A, b), real("radius", radius)
    require(0 < radius < np.inf, "radius must be finite and > 0", radius)
    lam, V, b_tilde = q.eigvals, q.V, q.V.T @ q.b / radius
    unit = _unit(np.append(lam, b_tilde))  # of lambda and of the slopes
    gap, b_tilde = (lam - lam[0]) / unit, b_tilde / unit
    lowest = gap <= ROUNDING * abs(lam).max() / unit
    gap[lowest] = 0.0  # one eigenvalue, as often as it may be repeated
    pull, slope = hypot(*b_tilde[lowest]), hypot(*b_tilde)
    if pull <= ROUNDING * slope:
        y = np.zeros(len(lam))
        y[~lowest] = -b_tilde[~lowest] / (2 * gap[~lowest])
        if (room := 1 - y @ y) >= 0:
            y[0] = sqrt(room)
            return radius * (V @ y), float(lam[0]), True
        b_tilde, pull = np.where(lowest, 0.0, b_tilde), 0.0

    def solve(shift):  # shift = lam_min - lambda >= 0 keeps its digits near the pole
        below = gap + shift
        return np.divide(-b_tilde, 2 * below, out=np.zeros_like(gap), where=below > 0)

    def secular(shift):
        return np.linalg.norm(solve(shift)) - 1

    # A little apart, since they may coincide.
    low, high = pull / 2 * (1 - ROUNDING), slope / 2 * (1 + ROUNDING)
    shift = brentq(secular, low, high, xtol=1e-300, rtol=1e-15, maxiter=1000)
    return radius * (V @ solve(shift)), float(lam[0] - unit * shift), False


def kkt_solve(
    q: Quadratic, C: Real[np.ndarray, "m n"], d: Real[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " m"]]:
    r"""Minimum of ``q`` under the linear constraints ``C x = d``.

    .. math:: \begin{pmatrix} 2A & C^T \\ C & 0 \end{pmatrix}
              \begin{pmatrix} x \\ \nu \end{pmatrix} = \begin{pmatrix} -b \\ d \end{pmatrix}

    Parameters
    ----------
    q : the function; positive definite on the kernel of ``C``, and anything elsewhere.
    C : constraints as rows, linearly independent, at most n.
    d : right-hand sides.

    Returns
    -------
    x : the minimiser.
    nu : multipliers, the gradient being ``-C^T nu``.

    Raises
    ------
    ValueError
        If ``C`` has not n columns or more than n rows, ``C`` or ``d`` is not real and finite or
        ``d`` of the wrong length, the rows of ``C`` are dependent, or ``q`` is not positive
        definite on its kernel.

    References
    ----------
    Nocedal and Wright 2006, ch. 16.1. Equation :eq:`eq-quadratic_forms-kkt`.

    Examples
    --------
    >>> q = Quadratic(np.diag([1.0, 4.0]), np.array([-2.0, -8.0]))
    >>> x, nu = kkt_solve(q, np.array([[1.0, 1.0]]), np.array([1.0]))
    >>> np.round(x, 6).tolist(), np.round(nu, 6).tolist()
    ([0.2, 0.8], [1.6])
    """
    n, C = len(q.b), reals("C", C)
    ok = C.ndim == 2 and C.shape[1] == n and 0 < len(C) <= n
    require(ok, f"C must be a matrix of 1 to {n} rows of {n}", f"shape {C.shape}")
    d, unit, rows = _point("d", d, len(C)), _unit(q.A), np.array([_unit(c) for c in C])
    C, d, A = C / rows[:, None], d / rows, q.A / unit
    Z = null_space(C)
    rank = n - Z.shape[1]
    require(rank == len(C), "C must have independent rows", f"rank {rank}")
    if Z.shape[1]:
        least = np.linalg.eigvalsh(Z.T @ A @ Z)[0]
        rule = "A must be positive definite on the kernel of C"
        require(least > ROUNDING * abs(q.eigvals).max() / unit, rule, unit * least)
    saddle = np.block([[2 * A, C.T], [C, np.zeros((len(C), len(C)))]])
    solution = np.linalg.solve(saddle, np.concatenate([-q.b / unit, d]))
    return solution[:n], unit * solution[n:] / rows


def unadjusted_langevin(
    q: Quadratic,
    x0: Real[np.ndarray, "chains n"],
    eta: float,
    n_steps: int,
    *,
    rng: np.random.Generator,
) -> Float[np.ndarray, "chains n"]:
    r"""Unadjusted Langevin algorithm: gradient descent with noise samples ``exp(-f)``, nearly.

    .. math:: x_{k+1} = x_k - \eta\,\nabla f(x_k) + \sqrt{2\eta}\;\xi_k, \qquad \xi_k \sim N(0, I)

    Parameters
    ----------
    q : the function, with a positive definite matrix.
    x0 : one start for each chain, as rows.
    eta : step, > 0 and below the stability limit ``2 / L``.
    n_steps : number of steps, >= 0.
    rng : source of randomness.

    Returns
    -------
    ndarray
        Where the chains are after the last step. Along an eigenvector of ``A`` with eigenvalue a
        their variance tends to ``1 / (2 a (1 - a eta))`` instead of ``1 / (2 a)``.

    Raises
    ------
    ValueError
        If ``x0`` is not real and finite or has not n columns, ``eta`` is out of range, ``n_steps``
        is not an integer >= 0, or ``A`` is not positive definite.

    References
    ----------
    Roberts and Tweedie 1996. Equation :eq:`eq-quadratic_forms-langevin`.

    Examples
    --------
    >>> q = Quadratic(np.diag([1.0, 4.0]), np.array([-2.0, -8.0]))
    >>> rng = np.random.default_rng(0)
    >>> x0 = np.zeros((4000, 2))
    >>> x = unadjusted_langevin(q, x0, eta=0.05, n_steps=100, rng=rng)
    >>> bool(abs(x.mean(axis=0) - 1).max() < 0.05)
    True
    """
    x, eta, n_steps = reals("x0", x0), real("eta", eta), integer("n_steps", n_steps, 0)
    ok = x.ndim == 2 and x.shape[1] == len(q.b) and x.size > 0
    require(ok, f"x0 must be a matrix with {len(q.b)} columns", f"shape {x.shape}")
    _require_definite(q)
    limit = 1 / q.eigvals[-1]
    require(0 < eta < limit, f"eta must be in (0, {limit:g})", eta)
    x = x.copy()
    for _ in range(n_steps):
        x += np.sqrt(2 * eta) * rng.standard_normal(x.shape) - eta * q._grad(x)
    return x
