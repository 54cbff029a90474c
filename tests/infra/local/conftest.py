"""The command on a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.leftovers import end_leftovers
from infra.local.testing import Commands


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Commands]:
    """Nothing of it runs afterwards."""
    stack = Commands(tmp_path / "a home")
    yield stack
    stack.run("down")
    assert end_leftovers(stack.home) == 0
