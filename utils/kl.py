r"""Estimators of the Kullback-Leibler divergence ``KL(q || p)`` from samples of ``q``, and their gradients.

The first law is the one that is sampled, in every signature: ``(logq, logp)`` are log-probabilities of
the samples under the sampling law ``q`` and the reference ``p``, ``r = p/q``. Values in nats, nothing is
averaged. The functions stand in the order of the chapter; only ``kl_loss`` needs torch, when it is called.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float, Real
from scipy.special import log_softmax

from utils.special import exp_remainder, log_quotient, sinh_remainder
from utils.validate import integer, real, reals, require, tensor, together, vector

if TYPE_CHECKING:
    import torch

Kind = Literal["k1", "k2", "k3", "k1_reward", "rho_k1", "rho_k2", "rho_k3", "sg_rho_k2"]
KINDS = ("k1", "k2", "k3", "k1_reward", "rho_k1", "rho_k2", "rho_k3", "sg_rho_k2")


def _log_ratio(logq, logp):
    """``log r = log p - log q``: tensors in their own precision, everything else in float64."""
    if not hasattr(logq, "detach") and not hasattr(logp, "detach"):
        logq, logp = together(logq=logq, logp=logp)
        return logp - logq
    logq, logp = _tensor_or_number("logq", logq), _tensor_or_number("logp", logp)
    try:
        return logp - logq
    except RuntimeError:
        shapes = f"{tuple(logq.shape)} and {tuple(logp.shape)}"
        message = f"logq and logp must broadcast, got shapes {shapes}"
        raise ValueError(message) from None


def _tensor_or_number(name, x):
    return (
        tensor(name, x) if np.ndim(x) or hasattr(x, "detach") else float(reals(name, x))
    )


def _remainder(x):
    """``exp(x) - 1 - x`` without cancellation; arrays and tensors alike."""
    return _remainder_of_tensors()(x) if hasattr(x, "detach") else exp_remainder(x)


@cache
def _remainder_of_tensors():
    """The same for tensors, with the derivative ``expm1`` where one is asked for."""
    import torch
    from torch.autograd.forward_ad import unpack_dual

    def value(x):
        y = torch.from_numpy(np.asarray(exp_remainder(x.double().numpy(force=True))))
        return y.to(x)

    class Remainder(torch.autograd.Function):
        generate_vmap_rule = True
        forward = staticmethod(value)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, gradient):
            return gradient * ctx.saved_tensors[0].expm1()

        @staticmethod
        def jvp(ctx, tangent):
            return tangent * ctx.saved_tensors[0].expm1()

    def remainder(x):
        differentiated = x.requires_grad or unpack_dual(x).tangent is not None
        return Remainder.apply(x) if differentiated else value(x)

    return remainder


def k1(logq: Any, logp: Any) -> Any:
    r"""Naive estimator of ``KL(q || p)``: unbiased, often negative.

    .. math:: k_1 = -\log r = \log q(x) - \log p(x), \qquad x \sim q

    Parameters
    ----------
    logq, logp : log-probabilities of the samples under the sampling law and under the reference;
        numbers, numpy arrays or torch tensors of shapes that broadcast.

    Returns
    -------
    array or tensor
        One value for each sample: tensors keep their precision, everything else becomes float64.

    Raises
    ------
    ValueError
        If an entry is not a finite real number or the shapes do not broadcast.

    References
    ----------
    Schulman 2020. Equation :eq:`eq-kl_estimators-k1`.

    Examples
    --------
    >>> logq, logp = np.array([-1.0, -2.0]), np.array([-1.5, -1.0])
    >>> k1(logq, logp).tolist()
    [0.5, -1.0]
    """
    return -_log_ratio(logq, logp)


def k2(logq: Any, logp: Any) -> Any:
    r"""Half the squared log-ratio: never negative, biased by third order in the distance.

    .. math:: k_2 = \tfrac12 (\log r)^2, \qquad
              \mathbb E_q k_2 = \tfrac12\bigl(\mathrm{KL}^2 + \operatorname{Var}_q \log r\bigr)

    Parameters
    ----------
    logq, logp : log-probabilities of the samples under the sampling law and under the reference;
        numbers, numpy arrays or torch tensors of shapes that broadcast.

    Returns
    -------
    array or tensor
        One value for each sample: tensors keep their precision, everything else becomes float64.

    Raises
    ------
    ValueError
        If an entry is not a finite real number or the shapes do not broadcast.

    References
    ----------
    Schulman 2020. Equation :eq:`eq-kl_estimators-k2`.

    Examples
    --------
    >>> logq, logp = np.array([-1.0, -2.0]), np.array([-1.5, -1.0])
    >>> k2(logq, logp).tolist()
    [0.125, 0.5]
    """
    return _log_ratio(logq, logp) ** 2 / 2


def k3(logq: Any, logp: Any) -> Any:
    r"""Naive estimator plus the control variate ``r - 1``: unbiased where ``E r = 1``, never negative.

    .. math:: k_3 = (r - 1) - \log r

    Computed without cancellation in any precision: near ``r = 1`` by a power series in ``log r``.

    Parameters
    ----------
    logq, logp : log-probabilities of the samples under the sampling law and under the reference;
        numbers, numpy arrays or torch tensors of shapes that broadcast.

    Returns
    -------
    array or tensor
        One value >= 0 for each sample: tensors keep their precision, everything else becomes float64;
        ``inf`` where ``r`` overflows.

    Raises
    ------
    ValueError
        If an entry is not a finite real number or the shapes do not broadcast.

    References
    ----------
    Schulman 2020. Equation :eq:`eq-kl_estimators-k3`.

    Examples
    --------
    >>> logq, logp = np.array([-1.0, -2.0]), np.array([-1.5, -1.0])
    >>> np.round(k3(logq, logp), 4).tolist()
    [0.1065, 0.7183]
    """
    return _remainder(_log_ratio(logq, logp))


def k_lambda(logq: Any, logp: Any, lam: float) -> Any:
    r"""Naive estimator plus ``lam`` times the control variate: ``k1`` at 0, ``k3`` at 1.

    .. math:: k_\lambda = -\log r + \lambda\,(r - 1)

    Parameters
    ----------
    logq, logp : log-probabilities of the samples under the sampling law and under the reference;
        numbers, numpy arrays or torch tensors of shapes that broadcast.
    lam : coefficient; see ``optimal_lambda``. Only at 1 is the result never negative.

    Returns
    -------
    array or tensor
        One value for each sample: tensors keep their precision, everything else becomes float64.

    Raises
    ------
    ValueError
        If an entry or ``lam`` is not finite or the shapes do not broadcast.

    References
    ----------
    Schulman 2020; Glasserman 2003, section 4.1. Equation :eq:`eq-kl_estimators-lambda`.

    Examples
    --------
    >>> logq, logp = np.array([-1.0, -2.0]), np.array([-1.5, -1.0])
    >>> np.round(k_lambda(logq, logp, lam=0.5), 4).tolist()
    [0.3033, -0.1409]
    """
    lam = real("lam", lam)
    require(np.isfinite(lam), "lam must be finite", lam)
    log_r = _log_ratio(logq, logp)
    return lam * _remainder(log_r) - (1 - lam) * log_r


def gaussian_kl(
    m_q: Real[np.ndarray, "*#shape"] | float,
    s_q: Real[np.ndarray, "*#shape"] | float,
    m_p: Real[np.ndarray, "*#shape"] | float,
    s_p: Real[np.ndarray, "*#shape"] | float,
) -> Float[np.ndarray, "*#shape"] | float:
    r"""``KL(q || p)`` of two normal laws on the line.

    .. math:: \mathrm{KL} = \log\frac{s_p}{s_q} + \frac{s_q^2 + (m_q - m_p)^2}{2 s_p^2} - \frac12

    Parameters
    ----------
    m_q, s_q : mean and standard deviation of ``q``, ``s_q > 0``; shapes broadcast.
    m_p, s_p : those of ``p``, ``s_p > 0``.

    Returns
    -------
    ndarray
        The divergence in nats.

    Raises
    ------
    ValueError
        If a value is not finite, a standard deviation is not positive or shapes do not broadcast.

    References
    ----------
    Equation :eq:`eq-kl_estimators-definition`.

    Examples
    --------
    >>> print(round(gaussian_kl(0.0, 1.0, 1.0, 2.0), 4))
    0.4431
    """
    m_q, s_q, m_p, s_p = together(m_q=m_q, s_q=s_q, m_p=m_p, s_p=s_p)
    require(s_q > 0, "s_q must be > 0", s_q)
    require(s_p > 0, "s_p must be > 0", s_p)
    with np.errstate(over="ignore"):
        shift = ((m_q - m_p) / s_p) ** 2
        return (exp_remainder(2 * log_quotient(s_q, s_p)) + shift) / 2


def gaussian_moments(
    m: Real[np.ndarray, "*#shape"] | float, s: Real[np.ndarray, "*#shape"] | float
) -> dict[str, Any]:
    r"""Exact bias and variances of all estimators for ``q = N(0, 1)``, ``p = N(m, s^2)``.

    .. math:: \operatorname{Var} k_3 = \chi^2 + \kappa_2 - 2\,(\mathrm{KL} + \mathrm{KL}_f), \qquad
              \chi^2 = \frac{e^{m^2/(2-s^2)}}{s\sqrt{2-s^2}} - 1 \quad (s^2 < 2)

    Any pair of normal laws is brought to this form by an affine map, which changes no divergence.

    Parameters
    ----------
    m, s : mean and standard deviation of ``p`` in units of ``q``, ``s > 0``; shapes broadcast.

    Returns
    -------
    dict
        ``kl`` = KL(q||p), ``kl_forward`` = KL(p||q), ``chi2`` = chi^2(p||q); ``bias2`` of ``k2``;
        variances ``var1``, ``var2``, ``var3`` of one sample; ``lam``, the optimal coefficient, and
        ``var_lam``, the variance it leaves. ``chi2`` and ``var3`` are infinite for ``s^2 >= 2``.
        Where the laws are close all keep their relative accuracy, to about 1e-11.

    Raises
    ------
    ValueError
        If a value is not finite, ``s`` is not positive or the shapes do not broadcast.

    References
    ----------
    Equations :eq:`eq-kl_estimators-gauss-general`, :eq:`eq-kl_estimators-lambda`.

    Examples
    --------
    >>> moments = gaussian_moments(m=1.0, s=1.0)
    >>> print(*(round(moments[name], 4) for name in ("kl", "chi2", "lam")))
    0.5 1.7183 0.582
    """
    m, s = np.broadcast_arrays(*together(m=m, s=s))
    require(s > 0, "s must be > 0", s)
    kl, kl_forward = gaussian_kl(0.0, 1.0, m, s), gaussian_kl(m, s, 0.0, 1.0)
    u = log_quotient(s, 1.0)
    a, b = -np.expm1(-2 * u) / 2, m / s**2  # log r = a x^2 + b x + c, with cumulants:
    kappa2, kappa3 = 2 * a**2 + b**2, 8 * a**3 + 6 * a * b**2
    kappa4 = 48 * a**4 + 48 * a**2 * b**2
    chi2 = _chi2(m, s)
    both = kl + kl_forward  # the covariance of r and log r
    same = chi2 == 0
    lam = np.where(same, 1.0, both / np.where(same, 1.0, chi2))
    moments = {
        "kl": kl,
        "kl_forward": kl_forward,
        "chi2": chi2,
        "bias2": (kl**2 + kappa2) / 2 - kl,
        "var1": kappa2,
        "var2": (kappa4 - 4 * kl * kappa3 + 2 * kappa2**2 + 4 * kl**2 * kappa2) / 4,
        "var3": chi2 + kappa2 - 2 * both,
        "lam": lam,
        "var_lam": kappa2 - lam * both,
    }
    moments = {name: np.array(value) for name, value in moments.items()}
    close = np.asarray(chi2 < CLOSE)
    if close.any():
        exact = _moments_of_close_laws(m[close], s[close], u[close], kl[close])
        for name, value in exact.items():
            moments[name][close] = value
    return {name: value[()] for name, value in moments.items()}


def _chi2(m, s):
    """``chi^2(p || q)``, infinite where ``s^2 >= 2``."""
    gap = np.where(s**2 < 2, 2 - s**2, np.nan)
    # log of s^2 (2 - s^2) = 1 - (1 - s^2)^2, by whichever side keeps its digits
    near = abs(s - 1) < 0.4
    apart = np.where(near, (1 - s) * (1 + s), 0.0)
    log_square = np.where(near, np.log1p(-(apart**2)), 2 * np.log(s) + np.log(gap))
    with np.errstate(over="ignore"):
        return np.where(np.isnan(gap), np.inf, np.expm1(m**2 / gap - log_square / 2))


CLOSE = 0.05  # chi^2, below which the differences above would lose digits


def _moments_of_close_laws(m, s, u, kl):
    """What cancels in closed form, from terms that are small themselves; ``u = log s``."""
    E = np.expm1(-2 * u)  # 1/s^2 - 1
    half = E**3 / (2 + 2 * E) - sinh_remainder(-2 * u)  # E^2 / 2 - (E + 2 u)
    # Gaussian integrals; log r = -kl - E (x^2 - 1) / 2 + m x / s^2
    x, weight = np.polynomial.hermite_e.hermegauss(64)
    weight = weight / weight.sum()
    log_r = -kl[:, None] - E[:, None] / 2 * (x * x - 1) + (m / s**2)[:, None] * x
    excess, k_3 = np.expm1(log_r), exp_remainder(log_r)
    # the least variance is that of k3 - rest (r - 1), where rest = 1 - lambda is a slope
    chi2 = excess**2 @ weight
    slope = (excess * k_3) @ weight
    rest = np.divide(slope, chi2, out=np.zeros_like(chi2), where=chi2 > 0)
    k_best = k_3 - rest[:, None] * excess
    return {
        "bias2": (kl**2 + half + (m / s) ** 2 * E) / 2,
        "var3": (k_3 - kl[:, None]) ** 2 @ weight,
        "var_lam": (k_best - kl[:, None]) ** 2 @ weight,
    }


def optimal_lambda(log_r: Real[np.ndarray, " n"]) -> float:
    r"""Coefficient of the control variate that leaves the least variance, estimated from samples.

    .. math:: \hat\lambda = \frac{\sum_i (\log r_i - \overline{\log r})(r_i - \bar r)}
              {\sum_i (r_i - \bar r)^2}

    Used on the samples it was estimated from, it costs a bias of order ``1/n``.

    Parameters
    ----------
    log_r : ``log p(x) - log q(x)`` at two or more samples of ``q``, not all equal.

    Returns
    -------
    float
        The slope of ``log r`` regressed on ``r``.

    Raises
    ------
    ValueError
        If ``log_r`` is not a vector, has fewer than two entries, is not finite or does not vary.

    References
    ----------
    Glasserman 2003, section 4.1. Equation :eq:`eq-kl_estimators-lambda`.

    Examples
    --------
    >>> round(optimal_lambda(np.log(np.array([1.0, 2.0]))), 4)
    0.6931
    """
    log_r = vector("log_r", log_r)
    spread = np.ptp(log_r)
    require(spread > 0, "log_r must vary", log_r[0])
    top = log_r.max()
    steps = log_r - top  # r / exp(top) - 1 = expm1(steps): no overflow, no cancellation
    excess = np.expm1(steps)
    centred = (excess - excess.mean()) / spread  # so that squares do not vanish
    slope = centred @ (steps - steps.mean()) / spread / (centred @ centred)
    with np.errstate(over="ignore"):
        return float(slope * np.exp(-top))


def categorical_kl(
    logits_q: Real[np.ndarray, "*batch n"], logits_p: Real[np.ndarray, "*batch n"]
) -> Float[np.ndarray, "*batch"] | float:
    r"""``KL(q || p)`` of two categorical laws given by logits along the last axis.

    .. math:: \mathrm{KL} = \sum_x q(x)\,[\log q(x) - \log p(x)], \qquad
              \log q = \mathrm{logits} - \log\textstyle\sum\exp(\mathrm{logits})

    Parameters
    ----------
    logits_q, logits_p : unnormalised log-probabilities of the same shape.

    Returns
    -------
    ndarray
        The divergence in nats, one for each leading index.

    Raises
    ------
    ValueError
        If a logit is not a finite real number, there is none, or the shapes differ.

    References
    ----------
    Equation :eq:`eq-kl_estimators-definition`.

    Examples
    --------
    >>> q, p = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    >>> print(round(categorical_kl(np.log(q), np.log(p)), 4))
    0.1438
    """
    logits_q, logits_p = _logits(logits_q=logits_q, logits_p=logits_p)
    z_q, z_p = (x - x.max(-1, keepdims=True) for x in (logits_q, logits_p))
    q = np.exp(z_q)
    total = q.sum(-1)
    mean = np.einsum("...x,...x->...", q, z_p - z_q) / total
    kl = np.asarray(np.log(np.exp(z_p).sum(-1) / total) - mean)
    close = kl < 0.1
    if close.any():  # where this difference would lose digits
        kl[close] = _divergence_of_close_laws(logits_q[close], logits_p[close])
    return kl[()]


def _divergence_of_close_laws(logits_q, logits_p):
    """``log(1 + E_q[r - 1 - log r])`` with ``r`` scaled so that ``E_q log r = 0``: nothing cancels."""
    log_q, log_r = log_softmax(logits_q, axis=-1), _log_r(logits_q, logits_p)
    q, rare = np.exp(log_q), log_r > 1  # there q makes up for an r that could overflow
    terms = q * exp_remainder(np.where(rare, 0.0, log_r))
    terms = np.where(rare, np.exp(log_q + log_r) - q * (1 + log_r), terms)
    return np.log1p(terms.sum(axis=-1))


def _log_r(logits_q, logits_p):
    """Logarithm of ``p/q`` up to the constant that makes its mean under ``q`` zero."""
    tops = [x.max(axis=-1, keepdims=True) for x in (logits_q, logits_p)]
    # Where the laws are close this is exact, and so is each bracket where a constant lies between them.
    shifted = (logits_p - tops[1]) - (logits_q - tops[0])
    log_r = np.where(abs(tops[1] - tops[0]) < 1, logits_p - logits_q, shifted)
    mean = (np.exp(log_softmax(logits_q, axis=-1)) * log_r).sum(axis=-1, keepdims=True)
    return log_r - mean


def _logits(**logits):
    """Logits of one shape, at least one of them."""
    (first, *_), found = logits, {name: reals(name, x) for name, x in logits.items()}
    for name, x in found.items():
        got = f"shape {x.shape}"
        require(x.ndim > 0 and x.size > 0, f"{name} must not be empty", got)
        same = x.shape == found[first].shape
        require(same, f"{name} must have the shape of {first}", got)
    return list(found.values())


def expected_estimator_gradient(
    logits_q: Real[np.ndarray, "*batch n"],
    logits_p: Real[np.ndarray, "*batch n"],
    kind: Kind,
    logits_behaviour: Real[np.ndarray, "*batch n"] | None = None,
) -> Float[np.ndarray, "*batch n"]:
    r"""Exact expectation of the gradient that ``kl_loss`` produces, by enumeration of all outcomes.

    .. math:: \mathbb E_{x\sim\bar\mu}\bigl[\nabla\,\mathrm{loss}(x)\bigr]
              = \sum_x \bar\mu(x)\, c(x)\, \nabla \log q(x), \qquad
              \nabla \log q(x) = e_x - q

    The coefficients ``c`` are: 1 (``k1``), ``k1`` (``k2``), ``1 - r`` (``k3``); with
    ``rho = q / mu``: ``rho k1`` (``k1_reward``, ``rho_k3``, ``sg_rho_k2``), ``rho (k1 + 1)``
    (``rho_k1``), ``rho (k1 + k2)`` (``rho_k2``).

    Parameters
    ----------
    logits_q : logits of the trained law, with respect to which the gradient is taken.
    logits_p : logits of the reference, of the same shape.
    kind : the estimator used as a loss, one of ``KINDS``.
    logits_behaviour : logits of the law that is sampled, of the same shape; None: ``q`` itself.

    Returns
    -------
    ndarray
        Gradient with respect to ``logits_q``; its entries add up to 0.

    Raises
    ------
    ValueError
        If a logit is not finite, there is none, the shapes differ or ``kind`` is unknown.

    References
    ----------
    Tang and Munos 2025; Liu et al. 2025. Equations :eq:`eq-kl_estimators-loss-gradients`,
    :eq:`eq-kl_estimators-rho`.

    Examples
    --------
    >>> q, p = np.log(np.array([0.5, 0.5])), np.log(np.array([0.25, 0.75]))
    >>> np.round(expected_estimator_gradient(q, p, "k2"), 4).tolist()
    [0.2747, -0.2747]
    """
    require(kind in KINDS, f"kind must be one of {', '.join(KINDS)}", kind)
    behaviour = logits_q if logits_behaviour is None else logits_behaviour
    logits_q, logits_p, behaviour = _logits(
        logits_q=logits_q, logits_p=logits_p, logits_behaviour=behaviour
    )
    logq, logmu = (log_softmax(x, axis=-1) for x in (logits_q, behaviour))
    kl = np.expand_dims(categorical_kl(logits_q, logits_p), -1)
    naive = kl - _log_r(
        logits_q, logits_p
    )  # log q - log p, whose mean is the divergence
    coefficient = {
        "k1": np.ones_like(naive),
        "k2": naive,
        "k3": -np.expm1(-naive),
        "rho_k1": naive + 1,
        "rho_k2": naive + naive**2 / 2,
    }.get(kind, naive)
    # mu rho = q, so the ratio never has to be formed
    weight = np.exp(logmu if kind in ("k1", "k2", "k3") else logq) * coefficient
    return weight - np.exp(logq) * weight.sum(axis=-1, keepdims=True)


def kl_loss(
    logq: torch.Tensor,
    logp: torch.Tensor,
    kind: Kind,
    log_behaviour: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Estimators of ``KL(q || p)`` as losses, one value a sample, differentiable through ``logq``.

    .. math:: \rho = \frac{q(x)}{\mathrm{sg}[\bar\mu(x)]}, \qquad
              \mathbb E_{\bar\mu}\nabla(\rho\,k_1) = \mathbb E_{\bar\mu}\nabla(\rho\,k_3)
              = \mathbb E_{\bar\mu}\,\mathrm{sg}[\rho]\,\nabla k_2 = \nabla\,\mathrm{KL}(q\,\|\,p)

    ======================= ========================== =================================
    kind                    loss                       expected gradient
    ======================= ========================== =================================
    ``k1``                  ``k1``                     0 on-policy: pure noise
    ``k2``                  ``k2``                     of KL(q||p), on-policy only
    ``k3``                  ``k3``                     of KL(p||q), on-policy only
    ``k1_reward``           ``rho sg[k1]``             of KL(q||p)
    ``rho_k1``, ``rho_k3``  ``rho k1``, ``rho k3``     of KL(q||p)
    ``sg_rho_k2``           ``sg[rho] k2``             of KL(q||p)
    ``rho_k2``              ``rho k2``                 of the mean of ``k2``, not of a KL
    ======================= ========================== =================================

    Tokens that are masked out have to be left out, or given log-probabilities of 0, *before* the call
    (``torch.where``): where ``r`` overflows ``k3`` and its gradient are infinite, and infinity times a mask
    of 0 is NaN. Every call looks at all entries to refuse what is not finite, which waits for a GPU.

    Parameters
    ----------
    logq : log-probabilities of the samples under the trained law.
    logp : those under the reference, of the same shape.
    kind : see the table.
    log_behaviour : those under the law that was sampled, of the same shape and without gradient; used
        by the kinds with ``rho``. None: the samples come from ``q``, so ``rho`` is 1 in value.

    Returns
    -------
    Tensor
        One loss for each sample, in the shape of ``logq``.

    Raises
    ------
    ValueError
        If an argument is no tensor of finite floating numbers, shapes differ, ``kind`` is unknown or
        ``log_behaviour`` carries a gradient.

    References
    ----------
    Tang and Munos 2025; Liu et al. 2025. Equations :eq:`eq-kl_estimators-loss-gradients`,
    :eq:`eq-kl_estimators-rho`.

    Examples
    --------
    >>> import torch
    >>> logq = torch.tensor([-1.0, -2.0], requires_grad=True)
    >>> loss = kl_loss(logq, torch.tensor([-1.5, -1.0]), "k2")
    >>> loss.sum().backward()
    >>> loss.tolist(), logq.grad.tolist()
    ([0.125, 0.5], [0.5, -1.0])
    """
    require(kind in KINDS, f"kind must be one of {', '.join(KINDS)}", kind)
    frozen = tensor("logq", logq).detach() if log_behaviour is None else log_behaviour
    for name, x in (("logq", logq), ("logp", logp), ("log_behaviour", frozen)):
        got = f"shape {tuple(tensor(name, x).shape)}"
        require(x.shape == logq.shape, f"{name} must have the shape of logq", got)
    rule = "log_behaviour must not require a gradient: detach it"
    require(not frozen.requires_grad, rule, "requires_grad=True")
    if kind in ("k1", "k2", "k3"):
        return {"k1": k1, "k2": k2, "k3": k3}[kind](logq, logp)
    rho = (logq - frozen).exp()
    return {
        "k1_reward": lambda: rho * k1(logq, logp).detach(),
        "rho_k1": lambda: rho * k1(logq, logp),
        "rho_k2": lambda: rho * k2(logq, logp),
        "rho_k3": lambda: rho * k3(logq, logp),
        "sg_rho_k2": lambda: rho.detach() * k2(logq, logp),
    }[kind]()


