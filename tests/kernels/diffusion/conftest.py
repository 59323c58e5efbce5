"""What the tests of the diffusion kernels share."""

import pytest
import torch


@pytest.fixture
def global_generator_untouched():
    """Randomness comes from the generator that was handed in and from nowhere else."""
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)
