"""Questions to a real lake."""

import datetime as dt

import pytest

from consumers.lake.added import state_of
from consumers.lake.read import LakeReader, ObjectsMissing, tables_in
from consumers.lake.testing import AT, DAY, OwnLake, spans_of
from consumers.warehouse.testing import SpanWriter, lines_of, order
from runtime.errors import ConfigError
from runtime.outage import Outage

pytestmark = pytest.mark.integration


def filled(lake: OwnLake, *days: dt.date) -> list[str]:
    """One span a day with two orders of one order id; the keys of the objects of orders."""
    store, writer, keys = lake.store(), SpanWriter(lake.objects), []
    for day in days:
        rows = [
            order(f"e-{day}", day=day, arrived_at=AT + dt.timedelta(seconds=n), line=("f", n), content=2)
            for n in range(2)
        ]
        span = writer.write({"orders": rows, "lines": [line for row in rows for line in lines_of(row)]})
        store.take([span])
        keys += [file.key for file in span.data if file.table == "orders"]
    return keys


def test_what_came_twice_is_once_in_the_views(lake: OwnLake) -> None:
    filled(lake, DAY)
    assert lake.rows("SELECT COUNT(*) AS n FROM orders") == [{"n": 2}]
    assert lake.rows("SELECT event_id, arrived_at FROM orders_once") == [{"event_id": f"e-{DAY}", "arrived_at": AT}]
    assert lake.rows("SELECT line_number FROM lines_once ORDER BY 1") == [{"line_number": 1}, {"line_number": 2}]
    assert lake.rows("SELECT origin_offset, conflict FROM duplicates") == [{"origin_offset": 1, "conflict": False}]
    assert lake.rows("SELECT COUNT(*) AS n FROM letters_once") == [{"n": 0}]


def test_days_leave_the_other_objects_alone(lake: OwnLake) -> None:
    first, second, third = (DAY + dt.timedelta(days=n) for n in range(3))
    keys = filled(lake, first, second, third)
    lake.objects.delete(keys[0])
    reader = LakeReader(lake.unprepared())
    (found,) = reader.query("SELECT COUNT(*) AS n, MIN(event_date) AS first FROM orders", days=(second, third))
    assert found == {"n": 4, "first": second}


def test_what_was_added_after_a_state_is_a_table_of_its_own(lake: OwnLake) -> None:
    store, (first, *others) = lake.store(), spans_of(lake, 3, orders=2)
    text = "SELECT (SELECT COUNT(*) FROM orders) AS everything, (SELECT COUNT(*) FROM orders_added) AS added"

    def counted(after: int, day: dt.date = DAY) -> tuple[int, int]:
        (found,) = LakeReader(lake.unprepared()).query(text, after=after, days=(day, day))
        return found["everything"], found["added"]

    store.take([first])
    state = state_of(store.table("orders"))
    assert (counted(0), counted(state)) == ((2, 2), (2, 0))
    for each in others:
        store.take([each])
    assert (counted(0), counted(state)) == ((6, 6), (6, 4))
    assert counted(state, DAY + dt.timedelta(days=1)) == (0, 0)


def test_parameters_stand_for_question_marks_and_times_are_utc(lake: OwnLake) -> None:
    filled(lake, DAY)
    asked = AT.astimezone(dt.timezone(dt.timedelta(hours=9)))
    (found,) = lake.rows("SELECT arrived_at FROM orders WHERE arrived_at > ? AND event_id = ?", asked, f"e-{DAY}")
    assert found["arrived_at"] == AT + dt.timedelta(seconds=1)
    assert found["arrived_at"].tzinfo is dt.UTC


def test_objects_that_are_gone_are_named_and_may_be_left_out(lake: OwnLake) -> None:
    keys = filled(lake, DAY, DAY + dt.timedelta(days=1))
    lake.objects.delete(keys[1])
    with pytest.raises(ObjectsMissing) as missing:
        lake.rows("SELECT SUM(revenue) AS revenue FROM orders_once")
    assert missing.value.keys == [keys[1]]
    assert keys[1] in str(missing.value)
    left = LakeReader(lake.unprepared(), leave_out=keys[1:])
    assert list(left.query("SELECT SUM(revenue) AS revenue FROM orders_once")) == [{"revenue": 200}]


def test_an_empty_lake_has_empty_tables(lake: OwnLake) -> None:
    lake.store()
    assert lake.rows("SELECT COUNT(*) AS n, SUM(revenue) AS revenue FROM orders_once") == [{"n": 0, "revenue": None}]


def test_a_catalogue_that_is_away_is_an_outage_and_one_without_tables_says_who_makes_them(lake: OwnLake) -> None:
    with pytest.raises(Outage):
        list(LakeReader(lake.unreachable()).query("SELECT 1 FROM orders"))
    with pytest.raises(ConfigError, match="python -m consumers migrate"):
        list(LakeReader(lake.unprepared()).query("SELECT 1 FROM orders"))


def test_many_rows_come_in_bounded_memory(lake: OwnLake) -> None:
    store = lake.store()
    spans = spans_of(lake, 3, orders=4_000)
    store.take(spans)
    reader = LakeReader(store, memory_mib=64)
    assert sum(1 for _ in reader.query("SELECT * FROM orders_once ORDER BY event_id")) == 12_000


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT 1 FROM orders", {"orders"}),
        ("SELECT 1 FROM lines_once l", {"lines", "orders"}),
        ("SELECT 1 FROM duplicates, account", {"orders", "hits", "letters", "account"}),
        ("SELECT 1 FROM hits_once", {"hits"}),
        ("SELECT 1", set()),
    ],
)
def test_only_the_tables_of_the_question_are_opened(text: str, tables: set[str]) -> None:
    assert tables_in(text) == tables
