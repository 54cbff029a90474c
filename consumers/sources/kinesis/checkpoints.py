"""Where a lease resumes: a sentinel or a position, in the order of the lease table.

AT_TIMESTAMP < TRIM_HORIZON < LATEST < numbers < SHARD_END, then the sub-sequence. Numbers compare as integers: as
strings, "9" would stand after "10".
"""

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from consumers.delivery import Position


class Rank(IntEnum):
    """The kinds of checkpoint, in order. All but NUMBER are written by name."""

    AT_TIMESTAMP = -3
    TRIM_HORIZON = -2
    LATEST = -1
    NUMBER = 0
    SHARD_END = 1


_TIMED = {Rank.LATEST, Rank.AT_TIMESTAMP}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Checkpoint(NamedTuple):
    """What is durable. A number means: this record and all before it; compares in stream order."""

    rank: Rank
    sequence: int = 0  # of LATEST and AT_TIMESTAMP: milliseconds since 1970, UTC; 0 where nobody noted the time
    sub_sequence: int = 0

    @classmethod
    def at(cls, position: Position) -> "Checkpoint":
        """The checkpoint that resumes after `position`."""
        return cls(Rank.NUMBER, position.sequence, position.sub_sequence)

    @classmethod
    def entered(cls, rank: Rank, since: datetime) -> "Checkpoint":
        """The first position of a shard that is entered at a time: its records that arrived from then on.

        LATEST with the time of the decision is as good as a number: whoever resumes there misses nothing.
        """
        return cls(rank, max(1, (since - _EPOCH) // _MILLISECOND))  # 0 would be no time

    @classmethod
    def parse(cls, text: str, sub_sequence: int = 0, since_ms: int = 0) -> "Checkpoint":
        """From the table's attributes. Raises ValueError for anything but a sentinel or a decimal number."""
        if text in Rank.__members__ and text != Rank.NUMBER.name:
            rank = Rank[text]
            return cls(rank, since_ms if rank in _TIMED else 0, sub_sequence)
        if not (text.isascii() and text.isdecimal()):
            raise ValueError(f"{text!r} is no checkpoint")
        return cls(Rank.NUMBER, int(text), sub_sequence)

    @property
    def text(self) -> str:
        """As the `checkpoint` attribute holds it."""
        return str(self.sequence) if self.rank is Rank.NUMBER else self.rank.name

    @property
    def position(self) -> Position | None:
        """The last durable record; None for a sentinel."""
        return Position(self.sequence, self.sub_sequence) if self.rank is Rank.NUMBER else None

    @property
    def since(self) -> datetime | None:
        """Where reading begins at a time, that time (aware UTC); None for all else, and for LATEST without one."""
        return _EPOCH + self.sequence * _MILLISECOND if self.rank in _TIMED and self.sequence else None


TRIM_HORIZON = Checkpoint(Rank.TRIM_HORIZON)
LATEST = Checkpoint(Rank.LATEST)
SHARD_END = Checkpoint(Rank.SHARD_END)
