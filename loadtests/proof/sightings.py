"""When each probe was first seen, by store. Pure bookkeeping: whoever looks tells what was found."""

import bisect
import datetime as dt
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

BOARD, OPENSEARCH, LAKE, WAREHOUSE = "board", "opensearch", "lake", "warehouse"
ASKED = (OPENSEARCH, LAKE, WAREHOUSE)
AT_ONCE = 4_000  # more than come between two looks, at ten probes a second
GAPS = "gaps.csv"  # beside the sightings: store, and how long before each the look was that did not see it yet


class Seen(NamedTuple):
    """A probe was visible there. Microseconds since the epoch."""

    store: str
    key: str
    due_us: int
    seen_us: int
    gap_us: int  # since the look before it began, or since it was due: it was there for no longer than that


class _Shown(NamedTuple):
    """A snapshot of the board, as far as one minute's sales go."""

    sales: int
    at_us: int
    before_us: int | None  # when the snapshot before it came


class Sightings:
    """Probes that are still looked for, and those that were just seen.

    The board shows counts, not ids: a probe is on it with the first snapshot that counts at least as many sales of the
    probe's minute as OpenSearch held when the probe was found in it. What else is in the store does no harm.
    """

    def __init__(self, *, board: bool = True) -> None:
        self._lock = threading.Lock()
        self._missing: dict[str, dict[str, int]] = {store: {} for store in ASKED}  # due by key
        self._board = board
        self._absent: dict[str, dict[str, int]] = {store: {} for store in ASKED}  # by key: when last not there
        self._shown: dict[str, list[_Shown]] = defaultdict(list)  # by minute; sales and times ascend
        self._last_shown_us: int | None = None
        self._waiting: dict[str, list[tuple[int, str, int]]] = defaultdict(list)  # (sales, key, due) by minute
        self._new: list[Seen] = []

    def expect(self, key: str, due_us: int) -> None:
        """One more probe."""
        with self._lock:
            for missing in self._missing.values():
                missing[key] = due_us

    def missing(self, store: str) -> list[str]:
        """Some that were not found there yet: the oldest and the newest, so that lost ones do not hide the others."""
        with self._lock:
            keys = list(self._missing[store])
        return keys if len(keys) <= AT_ONCE else [*keys[: AT_ONCE // 2], *keys[-AT_ONCE // 2 :]]

    def oldest(self, store: str) -> dt.datetime:
        """When the oldest of them was due; now, if there is none."""
        with self._lock:
            due_us = min(self._missing[store].values(), default=time.time_ns() // 1000)
        return dt.datetime.fromtimestamp(due_us / 1e6, dt.UTC)

    @property
    def waiting(self) -> dict[str, int]:
        """How many are still to be seen, by store."""
        with self._lock:
            found = {store: len(missing) for store, missing in self._missing.items()}
            if self._board:
                found[BOARD] = sum(map(len, self._waiting.values())) + found[OPENSEARCH]
            return found

    def found(
        self,
        store: str,
        keys: Collection[str],
        at_us: int,
        sales: Mapping[str, int] | None = None,
        *,
        asked: Collection[str] = (),
        asked_us: int = 0,
    ) -> None:
        """They are there. `sales` by minute of the probes, as they were counted right after: OpenSearch only.

        `asked`: all that the same look, begun at `asked_us`, has asked for.
        """
        with self._lock:
            for key in keys:
                due_us = self._missing[store].pop(key, None)
                if due_us is None:
                    continue
                since_us = max(due_us, self._absent[store].pop(key, due_us))
                self._new.append(Seen(store, key, due_us, at_us, max(0, at_us - since_us)))
                minute = minute_of(due_us)
                if store == OPENSEARCH and self._board and sales is not None and minute in sales:
                    self._await_board(minute, sales[minute], key, due_us)
            self._absent[store].update((key, asked_us) for key in asked if key in self._missing[store])

    def board_shows(self, sales: Mapping[str, int], at_us: int) -> None:
        """A snapshot counts so many sales, by minute."""
        with self._lock:
            before_us, self._last_shown_us = self._last_shown_us, at_us
            for minute, count in sales.items():
                shown = self._shown[minute]
                if shown and count <= shown[-1].sales:
                    continue
                shown.append(_Shown(count, at_us, before_us))
                still = []
                for wanted in self._waiting.pop(minute, []):
                    if wanted[0] <= count:
                        self._new.append(_on_board(wanted[1], wanted[2], shown[-1]))
                    else:
                        still.append(wanted)
                if still:
                    self._waiting[minute] = still
            for old in self._shown.keys() - sales.keys():  # past the board's hour
                del self._shown[old]

    def take(self) -> list[Seen]:
        """What was seen since the last call."""
        with self._lock:
            new, self._new = self._new, []
            return new

    def _await_board(self, minute: str, sales: int, key: str, due_us: int) -> None:
        shown = self._shown.get(minute, [])
        place = bisect.bisect_left(shown, sales, key=lambda each: each.sales)
        if place < len(shown):
            # The board may have been asked a moment before we were.
            self._new.append(_on_board(key, due_us, shown[place]))
        else:
            self._waiting[minute].append((sales, key, due_us))


def _on_board(key: str, due_us: int, shown: _Shown) -> Seen:
    seen_us = max(shown.at_us, due_us)
    return Seen(BOARD, key, due_us, seen_us, seen_us - max(due_us, shown.before_us or due_us))


def minute_of(at_us: int) -> str:
    """Name of a minute: HH:MM of UTC; the board shows one hour."""
    seconds = at_us // 1_000_000
    return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}"
