"""Spans for tests: rows as Parquet objects, and the manifests that list them."""

import datetime as dt
import io
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from consumers.manifests import START, DataFile, Manifest, data_key
from consumers.spans.columns import schema_of
from consumers.warehouse.connection import Session, connect
from consumers.warehouse.schema import SCHEMA, Schema
from contract.tables import VERSION, Column, Table
from runtime.effects import Effect, no_effect
from runtime.objects import Objects
from runtime.settings import Warehouse

_ORIGIN = ("origin_file", "origin_offset", "origin_bytes", "origin_crc")

Rows = Sequence[Mapping[str, Any]]  # by column name; what is absent is null


def parquet(columns: Iterable[Column], rows: Rows) -> bytes:
    """An object of rows, with these columns in this order."""
    schema = schema_of(Table(name="", columns=tuple(columns)))
    arrays = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), out, compression="zstd")
    return out.getvalue()


def order(
    event_id: str,
    *,
    day: dt.date,
    arrived_at: dt.datetime,
    line: tuple[str, int] | None,
    content: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """An order's row: `content` lines of 100 each, sent as `line` (file id, offset) or by a foreign producer."""
    return {
        "event_id": event_id,
        "content_hash": f"content-{content}",
        "event_time": dt.datetime.combine(day, dt.time(12), dt.UTC),
        "event_date": day,
        "arrived_at": arrived_at,
        "order_id": f"O-{event_id}",
        "kind": "sale",
        "channel": "web",
        "currency": "GBP",
        "tax": 0,
        "shipping": 0,
        "total": 100 * content,
        "revenue": 100 * content,
        "units": content,
        "line_count": content,
        **_origin(line),
        **more,
    }


def lines_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of an order's lines."""
    shared = ("event_id", "event_date", "event_time", "content_hash", "kind", "channel", "region", "currency")
    sold = {"sku": "85123A", "quantity": 1, "unit_price": 100, "discount": 0, "units": 1, "amount": 100}
    return [
        {**{name: row.get(name) for name in shared}, "line_number": number + 1, **sold}
        for number in range(row["line_count"])
    ]


def hit(
    event_id: str, *, day: dt.date, arrived_at: dt.datetime, line: tuple[str, int] | None, **more: Any
) -> dict[str, Any]:
    """A request's row."""
    return {
        "event_id": event_id,
        "event_time": dt.datetime.combine(day, dt.time(12), dt.UTC),
        "event_date": day,
        "arrived_at": arrived_at,
        "method": "GET",
        "path": "/",
        "status": 200,
        "sent_bytes": 100,
        "page": "other",
        "is_bot": False,
        "flags": "",
        **_origin(line),
        **more,
    }


def letter(
    letter_id: str, *, day: dt.date, arrived_at: dt.datetime, line: tuple[str, int] | None, **more: Any
) -> dict[str, Any]:
    """A dead letter's row."""
    return {
        "letter_id": letter_id,
        "reason": "unknown_sku",
        "reasons": "unknown_sku",
        "event_type": "order",
        "read_on": day,
        "arrived_at": arrived_at,
        "shard_id": "shardId-000000000000",
        "sequence": "1",
        "sub_sequence": 0,
        **_origin(line),
        **more,
    }


def heartbeat(
    file_id: str, end_offset: int, *, arrived_at: dt.datetime, final: bool = False, read_at: dt.datetime | None = None
) -> dict[str, Any]:
    """A heartbeat's row. One that is delivered again has the same `read_at`; by default, its arrival."""
    return {
        "file_id": file_id,
        "kind": "order",
        "path": f"host/{file_id}",
        "end_offset": end_offset,
        "lines": end_offset // 10,
        "bytes": end_offset - end_offset // 10,
        "crc_sum": 5 * (end_offset // 10),
        "file_size": end_offset,
        "final": final,
        "read_at": read_at or arrived_at,
        "arrived_at": arrived_at,
        "arrived_on": arrived_at.date(),
    }


def _origin(line: tuple[str, int] | None) -> dict[str, Any]:
    return {} if line is None else dict(zip(_ORIGIN, (*line, 9, 5), strict=True))


class SpanWriter:
    """Writes the spans of one shard, one after the other. Manifests are returned, not stored."""

    def __init__(
        self,
        objects: Objects,
        *,
        shard_id: str = "shardId-000000000000",
        application: str = "cold",
        schema: Schema = SCHEMA,
    ) -> None:
        self._objects = objects
        self._shard_id = shard_id
        self._application = application
        self._schema = schema
        self._last = START

    def write(self, rows: Mapping[str, Rows], *, version: int = VERSION) -> Manifest:
        """Put one span: `rows` by table. It has one record, as far as the manifest says."""
        previous, self._last = self._last, self._last + 1
        span_id = f"{self._last:08d}"
        data = [file for table in rows for file in self._put(table, rows[table], span_id, version)]
        at = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
        return Manifest(
            version=version,
            span_id=span_id,
            application=self._application,
            stream="transactions",
            shard_id=self._shard_id,
            previous=previous,
            last=self._last,
            records=1,
            first_arrived_at=at,
            last_arrived_at=at,
            data=data,
            raw=[],
            letters=[],
            written_at=at,
            worker="test",
        )

    def _put(self, table: str, rows: Rows, span_id: str, version: int) -> Iterable[DataFile]:
        by_day: dict[dt.date, list[Mapping[str, Any]]] = {}
        for row in rows:
            by_day.setdefault(row[self._schema.table(table).day], []).append(row)
        for day, of_day in sorted(by_day.items()):
            body = parquet(self._schema.columns(table, version), of_day)
            key = data_key(self._application, table, day, self._shard_id, span_id)
            self._objects.put(key, body)
            yield DataFile(
                table=table, day=day, key=key, bytes=len(body), rows=len(of_day), sha256=sha256(body).hexdigest()
            )


class Corner:
    """A place of its own in a warehouse that others use too: a `connect` whose tables lie in a schema of that name.

    `last` is the newest session, for a test that cuts its connection.
    """

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self.last: Session | None = None

    def make(self, settings: Warehouse) -> None:
        with connect(settings) as session:
            session.execute("make", f"CREATE SCHEMA {self._schema}")
            session.commit()

    def again(self) -> "Corner":
        """The same place, for another keeper."""
        return Corner(self._schema)

    def __call__(self, settings: Warehouse, *, effect: Effect = no_effect) -> Session:
        effect("connect")
        session = connect(settings)
        session.execute("go there", f"SET search_path TO {self._schema}")
        session.commit()
        self.last = Session(session._driver, session._place, effect)
        return self.last


def cut(session: Session) -> None:
    """End the connection as a killed process does: the database learns of it, nothing else happens."""
    with suppress(OSError):
        session._driver._usock.shutdown(socket.SHUT_RDWR)
    session._driver._usock.close()


class Cut(BaseException):
    """The process was killed here."""


def dying_at(number: int, corner: Corner) -> tuple[Effect, list[str]]:
    """An effect that kills before the effect of that `number` (from 0), and the names of all effects so far."""
    names: list[str] = []

    def effect(name: str) -> None:
        names.append(name)
        if len(names) == number + 1:
            if corner.last is not None:
                cut(corner.last)
            raise Cut(name)

    return effect, names
