"""What waits to be taken: the heads of all chains, read ahead a little."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Protocol

from consumers.keeper.store import Place
from consumers.manifests import START, Manifest
from consumers.spans.chain import Chain, shards_of
from runtime.errors import ConfigError
from runtime.objects import Objects

_READERS = 8  # chains read at the same time: each read is one small object


class Chains(Protocol):
    """Every chain in the lake's bucket. Raises Outage, and ConfigError for a chain that is not whole."""

    def shards(self, application: str) -> Iterable[str]:
        """Shards that have a chain."""
        ...

    def after(self, place: Place, sequence: int) -> Iterator[Manifest]:
        """The manifests that follow `sequence`, in chain order."""
        ...

    def check(self, place: Place, sequence: int) -> None:
        """See that a chain ends at `sequence`, or goes on there."""
        ...


class BucketChains:
    """The real ones."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def shards(self, application: str) -> Iterable[str]:
        return shards_of(self._objects, application)

    def after(self, place: Place, sequence: int) -> Iterator[Manifest]:
        application, shard_id = place
        return Chain(self._objects, application, shard_id).after(sequence)

    def check(self, place: Place, sequence: int) -> None:
        application, shard_id = place
        Chain(self._objects, application, shard_id).check(sequence)


class Backlog:
    """The next manifests of each place, at most `ahead` of each in memory; for one store, and one thread."""

    def __init__(self, chains: Chains, *, ahead: int) -> None:
        self._chains = chains
        self._ahead = ahead
        self._waiting: dict[Place, deque[Manifest]] = {}
        self._checked: set[Place] = set()

    def fill(
        self, places: Sequence[Place], taken: Mapping[Place, int]
    ) -> tuple[dict[Place, list[Manifest]], dict[Place, str]]:
        """What waits at each place after what is `taken`, and what is wrong with the chains that cannot be read.

        Raises Outage.
        """

        def read(place: Place) -> str | None:
            try:
                self._read(place, taken.get(place, START))
            except ConfigError as error:
                self._waiting.pop(place, None)
                return str(error)
            return None

        with ThreadPoolExecutor(_READERS, thread_name_prefix="chains") as pool:
            faults = dict(zip(places, pool.map(read, places), strict=True))
        waiting = {place: list(self._waiting.get(place, ())) for place in places}
        return waiting, {place: fault for place, fault in faults.items() if fault is not None}

    def _read(self, place: Place, end: int) -> None:
        waiting = self._waiting.setdefault(place, deque())
        while waiting and waiting[0].previous < end:
            waiting.popleft()
        if waiting and waiting[0].previous != end:
            waiting.clear()  # the store has forgotten: it was restored, or belongs to another
        if len(waiting) < self._ahead:
            last = waiting[-1].last if waiting else end
            waiting.extend(islice(self._chains.after(place, last), self._ahead - len(waiting)))
        if not waiting and place not in self._checked:
            # Once a process: a store and a bucket that do not belong together look like one that has all.
            self._chains.check(place, end)
            self._checked.add(place)
