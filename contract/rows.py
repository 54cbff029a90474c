"""What the stores hold: one row per judged event. Store schemas are generated from these definitions."""

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta

# Stored and returned, but neither searched nor summed: keeps the live index lean.
Kept = Meta(extra={"searched": False})
# Summed and grouped by, never searched for.
Summed = Meta(extra={"searched": False, "summed": True})


def since(version: int) -> Meta:
    """Of a field that came later: files of manifests older than `version` lack it. All else follows from that."""
    return Meta(extra={"since": version})


class Origin(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Where a row's line came from: the agent's stamp, or nothing for a foreign producer's record."""

    file: Annotated[str, Summed]  # file id
    offset: Annotated[int, Summed]  # of the line's first byte
    bytes: Annotated[int, Summed]  # of the line, newline not counted
    crc: Annotated[int, Summed]  # crc32 of the line
    attempt: Annotated[int, Summed, since(2)] = 0  # 1.. for a letter that was sent again


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
    # True: it arrived later after its time than is allowed; see [rules] late_s.
    late: Annotated[bool | None, since(2)] = None
    origin: Origin | None = None
    extra: Annotated[str | None, Kept] = None  # unknown fields, as one JSON object


class HitRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One request that a web server logged. What the line does not say is None, as is what it says in vain ("-").

    Nobody's whole address: IPv4 without its last 8 bits, IPv6 without its last 80. Query strings are left out.
    """

    event_id: str
    event_time: dt.datetime  # when the server wrote the line
    event_date: dt.date  # in the shop's time zone
    arrived_at: dt.datetime  # at the stream
    request_id: str | None = None
    host: str | None = None  # virtual host
    address: str | None = None  # of the first client named, which an X-Forwarded-For may forge; truncated
    session: str | None = None  # keyed hash; of a cookie the same as of an order in that session
    session_kind: str | None = None  # what it is made of: cookie, or visit (address, agent and half-hour)
    identity_key_id: Annotated[str | None, Kept] = None
    method: str | None = None
    path: str | None = None
    page: str  # kind by the site's rules: search, product, recommendation, cart, checkout, other
    order_id: str | None = None  # that the path names
    protocol: Annotated[str | None, Kept] = None
    status: int | None = None
    status_class: str | None = None  # 2xx, 3xx, ...
    sent_bytes: Annotated[int | None, Summed] = None  # of the answer's body
    duration_us: Annotated[int | None, Summed] = None
    referrer: str | None = None
    agent: str | None = None  # user agent, as it calls itself
    browser: str | None = None  # family, as ua-parser names it; so is the next one
    os: str | None = None
    device: str | None = None  # desktop, phone, tablet, tv, console, wearable; None for a bot
    is_bot: bool  # a crawler or a program, by its own word
    flags: list[str] = []  # what an operator looks at: probe, scanner, checkout_error
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
    read_on: dt.date  # UTC day on which the agent read the line
    arrived_at: dt.datetime
    shard_id: Annotated[str, Kept]
    sequence: Annotated[str, Kept]
    sub_sequence: Annotated[int, Kept]
    origin: Origin | None = None


class MendedLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What OpenSearch holds of a letter that was sent again and accepted; lake and warehouse tell by the row itself."""

    letter_id: str
    read_on: dt.date
    arrived_at: dt.datetime  # of what was accepted, until the letter itself comes; then the letter's
    origin: Origin | None = None
    mended_at: dt.datetime  # arrival of what was accepted


class DuplicateRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A second line with a known identity: the shop emitted twice. Keeps the account exact.

    A line has one such row, by the verdict that came first: a second line that was refused, and accepted when it was
    delivered again, is not looked at for a conflict.
    """

    event_id: str  # a letter's id where a refused event came twice
    conflict: bool  # the content differs from the first one's
    arrived_at: dt.datetime
    origin: Origin | None = None


class OrderLineRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One line of an accepted order as lake and warehouse hold it, with what it is grouped by. Amounts: minor units."""

    event_id: str
    event_date: dt.date  # of its order, in the shop's time zone
    event_time: dt.datetime
    content_hash: str  # of its order: tells the lines of conflicting orders apart
    line_number: int  # from 1
    kind: str
    channel: str
    region: str | None = None
    currency: str
    sku: str
    quantity: int
    unit_price: int
    discount: int
    units: int  # quantity, negative for a return
    amount: int  # quantity x unit_price - discount, negative for a return


class HeartbeatRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What an agent says of one file: the stream has acknowledged so much of it. Cumulative from the file's start."""

    file_id: str
    kind: str  # of the file's lines: order, access
    path: str  # host/path, for people
    end_offset: int  # every line that begins before it is acknowledged
    lines: int
    bytes: int  # of the lines, newlines not counted: end_offset = bytes + lines unless lines were skipped
    crc_sum: int  # sum of the lines' crc32; exact in a double up to 2 million lines
    file_size: int  # bytes in the file when this was sent
    final: bool  # the agent expects no more lines: gone, drained, or quiet for long
    read_at: dt.datetime
    arrived_at: dt.datetime  # at the stream
    arrived_on: dt.date  # its UTC day


class ConflictRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A second order with a known identity and other content: refused, the first one counts."""

    event_id: str
    event_date: dt.date
    kept_content_hash: str
    content_hash: str
    currency: str
    revenue: int  # that was not counted
    arrived_at: dt.datetime
    origin: Origin | None = None


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One manifest that the warehouse has taken, and what its files held. A shard's rows form the same chain as its
    manifests."""

    application: str
    shard_id: str
    previous: str  # last sequence of the manifest before, in 64 digits
    last: str  # last sequence of this one, in 64 digits
    manifest: str  # its key
    records: int
    orders: int  # rows in its files, whether or not they were known; so are the next three
    lines: int
    letters: int
    heartbeats: int
    first_arrived_at: dt.datetime
    last_arrived_at: dt.datetime
    commit_id: str  # the commit that took it
    committed_at: dt.datetime
    hits: Annotated[int | None, since(1)] = None  # None: taken before there were any


class CommitRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one commit made of the rows of its manifests.

    The ledger's orders + hits + letters + heartbeats of the same commit = these orders + hits + letters + heartbeats
    + duplicates + redelivered.
    """

    commit_id: str
    committed_at: dt.datetime
    manifests: int
    orders: int  # rows added, as are the next three
    lines: int
    letters: int
    heartbeats: int
    duplicates: int  # second lines with a known identity, of orders, hits and letters
    conflicts: int  # those of the duplicates whose content differs
    redelivered: int  # orders, hits, letters and heartbeats whose very line was there already
    hits: Annotated[int | None, since(1)] = None  # rows added; None: committed before there were any
