"""The account over two streams in memory: lines are held against the stream that they travel on."""

import datetime as dt
import io
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from rich.console import Console

from consumers.account.emitted import ACCESS, ORDER
from consumers.account.explain import History, Window
from consumers.account.process import account_of_parts, parts_of
from consumers.account.render import show_account, verdict_of
from consumers.account.report import Account, Verdict, exit_code
from consumers.account.settings import Accounting, AccountSettings
from consumers.account.streams import LineStream
from consumers.account.taking import Parts
from consumers.account.testing.memory import (
    NOON,
    MemoryStore,
    Stored,
    Taken,
    beat_of,
    hit,
    lines_of,
    refused,
    tally_of,
)
from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.testing import even_shards
from runtime.errors import ConfigError, StreamAbsent
from runtime.objects.testing import MemoryObjects
from runtime.outage import Outage
from runtime.settings import Aws, Streams, Transport
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
NAMES = ("opensearch", "lake", "warehouse")
SHARDS = even_shards(1)  # of either stream: they name their shards alike
SHARD = SHARDS[0].shard_id
AT_9, AT_3 = Checkpoint.at(Position(9)), Checkpoint.at(Position(3))

SOLD = lines_of("orders", *(b"order %d" % n for n in range(4)))
ASKED = [hit(row) for row in lines_of("access", *(b"GET %d" % n for n in range(5)))]


@dataclass
class _Stream:
    """A stream that all stores have taken whole, until a test changes that."""

    kind: str
    taken: dict[str, Taken] = field(default_factory=lambda: {n: Taken(positions={SHARD: AT_9}) for n in NAMES})
    peek: Taken = field(default_factory=Taken)
    trouble: Exception | None = None

    def shards(self) -> Sequence[ShardInfo]:
        if self.trouble:
            raise self.trouble
        return SHARDS

    def waits(self, *stores: str, since: dt.datetime) -> None:
        """These have not taken what arrived since."""
        for name in stores:
            self.taken[name].positions = {SHARD: AT_3}
        self.peek.arrivals = {(SHARD, AT_3): since}

    def line_stream(self) -> LineStream:
        return LineStream(kind=self.kind, progress=dict(self.taken), shards=self.shards, peek=self.peek)


