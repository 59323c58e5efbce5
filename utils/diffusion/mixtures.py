r"""Laws whose denoiser is known exactly: Gaussian mixtures, and the training set itself.

Blurred by noise of level ``sigma``, a mixture stays a mixture: ``sigma^2`` is added to each eigenvalue
of each covariance. One eigenbasis a component, computed once, therefore serves all levels. Inside,
points are columns, so that sums over components and coordinates run along the memory.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from utils.diffusion.validate import Level, require_level
from utils.validate import require, require_finite, require_integer

ROUNDING = 1e-12  # relative size of what counts as zero in an eigenvalue


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    r"""A mixture of normal laws; called, it is its own exact denoiser.

    .. math:: p(x) = \sum_k w_k\,\mathcal N(x;\,m_k, C_k), \qquad
              D(x;\sigma) = \mathbb E[x_0\mid x] = \sum_k r_k(x)
              \bigl[m_k + C_k (C_k+\sigma^2 I)^{-1}(x-m_k)\bigr]

    with ``r_k``, the probability that ``x = x_0 + sigma eps`` came from component ``k``. Parameters are
    kept in float64, results have the precision of ``x``.

    Parameters
    ----------
    weights : ``w_k >= 0``, not all 0; they are divided by their sum.
    means : ``m_k``, one a row.
    covs : one variance for all, one for each component ``(K,)``, one for each of its coordinates
        ``(K, d)``, or covariance matrices ``(K, d, d)``. They may be singular; then only levels
        ``sigma > 0`` make sense.

    Raises
    ------
    ValueError
        If a value is not finite, shapes do not go together, a weight is negative or all are 0, a
        matrix is not symmetric, or one has a negative eigenvalue.

    References
    ----------
    Robbins 1956; Efron 2011, section 1.
    """

    weights: Float[Tensor, " K"]
    means: Float[Tensor, "K d"]
    covs: (
        float
        | Float[Tensor, ""]
        | Float[Tensor, " K"]
        | Float[Tensor, "K d"]
        | Float[Tensor, "K d d"]
    )

    def __post_init__(self):
        for name in ("weights", "means", "covs"):
            value = torch.as_tensor(getattr(self, name), dtype=torch.float64).clone()
            require_finite(name, value)
            object.__setattr__(self, name, value)
        ok = self.means.ndim == 2 and self.means.numel() > 0
        got = f"shape {tuple(self.means.shape)}"
        require(ok, "means must have shape (K, d)", got)
        K, d = self.means.shape
        got = f"shape {tuple(self.weights.shape)}"
        require(self.weights.shape == (K,), f"weights must have shape ({K},)", got)
        require(self.weights >= 0, "weights must be >= 0", self.weights)
        total = self.weights.sum()
        require(total > 0, "weights must not all be 0", total)
        object.__setattr__(self, "weights", self.weights / total)
        shapes = ((), (K,), (K, d), (K, d, d))
        got = f"shape {tuple(self.covs.shape)}"
        rule = f"covs must have one of the shapes {', '.join(map(str, shapes))}"
        require(tuple(self.covs.shape) in shapes, rule, got)
        if self.covs.ndim == 3:
            skew = (self.covs - self.covs.mT).abs()
            small = ROUNDING * self.covs.abs().max()
            require(skew <= small, "covs must be symmetric", self.covs)
        self._frame  # noqa: B018  what is not a covariance is refused here

    @cached_property
    def _frame(self):
        """Log-weights ``(K, 1)``; means ``(K, d, 1)`` and variances ``(K, d or 1, 1)`` along the
        eigenvectors; and these as rows ``(K, d, d)``, or None where they are the axes."""
        lam, means, rows = self.covs, self.means[..., None], None
        if lam.ndim == 3:
            lam, V = torch.linalg.eigh(lam)
            rows = V.mT.contiguous()
            means = rows @ means
        ok = lam >= -ROUNDING * lam.abs().max()
        require(ok, "covs must be positive semidefinite, with eigenvalues >= 0", lam)
        K, d = self.means.shape
        lam = (lam if lam.ndim == 2 else lam.expand(K)).reshape(K, -1, 1)
        log_w = self.weights.log()[:, None] - d / 2 * math.log(2 * math.pi)
        return log_w, means, lam.clamp(min=0), rows

    @cached_property
    def _regular(self):
        """Whether the law has a density without noise."""
        return bool((self._frame[2] > 0).all())

    def __call__(self, x: Float[Tensor, "B d"], sigma: Level) -> Float[Tensor, "B d"]:
        """The denoiser, see ``denoise``."""
        return self.denoise(x, sigma)

    def sample(self, n: int, *, generator: torch.Generator) -> Float[Tensor, "{n} d"]:
        """Independent draws from ``p``, in float64."""
        require_integer("n", n, 1)
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        z = torch.randn(
            n, self.means.shape[1], dtype=torch.float64, generator=generator
        )
        _, means, lam, rows = self._frame
        z = means[k] + lam[k].sqrt() * z[..., None]
        return (z if rows is None else rows[k].mT @ z)[..., 0]

    def mean_cov(self) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"]]:
        """Mean and covariance matrix of ``p``."""
        C, (K, d) = self.covs, self.means.shape
        if C.ndim < 3:
            C = (C if C.ndim == 2 else C.expand(K)[:, None]).expand(K, d).diag_embed()
        mean = self.weights @ self.means
        apart = self.means - mean
        C = C + apart[:, :, None] * apart[:, None]
        return mean, (self.weights[:, None, None] * C).sum(0)

    def _at(self, x, sigma):
        """Logarithms of weight times density ``(K, B)``; in the eigenbases ``y = (x - m) / var``
        ``(K, d, B)``, where ``var`` are the noisy variances; and ``sigma^2``."""
        _, d = self.means.shape
        got = f"shape {tuple(x.shape)}"
        require(x.ndim == 2 and x.shape[1] == d, f"x must have shape (B, {d})", got)
        log_w, means, lam, rows = self._in(x)
        noise = require_level("sigma", sigma, x, zero=self._regular) ** 2
        var = lam + noise
        x = x.T.contiguous()
        if rows is not None:
            x = (rows.flatten(0, 1) @ x).view(rows.shape[:2] + x.shape[1:])
        apart = x - means
        y = apart / var
        log_det = var.log().sum(1) * (d // var.shape[1])
        return log_w - ((apart * y).sum(1) + log_det) / 2, y, noise

    def _in(self, x):
        """The frame in the precision and on the device of ``x``."""
        return [None if part is None else part.to(x) for part in self._frame]

    def _back(self, z):
        """Sum over components of ``(K, d, B)`` in the eigenbases, as rows ``(B, d)``."""
        rows = self._frame[3]
        if rows is None:
            return z.sum(0).T
        return (rows.flatten(0, 1).T.to(z) @ z.flatten(0, 1)).T

    def log_prob(
        self, x: Float[Tensor, "B d"], sigma: Level = 0.0
    ) -> Float[Tensor, " B"]:
        """Logarithm of the density of ``x_0 + sigma eps``."""
        return self._at(x, sigma)[0].logsumexp(0)

    def responsibilities(
        self, x: Float[Tensor, "B d"], sigma: Level = 0.0
    ) -> Float[Tensor, "B K"]:
        """Probability ``r_k`` of each component, given ``x = x_0 + sigma eps``."""
        return self._at(x, sigma)[0].softmax(0).T

    def score(
        self, x: Float[Tensor, "B d"], sigma: Level = 0.0
    ) -> Float[Tensor, "B d"]:
        """Gradient of ``log_prob`` with respect to ``x``."""
        log_w, y, _ = self._at(x, sigma)
        return self._back(-log_w.softmax(0)[:, None] * y)

    def denoise(self, x: Float[Tensor, "B d"], sigma: Level) -> Float[Tensor, "B d"]:
        """Mean of ``x_0``, given ``x = x_0 + sigma eps``."""
        log_w, y, _ = self._at(x, sigma)
        _, means, lam, _ = self._in(x)
        return self._back(log_w.softmax(0)[:, None] * (means + lam * y))

    def posterior_cov(
        self, x: Float[Tensor, "B d"], sigma: Level
    ) -> Float[Tensor, "B d d"]:
        """Covariance matrix of ``x_0``, given ``x = x_0 + sigma eps``."""
        log_w, y, noise = self._at(x, sigma)
        r, (_, means, lam, rows) = log_w.softmax(0), self._in(x)
        spread = (lam * noise / (lam + noise)).expand(y.shape)
        apart = means + lam * y
        if rows is None:
            within = (r[:, None] * spread).sum(0).T.diag_embed()
        else:
            within = torch.einsum("kb,kei,keb,kej->bij", r, rows, spread, rows)
            apart = rows.mT @ apart
        apart = apart - (r[:, None] * apart).sum(0)
        return within + torch.einsum("kb,kib,kjb->bij", r, apart, apart)


class EmpiricalDenoiser:
    r"""Denoiser of the training set: what the training loss is minimised by, and nothing new.

    .. math:: D(x;\sigma) = \sum_i r_i(x)\,x_0^{(i)}, \qquad
              r = \operatorname{softmax}\bigl(-\|x-x_0^{(i)}\|^2 / 2\sigma^2\bigr)

    Parameters
    ----------
    data : the samples ``x_0``, ``(n, *event)``.
    chunk : rows of ``x`` that are treated at a time; memory is ``chunk * n`` numbers.

    Raises
    ------
    ValueError
        If there are no data, they are not finite, or ``chunk`` is not an integer >= 1.

    References
    ----------
    Karras et al. 2022, appendix B.3.
    """

    def __init__(self, data: Float[Tensor, " n *event"], chunk: int = 1024):
        require(
            data.numel() > 0, "data must not be empty", f"shape {tuple(data.shape)}"
        )
        require_finite("data", data)
        require_integer("chunk", chunk, 1)
        self.data, self.chunk = data, chunk

    def __call__(
        self, x: Float[Tensor, " B *event"], sigma: Level
    ) -> Float[Tensor, " B *event"]:
        """Mean of the training samples, weighted by how well each explains ``x``."""
        event = self.data.shape[1:]
        rule = f"x must have shape ({', '.join(['B', *map(str, event)])})"
        require(x.shape[1:] == event, rule, f"shape {tuple(x.shape)}")
        rows, data = x.flatten(1), self.data.flatten(1).to(x)
        levels = require_level("sigma", sigma, rows).expand(len(x))[:, None]
        parts = zip(rows.split(self.chunk), levels.split(self.chunk), strict=True)
        return torch.cat([self._mean(*part, data) for part in parts]).view_as(x)

    @staticmethod
    def _mean(x, level, data):
        # Differences first: expanding the square would cancel where the level is low.
        mode = "donot_use_mm_for_euclid_dist"
        z = torch.cdist(x, data, compute_mode=mode) / level
        return torch.softmax(-z * z / 2, -1) @ data


def reference_mixture() -> GaussianMixture:
    r"""The three-component law of the plane on which orders and likelihoods are measured.

    .. math:: \tfrac15\,\mathcal N(m_1, C_1) + \tfrac12\,\mathcal N(m_2, C_2)
              + \tfrac3{10}\,\mathcal N(m_3, C_3), \qquad
              C_1 = \begin{pmatrix}.05&.02\\.02&.04\end{pmatrix},\
              C_2 = \begin{pmatrix}.08&-.03\\-.03&.05\end{pmatrix},\
              C_3 = \begin{pmatrix}.03&0\\0&.1\end{pmatrix}

    with means ``(-1, .3)``, ``(.5, .8)`` and ``(.4, -1)``: no symmetry that could hide a mistake.

    Returns
    -------
    GaussianMixture
        The law in two dimensions.

    References
    ----------
    The book's own; its denoiser is the minimiser in Karras et al. 2022, equation 2.
    """
    return GaussianMixture(
        torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64),
        torch.tensor([[-1.0, 0.3], [0.5, 0.8], [0.4, -1.0]], dtype=torch.float64),
        torch.tensor(
            [
                [[0.05, 0.02], [0.02, 0.04]],
                [[0.08, -0.03], [-0.03, 0.05]],
                [[0.03, 0.0], [0.0, 0.1]],
            ],
            dtype=torch.float64,
        ),
    )


def song_ermon_mixture() -> GaussianMixture:
    r"""Two far modes of unequal weight, between which plain Langevin dynamics cannot walk.

    .. math:: \tfrac15\,\mathcal N\bigl((-5,-5), I\bigr) + \tfrac45\,\mathcal N\bigl((5,5), I\bigr)

    Returns
    -------
    GaussianMixture
        The law in two dimensions.

    References
    ----------
    Song and Ermon 2019, section 3.2.
    """
    weights = torch.tensor([0.2, 0.8], dtype=torch.float64)
    means = torch.tensor([[-5.0, -5.0], [5.0, 5.0]], dtype=torch.float64)
    return GaussianMixture(weights, means, 1.0)


def eight_gaussians(r: float = 1.0, sd: float = 0.05) -> GaussianMixture:
    r"""Eight equal round modes on a circle.

    .. math:: \tfrac18\sum_{k=0}^{7} \mathcal N\Bigl(r\,(\cos\tfrac{\pi k}4,
              \sin\tfrac{\pi k}4),\; \mathrm{sd}^2 I\Bigr)

    Parameters
    ----------
    r : radius of the circle.
    sd : standard deviation of a mode in each coordinate, >= 0.

    Returns
    -------
    GaussianMixture
        The law in two dimensions.

    Raises
    ------
    ValueError
        If ``r`` or ``sd`` is not finite or negative.

    References
    ----------
    Metz et al. 2017, for the ring; its denoiser is the minimiser in Karras et al. 2022, equation 2.
    """
    for name, value in (("r", r), ("sd", sd)):
        require_finite(name, value)
        require(value >= 0, f"{name} must be >= 0", value)
    angle = torch.arange(8, dtype=torch.float64) * (math.pi / 4)
    means = r * torch.stack([angle.cos(), angle.sin()], 1)
    return GaussianMixture(torch.ones(8, dtype=torch.float64), means, float(sd) ** 2)
