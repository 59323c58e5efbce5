r"""How far samples are from data. No value means anything without its ``floor``: data against data."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from sklearn.neural_network import MLPClassifier
from torch import Tensor

from utils.diffusion.validate import clouds, positive
from utils.validate import integer, integers, require
from utils.validate import real as number

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
        If a cloud is empty or not finite, the dimensions or dtypes differ, or ``n_proj`` is not an
        integer >= 1.

    References
    ----------
    Peyre and Cuturi 2019, section 10.4.

    Examples
    --------
    >>> a = torch.tensor([[0.0], [1.0]])
    >>> generator = torch.Generator().manual_seed(0)
    >>> round(sliced_w2(a, a + 3, generator=generator), 4)
    3.0
    """
    (a, b), n_proj = clouds(a=a, b=b), integer("n_proj", n_proj, 1)
    theta = torch.randn(a.shape[1], n_proj, generator=generator, dtype=torch.float64)
    theta = theta / theta.norm(dim=0)
    centre = a.mean(dim=0)  # what both have in common costs digits in the projections
    a, b = a - centre, b - centre
    unit = _binary(float(max(a.abs().max(), b.abs().max())))
    a, b = ((x / unit @ theta).sort(dim=0).values for x in (a, b))
    n, m = len(a), len(b)
    # in steps of 1 / (n m) both quantile functions jump at integers
    ends = torch.cat([torch.arange(n + 1) * m, torch.arange(m + 1) * n]).unique()
    start, width = ends[:-1], ends.diff().double() / (n * m)
    square = width @ ((a[start // m] - b[start // n]) ** 2).mean(dim=1)
    return unit * math.sqrt(square)


def frechet_distance(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    r"""Squared W2 distance of the two normal laws that have the moments of the clouds.

    .. math:: |\mu_a - \mu_b|^2 + \operatorname{tr}\bigl(\Sigma_a + \Sigma_b
              - 2\,(\Sigma_a^{1/2}\,\Sigma_b\,\Sigma_a^{1/2})^{1/2}\bigr)

    With ``Sigma = R^T R`` the last trace is the sum of the singular values of ``R_a R_b^T``: no square
    root of a matrix, and no loss of digits where a covariance is singular or the clouds are far away.

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
        If a cloud has fewer than two points or is not finite, or the dimensions or dtypes differ.

    References
    ----------
    Peyre and Cuturi 2019, section 2.6; Heusel et al. 2017, appendix A1.

    Examples
    --------
    >>> a = torch.tensor([[0.0], [1.0]])
    >>> round(frechet_distance(a, a + 3), 4)
    9.0
    """
    (mean_a, rest_a, R_a), (mean_b, rest_b, R_b) = map(_moments, clouds(2, a=a, b=b))
    shift = (mean_a - mean_b) + (rest_a - rest_b)
    unit = _binary(max(float(part.abs().max()) for part in (shift, R_a, R_b)))
    shift, R_a, R_b = shift / unit, R_a / unit, R_b / unit
    overlap = torch.linalg.svdvals(R_a @ R_b.T).sum()
    squares = sum(part.square().sum() for part in (shift, R_a, R_b))
    return unit * (unit * max(float(squares - 2 * overlap), 0.0))


def _moments(x):
    """Mean, what rounding left of it, and ``R`` with ``R^T R`` the covariance of the rows."""
    mean = x.mean(dim=0).detach()
    x = x.detach() - mean
    rest, root = x.mean(dim=0), math.sqrt(len(x) - 1)
    x -= rest
    gram = torch.from_numpy(x.numpy().T @ x.numpy())  # numpy knows that it is symmetric
    R, failed = torch.linalg.cholesky_ex(gram, upper=True)
    if not failed and 1e-200 < gram.diagonal().max() < 1e200:
        inverse = torch.linalg.solve_triangular(R, torch.eye(len(R)).to(R), upper=True)
        if R.norm() * inverse.norm() < 1e4:
            return mean, rest, R / root
    # Squares would halve the digits of what is close to singular: twice the time, all digits.
    return mean, rest, torch.linalg.qr(x, mode="r").R / root


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
        If ``x`` is empty or not finite, or ``y`` has not one integer for each image, or fewer than three
        classes.

    References
    ----------
    Heusel et al. 2017, appendix A1, with digits in the place of ImageNet.

    Examples
    --------
    >>> from utils.diffusion.data import digits
    >>> x_train, _, y_train, _ = digits()
    >>> layers = digit_classifier(x_train[:200], y_train[:200])
    >>> [tuple(layer.shape) for layer in layers]
    [(64, 64), (64,), (64, 10), (10,)]
    """
    (wide,), y = clouds(x=x), integers("y", y)
    ok = y.shape == x.shape[:1]
    require(ok, f"y must have {len(x)} entries", f"shape {y.shape}")
    classes = len(set(y.tolist()))
    require(classes >= 3, "y must have three classes or more", classes)
    net = MLPClassifier((64,), max_iter=1000, random_state=0)
    net.fit(wide.numpy(), y)
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
        If ``x`` is empty or not finite, or has not as many columns as ``classifier`` has inputs.

    References
    ----------
    Heusel et al. 2017, appendix A1.

    Examples
    --------
    >>> x = torch.tensor([[1.0, -2.0]])
    >>> hidden, last = torch.ones(2, 64), torch.ones(64, 10)
    >>> classifier = hidden, torch.full((64,), 2.0), last, torch.ones(10)
    >>> features = digit_features(x, classifier)
    >>> tuple(features.shape), features.unique().tolist()
    ((1, 64), [1.0])
    """
    (wide,), (W_1, b_1, *_) = clouds(x=x), classifier
    ok = x.shape[1] == len(W_1)
    require(ok, f"x must have {len(W_1)} columns", f"shape {tuple(x.shape)}")
    return (wide @ W_1.to(wide) + b_1.to(wide)).relu().to(x.dtype)


def mode_report(
    x: Float[Tensor, "n d"], means: Float[Tensor, "K d"], sd: float, cutoff: float = 5.0
) -> dict[str, Float[Tensor, " K"] | float]:
    r"""Which modes of a mixture the samples went to, and how well they fill them.

    .. math:: & k(x) = \arg\min_k |x - m_k|, \\
              & \mathrm{radius}^2 = \operatorname{mean}\ \frac{|x - m_{k(x)}|^2}{\mathrm{sd}^2}
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
        If ``x`` or ``means`` is empty or not finite, the dimensions or dtypes differ, or ``sd`` or
        ``cutoff`` is not positive and finite.

    References
    ----------
    Song and Ermon 2019, section 3.2.

    Examples
    --------
    >>> means = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    >>> x = torch.tensor([[0.9, 0.0], [1.1, 0.0]])
    >>> report = mode_report(x, means, sd=0.1)
    >>> report["weights"].tolist(), report["off_mode"]
    ([0.0, 1.0], 0.0)
    """
    points, centres = clouds(x=x, means=means)
    sd, cutoff = positive("sd", sd), positive("cutoff", cutoff)
    distance, nearest = (_distances(points, centres) / sd).min(dim=1)
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
        If ``x`` or ``data`` is empty or not finite, or the dimensions or dtypes differ.

    References
    ----------
    Theis et al. 2016, section 3.

    Examples
    --------
    >>> data = torch.tensor([[3.0, 4.0], [6.0, 8.0]])
    >>> nearest_distance(torch.zeros(1, 2), data).tolist()
    [5.0]
    """
    points, others = clouds(x=x, data=data)
    return _distances(points, others).min(dim=1).values.to(x.dtype)


def floor(
    metric: Callable[[Tensor, Tensor], float],
    real: Float[Tensor, "n d"],
    n_splits: int = 10,
    *,
    generator: torch.Generator,
) -> tuple[float, float]:
    r"""What a metric says of real data against real data: the value that no sampler can beat.

    .. math:: \operatorname{mean}\ \text{and}\ \operatorname{sd}\ \text{of}\;
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
        If ``real`` has fewer than two rows or is not finite, ``n_splits`` is not an integer >= 2, or
        ``metric`` returns no number.

    References
    ----------
    Binkowski et al. 2018, section 4.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> real = torch.randn(200, 1, generator=generator)
    >>> mean, sd = floor(frechet_distance, real, generator=generator)
    >>> 0 < mean < 0.2
    True
    """
    clouds(2, real=real)
    values = []
    for _ in range(integer("n_splits", n_splits, 2)):
        order = torch.randperm(len(real), generator=generator)
        values.append(number("metric", metric(*real[order].tensor_split(2))))
    values = torch.tensor(values, dtype=torch.float64)
    return float(values.mean()), float(values.std())


def _binary(size):
    """The power of two below ``size``; dividing by it changes no digit."""
    return 2.0 ** (math.frexp(size)[1] - 1) if size else 1.0


def _distances(x, y):
    """Distances ``(n, m)`` whose squares neither overflow nor vanish."""
    unit = _binary(float(max(x.detach().abs().max(), y.detach().abs().max())))
    # the default goes through x^T y for many points and loses half the digits
    mode = "donot_use_mm_for_euclid_dist"
    return torch.cdist(x / unit, y / unit, compute_mode=mode) * unit
