"""The agent's memory: how far each file is acknowledged, and the lines that no record can hold."""

import dataclasses
import fcntl
import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from producers.agent.durable import replace, sync_folder
from producers.agent.files import FileKey, FileRecord, Said
from producers.agent.pack import Packed
from runtime.effects import Effect, no_effect
from runtime.errors import ConfigError

Kind = Literal["order", "access"]
STATE_FILES: dict[Kind, str] = {"order": "state.json", "access": "access.json"}
REFUSED_FOLDER = "refused"
_CHUNK_BYTES = 1 << 20


# Files that went, by which their compressed copies are known again. Each costs 300 bytes in every save.
PAST_FILES = 100

VERSION = 2  # 1 did not count for heartbeats: its files are counted when they are next read, those that are gone never


class Ledger(msgspec.Struct, kw_only=True):
    """The state file. `acknowledged_lines` of all files, the forgotten ones too, is what the stream has taken."""

    version: int = VERSION
    files: list[FileRecord] = []
    past: list[FileRecord] = []  # the last of the forgotten ones
    forgotten_files: int = 0  # deleted, replaced or truncated
    forgotten_lines: int = 0  # acknowledged lines of those

    @property
    def acknowledged_lines(self) -> int:
        return self.forgotten_lines + sum(record.acknowledged_lines for record in self.files)


def read_ledger(folder: Path, kind: Kind = "order") -> Ledger:
    """What the state folder holds of files of one kind; an empty ledger if nothing yet.

    Raises ConfigError for a file that is not ours.
    """
    path = folder / STATE_FILES[kind]
    try:
        ledger = msgspec.json.decode(path.read_bytes(), type=Ledger)
    except FileNotFoundError:
        return Ledger()
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(
            f"{path}: not readable as the agent's state ({error}); restore it, or move it away to send all files again"
        ) from error
    if not 1 <= ledger.version <= VERSION:
        raise ConfigError(f"{path}: version {ledger.version} is from another release; run that release")
    return ledger


