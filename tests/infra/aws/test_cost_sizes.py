"""Sizes that the cost model stands on, measured again with the code that makes the bytes."""

import datetime as dt
from pathlib import Path
from random import Random

import pytest

from consumers.delivery import Position, Record
from consumers.spans.raw import RawWriter
from contract.kpl.aggregate import OUTER_KEY, hash_key_of
from infra.aws.cost.tables import sizes
from infra.aws.cost.traffic import _AGGREGATE
from loadtests.bench.orders import ORDER_BYTES, lines
from producers.agent.aggregating import AGGREGATE_BYTES
from producers.agent.lanes import Entry, Lane
from producers.agent.pack import Origin, Packed, pack_all
from producers.agent.tokens import Room
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

PROJECT = Path(__file__).resolve().parents[3]
ORDERS = 20_000
SHARDS = 4
AT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def packed() -> list[Packed]:
    """Orders of the benches, as the agent sends those of one file."""
    contents = list(lines(ORDERS))
    assert {len(content) for content in contents} == {ORDER_BYTES}
    where = "ip-10-0-12-34/spool/20261127T080000Z-20704-e9f6e1ba.ndjson"
    origin = Origin("order", "i-0abc1234def567890-7f3d91ac", where, "2026-11-27T08:00:00.123Z")
    return pack_all(origin, 0, contents)


def test_an_order_in_the_stream_by_itself(packed: list[Packed]) -> None:
    assert sum(len(line.data) for line in packed) / ORDERS == pytest.approx(sizes()["stream_plain"].value, rel=0.01)


def test_an_order_in_an_aggregate(packed: list[Packed]) -> None:
    written = 0
    for shard in range(SHARDS):
        mine = [line for line in packed if hash_key_of(line.key) * SHARDS >> 128 == shard]
        lane = Lane(
            "shard", Room(ManualClock(AT), Random(7)), [], [line.key for line in mine], [line.data for line in mine]
        )
        while not lane.is_empty:
            entry = Entry(lane, AGGREGATE_BYTES)
            record = entry.record()
            assert record["PartitionKey"] == OUTER_KEY
            written += len(record["Data"])
            lane.done = entry.end
    assert written / ORDERS == pytest.approx(sizes()["stream_aggregated"].value, rel=0.01)
    assert AGGREGATE_BYTES == _AGGREGATE


def test_an_order_among_the_raw_records(packed: list[Packed]) -> None:
    writer = RawWriter()
    records = [
        Record(position=Position(number), arrived_at=AT + dt.timedelta(milliseconds=number), data=line.data)
        for number, line in enumerate(packed)
    ]
    writer.add(records, [False] * ORDERS)
    assert len(writer.finish()) / ORDERS == pytest.approx(sizes()["raw_stored"].value, rel=0.05)


def test_every_size_names_its_bench_and_a_page_that_is_there_and_says_it() -> None:
    for name, size in sizes().items():
        assert size.bench and size.unit, name
        page = (PROJECT / size.document).read_text()
        row = f"| `{name}` | {size.value:,g} | {size.unit} | {size.bench} |"
        assert size.document != "docs/costs.md" or row in page, row
        assert size.measured != size.bench.startswith("nothing"), name
