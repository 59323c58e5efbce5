r"""Quadratic functions of n variables: what they look like, and how to descend them.

The book's convention is ``f(x) = x^T A x + b^T x + c`` without a factor 1/2: the gradient is
``2 A x + b`` and the Hessian ``H = 2 A``. ``L`` and ``mu`` are the largest and the smallest
eigenvalue of ``H``, ``kappa = L / mu``. Every method returns its iterates ``x_0, ..., x_k`` as rows;
``q(x)`` and ``q.grad(x)`` take them all at once. No matrix is inverted.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve, null_space
from scipy.optimize import brentq

from utils.validate import require, require_finite, require_integer

Shape = Literal[
    "minimum", "maximum", "saddle", "valley", "ridge", "saddles", "slope", "constant"
]
ROUNDING = 1e-12  # relative size of what counts as zero in an eigenvalue or a component


def _require_square(A) -> None:
    ok = np.ndim(A) == 2 and np.shape(A)[0] == np.shape(A)[1] > 0
    require(ok, "A must be a square matrix", f"shape {np.shape(A)}")
    require_finite("A", A)


def _require_point(name, x, n) -> None:
    require(np.shape(x) == (n,), f"{name} must have shape ({n},)", f"{np.shape(x)}")
    require_finite(name, x)


def _require_definite(q) -> None:
    least = q.eigvals[0]
    rule = "A must be positive definite, its smallest eigenvalue > 0"
    require(least > ROUNDING * abs(q.eigvals).max(), rule, least)


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
        If ``A`` is empty, not square or not finite, ``b`` is not finite or of another length, or
        ``c`` is not finite.

    References
    ----------
    Equations :eq:`eq-quadratic_forms-symmetrise`, :eq:`eq-quadratic_forms-square`,
    :eq:`eq-quadratic_forms-classification`.
    """

    A: Float[np.ndarray, "n n"]
    b: Float[np.ndarray, " n"]
    c: float = 0.0

    def __post_init__(self):
        _require_square(self.A)
        _require_point("b", self.b, len(self.A))
        require_finite("c", self.c)
        A = np.array(self.A, dtype=np.float64)
        object.__setattr__(self, "A", (A + A.T) / 2)
        object.__setattr__(self, "b", np.array(self.b, dtype=np.float64))

    def __call__(
        self, x: Float[np.ndarray, "*batch n"]
    ) -> Float[np.ndarray, "*batch"] | float:
        """Values at one point, or at each row of ``x``."""
        return ((x @ self.A) * x).sum(-1) + x @ self.b + self.c

    def grad(self, x: Float[np.ndarray, "*batch n"]) -> Float[np.ndarray, "*batch n"]:
        """Gradient ``2 A x + b`` at one point, or at each row of ``x``."""
        return 2 * x @ self.A + self.b

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
        components = self.V.T @ self.b
        outside = np.linalg.norm(components[self._flat])
        if outside > ROUNDING * np.linalg.norm(self.b):
            return None
        steep = ~self._flat
        return self.V[:, steep] @ (components[steep] / (-2 * self.eigvals[steep]))

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
    x0: Float[np.ndarray, " n"],
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
        If ``x0`` is not finite or of the wrong length, ``n_steps`` is not an integer >= 0, ``eta``
        is neither a positive number nor a rule, or a rule meets a matrix that is not positive
        definite.

    References
    ----------
    Nocedal and Wright 2006, ch. 3.3. Equations :eq:`eq-quadratic_forms-gd`,
    :eq:`eq-quadratic_forms-line-search`.
    """
    _require_point("x0", x0, len(q.b))
    require_integer("n_steps", n_steps, 0)
    if isinstance(eta, str):
        require(eta in ("optimal", "exact"), "eta must be optimal or exact", eta)
        _require_definite(q)
    else:
        require(0 < eta < np.inf, "eta must be finite and > 0", eta)
    exact = eta == "exact"
    if eta == "optimal":
        eta = 1 / (q.eigvals[0] + q.eigvals[-1])
    x = np.empty((n_steps + 1, len(x0)))
    x[0] = x0
    for k in range(n_steps):
        g = q.grad(x[k])
        if exact:
            curvature = 2 * g @ q.A @ g
            eta = g @ g / curvature if curvature > 0 else 0.0  # at the minimum already
        x[k + 1] = x[k] - eta * g
    return x


def _tuned(q, eta, beta, optimal):
    """Step and momentum: those given, else the optimal ones, which need a positive definite A."""
    if eta is None or beta is None:
        _require_definite(q)
        best = optimal(2 * q.eigvals[-1], 2 * q.eigvals[0])
        eta, beta = best[0] if eta is None else eta, best[1] if beta is None else beta
    require(0 < eta < np.inf, "eta must be finite and > 0", eta)
    require(0 <= beta < np.inf, "beta must be finite and >= 0", beta)
    return eta, beta


def heavy_ball(
    q: Quadratic,
    x0: Float[np.ndarray, " n"],
    n_steps: int,
    eta: float | None = None,
    beta: float | None = None,
) -> Float[np.ndarray, "{n_steps}+1 n"]:
    r"""Polyak's heavy ball: gradient descent that remembers where it came from.

    .. math:: x_{k+1} = x_k - \eta\,\nabla f(x_k) + \beta\,(x_k - x_{k-1}), \qquad
              \eta = \frac{4}{(\sqrt L+\sqrt\mu)^2}, \quad
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
        If ``x0`` is not finite or of the wrong length, ``n_steps`` is not an integer >= 0, ``eta``
        or ``beta`` is out of range, or the optimal ones are asked for and ``A`` is not positive
        definite.

    References
    ----------
    Polyak 1964. Equation :eq:`eq-quadratic_forms-heavy-ball`.
    """
    _require_point("x0", x0, len(q.b))
    require_integer("n_steps", n_steps, 0)
    eta, beta = _tuned(q, eta, beta, _polyak)
    x = np.empty((n_steps + 1, len(x0)))
    x[0] = before = x0
    for k in range(n_steps):
        x[k + 1] = x[k] - eta * q.grad(x[k]) + beta * (x[k] - before)
        before = x[k]
    return x


def _polyak(L, mu):
    root, small = np.sqrt(L), np.sqrt(mu)
    return 4 / (root + small) ** 2, ((root - small) / (root + small)) ** 2


def nesterov(
    q: Quadratic,
    x0: Float[np.ndarray, " n"],
    n_steps: int,
    eta: float | None = None,
    beta: float | None = None,
) -> Float[np.ndarray, "{n_steps}+1 n"]:
    r"""Nesterov's accelerated gradient: the slope is taken where the momentum will carry us.

    .. math:: y_k = x_k + \beta\,(x_k - x_{k-1}), \quad x_{k+1} = y_k - \eta\,\nabla f(y_k), \qquad
              \eta = \frac1L, \quad \beta = \frac{\sqrt\kappa-1}{\sqrt\kappa+1}

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
        If ``x0`` is not finite or of the wrong length, ``n_steps`` is not an integer >= 0, ``eta``
        or ``beta`` is out of range, or the optimal ones are asked for and ``A`` is not positive
        definite.

    References
    ----------
    Nesterov 2004, ch. 2.2. Equation :eq:`eq-quadratic_forms-nesterov`.
    """
    _require_point("x0", x0, len(q.b))
    require_integer("n_steps", n_steps, 0)
    eta, beta = _tuned(q, eta, beta, lambda L, mu: (1 / L, np.sqrt(_polyak(L, mu)[1])))
    x = np.empty((n_steps + 1, len(x0)))
    x[0] = before = x0
    for k in range(n_steps):
        y = x[k] + beta * (x[k] - before)
        x[k + 1] = y - eta * q.grad(y)
        before = x[k]
    return x


def barzilai_borwein(
    q: Quadratic, x0: Float[np.ndarray, " n"], n_steps: int
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
        If ``x0`` is not finite or of the wrong length, ``n_steps`` is not an integer >= 0, or ``A``
        is not positive definite.

    References
    ----------
    Barzilai and Borwein 1988. Equation :eq:`eq-quadratic_forms-line-search`.
    """
    _require_point("x0", x0, len(q.b))
    require_integer("n_steps", n_steps, 0)
    _require_definite(q)
    x = np.empty((n_steps + 1, len(x0)))
    x[0], eta = x0, None
    for k in range(n_steps):
        g = q.grad(x[k])
        curvature = 2 * g @ q.A @ g
        exact = g @ g / curvature if curvature > 0 else 0.0
        x[k + 1] = x[k] - (exact if eta is None else eta) * g
        eta = exact
    return x


