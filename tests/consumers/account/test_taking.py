"""The account of three stores in memory: what is compared, with what, and what is said of it."""

import datetime as dt
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from rich.console import Console

from consumers.account.command import settled_account
from consumers.account.emitted import ORDER, Tally
from consumers.account.explain import History, Window
from consumers.account.process import account_of_parts
from consumers.account.render import progress_of, show_account, verdict_of
from consumers.account.report import Account, Gap, GapKind, Line, Verdict, exit_code
from consumers.account.settings import Accounting
from consumers.account.streams import LineStream
from consumers.account.taking import Parts
from consumers.account.testing.memory import (
    NOON,
    MemoryStore,
    Stored,
    Taken,
    beat_of,
    lines_of,
    refused,
    repeated,
    tally_of,
)
from consumers.account.verdict import as_json
from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.testing import even_shards
from runtime.objects.testing import MemoryObjects
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
NAMES = ("opensearch", "lake", "warehouse")
SHARDS = even_shards(1)
SHARD = SHARDS[0].shard_id
AT_9 = Checkpoint.at(Position(9))


class World:
    """Three stores with the same rows, and heartbeats in two of them, until a test changes that."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON + MINUTE)
        self.stores = {name: MemoryStore(name) for name in NAMES}
        self.taken = {name: Taken(positions={SHARD: AT_9}) for name in NAMES}
        self.peek = Taken()
        self.window = Window(since=NOON - DAY)
        self.settings = Accounting()

    def emits(self, *rows: Stored, final: bool = True, arrived_at: dt.datetime = NOON) -> None:
        """All stores hold these rows, which are one file's, and its heartbeat."""
        for store in self.stores.values():
            store.rows += rows
        for name in ("lake", "warehouse"):
            self.stores[name].beats.append(beat_of(rows, final=final, arrived_at=arrived_at))

    def beats(self, *rows: Stored, final: bool = True, arrived_at: dt.datetime = NOON) -> None:
        """A further heartbeat."""
        for name in ("lake", "warehouse"):
            self.stores[name].beats.append(beat_of(rows, final=final, arrived_at=arrived_at))

    def parts(self) -> Parts:
        return Parts(
            stores=list(self.stores.values()),
            streams=[LineStream(kind=ORDER, progress=dict(self.taken), shards=lambda: SHARDS, peek=self.peek)],
            tables=[self.stores["lake"], self.stores["warehouse"]],
            histories=[],
            history=History(
                applications=["cold"],
                lake=MemoryObjects(),
                restricted=MemoryObjects(),
                current=lambda: iter(()),
                absent=set,
            ),
            clock=self.clock,
        )

    def account(self) -> Account:
        return account_of_parts(self.parts(), self.window, self.settings)


@pytest.fixture
def world() -> World:
    return World()


FILE = lines_of("f", *(b"line %d" % n for n in range(6)))


def kinds(account: Account) -> list[tuple[str, str | None]]:
    return [(gap.kind.value, gap.store) for gap in account.gaps]


def test_lines_that_are_everywhere_balance(world: World) -> None:
    rows = [*FILE[:3], refused(FILE[3]), repeated(FILE[4]), repeated(FILE[5], conflict=True)]
    world.emits(*rows)
    account = world.account()
    assert (account.verdict, account.settled, account.gaps, account.notes) == (Verdict.BALANCES, True, [], [])
    assert (account.files, account.emitted) == (1, tally_of(FILE))
    for store in account.stores:
        assert (store.orders, store.refused, store.duplicates, store.conflicts) == (3, {"not_json": 1}, 2, 1)
        assert (store.compared, store.missing, store.in_flight) == (tally_of(FILE), 0, 0)
        assert store.revenue == {"GBP": sum(row.revenue for row in FILE[:3])}
    assert exit_code(account, must_be_settled=True) == 0


def test_a_shop_that_never_sold_balances(world: World) -> None:
    account = world.account()
    assert (account.verdict, account.settled, account.files) == (Verdict.BALANCES, True, 0)
    assert verdict_of(account) == "no agent was heard of: there is nothing to account for"


