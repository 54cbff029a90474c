"""What was emitted: heartbeats, and the stretches of files between two of them."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

ORDER, ACCESS = "order", "access"
KINDS = (ORDER, ACCESS)  # of files, as heartbeats say; the lines of each travel on a stream of its own


class Tally(msgspec.Struct, frozen=True, gc=False):
    """Lines, their bytes (newlines not counted) and the sum of their crc32: equal tallies mean the same lines."""

    lines: int = 0
    bytes: int = 0
    crc: int = 0

    def plus(self, other: "Tally") -> "Tally":
        return Tally(self.lines + other.lines, self.bytes + other.bytes, self.crc + other.crc)

    def minus(self, other: "Tally") -> "Tally":
        return Tally(self.lines - other.lines, self.bytes - other.bytes, self.crc - other.crc)


class Beat(NamedTuple):
    """What the account reads of a heartbeat: cumulative from the file's start."""

    file_id: str
    path: str  # host/path, for people
    end: int  # every line that begins before it is acknowledged
    tally: Tally  # of those lines
    size: int  # bytes in the file when this was sent
    final: bool  # no more lines are expected
    arrived_at: dt.datetime  # aware UTC
    kind: str = ORDER  # of the file's lines

    @property
    def skipped(self) -> int:
        """Bytes before `end` that belong to no line that was sent: lines were passed over at the source."""
        return self.end - self.tally.bytes - self.tally.lines

    @property
    def unsent(self) -> int:
        """Bytes that were in the file and not yet acknowledged; a last line without its newline among them."""
        return max(0, self.size - self.end)


class Heartbeats(Protocol):
    """A table `account` of heartbeats; one that says what the one before said is kept, and shows that its agent lives.

    Every method may raise Outage, and ConfigError.
    """

    @property
    def name(self) -> str: ...

    def newest(self, since: dt.datetime) -> Mapping[str, dt.datetime]:
        """Arrival of the newest heartbeat that the table holds, by kind of file; absent where none arrived since."""
        ...

    def last(self, since: dt.datetime, before: dt.datetime) -> Iterator[Beat]:
        """The furthest one of each file, among those with since <= arrival < before; the latest of several."""
        ...

    def of_file(self, stretch: "Stretch", since: dt.datetime) -> Iterator[Beat]:
        """Those of one file that end inside a stretch or at its ends, and arrived since, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The lines of one file that begin at `start` or after it, and before `end`."""

    file_id: str
    start: int
    end: int
    emitted: Tally

    @property
    def skipped(self) -> int:
        """Bytes of it that belong to no line that was sent."""
        return self.end - self.start - self.emitted.bytes - self.emitted.lines


def furthest(*tables: Iterable[Beat]) -> dict[str, Beat]:
    """The furthest beat of each file in any of the tables. Of two that are as far, the later one: it knows more."""
    found: dict[str, Beat] = {}
    for beats in tables:
        for beat in beats:
            known = found.get(beat.file_id)
            if known is None or (beat.end, beat.arrived_at) > (known.end, known.arrived_at):
                found[beat.file_id] = beat
    return found


def stretches_between(first: Mapping[str, Beat], last: Mapping[str, Beat]) -> dict[str, Stretch]:
    """What was emitted from each file's `first` beat (its beginning, if it has none) up to its `last` one."""
    stretches = {}
    for file_id, beat in last.items():
        start = first.get(file_id)
        if start is None:
            stretches[file_id] = Stretch(file_id=file_id, start=0, end=beat.end, emitted=beat.tally)
        elif start.end < beat.end:
            emitted = beat.tally.minus(start.tally)
            stretches[file_id] = Stretch(file_id=file_id, start=start.end, end=beat.end, emitted=emitted)
    return {file_id: stretch for file_id, stretch in stretches.items() if stretch.end > 0}


def common(per_store: Iterable[Mapping[str, Stretch]]) -> dict[str, Stretch]:
    """The shortest stretch of each file; a file that is not in all of the mappings is left out."""
    every = list(per_store)
    if not every:
        return {}
    files = set(every[0]).intersection(*every[1:])
    return {file_id: min((stretches[file_id] for stretches in every), key=lambda s: s.end) for file_id in files}


def total(stretches: Iterable[Stretch]) -> Tally:
    """Emitted in all of them."""
    lines = size = crc = 0
    for stretch in stretches:
        lines += stretch.emitted.lines
        size += stretch.emitted.bytes
        crc += stretch.emitted.crc
    return Tally(lines, size, crc)
