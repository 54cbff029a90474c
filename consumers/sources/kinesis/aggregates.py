"""What a stream record carries: itself, or the user records of an aggregate."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import repeat

from consumers.delivery import Position, Record
from contract.kpl.aggregate import MAGIC, UserColumns, hash_key_of, opened_columns

HashRange = tuple[int, int]  # first and last hash key, both included

# The agent has 16,384 partition keys: soon all are known, and an MD5 of each record is spared.
_hash_key_of = lru_cache(maxsize=1 << 15)(hash_key_of)
_new = tuple.__new__  # of Position: without the call in Python that a named tuple makes


class Opener:
    """Opens the records of one answer. `strays` counts user records whose hash key lies outside `hash_range`.

    Such a record came in an aggregate that was packed before a split. It is delivered like any other (the Java KCL
    drops the whole aggregate, silently): an event's identity makes that safe.
    """

    def __init__(self, hash_range: HashRange | None) -> None:
        self._hash_range = hash_range
        self.strays = 0

    def records(self, sequence: int, arrived_at: datetime, data: bytes) -> Iterable[Record]:
        """The user records of one stream record, numbered from sub-sequence 0. A damaged aggregate is one record."""
        users = opened_columns(data) if data.startswith(MAGIC) else None
        if users is None:
            return (Record(Position(sequence), arrived_at, data),)
        if self._hash_range is not None:
            first, last = self._hash_range
            self.strays += len(users.data) - sum([first <= hash_key <= last for hash_key in _hash_keys(users)])
        positions: Iterable[Position] = map(_new, repeat(Position), zip(repeat(sequence), range(len(users.data))))
        return map(Record, positions, repeat(arrived_at), users.data)


def _hash_keys(users: UserColumns) -> Sequence[int]:
    return [
        _hash_key_of(key) if explicit is None else explicit
        for key, explicit in zip(users.partition_keys, users.explicit_hash_keys, strict=True)
    ]
