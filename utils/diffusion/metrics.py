r"""How far samples are from data. No value means anything without its ``floor``: data against data."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from sklearn.neural_network import MLPClassifier
from torch import Tensor

from utils.validate import require, require_finite, require_integer

Layers = tuple[
    Float[Tensor, "d 64"],
    Float[Tensor, " 64"],
    Float[Tensor, "64 classes"],
    Float[Tensor, " classes"],
]


def sliced_w2(
    a: Float[Tensor, "n d"],
    b: Float[Tensor, "m d"],
    n_proj: int = 256,
    *,
    generator: torch.Generator,
) -> float:
    r"""Sliced Wasserstein distance: the root mean square of W2 over random directions.

    .. math:: \Bigl(\frac1K \sum_{k=1}^{K} \int_0^1 \bigl(F^{-1}_{a\theta_k}(u) -
              F^{-1}_{b\theta_k}(u)\bigr)^2\,du\Bigr)^{1/2}, \qquad |\theta_k| = 1

    Parameters
    ----------
    a, b : two clouds of points, which may differ in size.
    n_proj : number of directions, >= 1.
    generator : source of randomness of the directions.

    Returns
    -------
    float
        The distance, in the unit of the data; each slice is exact, by sorting.

    Raises
    ------
    ValueError
        If a cloud is empty or not finite, the dimensions differ or ``n_proj`` is not an integer >= 1.

    References
    ----------
    Peyre and Cuturi 2019, section 10.4.
    """
    _require_clouds(a=a, b=b)
    require_integer("n_proj", n_proj, 1)
    theta = torch.randn(a.shape[1], n_proj, generator=generator, dtype=a.dtype)
    theta = theta / theta.norm(dim=0)
    a, b = (a @ theta).sort(dim=0).values, (b @ theta).sort(dim=0).values
    n, m = len(a), len(b)
    # in steps of 1 / (n m) both quantile functions jump at integers
    ends = torch.cat([torch.arange(n + 1) * m, torch.arange(m + 1) * n]).unique()
    start, width = ends[:-1], ends.diff().to(a.dtype) / (n * m)
    return math.sqrt(width @ ((a[start // m] - b[start // n]) ** 2).mean(dim=1))


def mmd2_unbiased(
    a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], bandwidth: float
) -> float:
    r"""Squared maximum mean discrepancy with a Gaussian kernel: unbiased, so it can be negative.

    .. math:: \frac{1}{n(n-1)} \sum_{i \ne j} k(a_i, a_j) + \frac{1}{m(m-1)} \sum_{i \ne j} k(b_i, b_j)
              - \frac{2}{nm} \sum_{i,j} k(a_i, b_j), \qquad k(x, y) = e^{-|x - y|^2 / 2 h^2}

    Parameters
    ----------
    a, b : two clouds of at least two points each.
    bandwidth : ``h``, > 0.

    Returns
    -------
    float
        The estimate; memory grows like the product of the sizes.

    Raises
    ------
    ValueError
        If a cloud has fewer than two points or is not finite, the dimensions differ, or ``bandwidth`` is
        not positive and finite.

    References
    ----------
    Gretton et al. 2012, section 2.2.
    """
    _require_clouds(a=a, b=b, least=2)
    require(0 < bandwidth < math.inf, "bandwidth must be finite and > 0", bandwidth)

    def k(x, y):
        return (-((_distances(x, y) / bandwidth) ** 2) / 2).exp()

    n, m = len(a), len(b)
    within = (k(a, a).sum() - n) / (n * (n - 1)) + (k(b, b).sum() - m) / (m * (m - 1))
    return float(within - 2 * k(a, b).mean())


def frechet_distance(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    r"""Squared W2 distance of the two normal laws that have the moments of the clouds.

    .. math:: |\mu_a - \mu_b|^2 + \operatorname{tr}\bigl(\Sigma_a + \Sigma_b
              - 2\,(\Sigma_a^{1/2}\,\Sigma_b\,\Sigma_a^{1/2})^{1/2}\bigr)

    With ``Sigma = R^T R`` the last trace is the sum of the singular values of ``R_a R_b^T``: no square
    root of a matrix, and no loss of digits where a covariance is singular.

    Parameters
    ----------
    a, b : two clouds of at least two points each, of data or of features.

    Returns
    -------
    float
        The distance, >= 0; covariances are normalised by ``n - 1``. On features of an Inception
        network it would be the FID.

    Raises
    ------
    ValueError
        If a cloud has fewer than two points or is not finite, or the dimensions differ.

    References
    ----------
    Peyre and Cuturi 2019, section 2.6; Heusel et al. 2017, appendix A1.
    """
    _require_clouds(a=a, b=b, least=2)
    R_a, R_b = (
        torch.linalg.qr(x - x.mean(dim=0), mode="r").R / math.sqrt(len(x) - 1)
        for x in (a, b)
    )
    shift = (a.mean(dim=0) - b.mean(dim=0)).square().sum()
    overlap = torch.linalg.svdvals(R_a @ R_b.T).sum()
    return max(
        float(shift + R_a.square().sum() + R_b.square().sum() - 2 * overlap), 0.0
    )


def digit_classifier(x: Float[Tensor, "n d"], y: Int[Tensor, " n"]) -> Layers:
    r"""A small classifier of digits, whose hidden layer is the eye of the metrics.

    .. math:: \hat y = \arg\max\,\bigl(\max(x W_1 + b_1, 0)\,W_2 + b_2\bigr)

    Parameters
    ----------
    x : images as rows: the training half of ``digits``.
    y : what they show, three classes or more.

    Returns
    -------
    W_1, b_1, W_2, b_2 : the weights; the same in every call. On the held-out half 97 % are right.

    Raises
    ------
    ValueError
        If ``x`` is empty or not finite, or ``y`` has not one entry for each image.

    References
    ----------
    Heusel et al. 2017, appendix A1, with digits in the place of ImageNet.
    """
    _require_clouds(x=x)
    ok = y.shape == x.shape[:1]
    require(ok, f"y must have {len(x)} entries", f"shape {tuple(y.shape)}")
    net = MLPClassifier((64,), max_iter=1000, random_state=0)
    net.fit(x.double().numpy(), y.numpy())
    (W_1, W_2), (b_1, b_2) = net.coefs_, net.intercepts_
    return tuple(torch.as_tensor(w).to(x.dtype) for w in (W_1, b_1, W_2, b_2))


def digit_features(
    x: Float[Tensor, "n d"], classifier: Layers
) -> Float[Tensor, "n 64"]:
    r"""What the hidden layer of the classifier sees of each image.

    .. math:: \max(x W_1 + b_1, 0)

    Parameters
    ----------
    x : images as rows; generated ones are quantised first.
    classifier : the weights from ``digit_classifier``.

    Returns
    -------
    Tensor
        The features as rows, in the precision of ``x``.

    Raises
    ------
    ValueError
        If ``x`` is empty or not finite.

    References
    ----------
    Heusel et al. 2017, appendix A1.
    """
    _require_clouds(x=x)
    W_1, b_1, *_ = classifier
    return (x @ W_1.to(x) + b_1.to(x)).relu()


def mode_report(
    x: Float[Tensor, "n d"], means: Float[Tensor, "K d"], sd: float, cutoff: float = 5.0
) -> dict[str, Float[Tensor, " K"] | float]:
    r"""Which modes of a mixture the samples went to, and how well they fill them.

    .. math:: k(x) = \arg\min_k |x - m_k|, \qquad
              \mathrm{radius}^2 = \operatorname{mean}\ \frac{|x - m_{k(x)}|^2}{\mathrm{sd}^2}
              \ \text{over}\ |x - m_{k(x)}| \le \mathrm{cutoff}\cdot\mathrm{sd}

    Parameters
    ----------
    x : samples.
    means : centres of the modes.
    sd : standard deviation of a mode in each coordinate, > 0.
    cutoff : distance in units of ``sd`` up to which a sample belongs to a mode, > 0.

    Returns
    -------
    dict
        ``weights`` (K,), shares of the samples by nearest centre; ``radius``, ideally the square root
        of the dimension; ``off_mode``, the share beyond the cutoff, ideally 4e-6 in the plane. If no
        sample is within the cutoff, the radius is infinite.

    Raises
    ------
    ValueError
        If ``x`` or ``means`` is empty or not finite, the dimensions differ, or ``sd`` or ``cutoff`` is
        not positive and finite.

    References
    ----------
    Song and Ermon 2019, section 3.2.
    """
    _require_clouds(x=x, means=means)
    require(0 < sd < math.inf, "sd must be finite and > 0", sd)
    require(0 < cutoff < math.inf, "cutoff must be finite and > 0", cutoff)
    distance, nearest = (_distances(x, means) / sd).min(dim=1)
    near = distance[distance <= cutoff]
    radius = near.square().mean().sqrt() if len(near) else math.inf
    counts = torch.bincount(nearest, minlength=len(means))
    return {
        "weights": counts.to(x.dtype) / len(x),
        "radius": float(radius),
        "off_mode": 1 - len(near) / len(x),
    }


def nearest_distance(
    x: Float[Tensor, "n d"], data: Float[Tensor, "m d"]
) -> Float[Tensor, " n"]:
    r"""Distance of each sample to the nearest training point: near 0 is memory, not generation.

    .. math:: \min_j |x - x_j|

    Compare with the distances of held-out data to the training data.

    Parameters
    ----------
    x : samples.
    data : the training set.

    Returns
    -------
    Tensor
        One distance for each sample.

    Raises
    ------
    ValueError
        If ``x`` or ``data`` is empty or not finite, or the dimensions differ.

    References
    ----------
    Theis et al. 2016, section 3.
    """
    _require_clouds(x=x, data=data)
    return _distances(x, data).min(dim=1).values


def floor(
    metric: Callable[[Tensor, Tensor], float],
    real: Float[Tensor, "n d"],
    n_splits: int = 10,
    *,
    generator: torch.Generator,
) -> tuple[float, float]:
    r"""What a metric says of real data against real data: the value that no sampler can beat.

    .. math:: \operatorname{mean}\ \text{and}\ \operatorname{sd}\ \text{of}\
              \mathrm{metric}(\mathrm{half}_s, \mathrm{other\ half}_s), \qquad s = 1, \dots, S

    Parameters
    ----------
    metric : ``metric(a, b)``, a number.
    real : data, at least two; it is split in random halves. Metrics grow as halves shrink: samples should
        be as many as a half.
    n_splits : number of splits, >= 2.
    generator : source of randomness.

    Returns
    -------
    mean, sd : over the splits. They share the data, so ``sd`` is no standard error.

    Raises
    ------
    ValueError
        If ``real`` has fewer than two rows or is not finite, or ``n_splits`` is not an integer >= 2.

    References
    ----------
    Binkowski et al. 2018, section 4.
    """
    _require_clouds(real=real, least=2)
    require_integer("n_splits", n_splits, 2)
    values = []
    for _ in range(n_splits):
        order = torch.randperm(len(real), generator=generator)
        values.append(float(metric(*real[order].tensor_split(2))))
    values = torch.tensor(values, dtype=torch.float64)
    return float(values.mean()), float(values.std())


def _require_clouds(least=1, **clouds):
    """Refuse what is not finite or too small, and dimensions that differ."""
    (first, *_), d = clouds, next(iter(clouds.values())).shape[-1]
    for name, x in clouds.items():
        got = f"shape {tuple(x.shape)}"
        require(x.ndim == 2, f"{name} must be a matrix", got)
        require(len(x) >= least, f"{name} must have {least} rows or more", got)
        require(x.shape[1] == d, f"{name} must have the {d} columns of {first}", got)
        require_finite(name, x)


def _distances(x, y):
    # the default goes through x^T y for many points and loses half the digits
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
