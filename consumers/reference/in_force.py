"""Which snapshots judge a record: those in force when it arrived, however late it is read."""

import logging
import threading
from collections.abc import Mapping
from datetime import datetime

from consumers.delivery import Backpressure
from consumers.reference.known import Known
from consumers.reference.published import JUDGED_BY, Loaded, Published
from consumers.stages.facts import ALWAYS, NEVER, InForce
from consumers.stages.rules import Thresholds
from contract.reference import LEAD, Kind, Snapshot
from runtime.clock import Clock
from runtime.objects import Objects
from runtime.outage import Outage

_log = logging.getLogger(__name__)

_AGAIN_S = 2.0  # after S3 did not give a snapshot that is needed now


class SnapshotReference:
    """The published snapshots. `at` and `versions` are for any thread, `look` for one. See `Reference`.

    Every snapshot is in the bucket two minutes before it judges: who looks at it knows all that judge until then. Where
    no look succeeds for longer, the last ones known go on judging, and that is `stale`.
    """

    def __init__(self, objects: Objects, thresholds: Thresholds, clock: Clock, *, held: int) -> None:
        """`held`: snapshots of each kind in memory; the next to come is one of them."""
        self._published = {kind: Published(objects, kind) for kind in JUDGED_BY}
        self._thresholds = thresholds
        self._clock = clock
        self._held = held
        self._lock = threading.RLock()
        self._loaded: dict[tuple[Kind, str], Loaded] = {}  # the one asked for last at the end
        self._recent: tuple[InForce, ...] = ()  # replaced as a whole
        self._known = Known(LEAD, clock)

    def look(self) -> None:
        """Take in what is new, and load what judges now and next. Raises Outage: what is known goes on judging."""
        now = self._clock.now()
        changed = [published.look(now) for published in self._published.values()]  # all of them, whatever is new
        with self._lock:
            self._known.looked(now)
            if any(changed):
                self._recent = ()
        for published in self._published.values():
            for snapshot in [each for each, _, until in _spans(published) if until > now][:2]:
                self._prefetch(published, snapshot)

    @property
    def is_stale(self) -> bool:
        """Whether a newer snapshot may be in force by now."""
        return self._known.is_stale

    def at(self, arrived_at: datetime) -> InForce:
        for facts in self._recent[:1]:  # as a rule the last one: a shard's records arrive in order
            if facts.since <= arrived_at < facts.until:
                return facts
        with self._lock:
            known = [facts for facts in self._recent if facts.since <= arrived_at < facts.until]
            facts = known[0] if known else self._facts(arrived_at)
            for place in [
                place for place, one in self._loaded.items() if one is facts.prices or one is facts.customers
            ]:
                self._loaded[place] = self._loaded.pop(place)
            self._recent = (facts, *(each for each in self._recent if each is not facts))[: self._held]
            return facts

    def versions(self, first: datetime, last: datetime) -> Mapping[str, str]:
        with self._lock:
            found: dict[str, str] = {
                kind: self._versions(published, first, last) for kind, published in self._published.items()
            }
            missed = self._known.missed_since(first, last)
        return found if missed is None else {**found, "stale": missed.isoformat()}

    def _versions(self, published: Published, first: datetime, last: datetime) -> str:
        judging = [each.version for each, since, until in _spans(published) if since <= last and first < until]
        return ",".join(judging) or "none"

    def _facts(self, arrived_at: datetime) -> InForce:
        since, until = ALWAYS, NEVER
        found: dict[Kind, Loaded | None] = {}
        for kind, published in self._published.items():
            found[kind], begins, ends = self._judging(published, arrived_at)
            since, until = max(since, begins), min(until, ends)
        return InForce(
            prices=found["catalogue"],
            customers=found["customers"],
            thresholds=self._thresholds,
            since=since,
            until=until,
        )

    def _judging(self, published: Published, arrived_at: datetime) -> tuple[Loaded | None, datetime, datetime]:
        """The snapshot in force then, from when and until when. Before the first one there is none."""
        while True:
            spans = _spans(published)
            begins, ends = ALWAYS, spans[0][1] if spans else NEVER
            snapshot = None
            for each, since, until in spans:
                if since <= arrived_at < until:
                    snapshot, begins, ends = each, since, until
            if snapshot is None:
                return None, begins, ends
            try:
                loaded = self._load(published, snapshot)
            except Outage as outage:
                raise Backpressure(_AGAIN_S, f"{published.kind} {snapshot.version}: {outage}") from outage
            if loaded is not None:
                return loaded, begins, ends

    def _load(self, published: Published, snapshot: Snapshot) -> Loaded | None:
        """From memory, else from the bucket; None for a corrupt one."""
        place = published.kind, snapshot.version
        loaded = self._loaded.pop(place, None)
        if loaded is None:
            self._make_room(published.kind)
            loaded = self._read(published, snapshot)
        if loaded is not None:
            self._loaded[place] = loaded
        return loaded

    def _prefetch(self, published: Published, snapshot: Snapshot) -> None:
        """Read it, and so check it, before it is needed. Others go on judging by what is in memory."""
        place = published.kind, snapshot.version
        with self._lock:
            if place in self._loaded:
                self._loaded[place] = self._loaded.pop(place)
                return
            self._make_room(published.kind)
        loaded = self._read(published, snapshot)
        with self._lock:
            if loaded is None:
                self._recent = ()  # who judges next is another one than was thought
            else:
                self._loaded[place] = loaded

    def _read(self, published: Published, snapshot: Snapshot) -> Loaded | None:
        started_s = self._clock.monotonic()
        loaded = published.load(snapshot)
        if loaded is not None:
            took_s = self._clock.monotonic() - started_s
            _log.info("%s %s: %d entries in %.1f s", published.kind, snapshot.version, snapshot.rows, took_s)
        return loaded

    def _make_room(self, kind: Kind) -> None:
        """For one more: before it comes, so that there are never more in memory than are to be held."""
        of_kind = [place for place in self._loaded if place[0] == kind]
        for place in of_kind[: max(0, len(of_kind) - self._held + 1)]:
            gone = self._loaded.pop(place)
            self._recent = tuple(
                each for each in self._recent if gone is not each.prices and gone is not each.customers
            )


def _spans(published: Published) -> list[tuple[Snapshot, datetime, datetime]]:
    """Each snapshot, from when it judges and until when; of two that begin together the first judges nothing."""
    snapshots = published.snapshots
    ends = [*(following.effective_at for following in snapshots[1:]), NEVER]
    return [(each, each.effective_at, end) for each, end in zip(snapshots, ends, strict=False)]
