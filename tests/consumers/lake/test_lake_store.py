"""The lake on a real Glue and S3: the suite of every store of history, and what only the lake has."""

import datetime as dt
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed
from pyiceberg.types import LongType

from consumers.keeper.store import Discrepancy, Outrun
from consumers.keeper.testing import HistoryBench, HistoryConformance
from consumers.lake import store as lake_store
from consumers.lake.testing import AT, DAY, OwnLake, spans_of
from consumers.warehouse.testing import SpanWriter, order, parquet
from contract.tables import SPANNED, Column, Kind, Table
from runtime.errors import ConfigError

pytestmark = pytest.mark.integration

PLACE = ("cold", "s-0")


class TestLakeStore(HistoryConformance):
    @pytest.fixture
    def bench(self, lake: OwnLake) -> HistoryBench:
        return lake


def test_every_table_is_partitioned_by_its_day(lake: OwnLake) -> None:
    store = lake.store()
    found = {table.name: store.table(table.name).spec().fields[0].name for table in SPANNED}
    assert found == {table.name: table.day for table in SPANNED}


def test_a_table_that_is_not_there_says_what_to_run(lake: OwnLake) -> None:
    with pytest.raises(ConfigError, match="python -m consumers migrate"):
        lake.unprepared().taken()


def test_all_tables_are_filled_and_columns_come_back_as_they_were(lake: OwnLake) -> None:
    lake.store().take(spans_of(lake, 3))
    found = {table.name: lake.rows(f"SELECT COUNT(*) AS n FROM {table.name}")[0]["n"] for table in SPANNED}
    assert found == {"orders": 6, "lines": 6, "hits": 3, "letters": 3, "account": 3}
    (row,) = lake.rows("SELECT * FROM orders WHERE event_id = ?", "s-0-1-1")
    assert (row["arrived_at"], row["event_date"], row["total"], row["origin_offset"], row["extra"]) == (
        AT,
        DAY,
        100,
        11,
        None,
    )


def test_a_table_that_was_behind_catches_up_alone(lake: OwnLake) -> None:
    class Killed(BaseException):
        pass

    swaps = []

    def die_at_the_third_swap(effect: str) -> None:
        if effect.startswith("swap "):
            swaps.append(effect)
            if len(swaps) == 3:
                raise Killed

    spans = spans_of(lake, 2)
    store = lake.store()
    with pytest.raises(Killed):
        lake.unprepared(die_at_the_third_swap).take(spans)
    assert swaps == ["swap orders", "swap lines", "swap hits"]
    assert store.taken() == {}
    store.take(spans)
    assert store.taken() == {PLACE: 2}
    assert set(lake.orders().values()) == {1}
    assert lake.rows("SELECT COUNT(*) AS n FROM hits")[0]["n"] == 2


def test_two_keepers_at_once_add_nothing_twice(lake: OwnLake) -> None:
    lake.store()
    spans = [*spans_of(lake, 6), *spans_of(lake, 6, shard_id="s-1")]
    start = threading.Barrier(2)
    outrun = []

    def keep(store: lake_store.LakeStore) -> None:
        start.wait()
        while True:
            taken = store.taken()
            left = [each for each in spans if each.previous == taken.get((each.application, each.shard_id), 0)]
            if not left:
                return
            try:
                store.take(left)
            except Outrun as other:
                outrun.append(other)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(keep, [lake.unprepared(), lake.unprepared()]))
    print(f"outrun {len(outrun)} times")
    assert lake.store().taken() == {PLACE: 6, ("cold", "s-1"): 6}
    assert lake.orders() == Counter(
        {f"{shard}-{n}-{m}": 1 for shard in ("s-0", "s-1") for n in range(6) for m in (0, 1)}
    )


def test_a_keeper_that_was_paused_in_the_middle_changes_nothing(lake: OwnLake) -> None:
    lake.store()
    spans = spans_of(lake, 3)
    other = lake.unprepared()
    woken = False

    def while_paused(effect: str) -> None:
        nonlocal woken
        if effect == "swap orders" and not woken:
            woken = True
            other.take(spans)

    with pytest.raises(Outrun):
        lake.unprepared(while_paused).take(spans[:2])
    assert other.taken() == {PLACE: 3}
    assert set(lake.orders().values()) == {1}
    assert len(lake.orders()) == 6


def test_a_span_without_rows_outruns_a_paused_keeper_too(lake: OwnLake) -> None:
    lake.store()
    empty = SpanWriter(lake.objects).write({})
    other = lake.unprepared()

    def while_paused(effect: str) -> None:
        if effect == "swap orders" and not other.taken():
            other.take([empty])

    with pytest.raises(Outrun):
        lake.unprepared(while_paused).take([empty])
    assert other.taken() == {("cold", empty.shard_id): 1}


