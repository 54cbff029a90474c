"""Access lines judged a second on one core: from the record as the agent sends it to the enriched row.

The lines are a real Apache log, and the same again as of other years: each copy has other dates, other visitors and
other places in its file. So what a judge remembers of one copy helps it with paths and agents of the next, as it does
in a shop, but not with visitors. Each run begins with a new judge. CPU seconds of this process are counted, so that
others on the machine count little. Kinesis and aggregates are not in it.

The baseline decodes the record with `json` and takes the line apart with one plain regular expression, nothing else: no
check, no identity, no time, no session, no row. rsyslog 8 took 14 CPU-s per million lines to parse alone.
"""

import datetime as dt
import json
import re
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from zoneinfo import ZoneInfo

import msgspec
import zstandard

from consumers.delivery import Batch, Position, Record, Shard
from consumers.stages.access.judge import AccessJudge
from consumers.stages.rows import ShopFacts
from contract.identity import IdentityKey
from contract.rows import HitRow
from contract.stamp import Stamp
from infra.local.home import PROJECT
from loadtests.bench.report import Figure
from runtime.errors import ConfigError

RUNS = 5
LOG = PROJECT.parent / "shared" / "data" / "weblogs" / "elastic_apache_access.log.zst"
_COPIES = 10
_BATCH = 2_000  # records: what a poll of a busy shard brings
_LARGEST_LOG = 1 << 26  # bytes
_KEY = IdentityKey(key_id="bench", secret=b"0123456789abcdef0123456789abcdef")
_SHARD = Shard(stream="access", shard_id="shardId-000000000000")
_ARRIVED_AT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)

_COMBINED = re.compile(
    r'(\S+) (\S+) (\S+) \[([^\]]+)\] "([^"]*)" (\d{3}) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"'
)
_FIRST_NUMBER = re.compile(rb"\d+")

Judge = Callable[[Batch], int]  # how many of a batch are hits


def run() -> Sequence[Figure]:
    """Lines a second. Raises ConfigError where the log is not there."""
    batches = list(_batches(records_of(_lines())))
    _judging()(batches[0])  # ua-parser loads its rules here, half a second once a process
    judged, plain = [], []
    for _ in range(RUNS):
        plain.append(_rate(_plain, batches))
        judged.append(_rate(_judging(), batches))
    return [
        Figure(
            name="judged",
            unit="lines/CPU-s",
            better="higher",
            target=100_000,
            values=judged,
            baseline="json.loads and one regular expression, nothing else",
            baseline_values=plain,
        )
    ]


def records_of(lines: Sequence[bytes], copies: int = _COPIES) -> Iterator[bytes]:
    """The records of `lines`, and then of as many other years."""
    offset = 0
    for copy in range(copies):
        for line in lines:
            other = _in_another_year(line, copy)
            yield _enveloped(other, offset)
            offset += len(other) + 1


def _in_another_year(line: bytes, copy: int) -> bytes:
    """The same request by another visitor, years later."""
    visitor = _FIRST_NUMBER.sub(lambda found: b"%d" % ((int(found[0]) + 11 * copy) % 224), line, count=1)
    return visitor.replace(b"/2015:", b"/%d:" % (2015 + copy), 1)


def _enveloped(line: bytes, offset: int) -> bytes:
    stamp = Stamp(
        k="access",
        f="i-0abc0001-7f3d91ac",
        o=offset,
        n=len(line),
        c=zlib.crc32(line),
        h="shop-1/access.log",
        t="2026-11-27T08:00:00.123456Z",
    )
    return msgspec.json.encode({"_sp": stamp, "line": line.decode()})


def _lines() -> Sequence[bytes]:
    try:
        return zstandard.ZstdDecompressor().decompress(LOG.read_bytes(), _LARGEST_LOG).splitlines()
    except FileNotFoundError:
        raise ConfigError(f"{LOG}: the real log that is judged is not there") from None


def _batches(contents: Iterator[bytes]) -> Iterator[Batch]:
    records = [Record(Position(number), _ARRIVED_AT, data) for number, data in enumerate(contents, start=1)]
    for first in range(0, len(records), _BATCH):
        yield Batch(shard=_SHARD, records=records[first : first + _BATCH])


def _rate(judge: Judge, batches: Sequence[Batch]) -> float:
    """Lines a CPU second. Raises AssertionError where hits are missing."""
    started_s = time.process_time()
    hits = sum(map(judge, batches))
    cpu_s = time.process_time() - started_s
    lines = sum(len(batch.records) for batch in batches)
    assert hits >= 0.999 * lines, f"only {hits} of {lines} lines are hits"
    return lines / cpu_s


def _judging() -> Judge:
    judge = AccessJudge(ShopFacts(key=_KEY, zone=ZoneInfo("Europe/London"))).judge
    return lambda batch: sum(type(judged.row) is HitRow for judged in judge(batch))


def _plain(batch: Batch) -> int:
    return sum(_COMBINED.match(json.loads(record.data)["line"]) is not None for record in batch.records)
