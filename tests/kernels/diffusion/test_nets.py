"""The network written out in numpy, the average by its recursion, the optimiser by its first steps."""

import inspect
import math
import textwrap

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats
from torch import nn

from utils.diffusion import nets
from utils.diffusion.losses import denoising_loss, lognormal_sigma
from utils.diffusion.nets import EMA, FourierEmbedding, ResMLP, train
from utils.diffusion.precond import Preconditioned, edm

pytestmark = pytest.mark.usefixtures("global_generator_untouched")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def net(*sizes, seed=0):
    return ResMLP(*sizes, generator=generator(seed))


def woken(model, seed=1):
    """A copy whose last layer is not zero any more."""
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=generator(seed))
    return model


class Weights(nn.Module):
    """Parameters and nothing else."""

    def __init__(self, *values):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(values, dtype=torch.float64))


def test_embedding_is_cosines_and_sines():
    layer = FourierEmbedding(6, slow=0.5, fast=8.0).double()
    c = torch.tensor([0.0, 0.3, -2.0], dtype=torch.float64)
    angle = np.outer(c, [0.5, 2.0, 8.0])
    want = np.hstack([np.cos(angle), np.sin(angle)])
    assert_allclose(layer(c), want, rtol=1e-12, atol=1e-12)
    assert_allclose(layer(c[1]), want[1], rtol=1e-12)
    assert layer(c[:, None]).shape == (3, 1, 6)
    assert not list(layer.parameters())


def test_embedding_keeps_precision_and_length():
    c = torch.linspace(-3, 1000, 50)
    features = FourierEmbedding(32)(c)
    assert features.dtype == torch.float32
    assert_allclose((features**2).sum(dim=1), np.full(50, 16.0), rtol=1e-5)


def test_embedding_tells_levels_apart_on_both_clocks():
    layer = FourierEmbedding(32).double()
    for clock in (torch.arange(1000.0), torch.linspace(-3.4, 2.3, 200)):
        gaps = torch.cdist(layer(clock.double()), layer(clock.double()))
        assert (gaps + 9 * torch.eye(len(clock)).double()).min() > 0.05


def numpy_resmlp(weights, x, c):
    """The network from its weights alone."""

    def linear(h, name):
        return h @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def layer_norm(h, name):
        h = (h - h.mean(axis=1, keepdims=True)) / np.sqrt(
            h.var(axis=1, keepdims=True) + 1e-5
        )
        return h * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def silu(h):
        return h / (1 + np.exp(-h))

    angle = c[:, None] * weights["level.0.omega"]
    e = linear(np.hstack([np.cos(angle), np.sin(angle)]), "level.1")
    e = linear(silu(e), "level.3")
    h = linear(x, "enter")
    for i in range(2):
        a = linear(layer_norm(h, f"blocks.{i}.0"), f"blocks.{i}.1")
        h = h + linear(silu(a + e), f"blocks.{i}.2")
    return linear(layer_norm(h, "leave.0"), "leave.1")


def test_network_by_hand():
    model = woken(net(3, 8, 2).double())
    rng = np.random.default_rng(0)
    x, c = rng.normal(size=(5, 3)), rng.normal(size=5)
    weights = {name: w.numpy() for name, w in model.state_dict().items()}
    got = model(torch.tensor(x), torch.tensor(c)).detach()
    assert_allclose(got, numpy_resmlp(weights, x, c), rtol=1e-11, atol=1e-12)


def test_network_golden_sizes():
    def count(*sizes):
        return sum(w.numel() for w in net(*sizes).parameters())

    assert count(64, 192, 2) == 217_600
    assert count(2, 64, 2) == 23_618
    assert net(5, 8, 0)(torch.ones(3, 5), torch.tensor(0.0)).shape == (3, 5)


def test_a_new_network_is_silent():
    x = torch.randn(4, 3, generator=generator())
    assert torch.equal(net(3, 16, 2)(x, torch.tensor(0.3)), torch.zeros(4, 3))
    D = Preconditioned(net(3, 16, 2), edm())
    assert_allclose(D(x, 0.5).detach(), x / 2, rtol=1e-6)


