"""Rows a second into the warehouse: what the keeper takes from the lake's spans, COPY, anti-join, checks and commit.

The baselines insert a part of the same rows through the same driver, one statement a row, and check nothing. Front and
S3 are the local ones, on the cores that the client has too.
"""

import datetime as dt
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas
import redshift_connector

from consumers.manifests import Manifest
from consumers.warehouse.ddl import create_stage
from consumers.warehouse.migrations import migrate
from consumers.warehouse.store import WarehouseStore
from consumers.warehouse.testing import Corner, SpanWriter, lines_of, order
from contract.tables import LINES, ORDERS, Table
from infra.local.endpoints import Endpoints
from infra.local.testing import local_stack
from loadtests.bench.report import Figure
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.objects.s3 import S3Objects
from runtime.settings import Warehouse

RUNS = 3
_SPANS, _ORDERS, _LINES = 8, 3_750, 3  # a minute of 500 orders/s from 8 shards
_BASELINE_ORDERS = 2_500
_AT_LEAST = 10.0  # times as fast as each baseline
_UNIT = "rows/s"

Rows = Sequence[Mapping[str, Any]]


def run() -> Sequence[Figure]:
    """Rows of orders and their lines a second, beside both baselines."""
    rates: dict[str, list[float]] = {"take": [], "executemany": [], "write_dataframe": []}
    with (
        tempfile.TemporaryDirectory(prefix="bench-warehouse-") as folder,
        local_stack(Path(folder), parts=("ministack", "redshift")) as endpoints,
    ):
        objects = S3Objects(client("s3", endpoints.aws), endpoints.lake.bucket)
        _take(endpoints, objects, "warm", [_orders(RUNS, 0)])  # the front's first COPY loads what the others find there
        for number in range(RUNS):
            orders = [_orders(number, span) for span in range(_SPANS)]
            few = orders[0][:_BASELINE_ORDERS]
            rates["take"].append(_take(endpoints, objects, f"run{number}", orders))
            rates["executemany"].append(_baseline(endpoints, few, _executemany))
            rates["write_dataframe"].append(_baseline(endpoints, few, _write_dataframe))
    return [
        Figure(
            name=f"take_vs_{name}",
            unit=_UNIT,
            better="higher",
            target=_AT_LEAST * statistics.median(rates[name]),
            values=rates["take"],
            baseline=f"{name} of redshift-connector",
            baseline_values=rates[name],
        )
        for name in ("executemany", "write_dataframe")
    ]


def _orders(run: int, span: int) -> list[dict[str, Any]]:
    at = dt.datetime(2026, 11, 27, 8, run, tzinfo=dt.UTC)
    return [
        order(
            uuid.uuid5(uuid.NAMESPACE_OID, f"{run}/{span}/{number}").hex,
            day=at.date(),
            arrived_at=at + dt.timedelta(milliseconds=number),
            line=(f"i-0123456789abcdef0-{span}", 366 * number),
            content=_LINES,
            customer=uuid.uuid5(uuid.NAMESPACE_URL, str(number)).hex * 2,
            region="GB",
        )
        for number in range(_ORDERS)
    ]


def _take(endpoints: Endpoints, objects: S3Objects, name: str, spans: Sequence[Rows]) -> float:
    corner = Corner(name)
    corner.make(endpoints.warehouse)
    with corner(endpoints.warehouse) as session:
        migrate(session, SystemClock(), lambda done: None)
    store = WarehouseStore(
        endpoints.warehouse, bucket=objects.bucket, objects=objects, clock=SystemClock(), connect=corner
    )
    manifests = [_write(objects, f"{name}-{number}", orders) for number, orders in enumerate(spans)]
    started_s = time.perf_counter()
    store.take(manifests)
    return sum(file.rows for each in manifests for file in each.data) / (time.perf_counter() - started_s)


def _write(objects: S3Objects, shard_id: str, orders: Rows) -> Manifest:
    lines = [line for row in orders for line in lines_of(row)]
    return SpanWriter(objects, shard_id=shard_id).write({ORDERS.name: orders, LINES.name: lines})


def _baseline(endpoints: Endpoints, orders: Rows, insert: Callable[[Any, str, Table, Rows], None]) -> float:
    rows = {ORDERS: orders, LINES: [line for row in orders for line in lines_of(row)]}
    with closing(_plain_connection(endpoints.warehouse)) as connection:
        cursor = connection.cursor()
        for table in rows:
            cursor.execute(create_stage(f"plain_{table.name}", table.columns))
        started_s = time.perf_counter()
        for table, of_table in rows.items():
            insert(cursor, f"plain_{table.name}", table, of_table)
        connection.commit()
        return sum(map(len, rows.values())) / (time.perf_counter() - started_s)


def _plain_connection(settings: Warehouse) -> Any:
    """As the driver comes: our own sessions do without its named statements, which a statement for each row wants."""
    return redshift_connector.connect(
        host=settings.host,
        port=settings.port,
        database=settings.database,
        user=settings.user,
        password=settings.password,
        ssl=settings.tls,
    )


def _values(table: Table, rows: Rows) -> list[list[Any]]:
    return [[_plain(row.get(column.name)) for column in table.columns] for row in rows]


def _plain(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, dt.datetime) else value


def _executemany(cursor: Any, name: str, table: Table, rows: Rows) -> None:
    cursor.executemany(f"INSERT INTO {name} VALUES ({', '.join('%s' for _ in table.columns)})", _values(table, rows))


def _write_dataframe(cursor: Any, name: str, table: Table, rows: Rows) -> None:
    columns = [column.name for column in table.columns]
    cursor.write_dataframe(pandas.DataFrame(_values(table, rows), columns=columns, dtype=object), name)