@pytest.mark.parametrize("name", NAMES)
def test_a_line_that_one_store_lacks_is_its_gap_alone(world: World, name: str) -> None:
    world.emits(*FILE)
    del world.stores[name].rows[2]
    account = world.account()
    assert kinds(account) == [("lines", name)]
    (gap,) = account.gaps
    assert (gap.emitted, gap.found) == (tally_of(FILE), tally_of([*FILE[:2], *FILE[3:]]))
    assert [store.missing for store in account.stores] == [int(store.name == name) for store in account.stores]
    assert exit_code(account, must_be_settled=False) == 1


def test_lines_after_the_last_heartbeat_are_nobodys_yet(world: World) -> None:
    world.emits(*FILE[:4], final=False)
    world.stores["opensearch"].rows += FILE[4:]
    account = world.account()
    assert (account.verdict, account.settled) == (Verdict.BALANCES, False)
    assert [file.gap for file in account.open] == [False]
    assert exit_code(account, must_be_settled=False) == 0
    assert exit_code(account, must_be_settled=True) == 1


def test_what_a_store_has_not_passed_is_in_flight_there(world: World) -> None:
    world.emits(*FILE[:2], final=False, arrived_at=NOON - 2 * MINUTE)
    world.beats(*FILE, arrived_at=NOON)
    world.stores["opensearch"].rows += FILE[2:]
    for name in ("lake", "warehouse"):
        world.taken[name].positions = {SHARD: Checkpoint.at(Position(3))}
    world.peek.arrivals = {(SHARD, Checkpoint.at(Position(3))): NOON - MINUTE}
    account = world.account()
    assert account.verdict is Verdict.BALANCES
    assert {store.name: store.in_flight for store in account.stores} == {"lake": 4, "opensearch": 0, "warehouse": 4}
    assert {store.name: store.compared.lines for store in account.stores} == {
        "lake": 2,
        "opensearch": 6,
        "warehouse": 2,
    }
    assert not account.settled
    # Revenue is that of the lines that all have closed.
    assert {store.revenue["GBP"] for store in account.stores} == {sum(row.revenue for row in FILE[:2])}


def test_a_store_that_passed_a_heartbeat_and_lacks_its_lines_is_not_in_flight(world: World) -> None:
    world.emits(*FILE)
    world.stores["lake"].rows.clear()
    assert kinds(world.account()) == [("lines", "lake")]


def test_lines_in_flight_for_long_are_a_gap(world: World) -> None:
    world.emits(*FILE)
    world.taken["opensearch"].positions = {}
    world.stores["opensearch"].rows.clear()
    world.peek.arrivals = {(SHARD, Checkpoint.parse("TRIM_HORIZON")): NOON - MINUTE}
    assert kinds(world.account()) == []
    world.clock.advance(world.settings.in_flight_s + 60)
    assert kinds(world.account()) == [("behind", "opensearch")]


def test_records_that_wait_for_long_are_a_gap_though_no_heartbeat_tells_of_lines_in_them(world: World) -> None:
    """Whoever fills the tables has died: heartbeats wait like everything else, and nobody knows of more."""
    world.emits(*FILE)
    world.stores["opensearch"].rows += lines_of("g", b"x", arrived_at=NOON + MINUTE)
    for name in ("lake", "warehouse"):
        world.taken[name].positions = {SHARD: Checkpoint.at(Position(3))}
    world.peek.arrivals = {(SHARD, Checkpoint.at(Position(3))): NOON + MINUTE}
    world.clock.advance(world.settings.in_flight_s)
    assert kinds(world.account()) == []
    world.clock.advance(61)
    assert kinds(world.account()) == [("behind", "lake"), ("behind", "warehouse")]
    # What arrived after the window is another account's.
    world.window = Window(since=NOON - DAY, until=NOON + MINUTE)
    assert kinds(world.account()) == []


