"""Compressed files: found whole, told from what was sent before they were compressed, then read as their text.

A file's content is its identity. Rotation compresses what was followed as plain text, may keep the plain file for a
while, and may do it while the agent is down: the compressed file then goes on under the plain one's id, at the same
offset, so that nothing is sent twice and what was not sent yet is not lost.
"""

import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import msgspec

from producers.agent.files import HEAD_BYTES, FileKey, FileRecord, Found, hash_of_head
from producers.agent.state import State
from producers.agent.unpack import Damaged, Unpacked, is_packed, text_of

EXAMINED_AT_ONCE = 16 << 20  # bytes of text: 0.1 s, for which newer lines wait

Signature = tuple[int, int]  # (size, time of the last change in ns) of a compressed file


class _Judged(NamedTuple):
    """What is known of a file that is not read."""

    signature: Signature
    copy_of: FileKey | None  # it holds nothing but what this one holds; its own: no line at all
    damage: str = ""


class Archives:
    """One compressed file at a time: the others wait, and cost nothing."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._present: Mapping[FileKey, Found] = {}
        self._examined: _Examination | None = None
        self._text: tuple[Found, Unpacked] | None = None
        self._judged: dict[FileKey, _Judged] = {}
        self.is_busy = False  # with a file that is not read to its end

    def see(self, present: Mapping[FileKey, Found]) -> None:
        """All files that are there now."""
        self._present = present
        self._judged = {key: judged for key, judged in self._judged.items() if key in present}
        current = self._current()
        if current is not None and current.key not in present:
            self.close(current.key)

    def open(self, found: Found) -> Unpacked | None:
        """Its text, to be read from wherever; the same object again until `close`. None: nothing to read now.

        Its record, if it is a known file's content, is in the state then. Raises Damaged, and OSError.
        """
        current = self._current()
        if current is not None and current.key != found.key:
            return None
        if current is not None and _signature(current) != _signature(found):
            self.close(found.key)
        if self._text is not None:
            return self._text[1]
        judged = self._judged.get(found.key)
        if judged is not None and judged.signature == _signature(found):
            if judged.damage:
                raise Damaged(judged.damage)
            if judged.copy_of in self._present:
                return None
        return self._opened(found)

    def pass_over(self, found: Found) -> None:
        """There is no line in it."""
        self._judged[found.key] = _Judged(_signature(found), found.key)

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
        if record is not None and record.packed == _signature(found):
            return None if record.is_read else self._read(found, Path(found.path).open("rb"), record.size)
        if self._examined is None and not self._begin(found):
            return None
        assert self._examined is not None
        try:
            self.is_busy = not self._examined.go_on()
        except Damaged as error:
            self._judged[found.key] = _Judged(_signature(found), None, str(error))
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
        is_ours = found.key == _key_of(file)
        if is_ours and is_packed(file):
            self._examined = _Examination(found, file, self._candidates(found))
            return True
        file.close()
        if is_ours and found.is_packed:
            self._judged[found.key] = _Judged(
                _signature(found), None, "its name says gzip or zstd, its content does not"
            )
            raise Damaged(self._judged[found.key].damage)
        if is_ours and self._state.find(found.key) is not None:
            self._state.forget(found.key)
        return False

    def _decide(self, examined: "_Examination") -> Unpacked | None:
        found, size, same = examined.found, examined.size, examined.same()
        old = self._state.find(found.key)
        if same is not None and same.key != found.key and same.key in self._present and not same.is_over:
            self._judged[found.key] = _Judged(_signature(found), same.key)
            examined.close()
            return None
        if same is not None:
            device, inode = found.key
            heir = msgspec.structs.replace(
                same,
                device=device,
                inode=inode,
                path=found.printable,
                packed=_signature(found),
                size=size,
                lines_end=examined.lines_end,
                is_over=False,
            )
            self._state.inherit(same, heir)
            if heir.is_read:
                examined.close()
                return None
        elif old is not None:
            self._state.forget(found.key)
        return self._read(found, examined.file, size)

    def _read(self, found: Found, file: BinaryIO, size: int) -> Unpacked:
        text = Unpacked(file, size)
        self._text = found, text
        self.is_busy = True
        return text

    def _candidates(self, found: Found) -> "Iterator[_Likeness]":
        """Those whose content this may be; the ones that are there first."""
        living = sorted(self._state.records(), key=lambda record: record.key not in self._present)
        past = self._state.past()
        over = {record.file_id for record in past}
        for record in [*(record for record in living if record.file_id not in over), *past]:
            if record.head_bytes and record.crc_sum is not None:
                there = None if record.is_over or record.key == found.key else self._present.get(record.key)
                yield _Likeness(record, there)


class _Examination:
    """One pass over a compressed file, in steps."""

    def __init__(self, found: Found, file: BinaryIO, candidates: "Iterator[_Likeness]") -> None:
        self.found = found
        self.file = file
        self.size = 0  # of the text
        self.lines_end = 0  # where its last complete line ends
        self._pieces = text_of(file)
        self._candidates = candidates
        self._like: list[_Likeness] | None = None
        self._head = b""

    def go_on(self) -> bool:
        """Whether it is through. Raises Damaged."""
        end = self.size + EXAMINED_AT_ONCE
        for piece in self._pieces:
            self.lines_end = self.size + piece.rfind(b"\n") + 1 if b"\n" in piece else self.lines_end
            self.size += len(piece)
            if self._like is None:
                self._head += piece
                if len(self._head) >= HEAD_BYTES:
                    self._take(self._head)
            else:
                for like in self._like:
                    like.take(piece)
            if self.size >= end:
                return False
        if self._like is None:
            self._take(self._head)
        return True

    def same(self) -> FileRecord | None:
        """Whose content it is."""
        return next((like.record for like in self._like or () if like.holds(self.size)), None)

    def close(self) -> None:
        self.file.close()
        for like in self._like or ():
            like.close()

    def _take(self, text: bytes) -> None:
        """The first of it: what does not begin as it does is out of the question."""
        self._like = [like for like in self._candidates if like.begins_as(text[:HEAD_BYTES])]
        for like in self._like:
            like.take(text)


class _Comparison(Protocol):
    """One way to find out whether a text is a file's content."""

    def take(self, piece: bytes) -> None: ...

    def holds(self, size: int) -> bool: ...

    def close(self) -> None: ...


