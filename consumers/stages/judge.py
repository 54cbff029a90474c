"""What live and cold know of the stages: a judge makes a verdict of each record, in the same order."""

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

    @property
    def reference(self) -> dict[str, str]:
        """Versions of what it judges by, for whoever keeps its verdicts."""
        ...

    def judge(self, batch: Batch) -> list[Judged]:
        """Verdict i is on record i."""
        ...

    def letter_of(self, reason: Reason, detail: str, shard: Shard, record: Record) -> LetterRow:
        """The letter of a row or a letter that a store refused. `record` is the one that it was made of."""
        ...
