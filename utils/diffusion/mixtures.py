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

from utils.diffusion.validate import (
    Level,
    level,
    match_event,
    numbers,
    positive,
    require,
    rows,
    state,
)
from utils.validate import integer

ROUNDING = 1e-12  # relative size of what counts as zero in an eigenvalue


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    r"""A mixture of normal laws; called, it is its own exact denoiser.

    .. math:: & p(x) = \sum_k w_k\,\mathcal N(x;\,m_k, C_k), \\
              & D(x;\sigma) = \mathbb E[x_0\mid x] = \sum_k r_k(x)
              \bigl[m_k + C_k (C_k+\sigma^2 I)^{-1}(x-m_k)\bigr]

    with ``r_k``, the probability that ``x = x_0 + sigma eps`` came from component ``k``. All is calculated
    in float64, results have the precision of ``x``.

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
            value = numbers(name, getattr(self, name)).clone()
            object.__setattr__(self, name, value)
        ok = self.means.ndim == 2 and self.means.numel() > 0
        got = f"shape {tuple(self.means.shape)}"
        require(ok, "means must have shape (K, d)", got)
        K, d = self.means.shape
        got = f"shape {tuple(self.weights.shape)}"
        require(self.weights.shape == (K,), f"weights must have shape ({K},)", got)
        require(self.weights >= 0, "weights must be >= 0", self.weights)
        most = self.weights.max()
        require(most > 0, "weights must not all be 0", most)
        shares = self.weights / most  # before the sum, which may overflow
        object.__setattr__(self, "weights", shares / shares.sum())
        shapes = ((), (K,), (K, d), (K, d, d))
        got = f"shape {tuple(self.covs.shape)}"
        rule = f"covs must have one of the shapes {', '.join(map(str, shapes))}"
        require(tuple(self.covs.shape) in shapes, rule, got)
        if self.covs.ndim == 3:
            skew = (self.covs - self.covs.mT).abs()
            small = ROUNDING * self.covs.abs().amax((1, 2), keepdim=True)
            require(skew <= small, "covs must be symmetric", self.covs)
        self._frame  # noqa: B018  what is not a covariance is refused here

    @cached_property
    def _frame(self):
        """Log-weights ``(K, 1)``; variances ``(K, d or 1, 1)`` along the eigenvectors; and these as
        the rows of ``(K, d, d)``, or None where they are the axes."""
        lam, V = self.covs, None
        allowed = torch.zeros(())
        if lam.ndim == 3:
            lam, V = torch.linalg.eigh(lam)
            V = V.mT.contiguous()
            # Each component by its own scale: what rounds to 0 in one is a variance in another.
            allowed = -ROUNDING * lam.abs().amax(1, keepdim=True)
        rule = "covs must be positive semidefinite, with eigenvalues >= 0"
        require(lam >= allowed, rule, lam)
        K, d = self.means.shape
        lam = (lam if lam.ndim == 2 else lam.expand(K)).reshape(K, -1, 1)
        log_w = self.weights.log()[:, None] - d / 2 * math.log(2 * math.pi)
        return log_w, lam.clamp(min=0), V

    @cached_property
    def _regular(self):
        """Whether the law has a density without noise."""
        return bool((self._frame[1] > 0).all())

    def __call__(self, x: Float[Tensor, "B d"], sigma: Level) -> Float[Tensor, "B d"]:
        """The denoiser, see ``denoise``."""
        return self.denoise(x, sigma)

    def sample(self, n: int, *, generator: torch.Generator) -> Float[Tensor, "{n} d"]:
        """Independent draws from ``p``, in float64."""
        n = integer("n", n, 1)
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        z = torch.randn(
            n, self.means.shape[1], dtype=torch.float64, generator=generator
        )
        _, lam, V = self._frame
        z = lam[k].sqrt() * z[..., None]
        return self.means[k] + (z if V is None else V[k].mT @ z)[..., 0]

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
        d = self.means.shape[1]
        match_event("x", state("x", x), (d,))
        log_w, lam, V = (
            part if part is None else part.to(x.device) for part in self._frame
        )
        noise = level("sigma", sigma, x, zero=self._regular) ** 2
        var = lam + noise
        # First the difference, then the rotation: far from the origin, the other way loses the digits.
        apart = x.double().T.contiguous() - self.means[..., None].to(x.device)
        if V is not None:
            apart = V @ apart
        y = apart / var
        log_det = var.log().sum(1) * (d // var.shape[1])
        return log_w - ((apart * y).sum(1) + log_det) / 2, y, noise

    def _back(self, z):
        """Sum over components of ``(K, d, B)`` in the eigenbases, as rows ``(B, d)``."""
        V = self._frame[2]
        if V is None:
            return z.sum(0).T
        return (V.flatten(0, 1).T.to(z.device) @ z.flatten(0, 1)).T

    def log_prob(
        self, x: Float[Tensor, "B d"], sigma: Level = 0.0
    ) -> Float[Tensor, " B"]:
        """Logarithm of the density of ``x_0 + sigma eps``."""
        return self._at(x, sigma)[0].logsumexp(0).to(x.dtype)

    def responsibilities(
        self, x: Float[Tensor, "B d"], sigma: Level = 0.0
    ) -> Float[Tensor, "B K"]:
        """Probability ``r_k`` of each component, given ``x = x_0 + sigma eps``."""
        return self._at(x, sigma)[0].softmax(0).T.to(x.dtype)

    def score(
        self, x: Float[Tensor, "B d"], sigma: Level = 0.0
    ) -> Float[Tensor, "B d"]:
        """Gradient of ``log_prob`` with respect to ``x``."""
        log_p, y, _ = self._at(x, sigma)
        return self._back(-log_p.softmax(0)[:, None] * y).to(x.dtype)

    def denoise(self, x: Float[Tensor, "B d"], sigma: Level) -> Float[Tensor, "B d"]:
        """Mean of ``x_0``, given ``x = x_0 + sigma eps``."""
        log_p, y, _ = self._at(x, sigma)
        r, lam = log_p.softmax(0), self._frame[1].to(x.device)
        means = r.T @ self.means.to(x.device)
        return (means + self._back(r[:, None] * lam * y)).to(x.dtype)

    def posterior_cov(
        self, x: Float[Tensor, "B d"], sigma: Level
    ) -> Float[Tensor, "B d d"]:
        """Covariance matrix of ``x_0``, given ``x = x_0 + sigma eps``."""
        log_p, y, noise = self._at(x, sigma)
        r, (_, lam, V) = log_p.softmax(0), self._frame
        spread = (lam * (noise / (lam + noise))).expand(y.shape)
        centred = self.means - self.weights @ self.means
        if V is None:
            within = (r[:, None] * spread).sum(0).T.diag_embed()
            apart = lam * y
        else:
            within = torch.einsum("kb,kei,keb,kej->bij", r, V, spread, V)
            apart = V.mT @ (lam * y)
        apart = centred[..., None] + apart
        apart = apart - (r[:, None] * apart).sum(0)
        between = torch.einsum("kb,kib,kjb->bij", r, apart, apart)
        return (within + between).to(x.dtype)


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
        got = f"shape {tuple(state('data', data).shape)}"
        require(data.numel() > 0, "data must not be empty", got)
        self.data, self.chunk = data, integer("chunk", chunk, 1)

    def __call__(
        self, x: Float[Tensor, " B *event"], sigma: Level
    ) -> Float[Tensor, " B *event"]:
        """Mean of the training samples, weighted by how well each explains ``x``."""
        match_event("x", state("x", x), self.data.shape[1:])
        points, data = rows(x).double(), rows(self.data).to(x.device, torch.float64)
        levels = level("sigma", sigma, x).expand(len(x))[:, None]
        parts = zip(points.split(self.chunk), levels.split(self.chunk), strict=True)
        means = torch.cat([self._mean(*part, data) for part in parts])
        return means.view_as(x).to(x.dtype)

    @staticmethod
    def _mean(x, level, data):
        # Differences first: expanding the square would cancel where the level is low.
        mode = "donot_use_mm_for_euclid_dist"
        z = torch.cdist(x, data, compute_mode=mode) / level
        least = z.amin(-1, keepdim=True)  # z^2 - least^2, where a square may overflow
        return torch.softmax(-(z - least) * (z + least) / 2, -1) @ data


def reference_mixture() -> GaussianMixture:
    r"""The three-component law of the plane on which orders and likelihoods are measured.

    .. math:: \begin{aligned}
              & \tfrac15\,\mathcal N(m_1, C_1) + \tfrac12\,\mathcal N(m_2, C_2)
              + \tfrac3{10}\,\mathcal N(m_3, C_3), \\
              & C_1 = \begin{pmatrix}.05&.02\\.02&.04\end{pmatrix},\;
              C_2 = \begin{pmatrix}.08&-.03\\-.03&.05\end{pmatrix},\;
              C_3 = \begin{pmatrix}.03&0\\0&.1\end{pmatrix}
              \end{aligned}

    with means ``(-1, .3)``, ``(.5, .8)`` and ``(.4, -1)``: no symmetry that could hide a mistake.

    Returns
    -------
    GaussianMixture
        The law in two dimensions.

    References
    ----------
    The book's own; its denoiser is the minimiser in Karras et al. 2022, equation 2.

    Examples
    --------
    >>> mean, cov = reference_mixture().mean_cov()
    >>> [round(m, 4) for m in mean.tolist()]
    [0.17, 0.16]
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

    Examples
    --------
    >>> x = torch.tensor([[-5.0, -5.0], [5.0, 5.0]])
    >>> song_ermon_mixture().responsibilities(x).round().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
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

    Examples
    --------
    >>> ring, x = eight_gaussians(r=1.0, sd=0.05), torch.tensor([[1.2, 0.0]])
    >>> D_x = ring.denoise(x, sigma=0.05)
    >>> round(D_x[0, 0].item(), 4)
    1.1
    """
    r, sd = positive("r", r, zero=True), positive("sd", sd, zero=True)
    angle = torch.arange(8, dtype=torch.float64) * (math.pi / 4)
    means = r * torch.stack([angle.cos(), angle.sin()], 1)
    return GaussianMixture(torch.ones(8, dtype=torch.float64), means, sd**2)
