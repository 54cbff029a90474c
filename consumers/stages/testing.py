"""Orders, lines and records for tests, as the shop and the agent write them."""

import datetime as dt
import zlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from consumers.delivery import Batch, Position, Record, Row, Shard
from consumers.stages.access.judge import AccessJudge
from consumers.stages.documents import document_of
from consumers.stages.facts import Fixed, InForce
from consumers.stages.judge import Verdict
from consumers.stages.orders import OrderJudge
from consumers.stages.reference_testing import any_price
from consumers.stages.rows import ShopFacts
from consumers.stages.rules import Rules, thresholds_of
from contract.identity import IdentityKey
from contract.money import LARGEST
from contract.reasons import GOOD_ORDER
from contract.stamp import Stamp

SHARD = Shard(stream="transactions", shard_id="shardId-000000000000")
ARRIVED_AT = dt.datetime(2026, 11, 27, 8, 0, 1, tzinfo=dt.UTC)
KEY = IdentityKey(key_id="test", secret=b"0123456789abcdef0123456789abcdef")
# Two SKUs at any price and in any number, no list of customers, and orders of any time: all arrive at `ARRIVED_AT`.
FACTS = InForce(
    prices=any_price("85123A", "71053"),
    thresholds=replace(thresholds_of(Rules(most_pieces=LARGEST)), skew=dt.timedelta.max),
)


_GOOD_ORDER, _decode = msgspec.json.encode(GOOD_ORDER), msgspec.json.decode  # a tenth of the time of a deep copy


def order(**changes: Any) -> dict[str, Any]:
    """A good order as the shop writes it, with `changes`; one that is `...` is left out."""
    return {name: value for name, value in {**_decode(_GOOD_ORDER), **changes}.items() if value is not ...}


def stamp_of(
    line: bytes, *, kind: Literal["order", "access"] = "order", file: str = "i-1-abc", offset: int = 0
) -> Stamp:
    """The agent's stamp of `line`."""
    return Stamp(k=kind, f=file, o=offset, n=len(line), c=zlib.crc32(line), h="shop/orders", t="2026-11-27T08:00:00.2Z")


def stamped(
    line: bytes, *, kind: Literal["order", "access"] = "order", file: str = "i-1-abc", offset: int = 0
) -> bytes:
    """The record that carries `line`, a JSON object that is not empty."""
    brace = line.rindex(b"}")
    stamp = msgspec.json.encode(stamp_of(line, kind=kind, file=file, offset=offset))
    return b'%b,"_sp":%b%b' % (line[:brace], stamp, line[brace:])


def enveloped(line: bytes, *, kind: Literal["order", "access"] = "order", offset: int = 0) -> bytes:
    """The record that carries any `line`, as the agent wraps what is no JSON object."""
    stamp = {"_sp": stamp_of(line, kind=kind, offset=offset)}
    try:
        return msgspec.json.encode({**stamp, "line": line.decode()})
    except UnicodeDecodeError:
        return msgspec.json.encode({**stamp, "line_b64": line})


def encoded(event: Any, *, file: str = "i-1-abc", offset: int = 0) -> bytes:
    """The record that carries `event`, written by the shop as compact JSON."""
    return stamped(msgspec.json.encode(event), file=file, offset=offset)


def batch(contents: Iterable[bytes], *, first: int = 1, arrived_at: dt.datetime = ARRIVED_AT) -> Batch:
    """Records with these contents, numbered from `first`."""
    records = [Record(Position(number), arrived_at, data) for number, data in enumerate(contents, start=first)]
    return Batch(shard=SHARD, records=records)


def heartbeat(**changes: Any) -> dict[str, Any]:
    """A good heartbeat of the file `i-1-abc` as the agent sends it, with `changes`; one that is `...` is left out."""
    good: dict[str, Any] = {
        "type": "heartbeat",
        "kind": "order",
        "lines": 3,
        "bytes": 1098,
        "crc_sum": 5_123_456_789,
        "size": 1101,
        "final": False,
        "_sp": {
            "k": "heartbeat",
            "f": "i-1-abc",
            "o": 1101,
            "n": 0,
            "c": 0,
            "h": "shop/orders",
            "t": "2026-11-27T08:00:00.5Z",
        },
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def judge(*, facts: InForce = FACTS, zone: str = "Europe/London") -> OrderJudge:
    """A judge of a small shop."""
    return OrderJudge(Fixed(facts=facts), ShopFacts(key=KEY, zone=ZoneInfo(zone)))


def access_judge(*, zone: str = "Europe/London") -> AccessJudge:
    """A judge of that shop's access lines."""
    return AccessJudge(ShopFacts(key=KEY, zone=ZoneInfo(zone)))


def verdict(data: bytes, *, facts: InForce = FACTS) -> Verdict:
    """The row of one record."""
    (judged,) = judge(facts=facts).judge(batch([data]))
    return judged.row


def documents(of: Batch, *, facts: InForce = FACTS, window_days: int = 14) -> list[Row]:
    """What the live store gets of these records."""
    rows = (document_of(judged, window_days) for judged in judge(facts=facts).judge(of))
    return [row for row in rows if row is not None]
