r"""Estimators of the Kullback-Leibler divergence ``KL(q || p)`` from samples of ``q``, and their gradients.

The first law is the one that is sampled, in every signature: ``(logq, logp)`` are log-probabilities of
the samples under the sampling law ``q`` and the reference ``p``, ``r = p/q``. Values in nats, nothing is
averaged. The functions stand in the order of the chapter; only ``kl_loss`` needs torch, when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float
from scipy.special import log_softmax

from utils.validate import require, require_finite, require_integer, require_vector

if TYPE_CHECKING:
    import torch

Kind = Literal["k1", "k2", "k3", "k1_reward", "rho_k1", "rho_k2", "rho_k3", "sg_rho_k2"]
KINDS = ("k1", "k2", "k3", "k1_reward", "rho_k1", "rho_k2", "rho_k3", "sg_rho_k2")


def _require_together(**arrays) -> None:
    """Refuse what is not finite, and shapes that do not go together."""
    for name, x in arrays.items():
        require_finite(name, x)
    try:
        np.broadcast_shapes(*(np.shape(x) for x in arrays.values()))
    except ValueError:
        shapes = " and ".join(str(tuple(np.shape(x))) for x in arrays.values())
        raise ValueError(
            f"{' and '.join(arrays)} must broadcast, got shapes {shapes}"
        ) from None


def _log_ratio(logq, logp):
    _require_together(logq=logq, logp=logp)
    log_r = logp - logq
    return np.float64(log_r) if isinstance(log_r, int | float) else log_r


def _exp_remainder(x):
    """``exp(x) - 1 - x >= 0`` to full relative accuracy; arrays and tensors alike."""
    small = abs(x) < 0.3
    y, series = x * small, 1.0  # Horner from the far end; what is not small counts as 0
    for n in range(15, 2, -1):
        series = 1 + y / n * series
    with np.errstate(over="ignore"):
        expm1 = x.expm1() if hasattr(x, "expm1") else np.expm1(x)
    return y * y / 2 * series + (expm1 - x) * ~small


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
        One value for each sample, of the kind and precision that came in.

    Raises
    ------
    ValueError
        If an entry is not finite or the shapes do not broadcast.

    References
    ----------
    Schulman 2020. Equation :eq:`eq-kl_estimators-k1`.
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
        One value for each sample, of the kind and precision that came in.

    Raises
    ------
    ValueError
        If an entry is not finite or the shapes do not broadcast.

    References
    ----------
    Schulman 2020. Equation :eq:`eq-kl_estimators-k2`.
    """
    return _log_ratio(logq, logp) ** 2 / 2


def k3(logq: Any, logp: Any) -> Any:
    r"""Naive estimator plus the control variate ``r - 1``: unbiased where ``E r = 1``, never negative.

    .. math:: k_3 = (r - 1) - \log r

    Computed without cancellation in any precision: near ``r = 1`` as a power series in ``log r``.

    Parameters
    ----------
    logq, logp : log-probabilities of the samples under the sampling law and under the reference;
        numbers, numpy arrays or torch tensors of shapes that broadcast.

    Returns
    -------
    array or tensor
        One value >= 0 for each sample, of the kind and precision that came in; ``inf`` where ``r``
        overflows.

    Raises
    ------
    ValueError
        If an entry is not finite or the shapes do not broadcast.

    References
    ----------
    Schulman 2020. Equation :eq:`eq-kl_estimators-k3`.
    """
    return _exp_remainder(_log_ratio(logq, logp))


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
        One value for each sample, of the kind and precision that came in.

    Raises
    ------
    ValueError
        If an entry or ``lam`` is not finite or the shapes do not broadcast.

    References
    ----------
    Schulman 2020; Glasserman 2003, section 4.1. Equation :eq:`eq-kl_estimators-lambda`.
    """
    require_finite("lam", lam)
    log_r = _log_ratio(logq, logp)
    return lam * _exp_remainder(log_r) - (1 - lam) * log_r


def gaussian_kl(
    m_q: Float[np.ndarray, "*#shape"] | float,
    s_q: Float[np.ndarray, "*#shape"] | float,
    m_p: Float[np.ndarray, "*#shape"] | float,
    s_p: Float[np.ndarray, "*#shape"] | float,
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
    """
    _require_together(m_q=m_q, s_q=s_q, m_p=m_p, s_p=s_p)
    for name, s in (("s_q", s_q), ("s_p", s_p)):
        require(np.asarray(s) > 0, f"{name} must be > 0", s)
    t = s_q / s_p
    return (t * t - 1) / 2 - np.log(t) + ((m_q - m_p) / s_p) ** 2 / 2