class Taken(ConfigError):
    """Another agent is in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder}: another agent works on this folder; stop it, or give this one its own")
        self.folder = folder


def lock_folder(folder: Path, *, make: bool = True) -> int:
    """Keep other agents out of `folder` until the descriptor returned is closed, or the process ends.

    `make` it if it is missing. Raises ConfigError, Taken if another agent is in it.
    """
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(f"{folder}: not usable as a folder: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise Taken(folder) from error
    return fd


@dataclasses.dataclass(slots=True)
class _Counts:
    forgotten_files: int
    forgotten_lines: int


class State:
    """Checkpoints in memory, written as a whole. What is on disk may trail: a crash then sends lines twice."""

    def __init__(self, folder: Path, *, kind: Kind = "order", effect: Effect = no_effect) -> None:
        """The caller holds the lock. Raises ConfigError, see `read_ledger`."""
        self._folder = folder
        self._file = folder / STATE_FILES[kind]
        self._effect = effect
        ledger = read_ledger(folder, kind)
        self._files = {record.file_id: record for record in ledger.files}
        self._ids = {record.key: record.file_id for record in ledger.files if not record.is_over}
        self._past = {record.file_id: record for record in ledger.past}
        self._counts = _Counts(ledger.forgotten_files, ledger.forgotten_lines)
        self.changed = False  # memory is ahead of the disk
        self.has_new_files = False  # an id is in memory alone: save before it is sent

    def find(self, key: FileKey) -> FileRecord | None:
        file_id = self._ids.get(key)
        return None if file_id is None else self._files[file_id]

    def followed(self) -> list[FileKey]:
        """Every file that may still be read."""
        return list(self._ids)

    def records(self) -> list[FileRecord]:
        """Every file that is remembered, those that are over too."""
        return list(self._files.values())

    def remember(self, record: FileRecord) -> None:
        """Add a file, or say more about it."""
        self.has_new_files |= record.file_id not in self._files
        self._files[record.file_id] = record
        self._ids[record.key] = record.file_id
        self.changed = True

    def forget(self, key: FileKey) -> None:
        """The file is gone, or is no longer what it was: once its last heartbeat is acknowledged, or it needs none.

        Its count of lines stays in the total.
        """
        record = self._files[self._ids.pop(key)]
        self._keep_over(msgspec.structs.replace(record, is_over=True))

    def past(self) -> list[FileRecord]:
        """Files that are over, the last hundred: what is left of one may come back compressed."""
        return [record for record in self._files.values() if record.is_over] + list(self._past.values())

    def inherit(self, record: FileRecord, heir: FileRecord) -> None:
        """`record`'s content is in another file now: `heir` goes on where it stopped, under the same id."""
        if self._ids.get(record.key) == record.file_id:
            del self._ids[record.key]
        if self._past.pop(record.file_id, None):
            self._counts.forgotten_files -= 1
            self._counts.forgotten_lines -= record.acknowledged_lines
        self.remember(heir)

    def said(self, file_id: str, said: Said) -> None:
        """The stream has acknowledged a heartbeat."""
        record = self._files[file_id]
        if record.said == said:
            return
        record = msgspec.structs.replace(record, said=said)
        if record.is_over:
            self._keep_over(record)
        else:
            self.remember(record)

    def _keep_over(self, record: FileRecord) -> None:
        self._files[record.file_id] = record
        if record.said == record.standing(is_finished=True):
            del self._files[record.file_id]
            self._past[record.file_id] = record
            if len(self._past) > PAST_FILES:
                del self._past[next(iter(self._past))]
            self._counts.forgotten_files += 1
            self._counts.forgotten_lines += record.acknowledged_lines
        self.changed = True

    def advance(self, batch: Sequence[Packed], acknowledged: Sequence[bool]) -> tuple[int, int]:
        """Move each file's checkpoint over its lines in `batch`, up to the first that is not acknowledged.

        Returns over how many lines and bytes.
        """
        taken = _up_to_the_first_gap(batch, acknowledged)
        if not taken:
            return 0, 0
        moved_lines = moved_bytes = start = 0
        reached: dict[str, tuple[int, int, int]] = {}
        file_ids, _, ends, crcs, _, _ = zip(*taken, strict=True)
        for file_id, group in groupby(file_ids):
            _, count, crc_sum = reached.get(file_id, (0, 0, 0))
            stop = start + len(list(group))
            reached[file_id] = ends[stop - 1], count + stop - start, crc_sum + sum(crcs[start:stop])
            start = stop
        for file_id, (offset, lines, crc_sum) in reached.items():
            record = self._files[file_id]
            moved_lines += lines
            moved_bytes += offset - record.offset
            moved = msgspec.structs.replace(
                record,
                offset=offset,
                acknowledged_lines=record.acknowledged_lines + lines,
                crc_sum=None if record.crc_sum is None else record.crc_sum + crc_sum,
            )
            self.remember(moved)
        return moved_lines, moved_bytes

    def save(self) -> None:
        """Durable on return. Raises OSError; the state on disk is then the one before."""
        ledger = Ledger(
            files=list(self._files.values()),
            past=list(self._past.values()),
            forgotten_files=self._counts.forgotten_files,
            forgotten_lines=self._counts.forgotten_lines,
        )
        replace(self._file, [msgspec.json.encode(ledger)], self._effect, "state")
        self.changed = self.has_new_files = False

    def keep_refused(self, file_id: str, offset: int, size: int, file: BinaryIO) -> None:
        """Copy a line to `refused/<file id>@<offset>`: durable on return, the same if done twice. Raises OSError."""
        folder = self._folder / REFUSED_FOLDER
        if not folder.exists():
            folder.mkdir()
            sync_folder(self._folder)
        replace(folder / f"{file_id}@{offset}", _range_of(file, offset, size), self._effect, "refused")


def _up_to_the_first_gap(batch: Sequence[Packed], acknowledged: Sequence[bool]) -> Sequence[Packed]:
    """Of each file, the lines before the first that is not acknowledged."""
    if all(acknowledged):
        return batch
    held: set[str] = set()
    lines = []
    for line, is_acknowledged in zip(batch, acknowledged, strict=True):
        if not is_acknowledged:
            held.add(line.file_id)
        elif line.file_id not in held:
            lines.append(line)
    return lines


def _range_of(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    file.seek(offset)
    while size > 0 and (chunk := file.read(min(size, _CHUNK_BYTES))):
        size -= len(chunk)
        yield chunk
