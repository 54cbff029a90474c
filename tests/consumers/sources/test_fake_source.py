"""The source in memory keeps the promises of every source."""

from collections.abc import Sequence

import pytest

from consumers.delivery import Position, Source
from consumers.sources.testing import FakeSource, ScriptedPath, SourceBench, SourceConformance, run_source

pytestmark = pytest.mark.unit


class InMemoryBench:
    def __init__(self) -> None:
        self._records: dict[str, list[bytes]] = {"s-0": [], "s-1": []}
        self._checkpoints: dict[str, Position] = {}

    def put(self, shard: int, payloads: Sequence[bytes]) -> None:
        self._records[f"s-{shard}"].extend(payloads)

    def source(self) -> Source:
        return FakeSource(self._records, checkpoints=self._checkpoints)


class TestFakeSource(SourceConformance):
    @pytest.fixture
    def bench(self) -> SourceBench:
        return InMemoryBench()


def test_a_drained_source_ends_by_itself_with_every_path_settled() -> None:
    source = FakeSource({"s-0": [b"1", b"2"], "s-1": [b"3"]}, batch_size=1)
    paths = run_source(source, until=1000)
    assert [path.log[-1] for path in paths.values()] == ["settle", "settle"]
    assert source.checkpoints == {"s-0": Position(2), "s-1": Position(1)}


def test_an_error_of_one_path_leaves_the_other_shards_running() -> None:
    error = OSError("disk full")
    source = FakeSource({"s-0": [b"1"], "s-1": [b"2"]})
    paths = run_source(source, until=1000, trouble={b"1": [error]})
    assert source.errors == [error]
    assert isinstance(paths["s-1"], ScriptedPath)
    assert source.checkpoints == {"s-1": Position(1)}
