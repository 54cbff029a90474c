"""Small reads of a shard by those who only look: live and cold take four of its five reads a second, so a read that is
refused waits for its turn."""

import datetime as dt
import random
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from consumers.delivery import Record
from consumers.sources.kinesis.aggregates import HashRange
from consumers.sources.kinesis.checkpoints import Checkpoint, Rank
from consumers.sources.kinesis.stream import IteratorExpired, Stream, Throttled
from runtime.backoff import full_jitter
from runtime.outage import Outage, Stop

# Stream records a read: aggregates of 50 KB make 1.2 MB of them, where a shard gives 2 MiB a second to all its readers.
RECORDS_PER_READ = 25
_MOST_READS = 40  # an empty answer may end before the tip; of full ones, a second's worth of small records
_MOST_ATTEMPTS = 12  # throttled: 20 s and more, while live and cold keep reading

Enough = Callable[[list[Record]], bool]


class Page(NamedTuple):
    """What was read in a row."""

    records: list[Record]
    behind_ms: int  # from its end to the tip; 0: there is nothing after it


class Reads:
    """Of one stream, which answers with RECORDS_PER_READ records a read. Every method may raise Outage."""

    def __init__(self, stream: Stream, rng: random.Random, stop: Stop) -> None:
        self._stream = stream
        self._rng = rng
        self._stop = stop

    def from_checkpoint(
        self, shard_id: str, start: Checkpoint, enough: Enough, hash_range: HashRange | None = None
    ) -> Page:
        """From the record at `start` on, until it is `enough`, or the tip. Raises Trimmed."""
        return self._patiently(shard_id, lambda: self._stream.iterator(shard_id, start), enough, hash_range)

    def from_time(self, shard_id: str, at: dt.datetime, enough: Enough) -> Page:
        """From the first record that arrived then, or up to a second earlier. Raises Trimmed.

        A second: botocore used to cut times to whole ones.
        """
        return self.from_checkpoint(shard_id, Checkpoint.entered(Rank.AT_TIMESTAMP, at), enough)

    def _patiently(self, shard_id: str, begin: Callable[[], str], enough: Enough, hash_range: HashRange | None) -> Page:
        iterator, page = self._wait_for(shard_id, begin), Page([], 0)
        for _ in range(_MOST_READS):
            answer = self._wait_for(shard_id, partial(self._stream.read, iterator, hash_range))
            page.records.extend(answer.records)
            page = Page(page.records, answer.millis_behind if answer.next_iterator else 0)
            if page.behind_ms == 0 or enough(page.records):
                return page
            iterator = answer.next_iterator
        return page

    def _wait_for(self, shard_id: str, call: Callable[[], Any]) -> Any:
        for attempt in range(_MOST_ATTEMPTS):
            try:
                return call()
            except Throttled:
                self._stop.wait(0.2 + full_jitter(attempt, self._rng, base_s=0.2))
            except IteratorExpired as expired:
                raise Outage(f"reading {shard_id} took minutes") from expired
        raise Outage(f"the reads of {shard_id} are used up")


def any_record(records: list[Record]) -> bool:
    """Enough, where one will do."""
    return bool(records)
