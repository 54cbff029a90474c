"""Of two contents with one identity the one that arrived first is shown by every store, however they came to it."""

import datetime as dt
import itertools
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from opensearchpy import OpenSearch

from consumers.account.stores.lake import LakeRows
from consumers.account.stores.lake import lake as lake_account
from consumers.account.stores.opensearch import OpenSearchStore
from consumers.account.stores.store import Group
from consumers.account.stores.warehouse import warehouse as warehouse_account
from consumers.delivery import Batch, LeaseLost, Position, Record, Shard
from consumers.keeper.conflicts import Conflict, ConflictDuty, Corrected, Found
from consumers.lake.conflicts import LakeContents
from consumers.lake.testing import OwnLake
from consumers.manifests import Manifest
from consumers.sinks.opensearch.conflicts import OpenSearchConflicts
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.sink import OpenSearchSink
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.spans.columns import batches_of
from consumers.stages.documents import document_of
from consumers.stages.testing import encoded, judge, order
from consumers.warehouse.conflicts import WarehouseConflicts
from consumers.warehouse.migrations import migrate
from consumers.warehouse.store import WarehouseStore
from consumers.warehouse.testing import Corner, Cut, SpanWriter
from contract.rows import OrderRow
from infra.local.endpoints import Endpoints
from runtime.effects import Effect, no_effect
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import OpenSearch as OpenSearchSettings
from runtime.testing import ManualClock

NOW = dt.datetime.now(dt.UTC).replace(microsecond=123_456)
DAY = NOW.date()
NEVER = threading.Event()


def held() -> None:
    """The lease is ours."""


class _Line:
    """One line of an order, as judged: `content` pieces; it arrived `after_s` seconds after the first one could."""

    def __init__(self, shop: str, event: str, *, content: int, after_s: float, number: int) -> None:
        self.shard_id = f"{shop}-s{number}"
        total = 255 * content
        event_ = order(
            event_id=f"{shop}-{event}",
            event_time=f"{DAY.isoformat()}T00:00:30Z",
            lines=[{"sku": "85123A", "quantity": 1, "unit_price": 255}] * content,
            shipping=0,
            total=total,
            note=f"content {content}",
        )
        data = encoded(event_, file=f"{shop}-f{number}", offset=1_000 * content)
        at = NOW - dt.timedelta(minutes=5) + dt.timedelta(seconds=after_s)
        record = Record(Position(1), at, data)
        (self.judged,) = judge().judge(Batch(shard=Shard(stream="t", shard_id=self.shard_id), records=[record]))
        assert isinstance(self.judged.row, OrderRow)
        self.row = self.judged.row


