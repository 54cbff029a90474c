"""The rows of the stand-in as the real stores hold them."""

import datetime as dt
from typing import Any

import msgspec

from consumers.account.emitted import Beat
from consumers.account.stores.store import CONFLICT, Kind
from consumers.account.testing.memory import Stored
from contract.rows import DuplicateRow, HeartbeatRow, HitRow, LetterRow, LineRow, OrderRow, Origin


def row_of(stored: Stored) -> OrderRow | HitRow | LetterRow | DuplicateRow:
    origin = None
    if stored.file_id is not None:
        origin = Origin(
            file=stored.file_id, offset=stored.offset, bytes=stored.bytes, crc=stored.crc, attempt=stored.attempt
        )
    if stored.kind is Kind.DUPLICATE:
        is_conflict = stored.label == CONFLICT
        return DuplicateRow(event_id=stored.row_id, conflict=is_conflict, arrived_at=stored.arrived_at, origin=origin)
    if stored.kind is Kind.HIT:
        return HitRow(
            event_id=stored.row_id,
            event_time=stored.arrived_at,
            event_date=stored.arrived_at.date(),
            arrived_at=stored.arrived_at,
            path="/",
            page="other",
            is_bot=False,
            origin=origin,
        )
    if stored.kind is Kind.LETTER:
        return LetterRow(
            letter_id=stored.row_id,
            reason=stored.label,
            reasons=[stored.label],
            event_type="heartbeat" if stored.of_heartbeat else "order",
            read_on=stored.arrived_at.date(),
            arrived_at=stored.arrived_at,
            shard_id="shardId-000000000000",
            sequence="1",
            sub_sequence=0,
            origin=origin,
        )
    return OrderRow(
        event_id=stored.row_id,
        content_hash="c0",
        event_time=stored.arrived_at,
        event_date=stored.arrived_at.date(),
        arrived_at=stored.arrived_at,
        order_id="O-1",
        kind="sale",
        channel="web",
        currency=stored.label,
        lines=[LineRow(sku="A", quantity=1, unit_price=stored.revenue, discount=0)],
        tax=0,
        shipping=0,
        total=stored.revenue,
        revenue=stored.revenue,
        units=1,
        line_count=1,
        origin=origin,
    )


def columns_of(row: OrderRow | HitRow | LetterRow | DuplicateRow | HeartbeatRow) -> dict[str, Any]:
    """By column name, as lake and warehouse name them."""
    columns: dict[str, Any] = {}
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, Origin):
            columns |= {f"origin_{field}": getattr(value, field) for field in value.__struct_fields__}
        elif isinstance(value, list):
            if not value or isinstance(value[0], str):
                columns[name] = msgspec.json.encode(value).decode()
        elif name != "origin":
            columns[name] = value
    return columns


def heartbeat_of(beat: Beat) -> HeartbeatRow:
    return HeartbeatRow(
        file_id=beat.file_id,
        kind=beat.kind,
        path=beat.path,
        end_offset=beat.end,
        lines=beat.tally.lines,
        bytes=beat.tally.bytes,
        crc_sum=beat.tally.crc,
        file_size=beat.size,
        final=beat.final,
        read_at=beat.arrived_at - dt.timedelta(seconds=1),
        arrived_at=beat.arrived_at,
        arrived_on=beat.arrived_at.date(),
    )


TABLE_OF = {Kind.ORDER: "orders", Kind.HIT: "hits", Kind.LETTER: "letters", Kind.DUPLICATE: "duplicates"}