def gaussian_moments(
    m: Float[np.ndarray, "*#shape"] | float, s: Float[np.ndarray, "*#shape"] | float
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
        ``var3`` and ``var_lam`` come from a difference: their error is about 1e-15 absolute.

    Raises
    ------
    ValueError
        If a value is not finite, ``s`` is not positive or the shapes do not broadcast.

    References
    ----------
    Equations :eq:`eq-kl_estimators-gauss-general`, :eq:`eq-kl_estimators-lambda`.
    """
    _require_together(m=m, s=s)
    require(np.asarray(s) > 0, "s must be > 0", s)
    m, s = np.broadcast_arrays(np.asarray(m, float), np.asarray(s, float))
    kl, kl_forward = gaussian_kl(0.0, 1.0, m, s), gaussian_kl(m, s, 0.0, 1.0)
    a, b = (1 - s**-2) / 2, m / s**2  # log r = a x^2 + b x + c, with cumulants:
    kappa2, kappa3 = 2 * a**2 + b**2, 8 * a**3 + 6 * a * b**2
    kappa4 = 48 * a**4 + 48 * a**2 * b**2
    gap = np.where(s**2 < 2, 2 - s**2, np.nan)
    with np.errstate(over="ignore"):
        chi2 = np.expm1(m**2 / gap - np.log(s) - np.log(gap) / 2)
    chi2 = np.where(np.isnan(gap), np.inf, chi2)
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
        "var3": np.maximum(chi2 + kappa2 - 2 * both, 0.0),
        "lam": lam,
        "var_lam": np.maximum(kappa2 - lam * both, 0.0),
    }
    return {name: np.asarray(value)[()] for name, value in moments.items()}


def optimal_lambda(log_r: Float[np.ndarray, " n"]) -> float:
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
    """
    require_vector("log_r", log_r)
    require_finite("log_r", log_r)
    require(np.ptp(log_r) > 0, "log_r must vary", log_r[0])
    top = log_r.max()  # r / exp(top) cannot overflow
    r = np.exp(log_r - top)
    centred = r - r.mean()
    return float(centred @ (log_r - log_r.mean()) / (centred @ centred) * np.exp(-top))


def categorical_kl(
    logits_q: Float[np.ndarray, "*batch n"], logits_p: Float[np.ndarray, "*batch n"]
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
        If a logit is not finite, there is none, or the shapes differ.

    References
    ----------
    Equation :eq:`eq-kl_estimators-definition`.
    """
    _require_logits(logits_q=logits_q, logits_p=logits_p)
    logq, logp = log_softmax(logits_q, axis=-1), log_softmax(logits_p, axis=-1)
    return (np.exp(logq) * (logq - logp)).sum(axis=-1)


def _require_logits(**logits) -> None:
    (first, *_), shape = logits, np.shape(next(iter(logits.values())))
    for name, x in logits.items():
        got = f"shape {np.shape(x)}"
        require(np.ndim(x) > 0 and np.size(x) > 0, f"{name} must not be empty", got)
        require_finite(name, x)
        require(np.shape(x) == shape, f"{name} must have the shape of {first}", got)


def expected_estimator_gradient(
    logits_q: Float[np.ndarray, "*batch n"],
    logits_p: Float[np.ndarray, "*batch n"],
    kind: Kind,
    logits_behaviour: Float[np.ndarray, "*batch n"] | None = None,
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
    """
    require(kind in KINDS, f"kind must be one of {', '.join(KINDS)}", kind)
    behaviour = logits_q if logits_behaviour is None else logits_behaviour
    _require_logits(logits_q=logits_q, logits_p=logits_p, logits_behaviour=behaviour)
    logq, logp, logmu = (
        log_softmax(x, axis=-1) for x in (logits_q, logits_p, behaviour)
    )
    naive = logq - logp
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
        If a value is not finite, shapes differ, ``kind`` is unknown or ``log_behaviour`` carries a
        gradient.

    References
    ----------
    Tang and Munos 2025; Liu et al. 2025. Equations :eq:`eq-kl_estimators-loss-gradients`,
    :eq:`eq-kl_estimators-rho`.
    """
    require(kind in KINDS, f"kind must be one of {', '.join(KINDS)}", kind)
    frozen = logq.detach() if log_behaviour is None else log_behaviour
    rule = "log_behaviour must not require a gradient: detach it"
    require(not frozen.requires_grad, rule, "requires_grad=True")
    for name, x in (("logq", logq), ("logp", logp), ("log_behaviour", frozen)):
        got = f"shape {tuple(x.shape)}"
        require(x.shape == logq.shape, f"{name} must have the shape of logq", got)
        require_finite(name, x)
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


def _require_chains(Q, P, pi0) -> None:
    require_vector("pi0", pi0)
    require_finite("pi0", pi0)
    require(pi0 >= 0, "pi0 must be >= 0", pi0)
    n = len(pi0)
    for name, x in (("Q", Q), ("P", P)):
        got = f"shape {np.shape(x)}"
        require(np.shape(x) == (n, n), f"{name} must have shape {(n, n)}", got)
        require_finite(name, x)
        require(x > 0, f"{name} must be > 0", x)
    for name, x in (("pi0", pi0), ("Q", Q), ("P", P)):
        total = np.sum(x, axis=-1)
        require(abs(total - 1) < 1e-9, f"{name} must sum to 1 in its rows", total)


def markov_sequence_kl(
    Q: Float[np.ndarray, "*#shape"],
    P: Float[np.ndarray, "*#shape"],
    pi0: Float[np.ndarray, " n"],
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
    """
    _require_chains(Q, P, pi0)
    require_integer("T", T, 0)
    local = (Q * np.log(Q / P)).sum(axis=1)
    total, pi = 0.0, pi0
    for _ in range(T):
        total += pi @ local
        pi = pi @ Q
    return float(total)


def sequence_estimates(
    Q: Float[np.ndarray, "*#shape"],
    P: Float[np.ndarray, "*#shape"],
    pi0: Float[np.ndarray, " n"],
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
    """
    _require_chains(Q, P, pi0)
    require_integer("T", T, 0)
    require_integer("n_samples", n_samples, 1)
    log_ratio = np.log(P / Q)
    local = -(Q * log_ratio).sum(axis=1)
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
        k3_token += _exp_remainder(log_r)
        y = nxt
    return {
        "k1": -whole,
        "k3": _exp_remainder(whole),
        "k2_token": k2_token,
        "k3_token": k3_token,
        "rao_blackwell": exact,
    }
