r"""A small network that knows the noise level, its running average, and the loop that trains it.

Nothing draws from the global generator: a seed fixes the initialisation and the training alike.

.. code-block:: python

    import torch
    from utils.diffusion.losses import denoising_loss, lognormal_sigma
    from utils.diffusion.mixtures import eight_gaussians
    from utils.diffusion.nets import EMA, ResMLP, train
    from utils.diffusion.precond import Preconditioned, edm

    generator = torch.Generator().manual_seed(0)
    data = eight_gaussians().sample(5000, generator=generator).float()
    precond = edm(sigma_data=0.7)
    D = Preconditioned(ResMLP(2, 64, 2, generator=generator), precond)
    ema = EMA(D)

    def loss(D, x_0, *, generator):
        sigma = lognormal_sigma(len(x_0), generator=generator)
        eps = torch.randn(x_0.shape, generator=generator, dtype=x_0.dtype)
        return denoising_loss(D, x_0, sigma, eps, precond.weight(sigma))

    train(D, data, loss, n_steps=300, batch=256, lr=3e-3, generator=generator, ema=ema)

Afterwards ``ema.model`` is the denoiser to sample from. Data come in the precision of the network, float32.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from utils.diffusion.validate import (
    match_dtype,
    match_event,
    numbers,
    one_or_each,
    positive,
    state,
)
from utils.runtime import progress
from utils.validate import integer, real, require

WARM_UP = 100  # steps


class FourierEmbedding(nn.Module):
    r"""Cosines and sines of one number, from slow to fast, so that a network can tell levels apart.

    .. math:: c \mapsto (\cos\omega_1 c, \dots, \cos\omega_m c, \sin\omega_1 c, \dots, \sin\omega_m c),
              \qquad \omega_k \ \text{geometric}

    The default band serves levels told as ``log(sigma) / 4`` and as steps from 0 to 1000 alike.

    Parameters
    ----------
    n_features : how many, even and >= 4.
    slow, fast : the first and the last frequency, ``0 < slow < fast``.

    Raises
    ------
    ValueError
        If ``n_features`` is not an even integer >= 4, or the frequencies are not positive, finite and in
        order.

    References
    ----------
    Vaswani et al. 2017, section 3.5.
    """

    def __init__(self, n_features: int, slow: float = 1e-3, fast: float = 16.0):
        super().__init__()
        n_features = _even("n_features", n_features)
        slow, fast = positive("slow", slow), real("fast", fast)
        require(slow < fast < math.inf, "fast must be finite and > slow", fast)
        exponent = torch.linspace(0, 1, n_features // 2, dtype=torch.float64)
        omega = slow * (fast / slow) ** exponent
        self.register_buffer("omega", omega.to(torch.get_default_dtype()))

    def forward(
        self, c: float | Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch n_features"]:
        """Features of every number in ``c``, in the precision of the layer."""
        angle = numbers("c", c).to(self.omega)[..., None] * self.omega
        return torch.cat([angle.cos(), angle.sin()], dim=-1)


def _even(name, n):
    n = integer(name, n, 4)
    require(n % 2 == 0, f"{name} must be even", n)
    return n


class ResMLP(nn.Module):
    r"""Residual network on vectors; the noise level enters every block. A new one returns 0 everywhere.

    .. math:: h \leftarrow h + W_2\,\mathrm{SiLU}\bigl(W_1\,\mathrm{LN}(h) + e(c)\bigr)

    Parameters
    ----------
    d : dimension of a sample, >= 1.
    hidden : width, >= 1.
    layers : number of residual blocks, >= 0.
    emb : number of Fourier features of the level, even and >= 4.
    generator : source of randomness of the initial weights.

    Raises
    ------
    ValueError
        If a size is not an integer in its range; when called: if ``x`` or ``c`` is not finite, or not of
        the shape or the dtype of the network.

    References
    ----------
    He et al., Identity mappings in deep residual networks, 2016.
    """

    def __init__(
        self,
        d: int,
        hidden: int,
        layers: int,
        emb: int = 32,
        *,
        generator: torch.Generator,
    ):
        super().__init__()
        d, hidden = integer("d", d, 1), integer("hidden", hidden, 1)
        layers, emb = integer("layers", layers, 0), _even("emb", emb)
        self.level = nn.Sequential(
            FourierEmbedding(emb),
            _linear(emb, hidden, generator),
            nn.SiLU(),
            _linear(hidden, hidden, generator),
        )
        self.enter = _linear(d, hidden, generator)
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.LayerNorm(hidden),
                    _linear(hidden, hidden, generator),
                    _linear(hidden, hidden, generator),
                ]
            )
            for _ in range(layers)
        )
        self.leave = nn.Sequential(nn.LayerNorm(hidden), _linear(hidden, d, generator))
        nn.init.zeros_(self.leave[1].weight)
        nn.init.zeros_(self.leave[1].bias)

    def forward(
        self, x: Float[Tensor, "B d"], c: float | Float[Tensor, "*level"]
    ) -> Float[Tensor, "B d"]:
        """Network value at ``x``; ``c`` is one number for all samples or one for each."""
        match_event("x", state("x", x), (self.enter.in_features,))
        match_dtype(self, "the network", "x", x)
        c = numbers("c", c)
        one_or_each("c", c, x)
        e, h = self.level(c), self.enter(x)
        for norm, first, second in self.blocks:
            h = h + second(nn.functional.silu(first(norm(h)) + e))
        return self.leave(h)


def _linear(d_in, d_out, generator):
    """Linear layer with torch's own law of initial weights, drawn from ``generator``."""
    layer = nn.utils.skip_init(nn.Linear, d_in, d_out, device=generator.device)
    for weight in layer.parameters():
        bound = d_in**-0.5
        nn.init.uniform_(weight, -bound, bound, generator=generator)
    return layer


