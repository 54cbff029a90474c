"""What live and cold know of the stages: a judge makes a verdict of each record, in the same order."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from consumers.delivery import Batch, Record, Shard
from contract.reasons import Reason
from contract.rows import HeartbeatRow, HitRow, LetterRow, OrderRow
from contract.stamp import Stamp

Verdict = OrderRow | HitRow | LetterRow | HeartbeatRow


class Judged(msgspec.Struct, frozen=True, gc=False):
    """The verdict on one record."""

    row: Verdict
    stamp: Stamp | None  # of its line; None for a foreign producer's record


class Judge(Protocol):
    """Judges the records of one stream. The same record gets the same row each time; nothing is raised for bad data."""

    def reference(self, first: datetime, last: datetime) -> Mapping[str, str]:
        """Versions of what judged the records that arrived between the two, for whoever keeps its verdicts."""
        ...

    def judge(self, batch: Batch) -> list[Judged]:
        """Verdict i is on record i.

        Raises Backpressure, with no verdict at all, where what judges them is not in memory and cannot be read now.
        """
        ...

    def letter_of(self, reason: Reason, detail: str, shard: Shard, record: Record) -> LetterRow:
        """The letter of a row or a letter that a store refused. `record` is the one that it was made of."""
        ...
