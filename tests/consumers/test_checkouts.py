"""The views on checkouts, over one day of a shop: in DuckDB as the lake has them, and in the warehouse."""

import datetime as dt
import re
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pytest

from consumers.checkouts import checkout_views
from consumers.spans.columns import batches_of, schema_of
from consumers.stages.testing import FACTS, access_judge, batch, encoded, judge, order, stamped
from consumers.warehouse.migrations import migrate
from consumers.warehouse.testing import Corner
from contract.tables import HITS, ORDERS
from runtime.testing import ManualClock

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
NOON = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1"
    " Mobile/15E148 Safari/604.1"
)
Row = dict[str, Any]
Ask = Callable[[str], list[Row]]


def at(minute: float) -> dt.datetime:
    return NOON + dt.timedelta(minutes=minute)


def sale(order_id: str, session: str, minute: float, **more: Any) -> bytes:
    time = at(minute).isoformat()
    return encoded(order(event_id=order_id, order_id=order_id, session_id=session, event_time=time, **more))


def request(session: str, minute: float, path: str = "/checkout", status: int = 303, **more: Any) -> bytes:
    line = {"time": at(minute).isoformat(), "method": "POST", "path": path, "status": status, "session": session}
    # No two lines lie at one place of the file, or they would be one.
    return stamped(
        msgspec.json.encode({**line, "address": "192.0.2.7", "agent": PHONE, **more}), offset=round(900 + 9 * minute)
    )


ORDERED = [
    sale("O-GOOD", "S-GOOD", 0),
    sale("O-NAMED", "S-OTHER-COOKIE", 1),
    sale("O-PAST", "S-PAST", 2),
    sale("O-LONG", "S-LONG", 3),
    sale("O-AGAIN", "S-AGAIN", 20),
    sale("O-SLOW", "S-SLOW", 30 - 0.2),
    sale("O-EUR", "S-EUR", 40, currency="EUR"),
    sale("O-EARLIER-DAY", "S-NONE", -3 * 24 * 60),
    sale("O-BACK", "S-NONE", 5, kind="return", returns="O-GOOD"),
]
REQUESTED = [
    request("S-GOOD", 0),
    request("", 1.5, "/thank-you/O-NAMED", 200),
    request("S-LONG", 3 - 61),  # an hour and a minute before
    request("S-PAST", 2, "/cart/add"),
    request("S-EUR", 40),
    request("S-AGAIN", 19, status=503),
    request("S-AGAIN", 20),
    request("S-SLOW", 30, status=502),  # the order was taken, the answer was lost
    request("S-LOST", 50, status=500),
    request("S-LOST", 51, status=503),
    request("", 52, status=503),  # without a cookie
    request("S-BOT", 53, status=503, agent="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    request("S-SEARCH", 54, "/search", 500),
    request("S-SHOWN", 55, "/thank-you/O-GOOD", 500),
]


def rows() -> dict[str, list[Row]]:
    """By table, as the judges make them of these records."""
    judged = [*judge(facts=replace(FACTS, prices=None)).judge(batch(ORDERED)), *access_judge().judge(batch(REQUESTED))]
    found: dict[str, list[Row]] = defaultdict(list)
    for table, _, same in batches_of(each.row for each in judged):
        found[table.name] += same.to_pylist()
    assert (len(found[ORDERS.name]), len(found[HITS.name])) == (len(ORDERED), len(REQUESTED))
    return found


def in_duckdb() -> Ask:
    database = duckdb.connect()
    for table in (ORDERS, HITS):
        database.register(f"{table.name}_once", pa.Table.from_pylist(rows()[table.name], schema=schema_of(table)))
    database.execute("CREATE VIEW orders AS FROM orders_once; CREATE VIEW hits AS FROM hits_once")
    for name, text in checkout_views("orders_once", "hits_once").items():
        database.execute(f"CREATE VIEW {name} AS {text}")

    def ask(text: str) -> list[Row]:
        result = database.execute(text)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    return ask


@pytest.fixture
def warehouse(stack) -> Ask:
    corner = Corner(f"checkouts_{uuid.uuid4().hex[:12]}")
    corner.make(stack.warehouse)
    with corner(stack.warehouse) as session:
        migrate(session, ManualClock(), lambda done: None)
        for table in (ORDERS, HITS):
            names = [column.name for column in table.columns]
            into = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)})"
            for row in rows()[table.name]:
                session.execute("insert", into, [row[name] for name in names])
        session.commit()

    def ask(text: str) -> list[Row]:
        with corner(stack.warehouse) as session:
            return session.query("ask", text)

    return ask


def check(ask: Ask) -> None:
    """What a merchant would say of that day."""
    lost_sight_of = ask("SELECT order_id, revenue FROM orders_without_checkout WHERE event_date = DATE '2026-11-27'")
    assert {row["order_id"] for row in lost_sight_of} == {"O-PAST", "O-LONG"}
    assert ask("SELECT order_id FROM orders_without_checkout WHERE order_id = 'O-EARLIER-DAY'") == []

    failed = {row["session_kind"]: row for row in ask("SELECT * FROM failed_checkouts")}
    assert failed.keys() == {"cookie", "visit"}
    lost = failed["cookie"]
    assert (lost["first_at"], lost["last_at"], lost["failures"], lost["status"]) == (at(50), at(51), 2, 503)
    assert (lost["browser"], lost["device"]) == ("Mobile Safari", "phone")
    assert ask(f"SELECT failures FROM failed_checkouts WHERE session = '{lost['session']}'") == [{"failures": 2}]

    at_risk = {row["currency"]: row for row in ask("SELECT * FROM revenue_at_risk")}
    assert {currency: row["checkouts"] for currency, row in at_risk.items()} == {"GBP": 2, "EUR": 2}
    assert {currency: row["revenue_at_risk"] for currency, row in at_risk.items()} == {
        "GBP": 2 * 6 * 2025 // 7,
        "EUR": 2 * 1 * 2025 // 7,
    }


def check_documented_queries(ask: Ask) -> None:
    """Each statement of the page runs and says something of that day."""
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    statements = [statement for block in blocks for statement in block.split(";") if statement.strip()]
    assert len(statements) == 4
    for statement in statements:
        assert ask(statement.replace("O-ABC234DEF567", "O-NAMED")), statement


@pytest.mark.unit
def test_in_the_lakes_sql() -> None:
    ask = in_duckdb()
    check(ask)
    check_documented_queries(ask)


@pytest.mark.integration
def test_in_the_warehouse(warehouse: Ask) -> None:
    check(warehouse)
    check_documented_queries(warehouse)