def test_nothing_was_heard_and_records_wait(world: World) -> None:
    for name in NAMES:
        world.taken[name].positions = {}
    world.peek.arrivals = {(SHARD, Checkpoint.parse("TRIM_HORIZON")): NOON - DAY}
    assert kinds(world.account()) == [("behind", name) for name in NAMES]


def test_a_look_that_did_not_get_as_far_as_a_record_accuses_nobody(world: World) -> None:
    world.emits(*FILE)
    world.peek.arrivals = {(SHARD, AT_9): NOON - DAY}
    world.peek.is_seen = False
    account = world.account()
    assert (kinds(account), account.settled) == ([], False)


@pytest.mark.parametrize("name", ["lake", "warehouse"])
def test_a_silent_agent_is_a_gap_by_any_table_of_heartbeats(world: World, name: str) -> None:
    world.emits(*FILE, final=False)
    world.clock.advance(world.settings.quiet_s)
    assert kinds(world.account()) == [("open", None)]
    # A resting agent repeats itself.
    world.stores[name].beats.append(beat_of(FILE, final=False, arrived_at=NOON + 3 * MINUTE))
    assert kinds(world.account()) == []
    world.stores["warehouse" if name == "lake" else "lake"].away = "no connection"
    assert kinds(world.account()) == []


def test_nobody_is_called_silent_by_a_table_that_lags(world: World) -> None:
    world.emits(*FILE, final=False)
    world.clock.advance(world.settings.quiet_s)
    for name in ("lake", "warehouse"):
        world.taken[name].positions = {SHARD: Checkpoint.at(Position(3))}
    world.peek.arrivals = {(SHARD, Checkpoint.at(Position(3))): NOON + MINUTE}
    assert kinds(world.account()) == []


def test_a_heartbeat_that_comes_in_during_the_look_is_heard(world: World) -> None:
    """The keeper was minutes behind, and caught up after the newest heartbeat had been asked for."""
    world.emits(*FILE[:3], final=False)
    world.clock.advance(world.settings.quiet_s)
    lake = world.stores["lake"]
    whole = beat_of(FILE, arrived_at=NOON + 3 * MINUTE)

    class CatchesUp(Taken):
        def taken(self) -> dict[str, Checkpoint]:
            lake.beats.append(whole)
            for store in world.stores.values():
                store.rows += FILE[3:]
            return {SHARD: AT_9}

    world.taken["lake"] = CatchesUp()
    account = world.account()
    assert (kinds(account), account.open, account.settled) == ([], [], False)


def test_a_file_that_went_on_after_the_window_is_not_open_in_it(world: World) -> None:
    world.emits(*FILE[:3], final=False, arrived_at=NOON - DAY)
    world.beats(*FILE)
    world.window = Window(since=NOON - 2 * DAY, until=NOON - DAY / 2)
    for store in world.stores.values():
        store.rows += FILE[3:]
    account = world.account()
    assert (account.emitted.lines, account.open, account.settled) == (3, [], True)


def test_a_window_compares_what_was_emitted_in_it(world: World) -> None:
    world.emits(*FILE[:2], final=False, arrived_at=NOON - 2 * DAY)
    world.beats(*FILE[:5], final=False, arrived_at=NOON - DAY)
    world.beats(*FILE)
    for store in world.stores.values():
        store.rows += FILE[2:]
    world.window = Window(since=NOON - 1.5 * DAY, until=NOON - DAY / 2)
    account = world.account()
    assert (account.verdict, account.emitted) == (Verdict.BALANCES, tally_of(FILE[2:5]))
    # What is lost before or after it is another day's.
    del world.stores["lake"].rows[5], world.stores["lake"].rows[0]
    assert world.account().verdict is Verdict.BALANCES
    del world.stores["lake"].rows[2]
    assert kinds(world.account()) == [("lines", "lake")]