class _Shop:
    """Three real stores of a test's own: each is given lines in an order of its own."""

    def __init__(self, stack: Endpoints, lake: OwnLake, client: OpenSearch, corner: Corner) -> None:
        self.name = f"shop-{uuid.uuid4().hex[:8]}"
        self.client, self.corner, self.settings, self._lake = client, corner, stack.warehouse, lake
        self.clock = ManualClock(NOW)
        self._in_lake = lake.store()
        self._in_warehouse = WarehouseStore(
            self.settings,
            bucket=lake.settings.bucket,
            objects=lake.objects,
            clock=self.clock,
            connect=corner,
        )
        self._in_warehouse.prepare()
        self._sink = OpenSearchSink(client, random.Random(1), lambda count: None)
        self._manifests: dict[str, Manifest] = {}
        self._shards = itertools.count()

    def line(self, event: str, *, content: int, after_s: float) -> _Line:
        return _Line(self.name, event, content=content, after_s=after_s, number=next(self._shards))

    def live(self, *lines: _Line) -> None:
        for each in lines:
            document = document_of(each.judged, window_days=14)
            assert document is not None
            assert not self._sink.write([document])

    def to_lake(self, *lines: _Line) -> None:
        self._in_lake.take([self._manifest(each) for each in lines])

    def to_warehouse(self, *lines: _Line) -> None:
        for each in lines:
            self._in_warehouse.take([self._manifest(each)])

    def duties(self, effect: Effect = no_effect) -> list[ConflictDuty]:
        """As a keeper that begins has them."""
        contents = LakeContents(self._lake.unprepared())
        stores: list[Corrected] = [
            WarehouseConflicts(self.settings, effect=effect, connect=self.corner),
            OpenSearchConflicts(self.client, self.clock, effect),
        ]
        return [ConflictDuty(store, contents, self.clock) for store in stores]

    def settle(self) -> None:
        for duty in self.duties():
            duty.turn(held, NEVER)
            duty.turn(held, NEVER)

    def account(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the account sees of this shop's files in each store: lines, bytes, checksums, revenue."""
        lake = lake_account(LakeRows(self._lake.unprepared()))
        stores = [OpenSearchStore(self.client), warehouse_account(self.settings, self.corner), lake]
        since = NOW - dt.timedelta(hours=1)
        return {store.name: sorted(map(self._seen, self._mine(store.groups(since)))) for store in stores}

    def sold_in_warehouse(self) -> int:
        """This shop's revenue there."""
        with self.corner(self.settings) as session:
            text = "SELECT SUM(revenue) AS sold FROM orders WHERE event_id LIKE ?"
            return int(session.query("read", text, [f"{self.name}-%"])[0]["sold"])

    def revenue(self) -> dict[str, int]:
        """In each store, by the account."""
        return {name: sum(group[-1] for group in groups) for name, groups in self.account().items()}

    def _mine(self, groups: Iterator[Group]) -> list[Group]:
        return [group for group in groups if group.file_id.startswith(self.name)]

    def _seen(self, group: Group) -> tuple[Any, ...]:
        return (group.file_id, group.kind.value, group.label, group.tally, group.first, group.last, group.revenue)

    def _manifest(self, line: _Line) -> Manifest:
        if line.shard_id not in self._manifests:  # each line has a shard of its own
            rows = {table.name: batch.to_pylist() for table, _, batch in batches_of([line.row])}
            self._manifests[line.shard_id] = SpanWriter(self._lake.objects, shard_id=line.shard_id).write(rows)
        return self._manifests[line.shard_id]


@pytest.fixture(scope="module")
def client(stack: Endpoints) -> OpenSearch:
    made = connect(stack.opensearch)
    ensure_templates(made, templates(refresh_ms=200, replicas="0-1"))
    return made


@pytest.fixture(scope="module")
def corner(stack: Endpoints) -> Corner:
    made = Corner(f"test_{uuid.uuid4().hex[:12]}")
    made.make(stack.warehouse)
    with made(stack.warehouse) as session:
        migrate(session, ManualClock(), lambda done: None)
    return made


@pytest.fixture(scope="module")
def own_lake(stack: Endpoints) -> OwnLake:
    return OwnLake(stack.aws)


@pytest.fixture
def shop(stack: Endpoints, own_lake: OwnLake, client: OpenSearch, corner: Corner) -> _Shop:
    return _Shop(stack, own_lake, client, corner)


@pytest.mark.integration
def test_two_contents_on_two_shards_in_both_orders_end_alike_in_all_stores(shop: _Shop) -> None:
    for event, is_first_first in (("a", True), ("b", False)):
        first, later = shop.line(event, content=2, after_s=0), shop.line(event, content=7, after_s=3)
        shop.to_lake(later, first)
        came = (first, later) if is_first_first else (later, first)
        shop.live(*came)
        shop.to_warehouse(*came)
    again = shop.line("b", content=7, after_s=9)
    shop.live(again)
    shop.to_warehouse(again)
    shop.to_lake(again)
    assert len(set(map(str, shop.account().values()))) > 1
    shop.settle()
    accounts = shop.account()
    assert accounts["opensearch"] == accounts["warehouse"] == accounts["lake"]
    assert shop.revenue() == dict.fromkeys(accounts, 2 * 2 * 255)
    assert sorted(group[1:3] for group in accounts["lake"]) == [("duplicate", "conflict")] * 3 + [("order", "GBP")] * 2


@pytest.mark.integration
def test_what_is_shown_is_the_row_of_the_first_one_to_the_last_field(shop: _Shop) -> None:
    first, later = shop.line("x", content=3, after_s=0), shop.line("x", content=4, after_s=1)
    shop.to_lake(first, later)
    shop.live(later, first)
    shop.to_warehouse(later, first)
    shop.settle()
    wanted = document_of(first.judged, window_days=14)
    assert wanted is not None
    stored = shop.client.get(index=wanted.index, id=wanted.row_id)["_source"]
    assert stored == msgspec.json.decode(wanted.document)
    ((orders, rows), (lines, sold)) = [(table.name, batch.to_pylist()) for table, _, batch in batches_of([first.row])]
    with shop.corner(shop.settings) as session:
        for table, expected in ((orders, rows), (lines, sold)):
            names = ", ".join(expected[0])
            found = session.query("read", f"SELECT {names} FROM {table} WHERE event_id = ?", [first.row.event_id])
            assert sorted(found, key=str) == sorted(expected, key=str)
        (conflict,) = session.query("read", "SELECT * FROM conflicts WHERE event_id = ?", [first.row.event_id])
    assert (conflict["kept_content_hash"], conflict["content_hash"]) == (first.row.content_hash, later.row.content_hash)
    assert (conflict["revenue"], conflict["origin_file"]) == (4 * 255, later.row.origin.file)  # type: ignore[union-attr]


def _conflict(*lines: _Line) -> Conflict:
    """As the lake has it, the first one first."""
    tables = [{table.name: batch.to_pylist() for table, _, batch in batches_of([line.row])} for line in lines]
    rows = [each["orders"][0] for each in tables]
    row = rows[0]
    return Conflict(event_id=row["event_id"], event_date=row["event_date"], lines=rows, order_lines=tables[0]["lines"])


def _dying(number: int) -> Effect:
    names: list[str] = []

    def effect(name: str) -> None:
        names.append(name)
        if len(names) > number:
            raise Cut(name)

    return effect


@pytest.mark.integration
def test_killed_before_any_step_opensearch_is_right_after_the_next_turn(shop: _Shop) -> None:
    for number in itertools.count():
        first, later = shop.line(f"k{number}", content=1, after_s=0), shop.line(f"k{number}", content=5, after_s=1)
        third = shop.line(f"k{number}", content=1, after_s=2)
        shop.live(later, first, third)
        conflict = _conflict(first, later, third)
        try:
            OpenSearchConflicts(shop.client, shop.clock, _dying(number)).correct([conflict], held)
            is_over = True
        except Cut:
            is_over = False
        store = OpenSearchConflicts(shop.client, shop.clock)
        if found := store.look([conflict]).wrong:
            store.correct(found, held)
        assert store.look([conflict]) == Found(wrong=[], waiting=0)
        if is_over:
            break
    groups = shop.account()["opensearch"]
    assert number > 3
    assert sorted({group[1:3] for group in groups}) == [("duplicate", ""), ("duplicate", "conflict"), ("order", "GBP")]
    assert len(groups) == 3 * (number + 1)
    assert sum(group[-1] for group in groups) == 255 * (number + 1)


@pytest.mark.integration
def test_killed_before_any_step_the_warehouse_has_all_of_it_or_nothing(shop: _Shop) -> None:
    first, later = shop.line("k", content=1, after_s=0), shop.line("k", content=5, after_s=1)
    shop.to_warehouse(later, first)
    for number in itertools.count():
        store = WarehouseConflicts(shop.settings, effect=_dying(number), connect=shop.corner)
        try:
            assert store.correct([_conflict(first, later)], held) == 1
            break
        except Cut as cut:
            if str(cut) != "committed":
                assert shop.sold_in_warehouse() == 5 * 255
                continue
            break
    assert number > 8
    seen = [group[1:3] for group in shop.account()["warehouse"]]
    assert (seen, shop.sold_in_warehouse()) == ([("order", "GBP"), ("duplicate", "conflict")], 255)
    assert WarehouseConflicts(shop.settings, connect=shop.corner).correct([_conflict(first, later)], held) == 0


@pytest.mark.integration
def test_a_store_that_has_not_taken_it_all_is_corrected_when_it_has(shop: _Shop) -> None:
    first, later = shop.line("w", content=1, after_s=0), shop.line("w", content=6, after_s=1)
    shop.to_lake(first, later)
    duties = shop.duties()
    for duty in duties:
        duty.turn(held, NEVER)
    shop.live(later)
    shop.to_warehouse(later)
    shop.clock.advance(600)
    for duty in duties:
        duty.turn(held, NEVER)
    assert shop.revenue() == dict.fromkeys(("opensearch", "warehouse", "lake"), 255)
    shop.live(first, later)
    shop.to_warehouse(first)  # it is known: the same line again
    shop.settle()
    accounts = shop.account()
    assert accounts["opensearch"] == accounts["warehouse"] == accounts["lake"]


@pytest.mark.integration
def test_what_the_lake_does_not_have_yet_is_not_judged(shop: _Shop) -> None:
    first, second, third = (shop.line("y", content=n, after_s=n) for n in (1, 2, 3))
    shop.to_lake(second, third)
    shop.live(first)
    shop.to_warehouse(first)
    shop.settle()
    assert shop.revenue() == {"opensearch": 255, "warehouse": 255, "lake": 2 * 255}


@pytest.mark.integration
def test_of_a_day_that_was_looked_at_only_what_was_added_to_is_compared_with_all_of_it(shop: _Shop) -> None:
    contents = LakeContents(shop._lake.unprepared())
    old, single = ("old", 1, 2), ("single", 1)
    for event, *numbers in (old, single):
        shop.to_lake(*(shop.line(event, content=number, after_s=number) for number in numbers))
    _, state = contents.changed_days(None, DAY)
    assert contents.changed_days(state, DAY) == (set(), state)
    shop.to_lake(shop.line("single", content=5, after_s=9), shop.line("alone", content=1, after_s=9))
    days, _ = contents.changed_days(state, DAY)

    def found(after: int | None) -> list[str]:
        mine = (each for each in contents.conflicts(DAY, after) if each.event_id.startswith(shop.name))
        return [each.event_id.removeprefix(f"{shop.name}-") for each in mine]

    assert days == {DAY}
    assert (found(None), found(state)) == (["old", "single"], ["single"])


@pytest.mark.integration
def test_a_keeper_without_its_lease_changes_nothing(shop: _Shop) -> None:
    first, later = shop.line("l", content=1, after_s=0), shop.line("l", content=6, after_s=1)
    shop.to_lake(first, later)
    shop.live(later, first)
    shop.to_warehouse(later, first)
    before = shop.account()
    for allowed in range(3):
        for duty in shop.duties():
            asked = itertools.count()

            def check(asked: Iterator[int] = asked, allowed: int = allowed) -> None:
                if next(asked) >= allowed:
                    raise LeaseLost("gone")

            with pytest.raises(LeaseLost):
                duty.turn(check, NEVER)
        assert shop.sold_in_warehouse() == 6 * 255
    assert shop.account()["warehouse"] == before["warehouse"]


@pytest.mark.integration
def test_one_store_away_does_not_stop_the_other(shop: _Shop) -> None:
    first, later = shop.line("o", content=1, after_s=0), shop.line("o", content=6, after_s=1)
    shop.to_lake(first, later)
    shop.live(later, first)
    away = OpenSearchConflicts(connect(OpenSearchSettings(url="http://127.0.0.1:9")), shop.clock)
    duty = ConflictDuty(away, LakeContents(shop._lake.unprepared()), shop.clock)
    with pytest.raises(Outage, match="OpenSearch"):
        duty.turn(held, NEVER)
    shop.settle()
    assert shop.revenue()["opensearch"] == 255


class _MemoryContents:
    """Days with so many conflicts each."""

    def __init__(self, **days: int) -> None:
        self.days = {dt.date.fromisoformat(day.strip("_").replace("_", "-")): count for day, count in days.items()}
        self.state = 1
        self.looked: list[dt.date] = []
        self.after: list[int | None] = []

    def prepare(self) -> None:
        """Always ready."""

    def changed_days(self, after: int | None, since: dt.date) -> tuple[set[dt.date], int]:
        return (set() if after == self.state else {day for day in self.days if after or day >= since}), self.state

    def conflicts(self, day: dt.date, after: int | None) -> Iterator[Conflict]:
        self.looked.append(day)
        self.after.append(after)
        row = {"origin_file": "f", "origin_offset": 0, "arrived_at": NOW, "content_hash": "c", "line_count": 0}
        for number in range(self.days[day]):
            yield Conflict(event_id=f"{day}-{number}", event_date=day, lines=[row])

    def with_order_lines(self, conflicts: Any) -> list[Conflict]:
        return list(conflicts)


class _MemoryShown:
    """A store that shows what is wrong, or has not taken it; counts what is asked of it."""

    name = "memory"

    def __init__(self, find: Callable[[Conflict], str]) -> None:
        self.find = find
        self.corrected: list[str] = []
        self.asked: list[int] = []

    def look(self, conflicts: Any) -> Found:
        self.asked.append(len(conflicts))
        left = [each for each in conflicts if each.event_id not in self.corrected]
        found = [self.find(each) for each in left]
        wrong = [each for each, what in zip(left, found, strict=True) if what == "wrong"]
        return Found(wrong=wrong, waiting=found.count("waiting"))

    def correct(self, conflicts: Any, check: Callable[[], None]) -> int:
        check()
        self.corrected += [each.event_id for each in conflicts]
        return len(conflicts)


@pytest.mark.unit
def test_a_day_is_looked_at_until_nothing_is_wrong_with_it() -> None:
    clock, lake, store = ManualClock(), _MemoryContents(_2026_11_27=250), _MemoryShown(lambda conflict: "wrong")
    duty = ConflictDuty(store, lake, clock)
    for _ in range(4):
        duty.turn(held, NEVER)
    assert len(store.corrected) == 250
    assert store.asked == [100, 100, 50] * 2
    assert duty.report() == "conflicts in memory: 250 corrected"
    assert duty.report() == ""


@pytest.mark.unit
def test_what_a_store_has_not_taken_is_looked_for_again_after_a_while() -> None:
    clock, lake, store = ManualClock(), _MemoryContents(_2026_11_27=1), _MemoryShown(lambda conflict: "waiting")
    duty = ConflictDuty(store, lake, clock)
    for seconds in (0, 60, 539, 1):
        clock.advance(seconds)
        duty.turn(held, NEVER)
    assert len(lake.looked) == 2


@pytest.mark.unit
def test_a_keeper_that_begins_looks_back_a_while_and_at_what_is_added_whatever_its_day() -> None:
    lake, store = _MemoryContents(_2026_11_01=1, _2025_11_27=1), _MemoryShown(lambda conflict: "")
    duty = ConflictDuty(store, lake, ManualClock())
    duty.turn(held, NEVER)
    assert lake.looked == [dt.date(2026, 11, 1)]
    lake.state += 1
    duty.turn(held, NEVER)
    assert dt.date(2025, 11, 27) in lake.looked


@pytest.mark.unit
def test_a_turn_that_fails_does_all_of_it_next_time() -> None:
    clock, lake = ManualClock(), _MemoryContents(_2026_11_27=1)
    trouble: list[Exception] = [Outage("away"), ConfigError("no table")]

    def find(conflict: Conflict) -> str:
        if trouble:
            raise trouble.pop(0)
        return "wrong"

    store = _MemoryShown(find)
    duty = ConflictDuty(store, lake, clock)
    for kind in (Outage, ConfigError):
        with pytest.raises(kind):
            duty.turn(held, NEVER)
    duty.turn(held, NEVER)
    assert len(store.corrected) == 1


@pytest.mark.unit
def test_a_day_is_looked_at_from_the_state_up_to_which_the_store_was_right() -> None:
    clock, lake = ManualClock(), _MemoryContents(_2026_11_27=1)
    store = _MemoryShown(lambda conflict: "right")
    duty = ConflictDuty(store, lake, clock)
    for state, what in ((1, "right"), (2, "right"), (3, "waiting"), (4, "waiting"), (5, "right"), (6, "right")):
        lake.state, store.find = state, lambda conflict, what=what: what  # type: ignore[misc]
        duty.turn(held, NEVER)
    assert lake.after == [None, 1, 2, 2, 2, 5]
