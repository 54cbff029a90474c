"""What the shop's events are like to a stream: how large, and how unevenly their keys spread over the shards.

Lines become records by the producers' own code: the same stamp, the same partition key, the same aggregates.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from contract.kpl.aggregate import hash_key_of
from contract.kpl.writing import packed_together
from loadtests.bench.orders import CUSTOMERS, customer_id
from loadtests.bench.orders import lines as bench_lines
from producers.agent.aggregating import AGGREGATE_BYTES
from producers.agent.pack import Origin, Packed, pack_all, partition_key
from producers.replay.export import read_export
from producers.replay.mapping import load_mapping
from producers.replay.orders import invoices_of
from runtime.errors import ConfigError

MOST_LINES = 200_000  # of a file: hash keys of so many are counted in a second
_TYPICAL = 1_000
_ORIGIN = Origin("order", "i-0123456789abcdef0-7f3d91ac", "shop-1/orders.ndjson", "2026-11-27T08:00:00.000Z")
_HASH_BITS = 128
_LETTER_ROWS = 1  # of a line that is no order


class _Order(msgspec.Struct):
    lines: list[msgspec.Raw] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSample:
    """Some of the shop's events."""

    hash_keys: Mapping[int, int]  # how many events have each
    event_bytes: float  # of the stream's throughput that one event takes
    events_a_record: float
    order_rows: float  # that one order makes in the warehouse: itself and its lines

    def hottest_share(self, shards: int) -> float:
        """The part of all events that goes to the busiest of `shards` shards of equal size; 1/shards at best.

        Not above that of half as many: splitting every shard in two never makes one busier.
        """
        found = Counter[int]()
        for hash_key, events in self.hash_keys.items():
            found[hash_key * shards >> _HASH_BITS] += events
        return max(found.values()) / found.total()

    @property
    def hottest_key_share(self) -> float:
        """That of one partition key: no split parts it."""
        return max(self.hash_keys.values()) / sum(self.hash_keys.values())


def sample_of(lines: Iterable[bytes], *, aggregate: bool = True) -> EventSample:
    """Of the first MOST_LINES lines of a spool. Raises ConfigError where no record can hold any, or none is an order.

    A small sample overstates the skew: of 1,000 events over 64 shards, one shard gets 25 by chance alone, not 16.
    """
    contents = [line for line in islice((line.rstrip(b"\r\n") for line in lines), MOST_LINES) if line]
    packed, rows = list(_packed(contents)), list(map(_rows, contents))
    if not packed:
        raise ConfigError("the sample holds no line that a record can hold: name a spool file with orders, one a line")
    if max(rows) == _LETTER_ROWS:
        raise ConfigError("the sample holds no order with lines: name a spool file with orders, one a line, as text")
    keys = Counter(line.key for line in packed)
    some = -(-len(packed) // _TYPICAL)  # every so many lines of all the time that the sample covers
    size, together = _record(packed[::some], aggregate=aggregate)
    return EventSample(
        hash_keys={hash_key_of(key): events for key, events in keys.items()},
        event_bytes=size,
        events_a_record=together,
        order_rows=sum(rows) / len(rows),
    )


def lines_of_export(file: Path, mapping: str) -> Iterator[bytes]:
    """As a replay of the export writes them into the spool. Raises ConfigError for what is no export of the mapping."""
    columns = load_mapping(mapping)
    return map(msgspec.json.encode, invoices_of(read_export(file, columns), columns).orders())


def typical(*, aggregate: bool = True) -> EventSample:
    """Where there is no sample: orders of 366 bytes, 50,000 customers, none of them keener than another."""
    few = sample_of(islice(bench_lines(_TYPICAL), _TYPICAL), aggregate=aggregate)
    keys = Counter(hash_key_of(partition_key(customer_id(number))) for number in range(CUSTOMERS))
    return EventSample(
        hash_keys=dict(keys),
        event_bytes=few.event_bytes,
        events_a_record=few.events_a_record,
        order_rows=few.order_rows,
    )


def _record(packed: Sequence[Packed], *, aggregate: bool) -> tuple[float, float]:
    """Bytes an event, and events a record. A record counts with its partition key."""
    if aggregate:
        each = len(packed_together([line.key for line in packed], [line.data for line in packed])) / len(packed)
        return each, max(1.0, AGGREGATE_BYTES // each)
    return sum(len(line.key) + len(line.data) for line in packed) / len(packed), 1.0


def _packed(contents: Sequence[bytes]) -> Iterator[Packed]:
    """Their records, but of those that none can hold: of such a line the agent sends a short note."""
    offset = 0
    while contents:
        some = pack_all(_ORIGIN, offset, contents)
        yield from some
        offset = some[-1].end if some else offset
        contents = contents[len(some) + 1 :]


def _rows(content: bytes) -> int:
    try:
        return 1 + len(msgspec.json.decode(content, type=_Order).lines)
    except (msgspec.MsgspecError, RecursionError):
        return _LETTER_ROWS
