"""Every diffusion kernel with what a reader may hand it: the right value, or a sentence that names it.

The kernels and their example calls are those of the common suite; a new one is covered by its line there.
"""

import copy
import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from test_common import EXAMPLES, KERNELS, arrays, parameters

from utils.diffusion import metrics, samplers
from utils.diffusion.validate import Level

NAMES = [name for name in KERNELS if ".diffusion." in name]
each_kernel = pytest.mark.parametrize("name", NAMES)
pytestmark = pytest.mark.usefixtures("without_type_checks")
CLOSE = {torch.float32: 2e-5, torch.float16: 0.02, torch.bfloat16: 0.1}
MODELS = ("D", "F", "score", "score_net", "eps_net")


@pytest.fixture
def same_draws(monkeypatch):
    """Random numbers that are the same in every precision."""
    for law in ("rand", "randn"):
        draw = getattr(torch, law)

        def wide(*size, dtype=None, draw=draw, **options):
            return draw(*size, dtype=torch.float64, **options).to(dtype)

        monkeypatch.setattr(torch, law, wide)


def call(name, **changes):
    return KERNELS[name](**EXAMPLES[name]() | changes)


def is_floating(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def tensors(name):
    return [key for key, value in EXAMPLES[name]().items() if is_floating(value)]


def models(name):
    args = EXAMPLES[name]()
    return [k for k in MODELS if callable(args.get(k)) and not is_floating(args[k])]


def pieces(result):
    """The tensors and arrays of a result."""
    if isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, tuple | list):
        return [piece for part in result for piece in pieces(part)]
    return [result] if isinstance(result, torch.Tensor) else arrays(result)


def compare(got, want, tolerance=1e-12):
    for a, b in zip(pieces(got), pieces(want), strict=True):
        a, b = (torch.as_tensor(v).double() for v in (a, b))
        assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def outcome(name, **changes):
    """The result of a call, or the sentence that refuses it; any other error is a fault."""
    try:
        return call(name, **changes)
    except ValueError as error:
        return str(error)


def right_or_refused(name, key, changed, plain, tolerance=1e-12):
    """With ``key`` changed, the kernel says what it says of the plain value, or refuses by name."""
    got, want = outcome(name, **{key: changed}), outcome(name, **{key: plain})
    if isinstance(got, str):
        assert re.search(rf"\b{key}\b", got), f"{key} is not named in: {got}"
    else:
        assert not isinstance(want, str), f"{key} was let in, but {want}"
        compare(got, want, tolerance)


def in_dtype(value, dtype):
    """An argument in another precision: a tensor, a tuple of them, a network."""
    if isinstance(value, tuple):
        return tuple(in_dtype(part, dtype) for part in value)
    if isinstance(value, torch.nn.Module):
        return copy.deepcopy(value).to(dtype)
    return value.to(dtype) if is_floating(value) else value


@each_kernel
@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.usefixtures("same_draws")
def test_less_precision_in_gives_the_same_but_for_rounding(name, dtype):
    if (name.endswith("train") or "digit" in name) and dtype != torch.float32:
        pytest.skip("weights are trained in single or double precision")
    low = {k: in_dtype(v, dtype) for k, v in EXAMPLES[name]().items()}
    wide = {k: in_dtype(v, torch.float64) for k, v in low.items()}
    if "generator" in low:
        wide["generator"] = EXAMPLES[name]()["generator"]
    got, want = KERNELS[name](**low), KERNELS[name](**wide)
    compare(got, want, CLOSE[dtype])
    assert {p.dtype for p in pieces(got) if is_floating(p)} <= {dtype, torch.float64}


@each_kernel
def test_integers_never_decide_the_arithmetic(name):
    for key in tensors(name):
        whole = (2 * EXAMPLES[name]()[key]).round()
        for dtype in (torch.int64, torch.int8):
            right_or_refused(name, key, whole.to(dtype), whole)


@each_kernel
def test_numpy_arrays_and_lists_are_taken_right_or_refused(name):
    for key in tensors(name):
        value = EXAMPLES[name]()[key]
        for changed in (value.numpy(), value.tolist()):
            right_or_refused(name, key, changed, value)


@each_kernel
def test_what_is_no_real_number_is_refused(name):
    for key in tensors(name):
        value = EXAMPLES[name]()[key]
        for bad in (value.cfloat(), value > 0, None, "text", object()):
            if bad is None and parameters(name)[key].default is None:
                continue
            message = outcome(name, **{key: bad})
            assert isinstance(message, str), f"{key} = {bad} was let in"
            assert re.search(rf"\b{key}\b", message), message


@each_kernel
@pytest.mark.usefixtures("same_draws")
def test_two_precisions_go_together_or_are_refused(name):
    keys = tensors(name)
    for key in keys:
        value = EXAMPLES[name]()[key].float()
        got = outcome(name, **{key: value})
        if isinstance(got, str):
            assert any(re.search(rf"\b{k}\b", got) for k in keys), got
            assert "dtype" in got or "must return" in got
        else:
            compare(got, outcome(name, **{key: value.double()}), 1e-6)


@each_kernel
def test_memory_layout_does_not_matter(name):
    for key in tensors(name):
        value = EXAMPLES[name]()[key]
        if value.ndim == 0:
            continue
        strided = value.repeat_interleave(2, -1)[..., ::2]
        assert not strided.is_contiguous() or strided.numel() < 2
        right_or_refused(name, key, strided, value)
        compare(call(name, **{key: strided}), call(name))
        one = value[:1].expand_as(value)  # rows that share their memory
        right_or_refused(name, key, one, one.clone())


