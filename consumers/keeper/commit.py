"""The duty that takes history in: every chain's next manifests into one store, in rounds."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

from consumers.keeper.backlog import Backlog, Chains
from consumers.keeper.portions import Limits, portion, turns
from consumers.keeper.store import Discrepancy, HistoryStore, Outrun, Place
from consumers.manifests import Manifest, manifest_key
from consumers.tally import Tally
from runtime.clock import Clock
from runtime.effects import Effect, no_effect
from runtime.outage import Stop, Trouble

_log = logging.getLogger(__name__)

_LOOK_S = 15.0  # a shard that is new during a long back-fill is found after so long
_OUTRUN = 3  # times in a row, then the other keeper is left to it until the next turn


class CommitDuty:
    """One store's. What it has taken, the store says, before every round; what it is asked to take follows from that.

    A shard whose manifests the store refuses stands still, and is tried again each turn; the others go on.
    """

    def __init__(
        self,
        *,
        store: HistoryStore,
        chains: Chains,
        applications: Sequence[str],
        limits: Limits,
        clock: Clock,
        effect: Effect = no_effect,
    ) -> None:
        """`applications`: those whose chains to take, live loads first."""
        self.name = store.name
        self._store = store
        self._chains = chains
        self._applications = applications
        self._limits = limits
        self._clock = clock
        self._effect = effect
        self._backlog = Backlog(chains, ahead=limits.of_shard)
        self._tally = Tally()
        self._round_number = 0
        self._shards: dict[str, Sequence[str]] = {}  # by application
        self._look_at_s = float("-inf")  # monotonic
        self._stuck: dict[Place, Trouble] = {}  # shards that stand still
        self._taken: dict[Place, int] | None = None

    @property
    def stuck(self) -> frozenset[Place]:
        """Shards that stand still, for what the log has said."""
        return frozenset(self._stuck)

    @property
    def taken(self) -> dict[Place, int] | None:
        """What the store had taken when it was last asked, and since; None until it has been. Asks nobody: a warehouse
        that is asked wakes. From any thread."""
        return None if self._taken is None else dict(self._taken)

    def prepare(self) -> None:
        """See `HistoryStore.prepare`."""
        self._store.prepare()

    def turn(self, check: Callable[[], None], stop: Stop) -> None:
        """Take all that waits. `check` raises LeaseLost; it is asked before every `take`.

        Raises Outage and ConfigError where the store or the bucket is to blame.
        """
        self._look_at_s = float("-inf")
        suspects = set(self._stuck)
        outrun = 0
        while not stop.is_set():
            check()
            try:
                if not self._round(check, suspects):
                    return
                outrun = 0
            except Outrun as other:
                _log.info("%s: %s", self.name, other)
                outrun += 1
                if outrun == _OUTRUN:
                    return

    def report(self) -> str:
        """What was taken since the last report."""
        counts, slowest_s = self._tally.take()
        still = f"; {len(self._stuck)} shards stand still" if self._stuck else ""
        return (
            f"{self.name}: {counts['manifests']} manifests, {counts['rows']} rows in {counts['takes']} commits;"
            f" arrival to stored {slowest_s:.1f} s at most{still}"
        )

    def _round(self, check: Callable[[], None], suspects: set[Place]) -> bool:
        """Returns whether more was waiting than was taken. What arrives meanwhile is for the next turn: else a turn
        would never end, in ever smaller commits."""
        taken = self._store.taken()
        self._taken = dict(taken)
        order = turns(self._applications, self._known_shards(), self._round_number)
        self._round_number += 1
        waiting, faults = self._backlog.fill(order, taken)
        for place, fault in faults.items():
            self._stand_still(place, fault)
        for place in suspects - faults.keys() - {place for place, queue in waiting.items() if queue}:
            self._goes_on(place)
        # What stood still is tried by itself, one manifest of it, so that it does not hold up the others again.
        alone = [[waiting[place][0]] for place in sorted(suspects) if waiting[place]]
        suspects.clear()
        healthy = {place: queue for place, queue in waiting.items() if place not in self._stuck}
        together = portion(healthy, order, self._limits)
        for part in (together, *alone):
            if part:
                self._take(part, check)
        is_read_whole = all(len(queue) < self._limits.of_shard for queue in healthy.values())
        waited = sum(len(queue) for queue in healthy.values())
        return bool(alone) or len(together) < waited or not is_read_whole

    def _known_shards(self) -> dict[str, Sequence[str]]:
        now_s = self._clock.monotonic()
        if now_s >= self._look_at_s:
            self._shards = {each: list(self._chains.shards(each)) for each in self._applications}
            self._look_at_s = now_s + _LOOK_S
        return self._shards

    def _take(self, manifests: Sequence[Manifest], check: Callable[[], None]) -> None:
        """Take them; where the store refuses, all but those to blame and what follows them in their shards."""
        check()
        self._effect(f"take {self.name}")
        try:
            self._store.take(manifests)
        except Discrepancy as fault:
            if len(manifests) == 1:
                self._stand_still(_place(manifests[0]), f"{_key(manifests[0])}: {fault}")
                return
        else:
            self._count(manifests)
            return
        for half in _halves(manifests):
            left = [each for each in half if _place(each) not in self._stuck]
            if left:
                self._take(left, check)

    def _count(self, manifests: Sequence[Manifest]) -> None:
        self._tally.add("takes", 1)
        self._tally.add("manifests", len(manifests))
        self._tally.add("rows", sum(file.rows for manifest in manifests for file in manifest.data))
        oldest = min(manifest.first_arrived_at for manifest in manifests)
        self._tally.delayed((self._clock.now() - oldest).total_seconds())
        for manifest in manifests:
            if self._taken is not None:
                self._taken[_place(manifest)] = manifest.last
        for place in {_place(manifest) for manifest in manifests}:
            self._goes_on(place)

    def _stand_still(self, place: Place, why: str) -> None:
        what = f"{self.name}: {'/'.join(place)} stands still"
        self._stuck.setdefault(place, Trouble(what, self._clock)).goes_on(why)

    def _goes_on(self, place: Place) -> None:
        trouble = self._stuck.pop(place, None)
        if trouble is not None:
            trouble.over()


def _place(manifest: Manifest) -> Place:
    return manifest.application, manifest.shard_id


def _key(manifest: Manifest) -> str:
    return manifest_key(manifest.application, manifest.shard_id, manifest.previous)


def _halves(manifests: Sequence[Manifest]) -> tuple[Sequence[Manifest], Sequence[Manifest]]:
    """By shard while there is more than one, then by place in the chain."""
    shards: dict[Place, list[Manifest]] = defaultdict(list)
    for manifest in manifests:
        shards[_place(manifest)].append(manifest)
    if len(shards) == 1:
        middle = len(manifests) // 2
        return manifests[:middle], manifests[middle:]
    parts = list(shards.values())
    middle = len(parts) // 2
    return [m for part in parts[:middle] for m in part], [m for part in parts[middle:] for m in part]
