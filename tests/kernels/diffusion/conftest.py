"""What the tests of the diffusion kernels share."""

import pytest
import torch
from jaxtyping import config


@pytest.fixture
def without_type_checks():
    """Let a bad argument through to the kernel's own door when the test run checks types."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture
def global_generator_untouched():
    """Randomness comes from the generator that was handed in and from nowhere else."""
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)
