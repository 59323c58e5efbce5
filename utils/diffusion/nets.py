r"""A small network that knows the noise level, its running average, and the loop that trains it.

Nothing draws from the global generator: a seed fixes the initialisation and the training alike.

.. code-block:: python

    generator = torch.Generator().manual_seed(0)
    precond = edm(sigma_data=0.5)
    D = Preconditioned(ResMLP(2, 64, 2, generator=generator), precond)
    ema = EMA(D)

    def loss(D, x_0, *, generator):
        sigma = lognormal_sigma(len(x_0), generator=generator)
        eps = torch.randn(x_0.shape, generator=generator)
        return denoising_loss(D, x_0, sigma, eps, precond.weight(sigma))

    train(D, data, loss, n_steps=2000, batch=512, lr=2e-3, generator=generator, ema=ema)

Afterwards ``ema.model`` is the denoiser to sample from.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from utils.runtime import progress
from utils.validate import require, require_finite, require_integer

WARM_UP = 100  # steps


class FourierEmbedding(nn.Module):
    r"""Cosines and sines of one number, from slow to fast, so that a network can tell levels apart.

    .. math:: c \mapsto (\cos\omega_1 c, \dots, \cos\omega_m c, \sin\omega_1 c, \dots, \sin\omega_m c),
              \qquad \omega_k \ \text{geometric}

    The default band serves levels told as ``log(sigma) / 4`` and as steps from 0 to 1000 alike.

    Parameters
    ----------
    dim : number of features, even and >= 4.
    slow, fast : the first and the last frequency, ``0 < slow < fast``.

    Raises
    ------
    ValueError
        If ``dim`` is not an even integer >= 4, or the frequencies are not positive, finite and in order.

    References
    ----------
    Vaswani et al. 2017, section 3.5.
    """

    def __init__(self, dim: int, slow: float = 1e-3, fast: float = 16.0):
        super().__init__()
        require_integer("dim", dim, 4)
        require(dim % 2 == 0, "dim must be even", dim)
        require(0 < slow < math.inf, "slow must be finite and > 0", slow)
        require(slow < fast < math.inf, "fast must be finite and > slow", fast)
        exponent = torch.linspace(0, 1, dim // 2, dtype=torch.float64)
        omega = slow * (fast / slow) ** exponent
        self.register_buffer("omega", omega.to(torch.get_default_dtype()))

    def forward(self, c: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch dim"]:
        """Features of every number in ``c``."""
        angle = c[..., None] * self.omega
        return torch.cat([angle.cos(), angle.sin()], dim=-1)


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
        If a size is not an integer in its range.

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
        require_integer("d", d, 1)
        require_integer("hidden", hidden, 1)
        require_integer("layers", layers, 0)
        ok = isinstance(emb, int) and emb >= 4 and emb % 2 == 0
        require(ok, "emb must be an even integer >= 4", emb)
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
        self, x: Float[Tensor, "B d"], c: Float[Tensor, "*level"]
    ) -> Float[Tensor, "B d"]:
        """Network value at ``x``; ``c`` is one number for all samples or one for each."""
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
        require(0 <= decay < 1, "decay must be in [0, 1)", decay)
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay, self.n_updates = decay, 0
        self._average = list(self.model.parameters())
        self._current = list(model.parameters())

    @torch.no_grad()
    def update(self) -> None:
        """Take in the present weights; called once after every training step."""
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        torch._foreach_lerp_(self._average, self._current, 1 - decay)
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
        If the data are empty or not finite, a count is not an integer in its range, or ``lr`` is not
        positive and finite.

    References
    ----------
    Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2017, equation 5.
    """
    draw = sample if callable(sample) else _minibatches(sample)
    require_integer("n_steps", n_steps, 0)
    require_integer("batch", batch, 1)
    require(0 < lr < math.inf, "lr must be finite and > 0", lr)
    adam = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    losses = torch.empty(n_steps, dtype=torch.float64)
    for i in progress(range(n_steps), "training"):
        rate = min(1, (i + 1) / WARM_UP) * (1 + math.cos(math.pi * i / n_steps)) / 2
        adam.param_groups[0]["lr"] = lr * rate
        x_0 = draw(batch, generator=generator)
        value = loss(model, x_0, generator=generator).mean()
        adam.zero_grad()
        value.backward()
        adam.step()
        losses[i] = value.detach()
        if ema is not None:
            ema.update()
    return losses


def _minibatches(data):
    require(len(data) > 0, "sample must not be empty", f"shape {tuple(data.shape)}")
    require_finite("sample", data)

    def draw(n, *, generator):
        index = torch.randint(
            len(data), (n,), generator=generator, device=generator.device
        )
        return data[index]

    return draw
