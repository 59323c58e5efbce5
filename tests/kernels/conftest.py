"""What the tests of all kernels share."""

import pytest
from jaxtyping import config


@pytest.fixture
def without_type_checks():
    """Let a bad argument through to the kernel's own door when the test run checks types."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
