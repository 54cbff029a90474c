"""What the stores hold: one row per judged event. Store schemas are generated from these definitions."""

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta

# Stored and returned, but neither searched nor summed: keeps the live index lean.
Kept = Meta(extra={"searched": False})
# Summed and grouped by, never searched for.
Summed = Meta(extra={"searched": False, "summed": True})


class Origin(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a row's line came from: the agent's stamp, or nothing for a foreign producer's record."""

    file: Annotated[str, Summed]  # file id
    offset: Annotated[int, Summed]  # of the line's first byte
    bytes: Annotated[int, Summed]  # of the line, newline not counted
    crc: Annotated[int, Summed]  # crc32 of the line


class LineRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of an accepted order; amounts in minor units of the order's currency."""

    sku: str
    quantity: Annotated[int, Summed]
    unit_price: Annotated[int, Kept]
    discount: Annotated[int, Kept]


class OrderRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An accepted order. `revenue` and `units` are signed (returns are negative), so that they add up."""

    event_id: str
    content_hash: Annotated[str, Kept]
    event_time: dt.datetime
    event_date: dt.date  # in the shop's time zone
    arrived_at: dt.datetime  # at the stream
    order_id: str
    kind: str
    returns: str | None = None
    customer: str | None = None  # keyed hash
    session: str | None = None  # keyed hash
    identity_key_id: Annotated[str | None, Kept] = None
    channel: str
    region: str | None = None
    currency: str
    lines: list[LineRow]
    tax: Annotated[int, Kept]
    shipping: Annotated[int, Kept]
    total: Annotated[int, Kept]
    revenue: Annotated[int, Summed]  # total, negative for a return
    units: Annotated[int, Summed]  # pieces, negative for a return
    line_count: Annotated[int, Summed]
    origin: Origin | None = None
    extra: Annotated[str | None, Kept] = None  # unknown fields, as one JSON object


class LetterRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The summary of a dead letter: no content of the event beyond its ids."""

    letter_id: str  # the event's identity
    reason: str  # the decisive one, see contract.reasons: letters are counted by it
    reasons: list[str]  # all of them, the decisive one first
    detail: Annotated[str | None, Kept] = None  # where in the event; never a value of it
    event_type: str
    order_id: str | None = None
    arrived_at: dt.datetime
    shard_id: Annotated[str, Kept]
    sequence: Annotated[str, Kept]
    sub_sequence: Annotated[int, Kept]
    origin: Origin | None = None


class DuplicateRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A second line with a known identity: the shop emitted twice. Keeps the account exact."""

    event_id: str
    conflict: bool  # the content differs from the first one's
    arrived_at: dt.datetime
    origin: Origin | None = None
