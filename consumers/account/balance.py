"""The comparison: what was emitted against what was found. Pure.

emitted = stored + dead + duplicates + in flight, for every file by itself: what one file lacks, another one cannot
make up for.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from consumers.account.emitted import Beat, Stretch, Tally
from consumers.account.found import FoundFile, Unnamed


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One file's closed stretch that one store does not hold exactly."""

    store: str
    stretch: Stretch
    found: Tally

    @property
    def missing(self) -> int:
        """Lines that were not found; below 0 where more were found than emitted."""
        return self.stretch.emitted.lines - self.found.lines

    def __str__(self) -> str:
        emitted, found = self.stretch.emitted, self.found
        same = " (not the same ones)" if found.lines == emitted.lines else ""
        return f"{emitted.lines} lines emitted, {found.lines} found{same}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A file whose agent has not said that it is done with it."""

    beat: Beat  # the last one
    silent_s: float  # for so long there was no other
    is_gap: bool  # too long: nobody knows what the file holds beyond


def differences(store: str, stretches: Mapping[str, Stretch], found: Mapping[str, FoundFile]) -> list[Difference]:
    """The stretches whose lines, bytes or checksums are not those that were emitted, in order of file id."""
    nothing = FoundFile()
    return [
        Difference(store=store, stretch=stretch, found=found.get(file_id, nothing).tally)
        for file_id, stretch in sorted(stretches.items())
        if found.get(file_id, nothing).tally != stretch.emitted
    ]


def in_flight(emitted: Mapping[str, Stretch], closed: Mapping[str, Stretch]) -> int:
    """Lines emitted beyond what is closed."""
    beyond = 0
    for file_id, stretch in emitted.items():
        done = closed.get(file_id)
        beyond += stretch.emitted.lines - (done.emitted.lines if done else 0)
    return beyond


def open_files(beats: Iterable[Beat], seen_until: dt.datetime, quiet_s: float) -> list[Open]:
    """The files that are not final. `seen_until`: every heartbeat that arrived before it is known."""
    found = []
    for beat in beats:
        if not beat.final:
            silent_s = max(0.0, (seen_until - beat.arrived_at).total_seconds())
            found.append(Open(beat=beat, silent_s=silent_s, is_gap=silent_s > quiet_s))
    return sorted(found, key=lambda file: (-file.silent_s, file.beat.file_id))


def too_old(unnamed: Iterable[Unnamed], seen_until: dt.datetime, quiet_s: float) -> list[Unnamed]:
    """Files whose first row arrived so long ago that a heartbeat should have named them."""
    oldest = seen_until - dt.timedelta(seconds=quiet_s)
    return sorted((file for file in unnamed if file.arrived_at < oldest), key=lambda file: file.file_id)


def revenue_of(files: Iterable[FoundFile]) -> dict[str, int]:
    """Minor units by currency, in order of currency; never summed across currencies."""
    total: dict[str, int] = {}
    for file in files:
        for currency, revenue in file.revenue.items():
            total[currency] = total.get(currency, 0) + revenue
    return dict(sorted(total.items()))


def disagreements(revenue: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Currencies whose revenue is not the same in all stores. In: by store, then currency. Out: by currency, store."""
    currencies = sorted({currency for each in revenue.values() for currency in each})
    table = {c: {store: each.get(c, 0) for store, each in revenue.items()} for c in currencies}
    return {currency: each for currency, each in table.items() if len(set(each.values())) > 1}
