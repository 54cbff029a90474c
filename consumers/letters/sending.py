"""Sending planned letters: claimed, put on their stream, and recorded, in this order."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from consumers.letters.ledger import Attempt, Ledger
from consumers.letters.letter import Kind
from consumers.letters.outlets import AT_ONCE, BYTES_AT_ONCE, Outlet, send
from consumers.letters.plan import Item
from consumers.letters.resent import Mend
from runtime.clock import Clock
from runtime.effects import Effect, no_effect
from runtime.outage import Stop

_WRITERS = 16

OutletOf = Callable[[Kind], Outlet]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of some planned letters."""

    stored: int  # by the stream
    held_up: Mapping[str, int]  # those that were not sent, by why


class Sender:
    """Sends at a bounded rate. Killed between any two of its steps, the next one finishes what it had claimed."""

    def __init__(
        self,
        ledger: Ledger,
        outlet_of: OutletOf,
        *,
        by: str,
        per_s: float,
        clock: Clock,
        rng: random.Random,
        stop: Stop,
        effect: Effect = no_effect,
    ) -> None:
        """`by`: who sends, for the history; `per_s`: letters a second."""
        self._ledger = ledger
        self._outlet_of = outlet_of
        self._by = by
        self._per_s = per_s
        self._clock = clock
        self._rng = rng
        self._stop = stop
        self._effect = effect
        self._due_s = clock.monotonic()

    def send(self, items: Sequence[Item], mend: Mend | None, refused: Mapping[str, int]) -> Sent:
        """Send `items` that were planned to be sent. `refused`: see Ledger.claim_order.

        Raises Outage, ConfigError: what was claimed by then is sent by the next one.
        """
        stored, held_up = 0, dict[str, int]()
        for chunk in _chunks(items, self._most()):
            if self._stop.is_set():
                _count(held_up, "stopped before it", len(chunk))
                continue
            with ThreadPoolExecutor(_WRITERS, thread_name_prefix="ledger") as pool:
                claims = list(pool.map(lambda item: self._claim(item, mend, refused), chunk))
                ready = [(item, claim) for item, claim in zip(chunk, claims, strict=True) if isinstance(claim, Attempt)]
                for claim in claims:
                    if isinstance(claim, str):
                        _count(held_up, claim, 1)
                done = self._put(ready)
                self._effect("record")
                list(pool.map(self._record, done))
            stored += len(done)
            if len(done) < len(ready):
                _count(held_up, "the stream did not take it in time: run this again", len(ready) - len(done))
            self._pace(len(ready))
        return Sent(stored=stored, held_up=held_up)

    def _claim(self, item: Item, mend: Mend | None, refused: Mapping[str, int]) -> Attempt | str:
        """The attempt to put on the stream; else why there is none."""
        letter, mine = item.case.newest, item.claimed or self._attempt(item, mend)
        if item.order_id and letter.kind == "order":
            self._effect("claim order")
            holder = self._ledger.claim_order(item.order_id, mine, refused)
            if holder != item.case.name:
                return f"another letter of its order is on its way: {holder}"
        if item.claimed is not None:
            return item.claimed
        self._effect("claim attempt")
        stands = self._ledger.claim(letter, mine)
        return stands if stands == mine else f"{stands.by} was faster"

    def _attempt(self, item: Item, mend: Mend | None) -> Attempt:
        letter, made = item.case.newest, item.made
        assert made is not None
        return Attempt(
            name=item.case.name,
            letter_id=letter.letter_id,
            attempt=made.attempt,
            order_id=item.order_id,
            stream=letter.stream,
            key=made.key,
            record=made.data,
            by=self._by,
            at=self._clock.now(),
            reasons=letter.reasons,
            patch=mend.patch if mend else None,
            selection=mend.selection.expression if mend and mend.selection else None,
            before_sha256=item.before_sha256,
            after_sha256=hashlib.sha256(made.data).hexdigest(),
        )

    def _put(self, ready: Sequence[tuple[Item, Attempt]]) -> list[tuple[Item, Attempt]]:
        done: list[tuple[Item, Attempt]] = []
        kinds: tuple[Kind, ...] = ("order", "access")
        for kind in kinds:
            of_kind = [each for each in ready if each[0].case.newest.kind == kind]
            if of_kind:
                self._effect("put")
                entries = [(attempt.key, attempt.record) for _, attempt in of_kind]
                stored = send(self._outlet_of(kind), entries, self._stop, self._rng)
                done += [each for each, is_in in zip(of_kind, stored, strict=True) if is_in]
        return done

    def _most(self) -> int:
        """A second's letters at once: the rate holds, and a stop is soon."""
        return max(1, min(AT_ONCE, int(self._per_s)))

    def _record(self, sent: tuple[Item, Attempt]) -> None:
        item, attempt = sent
        self._ledger.sent(item.case.newest, attempt, self._clock.now())

    def _pace(self, count: int) -> None:
        self._due_s = max(self._due_s, self._clock.monotonic()) + count / self._per_s
        self._stop.wait(max(0.0, self._due_s - self._clock.monotonic()))


def _chunks(items: Sequence[Item], most: int) -> list[list[Item]]:
    """Runs that one request to a stream takes."""
    runs: list[list[Item]] = []
    size = 0
    for item in items:
        assert item.made is not None
        nbytes = len(item.made.data) + len(item.made.key)
        if not runs or len(runs[-1]) == most or size + nbytes > BYTES_AT_ONCE:
            runs.append([])
            size = 0
        runs[-1].append(item)
        size += nbytes
    return runs


def _count(counts: dict[str, int], why: str, more: int) -> None:
    counts[why] = counts.get(why, 0) + more
