"""The kinds of input that used to decide the arithmetic, tried on every numpy kernel of the registry.

A new kernel is covered by its line in ``EXAMPLES``: each argument in turn comes as a list, as narrow or
foreign numbers, as a view, and the result has to be the same to the last bit, or a sentence.
"""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from test_common import KERNELS, arrays, example, parameters

NAMES = [name for name in KERNELS if not name.startswith("utils.diffusion.")]
each_kernel = pytest.mark.parametrize("name", NAMES)
pytestmark = pytest.mark.usefixtures("without_type_checks")
# These keep tensors as tensors, so an array becoming one is another call.
TAKE_TENSORS = ("utils.kl.k1", "utils.kl.k2", "utils.kl.k3", "utils.kl.k_lambda")
NARROW = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.uint64)


def is_integer(value):
    return type(value) is int or (
        isinstance(value, np.ndarray) and value.dtype.kind == "i"
    )


def is_real(value):
    return type(value) is float or (
        isinstance(value, np.ndarray) and value.dtype.kind == "f"
    )


def numbers(name):
    """Names of the arguments that are numbers or arrays of numpy."""
    return [key for key, v in example(name).items() if is_integer(v) or is_real(v)]


def outcome(name, **changed):
    """What a kernel returns for the example with some arguments changed, or what it says."""
    try:
        return arrays(KERNELS[name](**example(name) | changed))
    except ValueError as error:
        return str(error)


def alike(name, got, want):
    assert type(got) is type(want), (got, want)
    if isinstance(want, str):
        assert got == want
        return
    for a, b in zip(got, want, strict=True):
        assert_array_equal(a, b, err_msg=name)
        assert np.asarray(a).dtype == np.asarray(b).dtype


def others(value):
    """The same numbers as a list, 0-d, read-only, strided and transposed in memory, as a tensor."""
    if not isinstance(value, np.ndarray):
        kinds = ("int64", "float64")
        yield np.array(value)
        yield getattr(np, kinds[is_real(value)])(value)
        yield torch.tensor(value, dtype=getattr(torch, kinds[is_real(value)]))
        return
    yield value.tolist()
    frozen = value.copy()
    frozen.flags.writeable = False
    yield frozen
    wide = np.zeros((*value.shape, 2), value.dtype)
    wide[..., 0] = value
    yield wide[..., 0]
    yield value[::-1].copy()[::-1]
    yield np.asfortranarray(value)
    yield torch.from_numpy(value.copy())


@each_kernel
def test_the_same_numbers_give_the_same_result(name):
    want = outcome(name)
    for key in numbers(name):
        for value in others(example(name)[key]):
            if name in TAKE_TENSORS and isinstance(value, torch.Tensor):
                continue
            alike(name, outcome(name, **{key: value}), want)


@each_kernel
def test_narrow_integers_are_widened(name):
    """Values near the top of eight bits, whose sums and products would wrap."""
    for key in numbers(name):
        value = example(name)[key]
        if not is_integer(value):
            continue
        high = np.array([100, 127, 3]) if isinstance(value, np.ndarray) else 100
        want = outcome(name, **{key: high})
        for dtype in NARROW:
            alike(name, outcome(name, **{key: np.asarray(high).astype(dtype)}), want)
        if isinstance(value, int):
            alike(name, outcome(name, **{key: np.uint8(high)}), want)


@each_kernel
def test_integers_that_do_not_fit_are_refused(name):
    for key in numbers(name):
        if is_integer(example(name)[key]):
            for huge in (2**63, np.uint64(2**63), [2**64]):
                message = outcome(name, **{key: huge})
                assert isinstance(message, str), f"{key} = {huge!r} was accepted"
                assert message.startswith(f"{key} must")


@each_kernel
def test_integers_and_short_floats_are_widened_where_real_numbers_are_taken(name):
    for key in numbers(name):
        value = example(name)[key]
        if not is_real(value):
            continue
        for dtype in (np.float16, np.float32, np.longdouble):
            short = np.asarray(value).astype(dtype)
            want = outcome(name, **{key: short.astype(np.float64)})
            alike(name, outcome(name, **{key: short}), want)
        whole = np.floor(np.asarray(value)) + 1
        want = outcome(name, **{key: whole})
        for dtype in (*NARROW, object):
            if (whole >= 0).all() or np.dtype(dtype).kind in "iO":
                alike(name, outcome(name, **{key: whole.astype(dtype)}), want)


WRONG = {
    "complex": lambda x: x + 1j,
    "strings": lambda x: np.asarray(x).astype(str),
    "a word": lambda x: "a",
    "a dict": lambda x: {},
    "masked": lambda x: np.ma.masked_greater(x, -1e9),
    "ragged": lambda x: [[1.0], [1.0, 2.0]],
}


@each_kernel
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_no_real_number_is_refused(name, wrong):
    for key in numbers(name):
        value = example(name)[key]
        if parameters(name)[key].annotation is str:
            continue
        message = outcome(name, **{key: wrong(value)})
        assert isinstance(message, str), f"{key} accepted {wrong(value)!r}"
        assert message.startswith(f"{key} must"), message


@each_kernel
def test_fractions_are_no_integers(name):
    for key in numbers(name):
        value = example(name)[key]
        if is_integer(value):
            message = outcome(name, **{key: np.asarray(value) + 0.5})
            assert isinstance(message, str)
            assert message.startswith(f"{key} must be an integer")


@each_kernel
def test_tensors_that_are_not_floating_are_refused(name):
    for key, value in example(name).items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            for wrong in (value.long(), value.bool(), value + 1j, value.numpy()):
                message = outcome(name, **{key: wrong})
                assert isinstance(message, str), f"{key} accepted {wrong!r}"
                assert message.startswith(f"{key} must")


@each_kernel
def test_nothing_is_written_into_what_came_in(name):
    args = {k: v for k, v in example(name).items() if isinstance(v, np.ndarray)}
    for value in args.values():
        value.flags.writeable = False
    alike(name, outcome(name, **args), outcome(name))