def _chains(Q, P, pi0):
    """Transition matrices and start of two chains, and the logarithms ``log(P / Q)``."""
    pi0 = vector("pi0", pi0)
    require(pi0 >= 0, "pi0 must be >= 0", pi0)
    n, found = len(pi0), {"Q": reals("Q", Q), "P": reals("P", P)}
    for name, x in found.items():
        require(
            x.shape == (n, n), f"{name} must have shape {(n, n)}", f"shape {x.shape}"
        )
        require(x > 0, f"{name} must be > 0", x)
    for name, x in ({"pi0": pi0} | found).items():
        total = x.sum(axis=-1)
        require(abs(total - 1) < 1e-9, f"{name} must sum to 1 in its rows", total)
    return *found.values(), pi0, log_quotient(found["P"], found["Q"])


def markov_sequence_kl(
    Q: Real[np.ndarray, "*#shape"],
    P: Real[np.ndarray, "*#shape"],
    pi0: Real[np.ndarray, " n"],
    T: int,
) -> float:
    r"""Exact KL divergence between two Markov chains over ``T`` steps (chain rule).

    .. math:: \mathrm{KL} = \sum_{t=1}^{T} \sum_i (\pi_0 Q^{t-1})_i\;
              \mathrm{KL}\bigl(Q_{i\cdot}\,\|\,P_{i\cdot}\bigr)

    Parameters
    ----------
    Q, P : transition matrices of the sampled and the reference chain, entries > 0, rows sum to 1.
    pi0 : law of the state before the first step, common to both.
    T : number of steps, >= 0.

    Returns
    -------
    float
        The divergence in nats; O(T n^2).

    Raises
    ------
    ValueError
        If shapes do not fit, an entry is not finite or not positive (``pi0``: negative), a row does
        not sum to 1, or ``T`` is not an integer >= 0.

    References
    ----------
    Equation :eq:`eq-kl_estimators-sequence`.

    Examples
    --------
    >>> Q = np.array([[0.5, 0.5], [0.2, 0.8]])
    >>> P = np.array([[0.4, 0.6], [0.3, 0.7]])
    >>> round(markov_sequence_kl(Q, P, np.array([0.5, 0.5]), T=2), 4)
    0.0469
    """
    Q, P, pi0, log_r = _chains(Q, P, pi0)
    T = integer("T", T, 0)
    local = (Q * exp_remainder(log_r)).sum(axis=1)  # r - 1 has mean 0
    total, pi = 0.0, pi0
    for _ in range(T):
        total += pi @ local
        pi = pi @ Q
    return float(total)


