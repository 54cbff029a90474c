"""Letters of a small shop on buckets in memory, with a stream that leads back into cold."""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from consumers.cold_testing import APPLICATION, ColdBench
from consumers.delivery import Batch, Position, Record
from consumers.letters.accepted import Accepted
from consumers.letters.cases import Case, Filter, Found, Shelf
from consumers.letters.ledger import Ledger
from consumers.letters.letter import Letter
from consumers.letters.outcome import Outcome
from consumers.letters.outlets import Entry
from consumers.letters.process import Desk, work
from consumers.letters.resent import Mend
from consumers.letters.selection import Selection
from consumers.letters.sending import Sender
from consumers.reference.judges import Judges
from consumers.stages.facts import InForce
from consumers.stages.orders import OrderJudge
from consumers.stages.rows import ShopFacts
from consumers.stages.testing import ARRIVED_AT, FACTS, KEY, SHARD, access_judge
from runtime.effects import Effect, no_effect
from runtime.outage import Outage, Stop
from runtime.testing import ManualClock, StopAfter

EVER = ARRIVED_AT.replace(year=2020)


class Changeable:
    """Reference data that a test changes. See `consumers.stages.facts.Reference`."""

    def __init__(self, facts: InForce) -> None:
        self.facts = facts

    def at(self, arrived_at: Any) -> InForce:
        return self.facts

    def versions(self, first: Any, last: Any) -> Mapping[str, str]:
        return {}


class ChainStored:
    """What cold has written as accepted. See `Stored`."""

    def __init__(self, cold: ColdBench) -> None:
        self._cold = cold

    def lines(self, letters: Sequence[Letter]) -> Mapping[str, Accepted]:
        wanted = {each.name for each in letters}
        return {each.name: each for each in self._all() if each.name in wanted}

    def orders(self, event_ids: Iterable[str], order_ids: Iterable[str]) -> Sequence[Accepted]:
        events, orders = set(event_ids), set(order_ids)
        return [each for each in self._all() if each.event_id in events or each.order_id in orders]

    def _all(self) -> list[Accepted]:
        found = []
        for row in self._cold.chained.rows("orders"):
            file, event_id = row["origin_file"], row["event_id"]
            name = event_id if file is None else f"{file}:{row['origin_offset']}"
            found.append(Accepted(event_id, row["order_id"], name))
        return found


class MemoryOutlet:
    """A stream that holds what it was given. `refuses` says of each put which entries it does not take, and why."""

    def __init__(self) -> None:
        self.held: list[Entry] = []
        self.puts: list[int] = []  # entries of each
        self.refuses: list[Mapping[int, str] | Outage] = []  # of the next puts

    def put(self, entries: Sequence[Entry]) -> Sequence[str | None]:
        self.puts.append(len(entries))
        refused = self.refuses.pop(0) if self.refuses else {}
        if isinstance(refused, Outage):
            raise refused
        self.held += [entry for i, entry in enumerate(entries) if i not in refused]
        return [refused.get(i) for i in range(len(entries))]


class LettersBench:
    """A cold path, its letters, and whoever works on them."""

    def __init__(self, facts: InForce = FACTS) -> None:
        self.reference = Changeable(facts)
        shop = ShopFacts(key=KEY, zone=ZoneInfo("Europe/London"))
        orders = OrderJudge(self.reference, shop)
        self.judges = Judges(orders, access_judge())
        self.cold = ColdBench(judge=orders)
        self.clock: ManualClock = self.cold.clock
        self.stored = ChainStored(self.cold)
        self.ledger = Ledger(self.cold.restricted)
        self.outlet = MemoryOutlet()
        self._next = 1

    def arrive(self, *contents: bytes) -> None:
        """Records at the stream, which cold takes in."""
        at = self.clock.now()
        records = [Record(Position(self._next + n), at, data) for n, data in enumerate(contents)]
        self._next += len(records)
        if records:
            path = self.cold.path()
            path.accept(Batch(shard=SHARD, records=records))
            path.settle()

    def deliver(self) -> int:
        """What was sent again arrives. Returns how many records."""
        held, self.outlet.held = self.outlet.held, []
        self.clock.advance(1.0)
        self.arrive(*(data for _, data in held))
        return len(held)

    @property
    def desk(self) -> Desk:
        shelf = Shelf(
            lake=self.cold.lake,
            restricted=self.cold.restricted,
            applications=[APPLICATION],
            access_stream="access",
        )
        return Desk(shelf=shelf, ledger=self.ledger, stored=self.stored)

    def find(self, **filters: Any) -> Found:
        return self.desk.find(Filter(**filters), EVER)

    def cases(self, **filters: Any) -> list[Case]:
        return self.find(**filters).cases

    def sender(self, *, by: str = "tester", effect: Effect = no_effect, stop: Stop | None = None) -> Sender:
        return Sender(
            self.ledger,
            lambda kind: self.outlet,
            by=by,
            per_s=1_000.0,
            clock=self.clock,
            rng=random.Random(7),
            stop=stop or StopAfter(10_000, self.clock),
            effect=effect,
        )

    def mend(
        self,
        patch: dict[str, Any] | None = None,
        select: str = "",
        *,
        apply: bool = True,
        found: Found | None = None,
        sender: Sender | None = None,
        even_refused: bool = False,
        **filters: Any,
    ) -> Outcome:
        """What the command does; `patch` None: a replay."""
        mend = None if patch is None else Mend(patch=patch, selection=Selection(select) if select else None)
        return work(
            self.desk,
            self.judges,
            found or self.find(**filters),
            mend,
            (sender or self.sender()) if apply else None,
            self.clock,
            even_refused=even_refused,
        )

    def revenue(self) -> int:
        """Of the orders that count: one an identity."""
        return sum({row["event_id"]: row["revenue"] for row in self.cold.chained.rows("orders")}.values())
