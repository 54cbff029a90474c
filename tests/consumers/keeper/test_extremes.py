"""What the stages accept, every store of history takes: one row that a store refuses would stop its shard for good."""

import random
import uuid
from typing import Any

import msgspec
import pytest

from consumers.cold import Buckets, ColdPath, Limits
from consumers.keeper.store import HistoryStore
from consumers.lake.testing import OwnLake
from consumers.spans.budget import Budget
from consumers.spans.chain import Chain
from consumers.spans.span import Author
from consumers.stages.testing import ARRIVED_AT, SHARD, batch, encoded, heartbeat, judge, order
from consumers.tally import Tally
from consumers.warehouse.migrations import migrate
from consumers.warehouse.store import WarehouseStore
from consumers.warehouse.testing import Corner
from contract.money import LARGEST
from infra.local.endpoints import Endpoints
from runtime.objects.testing import MemoryObjects
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

LONG = "😀" * 256
ODD = "a\tb\nc\r\"d\" 'e' \\N \\ , | é \u2028 \u200b"
DAYS = ("0002-01-01T00:00:00Z", "9998-12-31T23:59:59.999999Z", "1600-02-29T12:00:00Z", "1969-12-31T23:59:59.999999Z")


def _sold(**changes: Any) -> dict[str, Any]:
    return order(**{"event_id": uuid.uuid4().hex, **changes})


def _extremes() -> list[bytes]:
    texts = [
        dict.fromkeys(("event_id", "order_id", "channel", "region", "returns", "customer_id", "session_id"), text)
        for text in (LONG, ODD)
    ]
    largest = [{"sku": "71053", "quantity": LARGEST, "unit_price": 1, "discount": 0}]
    folded = [{"sku": "71053", "quantity": LARGEST, "unit_price": 1_000, "discount": LARGEST}] + [
        {"sku": "71053", "quantity": 1, "unit_price": 0, "discount": LARGEST} for _ in range(999)
    ]
    orders = [
        *(_sold(event_time=at) for at in DAYS),
        *(_sold(**each) for each in texts),
        _sold(lines=largest, shipping=0, total=LARGEST),
        _sold(lines=largest, shipping=0, total=LARGEST, kind="return"),
        _sold(lines=folded, shipping=0, total=0),
        _sold(lines=[{"sku": "71053", "quantity": 1, "unit_price": 1}] * 3_000, shipping=0, total=3_000),
        _sold(extra_text="x" * 65_000, more={"null": "\\u0000", "deep": [[[[1e308]]]]}),
        _sold(extra_text="é" * 65_535),
        _sold(note=ODD),
    ]
    files = {"f" * 128: 0, "😀" * 32: 2**62}
    letters = [
        encoded(_sold(order_id=LONG, total=-1)),
        encoded(_sold(event_id="e" * 600)),
        b"\xff\x00\r\n",
        b"[" * 10_000,
        b"",
        encoded(_sold(lines=[{"sku": LONG, "quantity": -1, "unit_price": -0.5}] * 3_000)),
    ]
    largest_beat = dict.fromkeys(("lines", "bytes", "crc_sum", "size"), 2**63 - 1)
    stamp = {"k": "heartbeat", "f": "f" * 128, "o": 2**62, "n": 0, "c": 0, "h": "h" * 4_096, "t": DAYS[1]}
    beats = [heartbeat(**largest_beat, _sp=stamp), heartbeat(_sp={**stamp, "h": "", "t": DAYS[0], "o": 0})]
    return [
        *(encoded(each, offset=n) for n, each in enumerate(orders)),
        *(encoded(_sold(), file=file, offset=offset) for file, offset in files.items()),
        msgspec.json.encode(_sold()),
        *letters,
        *map(msgspec.json.encode, beats),
    ]


@pytest.fixture(params=["lake", "warehouse"])
def store(request: pytest.FixtureRequest, stack: Endpoints, lake: OwnLake) -> HistoryStore:
    if request.param == "lake":
        return lake.store()
    corner = Corner(f"extremes_{uuid.uuid4().hex[:12]}")
    corner.make(stack.warehouse)
    with corner(stack.warehouse) as session:
        migrate(session, ManualClock(), lambda done: None)
    bucket = lake.settings.bucket
    return WarehouseStore(stack.warehouse, bucket=bucket, objects=lake.objects, clock=ManualClock(), connect=corner)


@pytest.fixture
def lake(stack: Endpoints) -> OwnLake:
    return OwnLake(stack.aws)


def test_every_store_takes_the_largest_and_the_oddest(store: HistoryStore, lake: OwnLake) -> None:
    contents = _extremes()
    tally = Tally()
    path = ColdPath(
        SHARD,
        judge(),
        Buckets(lake=lake.objects, restricted=MemoryObjects()),
        author=Author("cold", "w-1"),
        limits=Limits(nbytes=1 << 30, records=1_000, parts=1_000, age_s=20.0),
        budget=Budget(1 << 30),
        tally=tally,
        clock=ManualClock(ARRIVED_AT),
        rng=random.Random(7),
    )
    path.accept(batch(contents))
    path.settle()
    counts, _ = tally.take()
    assert (counts["letters"], counts["account"]) == (6, 2)
    assert counts["orders"] == len(contents) - 8
    store.take(list(Chain(lake.objects, "cold", SHARD.shard_id).after()))
    assert store.taken() == {("cold", SHARD.shard_id): len(contents)}