def test_one_level_for_all_or_one_for_each():
    model = woken(net(3, 8, 2).double())
    x = torch.randn(4, 3, generator=generator(), dtype=torch.float64)
    c = torch.full((4,), 0.3, dtype=torch.float64)
    assert_allclose(model(x, c[0]).detach(), model(x, c).detach(), rtol=1e-12)
    alone = torch.cat([model(x[i : i + 1], c[i : i + 1]) for i in range(4)])
    assert_allclose(alone.detach(), model(x, c).detach(), rtol=1e-11)
    assert model(x[:0], c[:0]).shape == (0, 3)


def test_initial_weights_come_from_the_generator():
    first, second, other = net(3, 8, 1), net(3, 8, 1), net(3, 8, 1, seed=1)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.enter.weight, other.enter.weight)


def test_initial_weights_have_the_law_of_torch():
    ours = net(50, 400, 0).enter
    with torch.random.fork_rng():
        theirs = nn.Linear(50, 400)
    for name in ("weight", "bias"):
        a, b = (getattr(layer, name).detach().ravel() for layer in (ours, theirs))
        assert a.abs().max() <= 50**-0.5
        assert stats.ks_2samp(a, b).pvalue > 1e-4


def test_gradients_of_the_network():
    model = woken(net(2, 4, 1).double())
    x = torch.randn(3, 2, generator=generator(), dtype=torch.float64)
    c = torch.tensor([0.1, -0.4, 0.7], dtype=torch.float64)
    inputs = (x.requires_grad_(), c.requires_grad_())
    assert torch.autograd.gradcheck(model, inputs)


@pytest.mark.parametrize("decay", [0.0, 0.15, 0.998])
def test_average_is_its_recursion(decay):
    model = Weights(1.0, -2.0)
    ema = EMA(model, decay)
    want = np.array([1.0, -2.0])
    for i in range(20):
        with torch.no_grad():
            model.theta += torch.tensor([1.0, 0.5 * i])
        ema.update()
        rate = min(decay, (1 + i) / (10 + i))
        want = rate * want + (1 - rate) * model.theta.detach().numpy()
    assert_allclose(ema.model.theta, want, rtol=1e-12)


def test_average_is_a_network_of_its_own():
    model = woken(net(2, 8, 1))
    ema = EMA(model)
    before = model.enter.weight.detach().clone()
    x, c = torch.ones(3, 2), torch.tensor(0.0)
    assert torch.equal(ema.model(x, c), model(x, c))
    for _ in range(5):
        ema.update()
    assert_allclose(ema.model(x, c), model(x, c).detach(), rtol=1e-5)
    with torch.no_grad():
        model.enter.weight += 1
    assert torch.equal(ema.model.enter.weight, before)
    assert not any(w.requires_grad for w in ema.model.parameters())
    assert all(w.requires_grad for w in model.parameters())


def slope(model, x_0, *, generator):
    """A loss whose gradient is 1 everywhere: Adam then walks by exactly the learning rate."""
    return model.theta.sum().expand(len(x_0))


def test_learning_rates_are_read_off_a_straight_slope():
    model, path = Weights(0.0), []

    def watched(model, x_0, *, generator):
        path.append(model.theta.item())
        return slope(model, x_0, generator=generator)

    train(model, torch.zeros(1, 1), watched, n_steps=400, batch=1, lr=0.1, generator=generator())  # fmt: skip
    path.append(model.theta.item())
    i = np.arange(400)
    want = 0.1 * np.minimum(1, (i + 1) / 100) * (1 + np.cos(np.pi * i / 400)) / 2
    assert_allclose(-np.diff(path), want, rtol=1e-5)


def test_training_finds_the_least_squares():
    data = torch.randn(64, 3, generator=generator(3), dtype=torch.float64)
    data = data @ torch.tensor([[1.0, 0, 0], [2, 1, 0], [-1, 0.5, 0.3]]).double()
    x, y = data[:, :2], data[:, 2]
    want = torch.linalg.lstsq(x, y[:, None]).solution.ravel()
    model = Weights(0.0, 0.0)

    def loss(model, rows, *, generator):
        return (rows[:, :2] @ model.theta - rows[:, 2]) ** 2

    history = train(model, lambda n, generator: data, loss, n_steps=600, batch=64, lr=0.05, generator=generator())  # fmt: skip
    assert_allclose(model.theta.detach(), want, atol=1e-4)
    assert history.shape == (600,)
    assert history.dtype == torch.float64
    residual = ((x @ want - y) ** 2).mean()
    assert_allclose(history[-1], residual, rtol=1e-4)


