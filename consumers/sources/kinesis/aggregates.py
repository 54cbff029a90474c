"""What a stream record carries: itself, or the user records of an aggregate."""

from collections.abc import Iterator
from datetime import datetime

from consumers.delivery import Position, Record
from contract.kpl.aggregate import MAGIC, UserRecord, opened

HashRange = tuple[int, int]  # first and last hash key, both included


class Opener:
    """Opens the records of one answer. `strays` counts user records whose hash key lies outside `hash_range`.

    Such a record came in an aggregate that was packed before a split. It is delivered like any other (the Java KCL
    drops the whole aggregate, silently): an event's identity makes that safe.
    """

    def __init__(self, hash_range: HashRange | None) -> None:
        self._hash_range = hash_range
        self.strays = 0

    def records(self, sequence: int, arrived_at: datetime, data: bytes) -> Iterator[Record]:
        """The user records of one stream record, numbered from sub-sequence 0. A damaged aggregate is one record."""
        users = opened(data) if data.startswith(MAGIC) else None
        if users is None:
            yield Record(Position(sequence), arrived_at, data)
            return
        self.strays += sum(self._is_stray(user) for user in users)
        for sub_sequence, user in enumerate(users):
            yield Record(Position(sequence, sub_sequence), arrived_at, user.data)

    def _is_stray(self, user: UserRecord) -> bool:
        return self._hash_range is not None and not self._hash_range[0] <= user.hash_key <= self._hash_range[1]
