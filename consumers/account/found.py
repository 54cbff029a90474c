"""What a store holds of the lines that were emitted, in as few questions as the stretches allow."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from consumers.account.emitted import Stretch, Tally
from consumers.account.stores.store import CONFLICT, Group, Kind, Store


@dataclass(slots=True, kw_only=True)
class FoundFile:
    """Rows of one file's stretch."""

    tally: Tally = Tally()
    revenue: Counter[str] = field(default_factory=Counter)  # of its orders, by currency
    lines: Counter[tuple[Kind, str]] = field(default_factory=Counter)  # by kind and label

    def add(self, group: Group) -> None:
        self.tally = self.tally.plus(group.tally)
        self.lines[group.kind, group.label] += group.tally.lines
        if group.kind is Kind.ORDER:
            self.revenue[group.label] += group.revenue


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnamed:
    """Rows of a file that no heartbeat names."""

    file_id: str
    lines: int
    arrived_at: dt.datetime  # of the first one


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
    def conflicts(self) -> int:
        """Duplicates whose content differs; they are among the duplicates."""
        return self.count(Kind.DUPLICATE, CONFLICT)


def look(store: Store, stretches: Mapping[str, Stretch], since: dt.datetime, known: Iterable[str]) -> Found:
    """Count the store's rows in each stretch.

    One question gives the totals of all files; only files with rows outside their stretch are asked for again, in
    chunks. `known` are the files that heartbeats name. Raises what the store raises.
    """
    files: dict[str, FoundFile] = {}
    cut: set[str] = set()
    strangers: dict[str, Unnamed] = {}
    named = set(known)
    for group in store.groups(since):
        stretch = stretches.get(group.file_id)
        if stretch is None:
            if group.file_id not in named:
                _meet(strangers, group)
        elif group.first < stretch.start or group.last >= stretch.end:
            cut.add(group.file_id)
        else:
            files.setdefault(group.file_id, FoundFile()).add(group)
    for file_id in cut:
        files.pop(file_id, None)
    files |= look_within(store, [stretches[file_id] for file_id in sorted(cut)], since)
    return Found.of(files, list(strangers.values()))


def look_within(store: Store, stretches: list[Stretch], since: dt.datetime) -> dict[str, FoundFile]:
    """Count the rows of these stretches alone, chunk by chunk."""
    files: dict[str, FoundFile] = {}
    for start in range(0, len(stretches), store.at_once):
        for group in store.groups_within(stretches[start : start + store.at_once], since):
            files.setdefault(group.file_id, FoundFile()).add(group)
    return files


def _meet(strangers: dict[str, Unnamed], group: Group) -> None:
    known = strangers.get(group.file_id)
    strangers[group.file_id] = Unnamed(
        file_id=group.file_id,
        lines=group.tally.lines + (known.lines if known else 0),
        arrived_at=min(group.arrived_at, known.arrived_at) if known else group.arrived_at,
    )