def conjugate_gradient(
    q: Quadratic,
    x0: Float[np.ndarray, " n"],
    n_steps: int,
    tol: float = 0.0,
    M_inv: Float[np.ndarray, "n n"] | None = None,
) -> Float[np.ndarray, "steps n"]:
    r"""Conjugate gradients: each step minimises over everything that was seen so far.

    .. math:: \alpha_k = \frac{r_k^Tz_k}{p_k^THp_k}, \quad x_{k+1} = x_k + \alpha_k p_k, \quad
              r_{k+1} = r_k - \alpha_k Hp_k, \quad
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
        The iterates ``x_0, ..., x_k``, fewer than ``n_steps + 1`` if the method stops before.

    Raises
    ------
    ValueError
        If ``x0`` is not finite or of the wrong length, ``n_steps`` is not an integer >= 0, ``tol`` is
        negative or not finite, ``M_inv`` has the wrong shape or is not finite, or a direction of
        curvature ``p^T H p <= 0`` turns up: then ``A`` is not positive definite.

    References
    ----------
    Hestenes and Stiefel 1952; Nocedal and Wright 2006, ch. 5.1. Equations
    :eq:`eq-quadratic_forms-cg`, :eq:`eq-quadratic_forms-preconditioned`.
    """
    _require_point("x0", x0, len(q.b))
    require_integer("n_steps", n_steps, 0)
    require(0 <= tol < np.inf, "tol must be finite and >= 0", tol)
    if M_inv is not None:
        wrong = f"shape {np.shape(M_inv)}"
        require(np.shape(M_inv) == q.A.shape, "M_inv must have the shape of A", wrong)
        require_finite("M_inv", M_inv)
    x, r = [np.array(x0, dtype=np.float64)], -q.grad(x0)
    z = r if M_inv is None else M_inv @ r
    p, rz, small = z, r @ z, tol * np.linalg.norm(r)
    for _ in range(n_steps):
        if np.linalg.norm(r) <= small or rz < np.finfo(float).tiny:
            break
        Hp = 2 * (q.A @ p)
        curvature = p @ Hp
        require(curvature > 0, "A must be positive definite: p^T H p > 0", curvature)
        alpha = rz / curvature
        x.append(x[-1] + alpha * p)
        r = r - alpha * Hp
        z = r if M_inv is None else M_inv @ r
        rz, old = r @ z, rz
        p = z + rz / old * p
    return np.array(x)