def test_bytes_rows_and_day_are_compared_before_anything_changes(lake: OwnLake) -> None:
    store = lake.store()
    (span,) = spans_of(lake, 1)
    for index, change in enumerate(({"bytes": 7}, {"rows": 9}, {"day": dt.date(2026, 11, 28)})):
        wrong = [changed(file, **change) if n == index else file for n, file in enumerate(span.data)]
        with pytest.raises(Discrepancy, match="instead of"):
            store.take([changed(span, data=wrong)])
    assert store.taken() == {}
    assert not lake.orders()


def _with_damaged_footer(body: bytes) -> bytes:
    """Of the right length, with the magic bytes in place."""
    return body[:-40] + b"\xff" * 32 + body[-8:]


def test_what_is_no_parquet_or_has_foreign_columns_is_named(lake: OwnLake) -> None:
    store = lake.store()
    (span,) = spans_of(lake, 1)
    file = span.data[0]
    bodies = (
        lake.objects.get(file.key)[:-9],
        b"",
        _with_damaged_footer(lake.objects.get(file.key)),
        parquet([Column(name="foreign", kind=Kind.TEXT, nullable=True)], [{"foreign": "x"}]),
    )
    for body in bodies:
        lake.objects.put(file.key, body)
        with pytest.raises(Discrepancy, match=f"{file.key} cannot be added to orders"):
            store.take([span])
    assert store.taken() == {}


def test_a_chain_that_does_not_fit_what_was_taken_is_a_discrepancy(lake: OwnLake) -> None:
    store = lake.store()
    first, second = spans_of(lake, 2)
    store.take([first])
    with pytest.raises(Discrepancy, match="no manifest of its chain ends"):
        store.take([changed(second, previous=0)])


def test_a_column_of_a_later_release_is_added_and_old_rows_lack_it(
    lake: OwnLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.store().take(spans_of(lake, 1))
    grown = tuple(_with_column(table) if table.name == "orders" else table for table in SPANNED)
    monkeypatch.setattr(lake_store, "SPANNED", grown)
    store = lake.store()
    (span,) = spans_of(lake, 1, shard_id="s-1")
    rows = [order("new", day=DAY, arrived_at=AT, line=("f", 1), gift=7)]
    body = parquet(grown[0].columns, rows)
    file = next(each for each in span.data if each.table == "orders")
    lake.objects.put(file.key, body)
    data = [changed(f, **{"bytes": len(body), "rows": 1}) if f is file else f for f in span.data]
    store.take([changed(span, data=data)])
    found = store.table("orders").scan(selected_fields=("event_id", "gift")).to_arrow().to_pylist()
    assert sorted((row["event_id"], row["gift"]) for row in found) == [("new", 7), ("s-0-0-0", None), ("s-0-0-1", None)]


def _with_column(table: Table) -> Table:
    return replace(table, columns=(*table.columns, Column(name="gift", kind=Kind.INTEGER, nullable=True)))


def test_an_older_release_leaves_the_columns_of_a_later_one_alone(lake: OwnLake) -> None:
    store = lake.store()
    with store.table("orders").update_schema() as update:
        update.add_column("gift", LongType())
    lake.store().take(spans_of(lake, 1))
    assert len(lake.orders()) == 2
    assert "gift" in store.table("orders").schema().column_names


def test_prepares_at_the_same_time_agree(lake: OwnLake) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: lake.store(), range(4)))
    assert lake.store().taken() == {}


def test_a_catalogue_set_back_before_its_metadata_was_deleted_is_led_to_the_newest(lake: OwnLake) -> None:
    store = lake.store()
    spans = spans_of(lake, 4)
    store.take(spans[:1])
    lost = store.table("orders")
    store.take(spans[1:3])
    kept = store.table("orders").metadata_location
    store.table("orders").catalog.drop_table(lost.name())
    lost.catalog.register_table(lost.name(), lost.metadata_location)
    lake.objects.delete(lost.metadata_location.removeprefix(f"s3://{lake.settings.bucket}/"))
    with pytest.raises(ConfigError, match="leads to an object that is gone"):
        store.taken()
    store.prepare()
    assert store.table("orders").metadata_location == kept
    store.take(spans[3:])
    assert store.taken() == {PLACE: 4}
    assert set(lake.orders().values()) == {1}
    assert len(lake.orders()) == 8


def test_a_catalogue_that_lost_a_table_fills_it_again(lake: OwnLake) -> None:
    store = lake.store()
    spans = spans_of(lake, 3)
    store.take(spans)
    store.table("lines").catalog.drop_table((lake.settings.database, "lines"))
    store.prepare()
    assert store.taken() == {}
    store.take(spans)
    assert lake.rows("SELECT COUNT(*) AS n FROM lines")[0]["n"] == 6
    assert set(lake.orders().values()) == {1}


def test_preparing_again_writes_nothing(lake: OwnLake) -> None:
    lake.store()
    before = list(lake.objects.keys("lake/"))
    lake.store()
    assert list(lake.objects.keys("lake/")) == before
