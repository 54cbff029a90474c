"""Compressed files: found whole, told from what was sent before they were compressed, then read as their text.

A file's content is its identity. Rotation compresses what was followed as plain text, may keep the plain file for a
while, and may do it while the agent is down: the compressed file then goes on under the plain one's id, at the same
offset, so that nothing is sent twice and what was not sent yet is not lost.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from producers.agent.files import FileKey, FileRecord, Found, Signature, key_of
from producers.agent.likeness import Examination, Likeness
from producers.agent.state import State
from producers.agent.unpack import Damaged, Unpacked, is_packed


class _Judged(NamedTuple):
    """What is known of a file that is not read."""

    signature: Signature
    copy_of: FileRecord | None = None  # it holds nothing but what this one holds, which is there
    damage: str = ""


class Archives:
    """One compressed file at a time: the others wait, and cost nothing."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._present: Mapping[FileKey, Found] = {}
        self._examined: Examination | None = None
        self._text: tuple[Found, Unpacked] | None = None
        self._judged: dict[FileKey, _Judged] = {}
        self.is_busy = False  # with a file that is not read to its end
        self.is_waited_for = False  # since `see_who_waits` a file was told to wait for another one

    def see(self, present: Mapping[FileKey, Found]) -> None:
        """All files that are there now."""
        self._present = present
        self._judged = {key: judged for key, judged in self._judged.items() if key in present}
        current = self._current()
        if current is not None and current.key not in present:
            self.close(current.key)

    def see_who_waits(self) -> None:
        """All files are about to be asked for."""
        self.is_waited_for = False

    def open(self, found: Found) -> Unpacked | None:
        """Its text, to be read from wherever; the same object again until `close`. None: nothing to read now.

        Its record, if it is a known file's content, is in the state then. Raises Damaged, and OSError.
        """
        current = self._current()
        if current is not None and current.key != found.key:
            self.is_waited_for = True
            return None
        if current is not None and current.signature != found.signature:
            self.close(found.key)
        if self._text is not None:
            return self._text[1]
        judged = self._judged.get(found.key)
        if judged is not None and judged.signature == found.signature:
            if judged.damage:
                raise Damaged(judged.damage)
            if judged.copy_of is None or self._is_there(judged.copy_of):
                return None
        return self._opened(found)

    def pass_over(self, found: Found) -> None:
        """There is no line in it."""
        self._judged[found.key] = _Judged(found.signature)

    def is_at(self, key: FileKey) -> bool:
        """Whether this file is the one that is examined or read."""
        current = self._current()
        return current is not None and current.key == key

    def close(self, key: FileKey) -> None:
        """Leave a file, for now or for good: the next one may be opened."""
        if self._examined is not None and self._examined.found.key == key:
            self._examined.close()
            self._examined = None
        if self._text is not None and self._text[0].key == key:
            self._text[1].close()
            self._text = None
        self.is_busy = self._current() is not None

    def _current(self) -> Found | None:
        if self._examined is not None:
            return self._examined.found
        return self._text[0] if self._text is not None else None

    def _opened(self, found: Found) -> Unpacked | None:
        record = self._state.find(found.key)
        if record is not None and record.packed == found.signature:
            return None if record.is_read else self._read(found, Path(found.path).open("rb"), record.size)
        if self._examined is None and not self._begin(found):
            return None
        assert self._examined is not None
        try:
            self.is_busy = not self._examined.go_on()
        except Damaged as error:
            self._judged[found.key] = _Judged(found.signature, damage=str(error))
            self.close(found.key)
            raise
        if self.is_busy:
            return None
        examined, self._examined = self._examined, None
        return self._decide(examined)

    def _begin(self, found: Found) -> bool:
        """Examining it. False: another file took the name, or the number of one that was compressed."""
        if not found.size:  # it has just been made
            return False
        file = Path(found.path).open("rb")  # noqa: SIM115 closed by the examination
        is_ours = found.key == key_of(file)
        if is_ours and is_packed(file):
            self._examined = Examination(found, file, self._candidates(found))
            return True
        file.close()
        if is_ours and found.is_packed:
            damage = "its name says gzip or zstd, its content does not"
            self._judged[found.key] = _Judged(found.signature, damage=damage)
            raise Damaged(damage)
        if is_ours and self._state.find(found.key) is not None:
            self._state.forget(found.key)
        return False

    def _decide(self, examined: Examination) -> Unpacked | None:
        found, size, like = examined.found, examined.size, examined.like()
        old = self._state.find(found.key)
        if like is not None and like.is_there:
            self._judged[found.key] = _Judged(found.signature, like.record)
            examined.close()
            return None
        if like is not None:
            device, inode = found.key
            heir = msgspec.structs.replace(
                like.record,
                device=device,
                inode=inode,
                path=found.printable,
                packed=found.signature,
                size=size,
                lines_end=examined.lines_end,
                is_over=False,
            )
            self._state.inherit(like.record, heir)
            if heir.is_read:
                examined.close()
                return None
        elif old is not None:
            self._state.forget(found.key)
        return self._read(found, examined.file, size)

    def _is_there(self, record: FileRecord) -> bool:
        known = self._state.find(record.key)
        return record.key in self._present and known is not None and known.file_id == record.file_id

    def _read(self, found: Found, file: BinaryIO, size: int) -> Unpacked:
        text = Unpacked(file, size)
        self._text = found, text
        self.is_busy = True
        return text

    def _candidates(self, found: Found) -> Iterator[Likeness]:
        """Those whose content this may be; the ones that are there first."""
        living = sorted(self._state.records(), key=lambda record: record.key not in self._present)
        past = self._state.past()
        over = {record.file_id for record in past}
        for record in [*(record for record in living if record.file_id not in over), *past]:
            if record.head_bytes and record.crc_sum is not None:
                there = None if record.is_over or record.key == found.key else self._present.get(record.key)
                yield Likeness(record, there)