def test_a_file_that_rested_for_longer_than_is_looked_back_is_compared_whole(world: World) -> None:
    old = [replace(row, arrived_at=NOON - 30 * DAY) for row in FILE[:3]]
    world.emits(*old, final=True, arrived_at=NOON - 30 * DAY)
    world.emits(*FILE[3:])
    for name in ("lake", "warehouse"):
        world.stores[name].beats[-1] = beat_of(FILE)
    assert world.account().verdict is Verdict.BALANCES
    del world.stores["warehouse"].rows[1]
    (gap,) = world.account().gaps
    assert [line.offset for line in gap.lines if line.trouble == "missing"] == [FILE[1].offset]


def test_lines_of_a_file_that_rested_are_summed_whole_where_another_store_is_not_as_far(world: World) -> None:
    old = [replace(row, arrived_at=NOON - 30 * DAY) for row in FILE[:3]]
    world.emits(*old, *FILE[3:5], final=False, arrived_at=NOON - 2 * MINUTE)
    world.beats(*FILE)
    for name in ("opensearch", "lake"):
        world.stores[name].rows.append(FILE[5])
    world.taken["warehouse"].positions = {SHARD: Checkpoint.at(Position(3))}
    world.peek.arrivals = {(SHARD, Checkpoint.at(Position(3))): NOON - MINUTE}
    account = world.account()
    assert (account.verdict, account.gaps) == (Verdict.BALANCES, [])
    assert {store.revenue["GBP"] for store in account.stores} == {sum(row.revenue for row in FILE[:5])}


def test_a_line_delivered_long_before_it_was_acknowledged_is_found(world: World) -> None:
    rows = [*FILE[:3], replace(FILE[3], arrived_at=NOON - 30 * DAY), *FILE[4:]]
    world.emits(*rows[:3], final=False, arrived_at=NOON - 2 * DAY)
    world.beats(*rows)
    for store in world.stores.values():
        store.rows += rows[3:]
    assert world.account().verdict is Verdict.BALANCES


def test_rows_beyond_the_offset_where_a_file_was_called_final_are_a_gap_once_they_are_not_young(world: World) -> None:
    """The shop went on writing; its host died before the agent said so again."""
    world.emits(*FILE[:3], arrived_at=NOON - DAY / 2)
    for store in world.stores.values():
        store.rows += FILE[3:]
    world.clock.advance(60)
    assert kinds(world.account()) == []
    assert not world.account().settled
    world.clock.advance(61)
    account = world.account()
    assert kinds(account) == [("unnamed", name) for name in NAMES]
    assert "3 rows from offset 21 on" in account.gaps[0].text
    assert account.gaps[0].path == "shop-1/spool/f.ndjson"
    # The agent came back.
    world.beats(*FILE, final=False, arrived_at=NOON + 2 * MINUTE)
    assert kinds(world.account()) == []


def test_rows_beyond_the_last_heartbeat_of_a_file_that_is_still_written_are_its_silent_agents_gap(world: World) -> None:
    world.emits(*FILE[:3], final=False, arrived_at=NOON - DAY / 2)
    for store in world.stores.values():
        store.rows += FILE[3:]
    world.clock.advance(1_000)
    assert kinds(world.account()) == [("open", None)]


def test_a_file_left_open_before_the_window_is_told(world: World) -> None:
    world.emits(*FILE, final=False, arrived_at=NOON - 3 * DAY)
    world.emits(*lines_of("g", b"x"))
    world.window = Window(since=NOON - 2 * DAY)
    account = world.account()
    assert (account.verdict, account.open) == (Verdict.BALANCES, [])
    assert account.notes == ["left open before 2026-11-25 12:00:00 UTC, and still not final: shop-1/spool/f.ndjson (f)"]


def test_an_order_that_lost_its_order_lines_is_a_gap_of_its_store(world: World) -> None:
    world.emits(*FILE)
    world.stores["warehouse"].rows[2] = replace(FILE[2], is_torn=True)
    account = world.account()
    assert kinds(account) == [("torn", "warehouse")]
    (gap,) = account.gaps
    assert (gap.path, gap.text) == (
        "shop-1/spool/f.ndjson",
        "1 orders do not have the order lines that they were made of (the first: 0 of 1)",
    )
    assert [(line.trouble, line.offset, line.end, line.id) for line in gap.lines] == [("torn", 14, 21, "f-14")]
    assert exit_code(account, must_be_settled=False) == 1


