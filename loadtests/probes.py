"""Probes: orders whose way to the board is timed.

A probe is on the board with the first snapshot that counts at least as many orders as OpenSearch held when the probe
was found in it: what the board has counted then includes the probe, whatever was asked before or after what. This
needs a board and an OpenSearch that hold nothing but the orders of this run, all of them of the last hour.
"""

import bisect
import statistics
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from opensearchpy import OpenSearch, OpenSearchException

from runtime.clock import Clock

_LOOK_S = 0.03
_AT_ONCE = 500


class Sighting(NamedTuple):
    """So many orders were counted, at that time (monotonic seconds)."""

    at: float
    orders: int


class _Minute(msgspec.Struct):
    orders: int


class _Snapshot(msgspec.Struct):
    """What is read of a board's snapshot."""

    minutes: list[_Minute]


class Probes:
    """What is known of each probe, by event id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}
        self._found: dict[str, Sighting] = {}
        self._arrived: dict[str, dict[str, float]] = {}  # by store of history
        self._shown: list[Sighting] = []  # snapshots that count more orders than the one before

    def __len__(self) -> int:
        return len(self._due)

    def expect(self, event_id: str, due: float) -> None:
        """One more probe, due at that time (monotonic seconds)."""
        self._due[event_id] = due

    def missing(self) -> list[str]:
        """Probes that OpenSearch has not shown yet, the oldest first."""
        return [event_id for event_id in list(self._due) if event_id not in self._found]

    def found(self, event_ids: Sequence[str], orders: int) -> None:
        """A search has just found these, among so many orders in all."""
        sighting = Sighting(self._clock.monotonic(), orders)
        self._found.update(dict.fromkeys(event_ids, sighting))

    def missing_in(self, store: str) -> list[str]:
        """Probes that were not found in that store of history yet, the oldest first."""
        arrived = self._arrived.get(store, {})
        return [event_id for event_id in list(self._due) if event_id not in arrived]

    def arrived(self, store: str, event_ids: Collection[str]) -> None:
        """These have just been found in that store of history."""
        self._arrived.setdefault(store, {}).update(dict.fromkeys(event_ids, self._clock.monotonic()))

    def board_shows(self, snapshot: bytes) -> None:
        """The board has just sent this."""
        orders = sum(minute.orders for minute in msgspec.json.decode(snapshot, type=_Snapshot).minutes)
        if not self._shown or orders > self._shown[-1].orders:
            self._shown.append(Sighting(self._clock.monotonic(), orders))

    @property
    def found_s(self) -> list[float]:
        """Of each probe that was found: seconds from when it was due until a search finds it."""
        return [sighting.at - self._due[event_id] for event_id, sighting in self._found.items()]

    def arrived_s(self, store: str) -> list[float]:
        """Of each probe that was found in that store of history: seconds from when it was due until then."""
        return [at - self._due[event_id] for event_id, at in self._arrived.get(store, {}).items()]

    @property
    def shown_s(self) -> list[float]:
        """Of each probe that the board has shown: seconds from when it was due until then."""
        waits = []
        for event_id, sighting in list(self._found.items()):
            first = bisect.bisect_left(self._shown, sighting.orders, key=lambda shown: shown.orders)
            if first < len(self._shown):
                waits.append(self._shown[first].at - self._due[event_id])
        return waits


def percentiles(waits: list[float]) -> dict[str, float]:
    """p50, p95, p99 and the longest; empty for fewer than two."""
    if len(waits) < 2:
        return {}
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(waits)}


@contextmanager
def searched(client: OpenSearch, probes: Probes) -> Iterator[None]:
    """Look for missing probes the way the board looks: by search, so not before a refresh."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(_LOOK_S):
            missing = probes.missing()[:_AT_ONCE]
            if missing:
                _search(client, probes, missing)

    looker = threading.Thread(target=look, name="looker", daemon=True)
    looker.start()
    try:
        yield
    finally:
        done.set()
        looker.join()


def _search(client: OpenSearch, probes: Probes, missing: Sequence[str]) -> None:
    body: dict[str, Any] = {
        "size": len(missing),
        "_source": False,
        "query": {"ids": {"values": missing}},
        "aggs": {"all": {"global": {}}},
    }
    try:
        answer = client.search(
            index="orders-*", body=body, params={"ignore_unavailable": "true", "allow_no_indices": "true"}
        )
    except OpenSearchException:  # a new index whose shard is not started yet: the board waits too
        return
    found = [hit["_id"] for hit in answer["hits"]["hits"]]
    if found:
        probes.found(found, answer["aggregations"]["all"]["doc_count"])
