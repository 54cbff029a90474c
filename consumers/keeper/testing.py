"""A store of history in memory, chains in memory, and the suite that every store of history passes."""

import datetime as dt
import io
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import pyarrow.parquet as pq
import pytest

from consumers.keeper.store import Discrepancy, HistoryStore, Outrun, Place
from consumers.manifests import START, DataFile, Manifest
from consumers.warehouse.testing import SpanWriter, hit, letter, lines_of, order
from contract.tables import HITS, LETTERS, LINES, ORDERS
from runtime.objects import Objects
from runtime.objects.testing import MemoryObjects
from runtime.outage import Outage

_AT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)


def manifest(place: Place, previous: int, last: int, *, nbytes: int = 100, rows: int = 1) -> Manifest:
    """One span with one object of orders."""
    application, shard_id = place
    key = f"data/{application}-{shard_id}-{previous}.parquet"
    file = DataFile(table=ORDERS.name, day=_AT.date(), key=key, bytes=nbytes, rows=rows, sha256="")
    return Manifest(
        span_id=f"{place}-{previous}",
        application=application,
        stream="transactions",
        shard_id=shard_id,
        previous=previous,
        last=last,
        records=rows,
        first_arrived_at=_AT,
        last_arrived_at=_AT,
        data=[file],
        raw=[],
        letters=[],
        written_at=_AT,
        worker="test",
    )


class MemoryChains:
    """Chains that grow when a test says so. `trouble` is raised by the next look at a place."""

    def __init__(self) -> None:
        self.stored: dict[Place, list[Manifest]] = {}
        self.trouble: dict[Place, Exception] = {}

    def grow(self, place: Place, count: int, *, nbytes: int = 100) -> None:
        """Append `count` manifests."""
        chain = self.stored.setdefault(place, [])
        for _ in range(count):
            end = chain[-1].last if chain else START
            chain.append(manifest(place, end, end + 10, nbytes=nbytes))

    def shards(self, application: str) -> Iterable[str]:
        return [shard_id for name, shard_id in self.stored if name == application]

    def after(self, place: Place, sequence: int) -> Iterator[Manifest]:
        if place in self.trouble:
            raise self.trouble[place]
        return iter([each for each in self.stored[place] if each.previous >= sequence])

    def check(self, place: Place, sequence: int) -> None:
        """They always fit."""


class MemoryHistory:
    """A store of history in memory. `took` is each successful take, `refuses` says what is wrong with a manifest."""

    name = "memory"

    def __init__(self, refuses: Callable[[Manifest], str] = lambda manifest: "") -> None:
        self.took: list[list[Manifest]] = []
        self.asked: list[list[Manifest]] = []
        self.trouble: list[Exception | None] = []  # of the next takes, in order
        self.refuses = refuses
        self._ends: dict[Place, int] = {}

    def prepare(self) -> None:
        """Always ready."""

    def taken(self) -> Mapping[Place, int]:
        return dict(self._ends)

    def take(self, manifests: Sequence[Manifest]) -> None:
        self.asked.append(list(manifests))
        if self.trouble and (trouble := self.trouble.pop(0)):
            raise trouble
        ends = dict(self._ends)
        for each in manifests:
            place = each.application, each.shard_id
            if ends.get(place, START) != each.previous:
                raise Outrun(f"{place} is taken up to {ends.get(place, START)}")
            ends[place] = each.last
        faults = [fault for each in manifests if (fault := self.refuses(each))]
        if faults:
            raise Discrepancy("; ".join(faults))
        self._ends = ends
        self.took.append(list(manifests))

    def all(self, place: Place) -> list[Manifest]:
        """What was taken of one shard, in order."""
        return [each for took in self.took for each in took if (each.application, each.shard_id) == place]


class MemoryHistoryBench:
    """A MemoryHistory over objects in memory, for the suite below."""

    def __init__(self) -> None:
        self.memory = MemoryObjects()
        self.objects: Objects = self.memory
        self._history = MemoryHistory(self._fault)

    def store(self) -> HistoryStore:
        return self._history

    def unreachable(self) -> HistoryStore:
        away = MemoryHistory()
        away.trouble = [Outage("away")] * 10
        return away

    def orders(self) -> Counter[str]:
        files = [file for took in self._history.took for each in took for file in each.data]
        keys = [file.key for file in files if file.table == ORDERS.name]
        return Counter(row for key in keys for row in self._table(key)["event_id"].to_pylist())

    def _table(self, key: str) -> Any:
        return pq.read_table(io.BytesIO(self.memory.stored[key]))

    def _fault(self, of: Manifest) -> str:
        for file in of.data:
            body = self.memory.stored.get(file.key)
            if body is None or len(body) != file.bytes:
                return f"{file.key} is not as it should be"
            if pq.read_metadata(io.BytesIO(body)).num_rows != file.rows:
                return f"{file.key} has other rows"
        return ""


class HistoryBench(Protocol):
    """A store of history under test, empty at first, and the lake's bucket that it loads from."""

    objects: Objects

    def store(self) -> HistoryStore:
        """The store as a fresh keeper has it, prepared."""
        ...

    def unreachable(self) -> HistoryStore:
        """The same kind of store, its service away."""
        ...

    def orders(self) -> Counter[str]:
        """How often each event id is among the orders."""
        ...