def sequence_estimates(
    Q: Real[np.ndarray, "*#shape"],
    P: Real[np.ndarray, "*#shape"],
    pi0: Real[np.ndarray, " n"],
    T: int,
    n_samples: int,
    *,
    rng: np.random.Generator,
) -> dict[str, Float[np.ndarray, " {n_samples}"]]:
    r"""Five estimates of the sequence divergence from each of many sampled sequences.

    .. math:: \textstyle\sum_t k_1, \quad k_3\bigl(\sum_t \log r_t\bigr), \quad \sum_t k_2(r_t),
              \quad \sum_t k_3(r_t), \quad \sum_t \mathrm{KL}(Q_{y_{t-1}\cdot}\|P_{y_{t-1}\cdot})

    Parameters
    ----------
    Q, P : transition matrices of the sampled and the reference chain, entries > 0, rows sum to 1.
    pi0 : law of the state before the first step, common to both.
    T : number of steps, >= 0.
    n_samples : number of sequences, >= 1.
    rng : source of randomness.

    Returns
    -------
    dict
        ``k1`` and ``k3`` of the whole sequence, ``k2_token`` and ``k3_token`` summed over tokens, and
        ``rao_blackwell``, the sum of the exact divergences of the next token.

    Raises
    ------
    ValueError
        If shapes do not fit, an entry is not finite or not positive (``pi0``: negative), a row does
        not sum to 1, or a count is not an integer in its range.

    References
    ----------
    Amini, Vieira and Cotterell 2025. Equation :eq:`eq-kl_estimators-sequence`.

    Examples
    --------
    >>> Q = np.array([[0.5, 0.5], [0.2, 0.8]])
    >>> P = np.array([[0.4, 0.6], [0.3, 0.7]])
    >>> pi0, rng = np.array([0.5, 0.5]), np.random.default_rng(0)
    >>> found = sequence_estimates(Q, P, pi0, T=2, n_samples=10_000, rng=rng)
    >>> exact = markov_sequence_kl(Q, P, pi0, T=2)
    >>> bool(abs(found["k1"].mean() - exact) < 0.02), bool(found["k3"].min() >= 0)
    (True, True)
    """
    Q, P, pi0, log_ratio = _chains(Q, P, pi0)
    T, n_samples = integer("T", T, 0), integer("n_samples", n_samples, 1)
    local = (Q * exp_remainder(log_ratio)).sum(axis=1)  # r - 1 has mean 0
    start, steps = np.cumsum(pi0), np.cumsum(Q, axis=1)
    start[-1] = steps[:, -1] = 1.0  # rounding must not leave a gap at the end
    y = np.searchsorted(start, rng.random(n_samples), side="right")
    whole, k2_token, k3_token, exact = np.zeros((4, n_samples))
    for _ in range(T):
        exact += local[y]
        nxt = (rng.random(n_samples)[:, None] >= steps[y]).sum(axis=1)
        log_r = log_ratio[y, nxt]
        whole += log_r
        k2_token += log_r**2 / 2
        k3_token += exp_remainder(log_r)
        y = nxt
    return {
        "k1": -whole,
        "k3": exp_remainder(whole),
        "k2_token": k2_token,
        "k3_token": k3_token,
        "rao_blackwell": exact,
    }