def small_training(seed, n_steps=20, batch=16, ema=True):
    g = generator(seed)
    D = Preconditioned(ResMLP(2, 16, 1, generator=g), edm())
    average = EMA(D) if ema else None

    def loss(D, x_0, *, generator):
        sigma = lognormal_sigma(len(x_0), generator=generator)
        eps = torch.randn(x_0.shape, generator=generator)
        return denoising_loss(D, x_0, sigma, eps, D.precond.weight(sigma))

    data = 0.5 * torch.randn(100, 2, generator=g)
    history = train(D, data, loss, n_steps=n_steps, batch=batch, lr=0.01, generator=g, ema=average)  # fmt: skip
    return D, average, history


def test_a_seed_fixes_everything():
    (D, ema, history), (E, fma, again), (_, _, other) = map(small_training, (0, 0, 1))
    assert torch.equal(history, again)
    assert not torch.equal(history, other)
    for a, b in ((D, E), (ema.model, fma.model)):
        for v, w in zip(a.parameters(), b.parameters(), strict=True):
            assert torch.equal(v, w)


def test_training_updates_the_average_once_a_step():
    D, ema, _ = small_training(0)
    assert ema.n_updates == 20
    without, _, _ = small_training(0, ema=False)
    for v, w in zip(D.parameters(), without.parameters(), strict=True):
        assert torch.equal(v, w)


def test_no_steps_change_nothing():
    model = Weights(1.0, 2.0)
    history = train(model, torch.zeros(2, 2), slope, n_steps=0, batch=3, lr=0.1, generator=generator())  # fmt: skip
    assert history.shape == (0,)
    assert model.theta.tolist() == [1, 2]


def test_minibatches_are_drawn_from_all_of_the_data():
    data, seen = torch.arange(10.0)[:, None], []

    def watched(model, x_0, *, generator):
        seen.extend(x_0.ravel().tolist())
        return slope(model, x_0, generator=generator)

    train(Weights(0.0), data, watched, n_steps=50, batch=40, lr=0.1, generator=generator())  # fmt: skip
    counts = np.bincount(np.array(seen, int), minlength=10)
    assert counts.sum() == 2000
    assert stats.chisquare(counts).pvalue > 1e-6


def test_a_trained_denoiser_comes_close_to_the_exact_one():
    """Data N(m, c^2): mean square error 0.127 before training, 0.0014 after."""
    m, c = torch.tensor([1.0, -0.5]), 0.3
    g = generator(5)
    D = Preconditioned(ResMLP(2, 32, 1, generator=g), edm(0.7))
    ema = EMA(D, 0.97)

    def sample(n, *, generator):
        return m + c * torch.randn(n, 2, generator=generator)

    def loss(D, x_0, *, generator):
        sigma = lognormal_sigma(len(x_0), generator=generator)
        eps = torch.randn(x_0.shape, generator=generator)
        return denoising_loss(D, x_0, sigma, eps, D.precond.weight(sigma))

    def error(D):
        x_0, eps = sample(2000, generator=generator(6)), torch.randn(2000, 2, generator=generator(7))  # fmt: skip
        exact = m + c**2 / (c**2 + 0.25) * (x_0 + 0.5 * eps - m)
        return ((D(x_0 + 0.5 * eps, 0.5) - exact) ** 2).mean().item()

    assert error(D) > 0.12
    train(D, sample, loss, n_steps=200, batch=128, lr=1e-2, generator=g, ema=ema)
    assert error(ema.model) < 0.003


def test_silent_in_static_mode(monkeypatch, capsys):
    monkeypatch.setenv("BOOK_STATIC", "1")
    small_training(0)
    assert capsys.readouterr() == ("", "")


def test_the_example_of_the_module_runs_as_it_is_written():
    _, text = inspect.getdoc(nets).split(".. code-block:: python\n\n")
    code = textwrap.dedent(text.split("\nAfterwards")[0])
    space = {}
    exec(code, space)
    x = 0.3 * torch.randn(500, 2, generator=generator(1)) + space["data"][:500]
    before = (x - space["data"][:500]).square().mean()
    after = (space["ema"].model(x, 0.3) - space["data"][:500]).square().mean()
    assert after < 0.8 * before


