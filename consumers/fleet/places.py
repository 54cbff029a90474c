"""Where a shard was at a time: the last record before it, which a checkpoint has to name to read on from there.

A checkpoint says that its own record is done, so the first record of the time wanted would be left out if it stood at
that one. And of AT_TIMESTAMP only our own workers know the time (`storepulseSince`): those in Java would read from
where their own settings say.
"""

import datetime as dt

from consumers.delivery import Record
from consumers.fleet.reads import Reads, any_record
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint

_STEP = dt.timedelta(seconds=1)
_FARTHER = 4
_MOST_HALVES = 12  # of a stretch without records: four thousandths of a quiet day are twenty seconds


class Places:
    """Of one stream. Every method may raise Outage, Trimmed."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def first_from(self, shard_id: str, time: dt.datetime) -> Record | None:
        """The first record that arrived at `time` or later; None: there is none."""
        page = self._reads.from_time(
            shard_id, time, lambda records: any(record.arrived_at >= time for record in records)
        )
        return next((record for record in page.records if record.arrived_at >= time), None)

    def checkpoint_before(self, shard_id: str, time: dt.datetime) -> Checkpoint:
        """At a record shortly before `time`, everything from `time` on is read again after it; TRIM_HORIZON where the
        shard holds none so old. At most 25 records, or a second, too early."""
        last = self._last_before(shard_id, time)
        return TRIM_HORIZON if last is None else Checkpoint.at(last.position)

    def _last_before(self, shard_id: str, time: dt.datetime) -> Record | None:
        oldest = self._reads.from_checkpoint(shard_id, TRIM_HORIZON, any_record).records
        if not oldest or oldest[0].arrived_at >= time:
            return None
        step, empty_from = _STEP, time
        while True:
            start = max(time - step, oldest[0].arrived_at)
            found = self._before(shard_id, start, time)
            if found is not None:
                return self._nearer(shard_id, found, empty_from, time)
            if start == oldest[0].arrived_at:
                return oldest[0]
            step, empty_from = step * _FARTHER, start

    def _nearer(self, shard_id: str, found: Record, empty_from: dt.datetime, time: dt.datetime) -> Record:
        """Between a record and the time from which on there is none before `time`."""
        for _ in range(_MOST_HALVES):
            if empty_from - found.arrived_at <= _STEP:
                break
            middle = found.arrived_at + (empty_from - found.arrived_at) / 2
            between = self._before(shard_id, middle, time)
            if between is None or between.position <= found.position:
                empty_from = middle
            else:
                found = between
        return found

    def _before(self, shard_id: str, start: dt.datetime, time: dt.datetime) -> Record | None:
        """The last record of one read from `start` on that arrived before `time`."""
        page = self._reads.from_time(shard_id, start, any_record)
        before = [record for record in page.records if record.arrived_at < time]
        return before[-1] if before else None