def test_heartbeats_that_one_table_lost_are_read_from_the_other(world: World) -> None:
    world.emits(*FILE)
    world.stores["lake"].beats.clear()
    assert world.account().emitted == tally_of(FILE)


def test_rows_of_a_file_without_heartbeats_are_a_gap_once_they_are_not_young(world: World) -> None:
    world.emits(*lines_of("g", b"x"))
    for store in world.stores.values():
        store.rows += FILE
    account = world.account()
    assert (account.verdict, account.settled) == (Verdict.BALANCES, False)
    world.clock.advance(world.settings.quiet_s)
    assert kinds(world.account()) == [("unnamed", name) for name in NAMES]


def test_bytes_that_an_agent_passed_over_are_a_gap(world: World) -> None:
    world.emits(*FILE[:2], *FILE[3:])
    account = world.account()
    (gap,) = [gap for gap in account.gaps if gap.kind is GapKind.SKIPPED]
    assert account.skipped_bytes == FILE[2].bytes + 1
    assert [(line.offset, line.end) for line in gap.lines] == [(FILE[2].offset, FILE[3].offset)]


def test_stores_that_hold_every_line_and_disagree_on_revenue_are_named(world: World) -> None:
    world.emits(*FILE)
    row = world.stores["lake"].rows[0]
    world.stores["lake"].rows[0] = replace(row, revenue=row.revenue + 1)
    (gap,) = world.account().gaps
    assert gap.kind is GapKind.REVENUE
    assert "GBP" in gap.text


@pytest.mark.parametrize("name", NAMES)
def test_a_store_that_does_not_answer_does_not_hide_the_others(world: World, name: str) -> None:
    world.emits(*FILE)
    world.stores[name].away = "no connection"
    account = world.account()
    assert (account.verdict, account.settled) == (Verdict.INCOMPLETE, False)
    assert {store.name: store.trouble for store in account.stores} == {
        each: "no connection" if each == name else None for each in NAMES
    }
    assert sum(store.compared.lines for store in account.stores) == 2 * len(FILE)
    assert exit_code(account, must_be_settled=False) == 3
    del world.stores[next(each for each in NAMES if each != name)].rows[0]
    assert exit_code(world.account(), must_be_settled=False) == 1


def test_a_store_whose_progress_nobody_knows_is_not_compared(world: World) -> None:
    world.emits(*FILE)
    world.taken["opensearch"].away = "no lease table"
    account = world.account()
    assert account.verdict is Verdict.INCOMPLETE
    assert [store.trouble for store in account.stores] == [None, "no lease table", None]


def test_without_the_stream_nobody_knows_what_is_still_to_come(world: World) -> None:
    world.emits(*FILE)
    world.peek.away = "no stream"
    account = world.account()
    assert account.verdict is Verdict.INCOMPLETE
    assert {store.trouble for store in account.stores} == {"the stream: no stream"}


def test_records_that_no_agent_sent_are_counted_apart(world: World) -> None:
    world.emits(*FILE)
    for name in NAMES[:2]:
        world.stores[name].rows.append(Stored(row_id="x", file_id=None, revenue=7, arrived_at=NOON - MINUTE))
    account = world.account()
    assert account.verdict is Verdict.BALANCES
    assert [(s.name, s.foreign.orders, s.foreign.revenue) for s in account.stores if s.foreign] == [
        ("lake", 1, {"GBP": 7}),
        ("opensearch", 1, {"GBP": 7}),
        ("warehouse", 0, {}),
    ]
    assert "differ" in account.notes[0]
    assert {store.revenue["GBP"] for store in account.stores} == {sum(row.revenue for row in FILE)}


def test_the_json_is_the_account(world: World) -> None:
    world.emits(*FILE)
    del world.stores["lake"].rows[2]
    account = world.account()
    assert msgspec.json.decode(as_json(account), type=Account) == account
    found: Any = json.loads(as_json(account))
    assert found["verdict"] == "does_not_balance"
    assert found["emitted"] == {"lines": 6, "bytes": 36, "crc": tally_of(FILE).crc}
    assert found["gaps"][0]["lines"][0]["trouble"] == "missing"