class _Likeness:
    """A record, and whether the text that is taken piece by piece is what it is about."""

    def __init__(self, record: FileRecord, there: Found | None) -> None:
        self.record = record
        self._there = there
        self._comparison: _Comparison | None = None

    def begins_as(self, head: bytes) -> bool:
        return hash_of_head(head[: self.record.head_bytes]) == self.record.head

    def take(self, piece: bytes) -> None:
        if self._comparison is None:
            self._comparison = self._begun()
        self._comparison.take(piece)

    def holds(self, size: int) -> bool:
        return self._comparison is not None and self._comparison.holds(size)

    def close(self) -> None:
        if self._comparison is not None:
            self._comparison.close()

    def _begun(self) -> _Comparison:
        if self._there is None:
            return _AsAcknowledged(self.record)
        if self.record.packed is not None:
            return _AsAcknowledged(self.record, size=self.record.size)
        try:
            file = Path(self._there.path).open("rb")  # noqa: SIM115 closed with this
        except OSError:
            return _AsAcknowledged(self.record)
        if _key_of(file) != self.record.key:
            file.close()
            return _AsAcknowledged(self.record)
        return _AsOnDisk(file)


class _AsAcknowledged:
    """Against what the stream has acknowledged of a file that is gone: as many lines, of the same sum of crc32."""

    def __init__(self, record: FileRecord, *, size: int | None = None) -> None:
        """`size` of the whole text, where it is known."""
        self._record = record
        self._size = size
        self._left = record.offset
        self._crc = 0  # of the line that has begun
        self._lines = self._crc_sum = 0

    def take(self, piece: bytes) -> None:
        part = piece[: self._left]
        self._left -= len(part)
        first, *others = part.split(b"\n")
        self._crc = zlib.crc32(first, self._crc)
        for line in others:
            self._crc_sum += self._crc
            self._crc = zlib.crc32(line)
        self._lines += len(others)

    def holds(self, size: int) -> bool:
        told = self._record.acknowledged_lines, self._record.crc_sum
        return not self._left and (self._lines, self._crc_sum) == told and self._size in (None, size)

    def close(self) -> None:
        """Nothing is open."""


class _AsOnDisk:
    """Against a plain file that is there: byte for byte. It may have grown since it was compressed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._is_same = True

    def take(self, piece: bytes) -> None:
        self._is_same = self._is_same and self._file.read(len(piece)) == piece

    def holds(self, size: int) -> bool:
        return self._is_same

    def close(self) -> None:
        self._file.close()


def _signature(found: Found) -> Signature:
    return found.size, found.modified_ns


def _key_of(file: BinaryIO) -> FileKey:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino
