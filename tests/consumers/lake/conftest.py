"""A lake on the real parts."""

import pytest

from consumers.lake.testing import OwnLake
from infra.local.endpoints import Endpoints


@pytest.fixture
def lake(stack: Endpoints) -> OwnLake:
    """Empty, of the test's own."""
    return OwnLake(stack.aws)
