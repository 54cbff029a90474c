"""The load that the tools beside us were measured with: nested orders of 366 bytes, some of them wrong."""

import datetime as dt
import zlib
from collections.abc import Collection, Iterator
from random import Random
from typing import Any

import msgspec

from contract.stamp import Stamp

ORDER_BYTES = 366
_FILE_IDS = tuple(f"i-0abc{number:04x}-7f3d91ac" for number in range(8))
_STARTED_AT = dt.datetime(2025, 11, 28, 8, tzinfo=dt.UTC)  # before any run: the future is refused

SKUS = frozenset(f"{number:05d}{letter}" for number in range(20_000, 21_000) for letter in "ABC")
CUSTOMERS = 50_000


def price_of(sku: str) -> int:
    """What it costs in every channel, in pence: 50 to 9,999."""
    return 50 + zlib.crc32(sku.encode()) % 9_950


def customer_id(number: int) -> str:
    """Of the customer with this number."""
    return f"C-{number}"


def lines(
    count: int,
    *,
    seed: int = 1,
    skus: Collection[str] = SKUS,
    customers: int = CUSTOMERS,
    started_at: dt.datetime = _STARTED_AT,
) -> Iterator[bytes]:
    """Lines as the shop writes them, without faults: an order a millisecond from `started_at` on."""
    rng, choice = Random(seed), sorted(skus)
    for number in range(count):
        at = started_at + dt.timedelta(milliseconds=number)
        yield _filled(rng, _order(rng, number, at, choice, customers))


def orders(
    count: int,
    *,
    wrong_totals: int,
    unknown_skus: int,
    seed: int = 1,
    skus: Collection[str] = SKUS,
    customers: int = CUSTOMERS,
    started_at: dt.datetime = _STARTED_AT,
) -> Iterator[bytes]:
    """Records as the agent sends them; the faults at random places, never two in one order."""
    rng = Random(seed)
    faulty = rng.sample(range(count), wrong_totals + unknown_skus)
    wrong, unknown = frozenset(faulty[:wrong_totals]), frozenset(faulty[wrong_totals:])
    choice = sorted(skus)
    offsets = [0] * len(_FILE_IDS)
    for number in range(count):
        at = started_at + dt.timedelta(milliseconds=number)
        order = _order(rng, number, at, choice, customers)
        if number in unknown:
            order["lines"][1]["sku"] = "99999Z"
        order["total"] += number in wrong
        line = _filled(rng, order)
        file = number % len(_FILE_IDS)
        yield _stamped(line, _FILE_IDS[file], offsets[file], at)
        offsets[file] += len(line) + 1


def _order(rng: Random, number: int, at: dt.datetime, skus: list[str], customers: int) -> dict[str, Any]:
    bought = [(sku := rng.choice(skus), rng.randint(1, 9), price_of(sku)) for _ in range(2)]
    return {
        "type": "order",
        "schema_version": 1,
        "event_id": f"{rng.getrandbits(64):016x}",
        "event_time": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
        "order_id": f"O-{number}",
        "session_id": "",
        "kind": "sale",
        "customer_id": customer_id(rng.randrange(customers)),
        "channel": rng.choice(("web", "app")),
        "region": rng.choice(("GB", "DE", "FR", "IE")),
        "currency": "GBP",
        "lines": [{"sku": sku, "quantity": quantity, "unit_price": price} for sku, quantity, price in bought],
        "total": sum(quantity * price for _, quantity, price in bought),
    }


def _filled(rng: Random, order: dict[str, Any]) -> bytes:
    """As JSON of ORDER_BYTES; a random session id fills it up."""
    missing = ORDER_BYTES - len(msgspec.json.encode(order))
    return msgspec.json.encode({**order, "session_id": f"{rng.getrandbits(4 * missing):0{missing}x}"})


def _stamped(line: bytes, file_id: str, offset: int, at: dt.datetime) -> bytes:
    read_at = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}Z"
    stamp = Stamp(k="order", f=file_id, o=offset, n=len(line), c=zlib.crc32(line), h="shop-1/orders.jsonl", t=read_at)
    return b'%b,"_sp":%b}' % (line[:-1], msgspec.json.encode(stamp))
