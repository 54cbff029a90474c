"""How far each file is sent: from the state folder and the files themselves, whether an agent runs or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from producers.agent.files import FileKey, FileRecord, Found, look_at, scan
from producers.agent.globs import Glob, Names
from producers.agent.state import Kind, read_ledger

Condition = Literal["followed", "new", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One file."""

    kind: Kind
    path: str
    condition: Condition  # new: not seen by the agent yet; gone: its last heartbeat has yet to be sent
    file_id: str | None
    offset: int  # acknowledged up to here
    size: int  # bytes in it now; of the text, for one that is compressed, which nobody knows while it is new: 0
    lag_bytes: int  # of lines to be sent; what may be the beginning of one, too, until the agent has looked at it


def positions(state: Path, kind: Kind, globs: Sequence[Glob]) -> list[Position]:
    """All files of a kind, by path. Raises ConfigError, see `read_ledger`."""
    ledger = read_ledger(state, kind)
    records = {record.key: record for record in ledger.files if not record.is_over}
    there = _there(globs, records)
    found = [_of_record(kind, record, there.get(record.key)) for record in ledger.files]
    found += [_of_new(kind, file) for key, file in there.items() if key not in records]
    return sorted(found, key=lambda position: position.path)


def _there(globs: Sequence[Glob], records: dict[FileKey, FileRecord]) -> dict[FileKey, Found]:
    patterns: dict[str, list[str]] = {}
    for glob in globs:
        for folder in glob.folders():
            patterns.setdefault(folder, []).append(glob.name)
    there: dict[FileKey, Found] = {}
    for folder, names in patterns.items():
        try:
            for file in sorted(scan(folder, Names(names).match, records.__contains__)):
                there.setdefault(file.key, file)
        except OSError:
            continue
    return there


def _of_record(kind: Kind, record: FileRecord, file: Found | None) -> Position:
    if file is None and not record.is_over:
        file = look_at(record.path)
        file = file if file is not None and file.key == record.key else None
    size = record.size if file is None or record.packed is not None else file.size
    end = record.lines_end if size == record.size and record.lines_end >= 0 else size
    is_gone = file is None or record.is_over
    return Position(
        kind=kind,
        path=record.path,
        condition="gone" if is_gone else "followed",
        file_id=record.file_id,
        offset=record.offset,
        size=size,
        lag_bytes=0 if is_gone else max(0, end - record.offset),
    )


def _of_new(kind: Kind, file: Found) -> Position:
    size = 0 if file.is_packed else file.size
    return Position(
        kind=kind, path=file.printable, condition="new", file_id=None, offset=0, size=size, lag_bytes=file.size
    )