def forms(value):
    """The same number, in what readers have at hand."""
    yield from (
        np.float64(value),
        np.array(value),
        torch.tensor(value, dtype=torch.float64),
    )
    if value == float(np.float16(value)):
        yield from (np.float16(value), np.float32(value), torch.tensor(value).half())
    if value == int(value):
        whole = int(value)
        yield from (whole, np.uint8(whole), np.array(whole), torch.tensor(whole))


@each_kernel
def test_numbers_are_taken_in_any_form(name):
    for key, value in EXAMPLES[name]().items():
        if type(value) is float:
            for form in forms(value):
                compare(call(name, **{key: form}), call(name))
            near = round(4 * value) / 4 or 0.25  # a number of few bits
            for form in forms(near):
                right_or_refused(name, key, form, near)
        if type(value) is int:
            for count in (np.int64(value), np.uint16(value), torch.tensor(value)):
                compare(call(name, **{key: count}), call(name))


@each_kernel
def test_a_level_is_one_number_or_one_for_each_row(name):
    for key, parameter in parameters(name).items():
        if parameter.annotation not in (Level, "Level"):
            continue
        B = max(len(v) for v in EXAMPLES[name]().values() if is_floating(v))
        for value in (0.5, 0.125, 0.75):
            want = outcome(name, **{key: value})
            if isinstance(want, str):
                continue
            each = torch.full((B,), value)
            for form in (*forms(value), each.double(), each, each.half(), each.numpy()):
                compare(call(name, **{key: form}), want)
            for wrong in (each[:1], each[:, None], [value] * (B + 1)):
                message = outcome(name, **{key: wrong})
                assert re.search(rf"\b{key}\b must be a number or have shape", message)


def spoilers():
    return {
        "a column": lambda y: y.reshape(len(y), -1)[:, :1],
        "one row": lambda y: y[:1],
        "sums": lambda y: y.reshape(len(y), -1).sum(1),
        "one axis more": lambda y: y[None],
        "one number": lambda y: y.sum(),
        "less precision": lambda y: y.float(),
        "integers": lambda y: y.long(),
        "an array": lambda y: np.zeros(y.shape),
        "a tuple": lambda y: (y, y),
        "nothing": lambda y: None,
    }


@each_kernel
@pytest.mark.parametrize("how", spoilers())
def test_a_model_that_returns_something_else_is_named(name, how):
    for key in models(name):
        right, spoil = EXAMPLES[name]()[key], spoilers()[how]

        def wrong(*args, right=right, spoil=spoil):
            return spoil(right(*args))

        message = outcome(name, **{key: wrong})
        assert isinstance(message, str), f"{key} returned {how}, and nobody noticed"
        assert message.startswith(f"{key} must return torch.float64"), message


# ---------------------------------------------------------------- harmless changes of scale and place

A = torch.tensor([[0.0, 1.0], [2.0, 0.5], [-1.0, 0.0], [0.25, 3.0]]).double()
B = torch.tensor([[0.5, 1.0], [1.0, -2.0], [0.75, 0.5]]).double()
SCALES = (2.0**-480, 2.0**480, 1e-140, 1e140)


def measured(a, b, unit=1.0):
    """Each metric, divided by its unit."""
    draws = torch.Generator().manual_seed(0)
    modes = metrics.mode_report(a, b, 0.5 * unit, cutoff=2.0)
    return (
        metrics.sliced_w2(a, b, 5, generator=draws) / unit,
        metrics.frechet_distance(a, b) / unit / unit,
        metrics.nearest_distance(a, b) / unit,
        modes["weights"],
        modes["radius"],
        modes["off_mode"],
    )


@pytest.mark.parametrize("unit", SCALES)
def test_metrics_in_other_units(unit):
    compare(measured(A * unit, B * unit, unit), measured(A, B), 1e-12)


@pytest.mark.parametrize("unit", [2.0**-90, 2.0**90])
def test_metrics_in_other_units_in_single_precision(unit):
    a, b = (A * unit).float(), (B * unit).float()
    compare(measured(a, b, unit), measured(A, B), 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_metrics_far_from_the_origin(dtype):
    """The shift is exact, so the distances are."""
    shift = 2.0**21 if dtype == torch.float32 else 2.0**46
    got = measured((A + shift).to(dtype), (B + shift).to(dtype))
    compare(got, measured(A, B), 1e-7 if dtype == torch.float32 else 1e-9)


ODE = ("euler", "heun", "midpoint", "dpmpp_2s", "dpmpp_2m", "rk4_logsigma")
RANDOM = ("ancestral", "edm_stochastic", "predictor_corrector")


UNITS = [(name, 2.0**k) for name in ODE for k in (-700, 700)]
UNITS += [(name, 2.0**k) for name in RANDOM for k in (-498, 498)]


@pytest.mark.parametrize(("name", "c"), UNITS)
def test_samplers_in_other_units(name, c):
    """Data and levels in another unit, and nothing else changes."""
    D = lambda x, sigma: x / (1 + sigma**2)  # noqa: E731
    scaled = lambda x, sigma: c * D(x / c, sigma / c)  # noqa: E731
    sampler, sigmas = getattr(samplers, name), torch.tensor([2.0, 1.0, 0.5, 0.0])
    more = {"S_churn": 1.0, "S_noise": 1.1} if name == "edm_stochastic" else {}

    def run(D, c):
        if name in RANDOM:
            more["generator"] = torch.Generator().manual_seed(0)
        return sampler(D, A * c, sigmas.double() * c, **more) / c

    compare(run(scaled, c), run(D, 1.0))