def newton(q: Quadratic, x0: Float[np.ndarray, " n"]) -> Float[np.ndarray, "2 n"]:
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
        If ``x0`` is not finite or of the wrong length, or ``A`` is not positive definite.

    References
    ----------
    Equation :eq:`eq-quadratic_forms-newton`.
    """
    _require_point("x0", x0, len(q.b))
    _require_definite(q)
    return np.array([x0, x0 - cho_solve(cho_factor(q.hessian), q.grad(x0))])


def power_iteration(
    A: Float[np.ndarray, "n n"], x0: Float[np.ndarray, " n"], n_steps: int
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
        If ``A`` is not a finite square matrix, ``x0`` is zero, not finite or of the wrong length,
        ``n_steps`` is not an integer >= 0, or ``A`` maps an iterate to zero.

    References
    ----------
    Trefethen and Bau 1997, lecture 27. Equation :eq:`eq-quadratic_forms-rayleigh`.
    """
    x = _unit_start(A, x0, n_steps)
    A = (A + A.T) / 2
    for _ in range(n_steps):
        image = A @ x[-1]
        size = np.linalg.norm(image)
        require(size > 0, "A must not map an iterate to zero: |A x| > 0", size)
        x.append(image / size)
    return np.array(x)


def rayleigh_iteration(
    A: Float[np.ndarray, "n n"], x0: Float[np.ndarray, " n"], n_steps: int
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
        Unit vectors; fewer than ``n_steps + 1`` if a Rayleigh quotient is an eigenvalue exactly.
        The error is cubed in each step, but which eigenvector is found depends on the start.

    Raises
    ------
    ValueError
        If ``A`` is not a finite square matrix, ``x0`` is zero, not finite or of the wrong length,
        or ``n_steps`` is not an integer >= 0.

    References
    ----------
    Trefethen and Bau 1997, lecture 27. Equation :eq:`eq-quadratic_forms-rayleigh`.
    """
    x = _unit_start(A, x0, n_steps)
    A = (A + A.T) / 2
    for _ in range(n_steps):
        rho = x[-1] @ A @ x[-1]
        try:
            image = np.linalg.solve(A - rho * np.eye(len(A)), x[-1])
        except np.linalg.LinAlgError:
            break  # rho is an eigenvalue to the last bit
        x.append(image / np.linalg.norm(image))
    return np.array(x)


def _unit_start(A, x0, n_steps) -> list:
    _require_square(A)
    _require_point("x0", x0, len(A))
    require(np.any(np.asarray(x0) != 0), "x0 must not be zero", "a zero vector")
    require_integer("n_steps", n_steps, 0)
    return [x0 / np.linalg.norm(x0)]


def trust_region_sphere(
    A: Float[np.ndarray, "n n"], b: Float[np.ndarray, " n"], radius: float = 1.0
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
        If ``A`` is not a finite square matrix, ``b`` is not finite or of the wrong length, or
        ``radius`` is not positive and finite.

    References
    ----------
    More and Sorensen 1983; Nocedal and Wright 2006, ch. 4.3. Equation
    :eq:`eq-quadratic_forms-trust-region`.
    """
    q = Quadratic(A, b)
    require(0 < radius < np.inf, "radius must be finite and > 0", radius)
    lam, V, b_tilde = q.eigvals, q.V, q.V.T @ q.b
    lowest = lam - lam[0] <= ROUNDING * abs(lam).max()
    pull = np.linalg.norm(b_tilde[lowest])
    if pull <= ROUNDING * np.linalg.norm(b_tilde):
        y = np.zeros(len(lam))
        y[~lowest] = -b_tilde[~lowest] / (2 * (lam[~lowest] - lam[0]))
        if (room := radius**2 - y @ y) >= 0:
            y[0] = np.sqrt(room)
            return V @ y, float(lam[0]), True
        b_tilde, pull = np.where(lowest, 0.0, b_tilde), 0.0

    def solve(shift):  # shift = lam_min - lambda >= 0 keeps its digits near the pole
        gap = lam - lam[0] + shift
        return np.divide(-b_tilde, 2 * gap, out=np.zeros_like(gap), where=gap > 0)

    def secular(shift):
        return np.linalg.norm(solve(shift)) / radius - 1

    bounds = np.array([pull, np.linalg.norm(b_tilde)]) / (2 * radius)
    low, high = bounds * [1 - ROUNDING, 1 + ROUNDING]  # they may coincide
    shift = brentq(secular, low, high, xtol=1e-300, rtol=1e-15)
    return V @ solve(shift), float(lam[0] - shift), False


def kkt_solve(
    q: Quadratic, C: Float[np.ndarray, "m n"], d: Float[np.ndarray, " m"]
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
        If ``C`` has not n columns or more than n rows, ``C`` or ``d`` is not finite or ``d`` of the
        wrong length, the rows of ``C`` are dependent, or ``q`` is not positive definite on its kernel.

    References
    ----------
    Nocedal and Wright 2006, ch. 16.1. Equation :eq:`eq-quadratic_forms-kkt`.
    """
    n = len(q.b)
    ok = np.ndim(C) == 2 and np.shape(C)[1] == n and 0 < len(C) <= n
    require(ok, f"C must be a matrix of 1 to {n} rows of {n}", f"shape {np.shape(C)}")
    require_finite("C", C)
    _require_point("d", d, len(C))
    Z = null_space(C)
    rank = n - Z.shape[1]
    require(rank == len(C), "C must have independent rows", f"rank {rank}")
    if Z.shape[1]:
        least = np.linalg.eigvalsh(Z.T @ q.A @ Z)[0]
        rule = "A must be positive definite on the kernel of C"
        require(least > ROUNDING * abs(q.eigvals).max(), rule, least)
    saddle = np.block([[q.hessian, C.T], [C, np.zeros((len(C), len(C)))]])
    solution = np.linalg.solve(saddle, np.concatenate([-q.b, d]))
    return solution[:n], solution[n:]


def unadjusted_langevin(
    q: Quadratic,
    x0: Float[np.ndarray, "chains n"],
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
        If ``x0`` is not finite or has not n columns, ``eta`` is out of range, ``n_steps`` is not an
        integer >= 0, or ``A`` is not positive definite.

    References
    ----------
    Roberts and Tweedie 1996. Equation :eq:`eq-quadratic_forms-langevin`.
    """
    ok = np.ndim(x0) == 2 and np.shape(x0)[1] == len(q.b) and np.size(x0) > 0
    rule = f"x0 must be a matrix with {len(q.b)} columns"
    require(ok, rule, f"shape {np.shape(x0)}")
    require_finite("x0", x0)
    _require_definite(q)
    limit = 1 / q.eigvals[-1]
    require(0 < eta < limit, f"eta must be in (0, {limit:g})", eta)
    require_integer("n_steps", n_steps, 0)
    x = np.array(x0, dtype=np.float64)
    for _ in range(n_steps):
        x += np.sqrt(2 * eta) * rng.standard_normal(x.shape) - eta * q.grad(x)
    return x
