"""A whole pipeline on a folder of its own, as the demo runs it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.local.testing import Pipeline, local_pipeline


@pytest.fixture
def start_pipeline(tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """`local_pipeline` on the test's own folder; it ends with the test."""
    with ExitStack() as running:
        yield lambda **options: running.enter_context(local_pipeline(tmp_path / "home", **options))