class EMA:
    r"""Exponential moving average of a network's weights: smoother than the last step, at no cost.

    Its buffers, running statistics for instance, are copied as they are.

    .. math:: \bar\theta_{i+1} = \delta_i \bar\theta_i + (1 - \delta_i)\,\theta_{i+1}, \qquad
              \delta_i = \min\Bigl(\delta, \frac{1 + i}{10 + i}\Bigr)

    Parameters
    ----------
    model : the network that is trained.
    decay : largest ``delta``, in [0, 1); about ``1 / (1 - decay)`` steps are remembered.

    Attributes
    ----------
    model : network with the averaged weights, of the same class, without gradients.

    Raises
    ------
    ValueError
        If ``decay`` is not in [0, 1).

    References
    ----------
    Ho et al. 2020, appendix B.
    """

    def __init__(self, model: nn.Module, decay: float = 0.998):
        self.decay, self.n_updates = real("decay", decay), 0
        require(0 <= self.decay < 1, "decay must be in [0, 1)", decay)
        self.model = copy.deepcopy(model).requires_grad_(False)
        self._average = list(self.model.parameters())
        self._current = list(model.parameters())
        self._source = model  # of the buffers, which come and go

    @torch.no_grad()
    def update(self) -> None:
        """Take in the present weights; called once after every training step."""
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        torch._foreach_lerp_(self._average, self._current, 1 - decay)
        for kept, now in zip(self.model.buffers(), self._source.buffers(), strict=True):
            kept.copy_(now)
        self.n_updates += 1


def train(
    model: nn.Module,
    sample: Float[Tensor, " n *event"] | Callable,
    loss: Callable,
    *,
    n_steps: int,
    batch: int,
    lr: float,
    generator: torch.Generator,
    ema: EMA | None = None,
) -> Float[Tensor, " {n_steps}"]:
    r"""Train a network in place by Adam, with a warm-up of 100 steps and a cosine down to 0.

    .. math:: \eta_i = \eta \cdot \min\Bigl(1, \frac{i + 1}{100}\Bigr) \cdot
              \tfrac12\Bigl(1 + \cos\frac{\pi i}{\mathrm{n\_steps}}\Bigr)

    Parameters
    ----------
    model : what is trained; its parameters change.
    sample : the data as a tensor, from which minibatches are drawn with replacement, or a function
        ``sample(n, generator=...)`` that draws fresh ones.
    loss : ``loss(model, x_0, generator=...)``, one number for each sample; it draws levels and noise.
    n_steps : number of steps, >= 0.
    batch : size of a minibatch, >= 1.
    lr : largest learning rate, > 0.
    generator : source of all randomness.
    ema : running average to be updated after every step.

    Returns
    -------
    Tensor
        Mean loss of every step, in double precision.

    Raises
    ------
    ValueError
        If the data are empty, not finite or not in the precision of the model, a count is not an integer
        in its range, ``lr`` is not positive and finite, or ``loss`` returns anything but one number for
        each sample.

    References
    ----------
    Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2017, equation 5.

    Examples
    --------
    >>> model = torch.nn.Linear(1, 1)
    >>> loss = lambda model, x_0, generator: (model(x_0) - 1).square().sum(1)
    >>> generator = torch.Generator().manual_seed(0)
    >>> how = {"n_steps": 500, "batch": 8, "lr": 0.1, "generator": generator}
    >>> losses = train(model, torch.zeros(8, 1), loss, **how)
    >>> tuple(losses.shape), bool(losses[-1] < 1e-4)
    ((500,), True)
    """
    draw = sample if callable(sample) else _minibatches(sample)
    n_steps, batch = integer("n_steps", n_steps, 0), integer("batch", batch, 1)
    lr = positive("lr", lr)
    adam = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    losses = torch.empty(n_steps, dtype=torch.float64)
    for i in progress(range(n_steps), "training"):
        rate = min(1, (i + 1) / WARM_UP) * (1 + math.cos(math.pi * i / n_steps)) / 2
        adam.param_groups[0]["lr"] = lr * rate
        x_0 = draw(batch, generator=generator)
        try:
            each = loss(model, x_0, generator=generator)
        except RuntimeError:
            match_dtype(
                model, "the model", "sample", x_0
            )  # the likely cause, in a sentence
            raise
        n = len(x_0) if isinstance(x_0, Tensor) else batch
        got = tuple(getattr(each, "shape", ()))
        require(got == (n,), f"loss must return shape ({n},)", f"shape {got}")
        value = each.mean()
        adam.zero_grad()
        value.backward()
        adam.step()
        losses[i] = value.detach()
        if ema is not None:
            ema.update()
    return losses


def _minibatches(data):
    got = f"shape {tuple(state('sample', data).shape)}"
    require(len(data) > 0, "sample must not be empty", got)

    def draw(n, *, generator):
        index = torch.randint(
            len(data), (n,), generator=generator, device=generator.device
        )
        return data[index]

    return draw