def told(account: Account) -> str:
    console = Console(file=io.StringIO(), width=200)
    show_account(account, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_people_are_told_the_same(world: World) -> None:
    world.emits(*FILE[:4], refused(FILE[4]), FILE[5])
    assert "the account balances to the line" in told(world.account())
    assert "No JSON" not in told(world.account())
    del world.stores["warehouse"].rows[2]
    said = told(world.account())
    assert (
        "THE ACCOUNT DOES NOT BALANCE: warehouse: shop-1/spool/f.ndjson (f) offsets 0..42: 6 lines emitted, 5 found"
        in said
    )
    assert f"offset {FILE[2].offset}..{FILE[3].offset} f-14: missing; held by opensearch, lake" in said
    world.stores["lake"].away = "gone"
    assert "lake: not looked at: gone" in told(world.account())


def test_every_kind_of_gap_and_every_trouble_can_be_told() -> None:
    troubles = ["missing", "twice", "other_content", "never_reached", "nowhere", "torn", "of another release", ""]
    gaps = [
        Gap(kind=kind, text="text", lines=[Line(trouble=t, offset=n, end=n + 1) for n in range(30)], more=5, key="key")
        for kind, t in zip(GapKind, troubles, strict=True)
    ]
    account = Account(
        taken_at=NOON,
        since=NOON,
        until=None,
        verdict=Verdict.DOES_NOT_BALANCE,
        settled=False,
        files=0,
        emitted=Tally(),
        skipped_bytes=0,
        stores=[],
        open=[],
        gaps=gaps * 5,
        notes=["a note"],
    )
    said = told(account)
    assert "and 25 more lines" in said
    assert "20 more gaps" in said
    assert "a note" in said


def test_progress_is_one_line(world: World) -> None:
    world.emits(*FILE, final=False)
    world.stores["lake"].away = "gone"
    assert progress_of(world.account()) == ("emitted 6 · lake away · opensearch 6 · warehouse 6 · 1 files open")


class Looks:
    """Accounts taken one after the other; the last one again and again."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.accounts = list(accounts)
        self.thorough: list[bool] = []

    def __call__(self, thorough: bool) -> Account:
        self.thorough.append(thorough)
        return self.accounts.pop(0) if len(self.accounts) > 1 else self.accounts[0]


def settled_and_not(world: World) -> tuple[Account, Account]:
    world.emits(*FILE)
    settled = world.account()
    world.beats(*FILE, final=False, arrived_at=NOON + MINUTE)
    return settled, world.account()


def test_it_looks_until_the_account_is_settled_and_then_closely(world: World) -> None:
    settled, not_yet = settled_and_not(world)
    looks, clock = Looks([not_yet, not_yet, settled]), ManualClock()
    assert settled_account(looks, within_s=60, stop=StopAfter(100, clock), clock=clock).settled
    assert looks.thorough == [False, False, False, True]


def test_when_the_time_is_over_it_is_told_as_it_is(world: World) -> None:
    _, not_yet = settled_and_not(world)
    looks, clock, seen = Looks([not_yet]), ManualClock(), list[Account]()
    account = settled_account(looks, within_s=10, stop=StopAfter(100, clock), clock=clock, seen=seen.append)
    assert account is not_yet
    assert 4 <= len(seen) <= 7
    assert looks.thorough[-1]


def test_without_time_it_looks_once_closely_and_a_stop_ends_the_wait(world: World) -> None:
    _, not_yet = settled_and_not(world)
    looks, clock = Looks([not_yet]), ManualClock()
    settled_account(looks, within_s=0, stop=StopAfter(100, clock), clock=clock)
    assert looks.thorough == [True]
    settled_account(looks, within_s=60, stop=StopAfter(0, clock), clock=clock)
    assert looks.thorough == [True, False, True]
