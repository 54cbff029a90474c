"""What `bench cold` reads: streams as the agent fills them, full before the first run."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from contract.kpl.aggregate import OUTER_KEY, hash_key_of
from contract.kpl.writing import packed_together
from loadtests.bench.orders import orders
from loadtests.bench.producers import access_lines
from producers.agent.aggregating import AGGREGATE_BYTES
from producers.agent.pack import Origin, pack_all, partition_key
from producers.agent.put import ONE_REQUEST
from producers.agent.shard_map import shard_map
from runtime.clock import SystemClock

RECORDS, WRONG_TOTALS, UNKNOWN_SKUS = 400_000, 1_987, 2_047
_SHARDS = 4
_AT_ONCE = 10_000  # lines that the agent reads together, and parts by shard

Keyed = tuple[str, bytes]  # partition key, data
Entry = dict[str, Any]  # as PutRecords takes it


def of_orders() -> Iterator[Keyed]:
    """Orders, some of them wrong, none of them late."""
    started_at = SystemClock().now() - timedelta(milliseconds=RECORDS)
    records = orders(RECORDS, wrong_totals=WRONG_TOTALS, unknown_skus=UNKNOWN_SKUS, started_at=started_at)
    return ((partition_key(str(number)), data) for number, data in enumerate(records))


def of_lines() -> Iterator[Keyed]:
    """A server's lines in its combined format, from one file, all of them good."""
    origin = Origin("access", "i-0abc0000-7f3d91ac", "shop-1/access.log", "2026-11-27T08:00:00.000Z")
    lines, offset = access_lines(RECORDS), 0
    while some := list(islice(lines, _AT_ONCE)):
        packed = pack_all(origin, offset, some)
        yield from ((line.key, line.data) for line in packed)
        offset = packed[-1].end


def fill(kinesis: Any, stream: str, records: Iterator[Keyed], *, aggregate: bool) -> None:
    """Make the stream and put all `records`: each by itself, or in aggregates of the size and order of the agent's."""
    kinesis.create_stream(StreamName=stream, ShardCount=_SHARDS)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    shards = shard_map(kinesis.list_shards(StreamName=stream)["Shards"])
    assert shards
    while some := list(islice(records, _AT_ONCE)):
        if aggregate:
            parted: list[list[Keyed]] = [[] for _ in shards.shard_ids]
            for record, shard in zip(some, shards.shards_of([key for key, _ in some]), strict=True):
                parted[shard].append(record)
            _put(kinesis, stream, (entry for part in parted for entry in _aggregates(part)), 10)
        else:
            plain = ({"Data": data, "PartitionKey": key} for key, data in some)
            _put(kinesis, stream, plain, ONE_REQUEST.lines)


def _aggregates(records: list[Keyed]) -> Iterator[Entry]:
    """Of one shard."""
    together: list[Keyed] = []
    size = 0
    for record in records:
        if size + len(record[1]) > AGGREGATE_BYTES:
            yield _aggregate(together)
            together, size = [], 0
        together.append(record)
        size += len(record[1])
    if together:
        yield _aggregate(together)


def _aggregate(records: list[Keyed]) -> Entry:
    keys, data = zip(*records, strict=True)
    hash_key = str(hash_key_of(keys[0]))
    return {"Data": packed_together(keys, data), "PartitionKey": OUTER_KEY, "ExplicitHashKey": hash_key}


def _put(kinesis: Any, stream: str, entries: Iterable[Entry], at_once: int) -> None:
    left = iter(entries)
    while some := list(islice(left, at_once)):
        if kinesis.put_records(StreamName=stream, Records=some)["FailedRecordCount"]:
            raise RuntimeError("the stream refused records")