@pytest.mark.usefixtures("without_type_checks")
def test_counts_of_numpy_and_numbers_as_levels():
    sizes = [np.int64(n) for n in (2, 6, 1)]
    model = woken(ResMLP(*sizes, np.int64(6), generator=generator()))
    x = torch.ones(3, 2)
    for level in (
        0.5,
        np.float32(0.5),
        torch.tensor(0.5).double(),
        torch.full((3,), 0.5),
    ):
        assert torch.equal(model(x, level), model(x, torch.tensor(0.5)))
    assert torch.equal(model(x, 2), model(x, torch.tensor(2.0)))
    layer = FourierEmbedding(np.int64(8))
    assert torch.equal(layer(1), layer(torch.tensor(1.0)))


def test_buffers_follow_the_model():
    """The running mean of a layer is an average already: it is copied."""
    model = nn.Sequential(nn.BatchNorm1d(2), nn.utils.skip_init(nn.Linear, 2, 2))
    ema = EMA(model, 0.9)
    for i in range(3):
        model(torch.full((4, 2), 10.0 + i))
        ema.update()
        theirs = dict(model.named_buffers())
        for name, kept in ema.model.named_buffers():
            assert torch.equal(kept, theirs[name])
    assert ema.model[0].running_mean.min() > 1
    assert ema.model[0].num_batches_tracked == 3
    model(torch.ones(4, 2))
    assert ema.model[0].num_batches_tracked == 3, "a copy, not the buffer itself"


def test_a_loss_that_broadcasts_is_refused():
    for spoil in (lambda y: y[:, None], torch.sum, lambda y: y[:1]):
        wrong = lambda model, x, generator, spoil=spoil: spoil(slope(model, x, generator=generator))  # fmt: skip # noqa: E731
        with pytest.raises(ValueError, match=r"^loss must return shape \(2,\), got"):
            train(Weights(0.0), torch.zeros(2, 1), wrong, n_steps=1, batch=2, lr=0.1, generator=generator())  # fmt: skip


def test_data_of_another_precision_are_named():
    model, x = net(2, 8, 1), torch.zeros(4, 2).double()
    plain = nn.utils.skip_init(nn.Linear, 2, 2)
    for call, names in (
        (lambda: model(x, 0.5), "x must have the dtype of the network"),
        (lambda: Preconditioned(model, edm())(x, 0.5), "x must have the dtype of F"),
        (lambda: denoising_loss(Preconditioned(model, edm()), x, 0.5, x), "x must have the dtype of D"),
        (lambda: train(plain, x, lambda F, y, generator: F(y).sum(1), n_steps=1, batch=2, lr=0.1, generator=generator()),
         "sample must have the dtype of the model"),
    ):  # fmt: skip
        with pytest.raises(
            ValueError, match=f"^{names}, torch.float32, got torch.float64$"
        ):
            call()


def trained(**changes):
    options = {"n_steps": 2, "batch": 2, "lr": 0.1, "generator": generator()}
    sample = changes.pop("sample", torch.zeros(2, 1))
    return lambda: train(Weights(0.0), sample, slope, **options | changes)


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FourierEmbedding(2), "n_features must be an integer >= 4, got 2"),
        (lambda: FourierEmbedding(5), "n_features must be even, got 5"),
        (lambda: FourierEmbedding(8, slow=0.0), r"slow must be finite and > 0, got 0\.0"),
        (lambda: FourierEmbedding(8, 2.0, 2.0), r"fast must be finite and > slow, got 2\.0"),
        (lambda: net(0, 8, 1), "d must be an integer >= 1, got 0"),
        (lambda: net(2, 0, 1), "hidden must be an integer >= 1, got 0"),
        (lambda: net(2, 8, -1), "layers must be an integer >= 0, got -1"),
        (lambda: net(2, 8, 1, 7), "emb must be even, got 7"),
        (lambda: EMA(Weights(0.0), 1.0), r"decay must be in \[0, 1\), got 1\.0"),
        (lambda: EMA(Weights(0.0), math.nan), r"decay must be in \[0, 1\), got nan"),
        (trained(n_steps=-1), "n_steps must be an integer >= 0, got -1"),
        (trained(batch=0), "batch must be an integer >= 1, got 0"),
        (trained(lr=0.0), r"lr must be finite and > 0, got 0\.0"),
        (trained(sample=torch.zeros(0, 2)), r"sample must not be empty, got shape \(0, 2\)"),
        (trained(sample=torch.tensor([[math.nan]])), "sample must be finite, got nan"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()
