import datetime as dt
import random
import uuid

import boto3
import pytest

from consumers.warehouse.migrations import migrate
from consumers.warehouse.testing import Corner
from dashboards.quicksight.account import Account
from dashboards.quicksight.settings import QuickSight, QuickSightSettings
from dashboards.quicksight.testing import FakeQuickSight
from runtime.testing import ManualClock

ACCOUNT = "123456789012"


@pytest.fixture(scope="session")
def settings():
    told = QuickSight(
        account=ACCOUNT,
        vpc_connection=f"arn:aws:quicksight:eu-west-2:{ACCOUNT}:vpcConnection/warehouse",
        secret=f"arn:aws:secretsmanager:eu-west-2:{ACCOUNT}:secret:reader",
        regions="uk-sales=GB IE; dach=DE AT",
        patience_s=60.0,
        web_days=90,
    )
    return QuickSightSettings(quicksight=told)


@pytest.fixture(scope="session")
def session():
    return boto3.Session(aws_access_key_id="id", aws_secret_access_key="key", region_name="eu-west-2")


@pytest.fixture
def fake():
    return FakeQuickSight()


@pytest.fixture
def account(session, settings, fake):
    """Waits move the clock on."""
    clock = ManualClock()
    return Account(fake.attach(session.client("quicksight")), settings, clock, clock.advance)


def _rows(now):
    """36 days of a shop up to `now`: two currencies, some countries, returns, guests, visits, letters."""
    chance = random.Random(8)
    day = now.date()
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    tables = {name: [] for name in ("orders", "lines", "hits", "letters", "account", "ledger", "duplicates")}
    for ago in range(36):
        for number in range(chance.randint(9, 20) + (8 if ago % 7 == 2 else 0)):
            at = start - dt.timedelta(days=ago) + dt.timedelta(seconds=int(chance.triangular(0, 86_399, 60_000)))
            if at > now:
                continue
            name, region = (
                f"{ago}-{number}",
                chance.choices(["GB", "DE", "IE", "FR", "JP", None], [60, 12, 9, 8, 6, 3])[0],
            )
            sale = chance.random() > 0.08
            sign, sku = (1 if sale else -1), f"KT-{int(chance.triangular(100, 130, 101))}"
            pieces, total = chance.randint(1, 9), chance.randint(500, 20_000)
            shared = {"event_id": name, "content_hash": "c", "event_time": at, "event_date": at.date()}
            shared |= {"channel": chance.choice(["web", "app"]), "region": region, "kind": "sale" if sale else "return"}
            shared |= {"currency": "JPY" if region == "JP" else "GBP"}
            customer = f"c{int(chance.triangular(1, 400, 1))}" if chance.random() > 0.2 else None
            tables["orders"].append(
                shared
                | {"arrived_at": at, "order_id": name, "customer": customer, "tax": 0, "shipping": 0, "total": total}
                | {"revenue": sign * total, "units": sign * pieces, "line_count": 1, "late": chance.random() < 0.02}
                | {"origin_file": "f1", "origin_offset": len(tables["orders"]) * 100}
            )
            line = {"line_number": 1, "sku": sku, "quantity": pieces, "unit_price": 250, "discount": 0}
            tables["lines"].append(shared | line | {"units": sign * pieces, "amount": sign * total})
        for visit in range(chance.randint(12, 25)):
            at = start - dt.timedelta(days=ago) + dt.timedelta(seconds=chance.randint(0, 50_000))
            for page in ("other", "product", "cart", "checkout")[: chance.choices([1, 2, 3, 4], [20, 40, 20, 20])[0]]:
                hit = {"event_id": f"h{len(tables['hits'])}", "event_time": at, "event_date": at.date(), "page": page}
                hit |= {
                    "arrived_at": at,
                    "flags": "",
                    "session": f"s{ago}-{visit}",
                    "device": chance.choice(["phone", "desktop"]),
                }
                hit |= {"status_class": "5xx" if chance.random() < 0.01 else "2xx", "is_bot": visit % 9 == 0}
                tables["hits"].append(hit | {"origin_file": "f2", "origin_offset": len(tables["hits"]) * 50})
        for number in range(chance.randint(0, 3)):
            at = start - dt.timedelta(days=ago, seconds=-40_000 - number)
            letter = {"letter_id": f"l{ago}-{number}", "reason": chance.choice(["unknown_sku", "price", "total"])}
            letter |= {"reasons": letter["reason"], "event_type": "order", "read_on": at.date(), "arrived_at": at}
            tables["letters"].append(letter | {"shard_id": "s", "sequence": "1", "sub_sequence": 0})
    newest = now - dt.timedelta(seconds=90)
    beat = {"read_at": newest, "arrived_at": newest - dt.timedelta(hours=1), "arrived_on": day, "final": False}
    for file, kind, table, step in (("f1", "order", "orders", 100), ("f2", "access", "hits", 50)):
        lines, end = len(tables[table]), len(tables[table]) * step
        told = {"file_id": file, "kind": kind, "path": f"web-1/{kind}", "end_offset": end, "lines": lines, "bytes": end}
        tables["account"].append(told | beat | {"crc_sum": 0, "file_size": end})
    taken = {"application": "cold", "shard_id": "s", "previous": "0", "last": "1", "manifest": "m", "records": 1}
    counts = dict.fromkeys(("orders", "lines", "letters", "heartbeats"), 1)
    times = {"first_arrived_at": newest, "last_arrived_at": newest, "committed_at": newest, "commit_id": "x"}
    tables["ledger"].append(taken | counts | times)
    return tables


def _literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, int):  # and truth
        return str(value).upper()
    text = value.replace(tzinfo=None).isoformat(" ") if isinstance(value, dt.datetime) else value
    return f"'{text}'"


@pytest.fixture(scope="session")
def corner(stack):
    """A warehouse with some weeks of a shop up to today."""
    corner = Corner(f"quicksight_{uuid.uuid4().hex[:12]}")
    corner.make(stack.warehouse)
    with corner(stack.warehouse) as session:
        migrate(session, ManualClock(), lambda done: None)
        fill(session)
    return corner


def fill(session):
    for table, rows in _rows(dt.datetime.now(dt.UTC).replace(microsecond=0)).items():
        for first in range(0, len(rows), 500):
            part = rows[first : first + 500]
            if part:
                names = list(part[0])
                values = ", ".join(f"({', '.join(_literal(row[name]) for name in names)})" for row in part)
                session.execute("fill", f"INSERT INTO {table} ({', '.join(names)}) VALUES {values}")
    session.commit()


@pytest.fixture(scope="session")
def ask(stack, corner):
    """Rows of a statement."""
    with corner(stack.warehouse) as session:
        yield lambda text: [tuple(row.values()) for row in session.query("ask", text)]
