"""What a store holds of the lines that were emitted, in as few questions as the stretches allow."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.account.emitted import Beat, Stretch, Tally
from consumers.account.stores.store import CONFLICT, Group, Kind, Store

_ANYWHERE = 2**63 - 1  # no line of a file begins there


@dataclass(slots=True, kw_only=True)
class FoundFile:
    """Rows of one file's stretch."""

    tally: Tally = Tally()
    revenue: Counter[str] = field(default_factory=Counter)  # of its orders, by currency
    lines: Counter[tuple[Kind, str]] = field(default_factory=Counter)  # by kind and label
    mended: int = 0  # orders and hits that were letters before

    def add(self, group: Group) -> None:
        self.tally = self.tally.plus(group.tally)
        self.lines[group.kind, group.label] += group.tally.lines
        self.mended += group.mended
        if group.kind is Kind.ORDER:
            self.revenue[group.label] += group.revenue


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnamed:
    """Rows of a file that no heartbeat vouches for."""

    file_id: str
    lines: int
    arrived_at: dt.datetime  # of the first one
    beyond: int | None = None  # the offset where the last heartbeat called the file final; None: there is no heartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one store holds of the stretches that it was asked for."""

    files: Mapping[str, FoundFile]  # a file of which nothing was found is absent
    unnamed: list[Unnamed]
    lines: Counter[tuple[Kind, str]]  # rows of all stretches, by kind and label

    @classmethod
    def of(cls, files: Mapping[str, FoundFile], unnamed: list[Unnamed]) -> "Found":
        lines: Counter[tuple[Kind, str]] = Counter()
        for file in files.values():
            lines.update(file.lines)
        return cls(files=files, unnamed=unnamed, lines=lines)

    def refused(self) -> dict[str, int]:
        """Letters by decisive reason, in order of name."""
        return {label: n for (kind, label), n in sorted(self.lines.items(), key=str) if kind is Kind.LETTER}

    def count(self, kind: Kind, label: str | None = None) -> int:
        """Rows of that kind; with a label, those that bear it."""
        return sum(n for (k, mark), n in self.lines.items() if k is kind and label in (None, mark))

    @property
    def mended(self) -> int:
        """Orders and hits that were letters, until they were sent again."""
        return sum(file.mended for file in self.files.values())

    @property
    def conflicts(self) -> int:
        """Duplicates whose content differs; they are among the duplicates."""
        return self.count(Kind.DUPLICATE, CONFLICT)


def look(store: Store, stretches: Mapping[str, Stretch], since: dt.datetime, known: Mapping[str, Beat]) -> Found:
    """Count the store's rows in each stretch.

    One question gives the totals of all files; only files with rows outside their stretch are asked for again, in
    chunks. `known`: the last heartbeat of every file. Raises what the store raises.
    """
    files: dict[str, FoundFile] = {}
    cut: set[str] = set()
    beyond: dict[str, Stretch] = {}
    strangers: dict[str, Unnamed] = {}
    for group in store.groups(since):
        stretch, beat = stretches.get(group.file_id), known.get(group.file_id)
        if beat is not None and beat.final and group.last >= beat.end:
            beyond[group.file_id] = Stretch(file_id=group.file_id, start=beat.end, end=_ANYWHERE, emitted=Tally())
        if stretch is None:
            if beat is None:
                _meet(strangers, group)
        elif group.first < stretch.start or group.last >= stretch.end:
            cut.add(group.file_id)
        else:
            files.setdefault(group.file_id, FoundFile()).add(group)
    for file_id in cut:
        files.pop(file_id, None)
    files |= look_within(store, [stretches[file_id] for file_id in sorted(cut)], since)
    for group in _groups_within(store, [stretch for _, stretch in sorted(beyond.items())], since):
        _meet(strangers, group, beyond[group.file_id].start)
    return Found.of(files, list(strangers.values()))


def look_within(store: Store, stretches: Sequence[Stretch], since: dt.datetime) -> dict[str, FoundFile]:
    """Count the rows of these stretches alone, chunk by chunk."""
    files: dict[str, FoundFile] = {}
    for group in _groups_within(store, stretches, since):
        files.setdefault(group.file_id, FoundFile()).add(group)
    return files


def _groups_within(store: Store, stretches: Sequence[Stretch], since: dt.datetime) -> Iterator[Group]:
    for start in range(0, len(stretches), store.at_once):
        yield from store.groups_within(stretches[start : start + store.at_once], since)


def _meet(strangers: dict[str, Unnamed], group: Group, beyond: int | None = None) -> None:
    known = strangers.get(group.file_id)
    strangers[group.file_id] = Unnamed(
        file_id=group.file_id,
        lines=group.tally.lines + (known.lines if known else 0),
        arrived_at=min(group.arrived_at, known.arrived_at) if known else group.arrived_at,
        beyond=beyond,
    )