class _World:
    """Three stores that hold a file of orders and one of access lines."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON + MINUTE)
        self.stores = {name: MemoryStore(name) for name in NAMES}
        self.orders, self.access = _Stream(ORDER), _Stream(ACCESS)
        self.streams = [self.orders, self.access]
        self.window = Window(since=NOON - DAY)
        self.settings = Accounting()

    def emits(self, rows: Sequence[Stored], kind: str, *, final: bool = True, arrived_at: dt.datetime = NOON) -> None:
        for store in self.stores.values():
            store.rows += rows
        for name in ("lake", "warehouse"):
            self.stores[name].beats.append(beat_of(rows, kind=kind, final=final, arrived_at=arrived_at))

    def account(self) -> Account:
        parts = Parts(
            stores=list(self.stores.values()),
            streams=[stream.line_stream() for stream in self.streams],
            tables=[self.stores["lake"], self.stores["warehouse"]],
            histories=[],
            history=History(
                applications=["cold", "cold-access"],
                lake=MemoryObjects(),
                restricted=MemoryObjects(),
                current=lambda: iter(()),
                absent=set,
            ),
            clock=self.clock,
        )
        return account_of_parts(parts, self.window, self.settings)


@pytest.fixture
def world() -> _World:
    return _World()


@pytest.fixture
def both(world: _World) -> _World:
    """Both kinds were emitted."""
    world.emits(SOLD, ORDER)
    world.emits(ASKED, ACCESS)
    return world


def kinds(account: Account) -> list[tuple[str, str | None, str | None]]:
    return [(gap.kind.value, gap.store, gap.file_id) for gap in account.gaps]


def told(account: Account) -> str:
    console = Console(file=io.StringIO(), width=200)
    show_account(account, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_lines_of_both_kinds_balance_and_hits_are_counted_beside_orders(world: _World) -> None:
    world.emits(SOLD, ORDER)
    world.emits([*ASKED[:4], refused(ASKED[4], "not_access")], ACCESS)
    account = world.account()
    assert (account.verdict, account.settled, account.notes) == (Verdict.BALANCES, True, [])
    assert (account.files, account.emitted) == (2, tally_of([*SOLD, *ASKED]))
    for store in account.stores:
        assert (store.orders, store.hits, store.refused) == (4, 4, {"not_access": 1})
        assert store.revenue == {"GBP": sum(row.revenue for row in SOLD)}
    assert ["hits", "4", "4", "4"] in [line.split() for line in told(account).splitlines()]


def test_a_shop_without_access_logs_is_told_of_no_hits(world: _World) -> None:
    world.emits(SOLD, ORDER)
    assert "hits" not in told(world.account())


@pytest.mark.parametrize("name", NAMES)
def test_an_access_line_that_one_store_lacks_is_its_gap_alone(both: _World, name: str) -> None:
    both.stores[name].rows = [row for row in both.stores[name].rows if row is not ASKED[2]]
    assert kinds(both.account()) == [("lines", name, "access")]


@pytest.mark.parametrize(
    ("late", "in_flight", "exact"), [("access", len(ASKED), "orders"), ("orders", len(SOLD), "access")]
)
def test_each_kind_is_closed_by_its_own_stream(both: _World, late: str, in_flight: int, exact: str) -> None:
    getattr(both, late).waits("lake", since=NOON - MINUTE)
    lake = both.stores["lake"]
    lake.rows = [row for row in lake.rows if row.file_id != late]
    account = both.account()
    assert (account.verdict, account.settled) == (Verdict.BALANCES, False)
    assert {store.name: store.in_flight for store in account.stores} == {
        "lake": in_flight,
        "opensearch": 0,
        "warehouse": 0,
    }
    lake.rows = [row for row in lake.rows if row.file_id != exact]
    assert kinds(both.account()) == [("lines", "lake", exact)]


def test_shards_of_the_access_stream_are_told_from_those_of_the_orders(both: _World) -> None:
    both.access.waits("lake", since=NOON - MINUTE)
    both.orders.waits("warehouse", since=NOON - 2 * MINUTE)
    behind = {store.name: list(store.behind) for store in both.account().stores}
    assert behind == {"lake": [f"access/{SHARD}"], "opensearch": [], "warehouse": [SHARD]}
    both.clock.advance(both.settings.in_flight_s)
    gaps = both.account().gaps
    assert [(gap.kind.value, gap.store) for gap in gaps] == [("behind", "lake"), ("behind", "warehouse")]
    assert f"access/{SHARD}" in gaps[0].text


def test_what_came_in_at_one_stream_closes_nothing_on_the_other(world: _World) -> None:
    """A heartbeat of orders that arrived later says nothing of the access stream."""
    world.emits(ASKED[:2], ACCESS, final=False, arrived_at=NOON - 2 * MINUTE)
    world.emits(SOLD, ORDER)
    lake = world.stores["lake"]

    class CatchesUp(Taken):
        def taken(self) -> dict[str, Checkpoint]:
            lake.beats.append(beat_of(ASKED, kind=ACCESS, arrived_at=NOON - MINUTE))
            return {SHARD: AT_9}

    world.access.taken["lake"] = CatchesUp()
    account = world.account()
    assert (kinds(account), account.emitted.lines, account.settled) == ([], len(SOLD) + 2, False)


def test_a_kind_that_nobody_has_heard_of_for_long_holds_nothing_up(world: _World) -> None:
    world.emits(ASKED, ACCESS, arrived_at=NOON - DAY / 2)
    world.emits(SOLD, ORDER)
    foreign = Stored(row_id="foreign", file_id=None, revenue=7, arrived_at=NOON - MINUTE)
    for store in world.stores.values():
        store.rows.append(foreign)
    account = world.account()
    assert account.settled
    assert [store.foreign.orders for store in account.stores if store.foreign] == [1, 1, 1]
    assert {store.closed_before for store in account.stores} == {NOON + dt.timedelta(microseconds=1)}
    # What waits now is no matter of a window that is over.
    world.access.waits("lake", since=NOON)
    assert not world.account().settled
    world.window = Window(since=NOON - DAY, until=NOON - DAY / 4)
    assert world.account().settled


def test_a_file_of_a_kind_that_is_heard_of_during_the_look_unsettles_it(world: _World) -> None:
    world.emits(SOLD, ORDER)
    lake = world.stores["lake"]

    class CatchesUp(Taken):
        def taken(self) -> dict[str, Checkpoint]:
            lake.beats.append(beat_of(ASKED, kind=ACCESS))
            return {SHARD: AT_9}

    world.access.taken["lake"] = CatchesUp()
    account = world.account()
    assert (kinds(account), account.emitted, account.settled) == ([], tally_of(SOLD), False)


def test_a_silent_agent_is_judged_by_the_stream_of_its_file(world: _World) -> None:
    world.emits(SOLD, ORDER, final=False)
    world.emits(ASKED, ACCESS, final=False)
    world.clock.advance(world.settings.quiet_s)
    world.access.waits("lake", "warehouse", since=NOON + MINUTE)
    assert kinds(world.account()) == [("open", None, "orders")]
    world.access.peek.arrivals = {}
    assert kinds(world.account()) == [("open", None, "access"), ("open", None, "orders")]


def test_a_silent_agent_is_a_gap_though_other_records_keep_coming(world: _World) -> None:
    world.emits(ASKED, ACCESS, final=False)
    world.clock.advance(world.settings.quiet_s)
    world.access.waits("lake", "warehouse", since=world.clock.now())
    assert kinds(world.account()) == [("open", None, "access")]


def test_rows_that_no_heartbeat_names_wait_for_the_heartbeats_of_both_streams(world: _World) -> None:
    """A letter does not say which stream its line came by."""
    world.emits(SOLD, ORDER)
    for store in world.stores.values():
        store.rows += map(refused, ASKED)
    world.clock.advance(world.settings.quiet_s)
    world.access.waits("lake", "warehouse", since=NOON + MINUTE)
    assert kinds(world.account()) == []
    world.access.peek.arrivals = {}
    assert kinds(world.account()) == [("unnamed", name, "access") for name in NAMES]


def test_a_stream_that_is_not_set_is_no_matter_where_no_file_of_its_kind_was_heard_of(world: _World) -> None:
    world.emits(SOLD, ORDER)
    world.streams = [world.orders]
    account = world.account()
    assert (account.settled, account.notes, exit_code(account, must_be_settled=True)) == (True, [], 0)


def test_a_stream_that_is_not_there_is_told_where_no_file_of_its_kind_was_heard_of(world: _World) -> None:
    world.emits(SOLD, ORDER)
    world.access.trouble = StreamAbsent("no such stream")
    account = world.account()
    assert (account.settled, exit_code(account, must_be_settled=True)) == (True, 0)
    assert account.notes == ["the stream of access lines: no such stream; no file of such lines was heard of"]


def _unset(world: _World) -> None:
    world.streams = [world.orders]


def _gone(world: _World) -> None:
    world.access.trouble = StreamAbsent("no such stream")


def _gone_with_leases(world: _World) -> None:
    class Leases(Taken):
        def taken(self) -> dict[str, Checkpoint]:
            raise StreamAbsent("no such stream")

    world.access.taken["opensearch"] = Leases()


def _away(world: _World) -> None:
    world.access.peek.away = "no connection"


def _denied(world: _World) -> None:
    world.access.trouble = ConfigError("no right to list")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_unset, "none is set"),
        (_gone, "no such stream"),
        (_gone_with_leases, "no such stream"),
        (_away, "no connection"),
        (_denied, "no right to list"),
    ],
)
def test_files_whose_stream_cannot_be_looked_at_are_not_compared_and_the_others_are(
    both: _World, change: Callable[[_World], None], why: str
) -> None:
    change(both)
    account = both.account()
    assert (account.verdict, account.settled) == (Verdict.INCOMPLETE, False)
    assert account.notes == [f"the stream of access lines: {why}; 5 lines known to be emitted to it were not compared"]
    assert [(store.trouble, store.compared.lines, store.in_flight) for store in account.stores] == [(None, 4, 5)] * 3
    assert exit_code(account, must_be_settled=False) == 3
    assert verdict_of(account).startswith("THE ACCOUNT IS INCOMPLETE")
    del both.stores["warehouse"].rows[1]
    assert kinds(both.account()) == [("lines", "warehouse", "orders")]


def test_a_stream_that_is_away_makes_the_account_incomplete_though_nobody_heard_of_a_file(world: _World) -> None:
    world.emits(SOLD, ORDER)
    world.access.trouble = Outage("no connection")
    account = world.account()
    assert account.verdict is Verdict.INCOMPLETE
    assert account.notes == [
        "the stream of access lines: no connection; 0 lines known to be emitted to it were not compared"
    ]


def test_where_no_stream_can_be_looked_at_no_store_is_compared(both: _World) -> None:
    both.orders.trouble, both.access.trouble = Outage("no connection"), StreamAbsent("no such stream")
    account = both.account()
    assert account.verdict is Verdict.INCOMPLETE
    assert {store.trouble for store in account.stores} == {"the stream: no such stream; no connection"}


@pytest.mark.parametrize("transport", ["kinesis", "kafka"])
def test_the_settings_name_the_streams_and_who_reads_them(transport: Transport) -> None:
    def parts(access: str) -> Parts:
        settings = AccountSettings(
            aws=Aws(access_key_id="x", secret_access_key="x"), streams=Streams(transport=transport, access=access)
        )
        return parts_of(settings, ManualClock(), random.Random(7), threading.Event())

    both, one = parts("requests"), parts("")
    assert [stream.kind for stream in both.streams] == [ORDER, ACCESS]
    assert both.history.applications == ["storepulse-cold-transactions", "storepulse-cold-access"]
    assert all(stream.progress.keys() == set(NAMES) for stream in both.streams)
    assert [stream.kind for stream in one.streams] == [ORDER]
    assert one.history.applications == ["storepulse-cold-transactions"]


def test_hits_that_no_agent_sent_are_counted_apart(both: _World) -> None:
    for name in NAMES[:2]:
        both.stores[name].rows.append(
            replace(ASKED[0], file_id=None, row_id="foreign", arrived_at=NOON - MINUTE),
        )
    account = both.account()
    assert account.verdict is Verdict.BALANCES
    assert [store.foreign.hits for store in account.stores if store.foreign] == [1, 1, 0]
    assert "opensearch 0 orders, 1 hits and 0 letters" in account.notes[0]
    assert "foreign hits" in told(account)
