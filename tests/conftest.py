"""What every test may ask for."""

from collections.abc import Iterator

import pytest

from infra.local.endpoints import Endpoints
from infra.local.testing import local_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """All parts, started when the first test asks. Tests make streams, tables and indices under names of their own."""
    with local_stack(tmp_path_factory.mktemp("stack")) as endpoints:
        yield endpoints