class HistoryConformance:
    """What every store of history must do. Subclass it and override the fixture `bench`."""

    @pytest.fixture
    def bench(self) -> HistoryBench:
        raise NotImplementedError

    def test_nothing_is_taken_at_first(self, bench: HistoryBench) -> None:
        assert bench.store().taken() == {}

    def test_what_was_taken_is_remembered_by_the_store(self, bench: HistoryBench) -> None:
        one, two = (_Shop(bench, shard_id) for shard_id in ("s-0", "s-1"))
        bench.store().take([*one.spans(2), *two.spans(1)])
        assert bench.store().taken() == {one.place: 2, two.place: 1}
        assert bench.orders() == _once(one, two)

    def test_what_follows_is_added(self, bench: HistoryBench) -> None:
        one, two = (_Shop(bench, shard_id) for shard_id in ("s-0", "s-1"))
        store = bench.store()
        for manifests in (one.spans(1), two.spans(2), [*one.spans(2), *two.spans(1)]):
            store.take(manifests)
        assert store.taken() == {one.place: 3, two.place: 3}
        assert bench.orders() == _once(one, two)

    def test_applications_are_apart(self, bench: HistoryBench) -> None:
        live, fill = _Shop(bench, "s-0"), _Shop(bench, "s-0", application="back-fill.of 2025")
        bench.store().take([*live.spans(1), *fill.spans(2)])
        assert bench.store().taken() == {live.place: 1, fill.place: 2}

    def test_a_span_without_rows_is_remembered_too(self, bench: HistoryBench) -> None:
        shop = _Shop(bench, "s-0")
        bench.store().take([shop.empty()])
        assert bench.store().taken() == {shop.place: 1}
        bench.store().take([*shop.spans(1), shop.empty()])
        assert bench.store().taken() == {shop.place: 3}
        assert bench.orders() == _once(shop)

    def test_the_same_again_adds_nothing(self, bench: HistoryBench) -> None:
        shop = _Shop(bench, "s-0")
        spans = shop.spans(2)
        bench.store().take(spans)
        for again in (spans, spans[:1], spans[1:]):
            with suppress(Outrun):
                bench.store().take(again)
        assert bench.store().taken() == {shop.place: 2}
        assert bench.orders() == _once(shop)

    def test_what_does_not_follow_is_outrun_and_nothing_changes(self, bench: HistoryBench) -> None:
        shop, other = _Shop(bench, "s-0"), _Shop(bench, "s-1")
        first, _, third = shop.spans(3)
        bench.store().take([first])
        with pytest.raises(Outrun):
            bench.store().take([*other.spans(1), third])
        assert bench.store().taken() == {shop.place: 1}
        assert sum(bench.orders().values()) == len(shop.events[:1])

    def test_an_absent_object_is_named_and_nothing_changes(self, bench: HistoryBench) -> None:
        shop, other = _Shop(bench, "s-0"), _Shop(bench, "s-1")
        bench.store().take(shop.spans(1))
        spans = shop.spans(2)
        lost = next(file.key for file in spans[1].data if file.table == ORDERS.name)
        kept = bench.objects.get(lost)
        bench.objects.delete(lost)
        with pytest.raises(Discrepancy, match=lost.rpartition("/")[2]):
            bench.store().take([*other.spans(1), *spans])
        assert bench.store().taken() == {shop.place: 1}
        bench.objects.put(lost, kept)
        bench.store().take(spans)
        assert bench.orders() == _once(shop)

    @pytest.mark.parametrize("table", [ORDERS.name, LINES.name, HITS.name, LETTERS.name])
    def test_an_object_with_other_rows_is_a_discrepancy(self, bench: HistoryBench, table: str) -> None:
        shop = _Shop(bench, "s-0")
        (span,) = shop.spans(1)
        (other,) = _Shop(bench, "s-1").spans(1, orders=3)
        mine, theirs = (next(file for file in each.data if file.table == table) for each in (span, other))
        bench.objects.put(mine.key, bench.objects.get(theirs.key))
        with pytest.raises(Discrepancy):
            bench.store().take([span])
        assert bench.store().taken() == {}
        assert not bench.orders()

    def test_a_service_that_is_away_is_an_outage(self, bench: HistoryBench) -> None:
        spans = _Shop(bench, "s-0").spans(1)
        with pytest.raises(Outage):
            bench.unreachable().take(spans)


class _Shop:
    """One shard's spans; every order and letter of its own. `events` are the orders' ids."""

    def __init__(self, bench: HistoryBench, shard_id: str, *, application: str = "cold") -> None:
        self.place = application, shard_id
        self.events: list[str] = []
        self._spans = SpanWriter(bench.objects, shard_id=shard_id, application=application)
        self._numbers = itertools.count()

    def spans(self, count: int, *, orders: int = 1) -> list[Manifest]:
        """The next spans, each with so many orders, their lines, and as many hits and letters."""
        return [self._span(orders) for _ in range(count)]

    def empty(self) -> Manifest:
        """The next span, whose records were all worthless."""
        return self._spans.write({})

    def _span(self, orders: int) -> Manifest:
        rows, hits, letters = [], [], []
        for number in itertools.islice(self._numbers, orders):
            name, line = "-".join((*self.place, str(number))), ("-".join(self.place), number)
            rows.append(order(name, day=_AT.date(), arrived_at=_AT, line=line))
            hits.append(hit(f"H-{name}", day=_AT.date(), arrived_at=_AT, line=line))
            letters.append(letter(f"L-{name}", day=_AT.date(), arrived_at=_AT, line=line))
            self.events.append(name)
        lines = [line for row in rows for line in lines_of(row)]
        return self._spans.write({ORDERS.name: rows, LINES.name: lines, HITS.name: hits, LETTERS.name: letters})


def _once(*shops: _Shop) -> Counter[str]:
    return Counter(event for shop in shops for event in shop.events)


def places_of(manifests: Collection[Manifest]) -> set[Place]:
    """The shards that they are of."""
    return {(each.application, each.shard_id) for each in manifests}
