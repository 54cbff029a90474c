"""What is published, in which order, and what is not."""

import datetime as dt
import hashlib
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from consumers.spans.columns import schema_of
from contract.reference import LEAD, TABLES, Customer, Kind, Price, Rate, Snapshot
from producers.reference.command import reference
from producers.reference.publish import publish, to_parquet
from producers.reference.publish_command import without_prices
from producers.reference.reading import read_entries
from runtime.errors import ConfigError
from runtime.objects.testing import Fault, MemoryObjects
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

START = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
MUG = Price(sku="MUG", currency="GBP", price=1250)
ENTRIES: dict[Kind, list[Any]] = {
    "catalogue": [MUG, Price(sku="ANY", currency="GBP", price=None, valid_from=START, promotion="may")],
    "customers": [Customer(customer_id="C-1"), Customer(customer_id="C-2", status="blocked", region="GB")],
    "rates": [Rate(currency="USD", reporting="GBP", date=START.date(), rate=Decimal("0.7512"))],
}


@pytest.mark.parametrize("kind", list(ENTRIES))
def test_the_data_is_put_first_and_the_summary_says_what_it_is(kind: Kind) -> None:
    bucket = MemoryObjects()
    snapshot = publish(kind, ENTRIES[kind], bucket, ManualClock(START))
    (part,) = snapshot.parts
    data = bucket.stored[part.key]
    assert (part.rows, part.bytes, part.sha256) == (len(ENTRIES[kind]), len(data), hashlib.sha256(data).hexdigest())
    prefix = f"reference/{kind}/{snapshot.version}/"
    assert bucket.log[-2:] == [f"put {prefix}part-00000.parquet", f"put_if_absent {prefix}snapshot.json"]
    assert msgspec.json.decode(bucket.stored[f"{prefix}snapshot.json"], type=Snapshot) == snapshot


@pytest.mark.parametrize("kind", list(ENTRIES))
def test_the_columns_are_those_that_the_readers_ask_for(kind: Kind) -> None:
    body = to_parquet(kind, ENTRIES[kind])
    read = pq.read_schema(io.BytesIO(body))
    assert [field.name for field in read] == [column.name for column in TABLES[kind].columns]
    rows = pl.read_parquet(body).to_dicts()
    for row, entry in zip(rows, ENTRIES[kind], strict=True):
        assert row == {name: str(v) if isinstance(v := getattr(entry, name), Decimal) else v for name in row}
    assert {str(field.type).removeprefix("large_") for field in read} <= {str(f.type) for f in schema_of(TABLES[kind])}


def test_the_first_is_in_force_at_once_and_the_next_ones_in_two_minutes() -> None:
    bucket, clock = MemoryObjects(), ManualClock(START)
    assert publish("catalogue", [MUG], bucket, clock).effective_at == START
    clock.advance(60)
    assert publish("catalogue", [MUG], bucket, clock).effective_at == clock.now() + LEAD
    assert publish("customers", ENTRIES["customers"], bucket, clock).effective_at == clock.now()
    assert publish("catalogue", [MUG], bucket, clock, at_once=True).effective_at == clock.now()


def test_a_time_that_readers_could_miss_is_refused_and_a_later_one_is_kept() -> None:
    bucket, clock = MemoryObjects(), ManualClock(START)
    publish("catalogue", [MUG], bucket, clock)
    before = dict(bucket.stored)
    with pytest.raises(ConfigError, match="too early"):
        publish("catalogue", [MUG], bucket, clock, effective_at=START + dt.timedelta(seconds=119))
    assert bucket.stored == before
    tomorrow = (START + dt.timedelta(days=1)).astimezone(dt.timezone(dt.timedelta(hours=1)))
    assert publish("catalogue", [MUG], bucket, clock, effective_at=tomorrow).effective_at == tomorrow


def test_a_first_one_that_was_never_finished_is_not_the_first() -> None:
    bucket, clock = MemoryObjects(), ManualClock(START)
    bucket.next_faults(None, None, Fault.BEFORE)  # the look, the data, and then
    with pytest.raises(Outage):
        publish("catalogue", [MUG], bucket, clock)
    clock.advance(1)
    assert publish("catalogue", [MUG], bucket, clock).effective_at == clock.now()


def test_two_in_one_instant_are_two() -> None:
    bucket, clock = MemoryObjects(), ManualClock(START)
    one = publish("catalogue", [MUG], bucket, clock)
    other = publish("catalogue", [Price(sku="MUG", currency="GBP", price=1)], bucket, clock)
    assert one.version != other.version


def written(folder: Path, *entries: Any) -> Path:
    file = folder / "entries.ndjson"
    file.write_bytes(msgspec.json.Encoder().encode_lines(entries))
    return file


def test_a_derived_catalogue_is_a_list_of_prices(tmp_path: Path) -> None:
    file = tmp_path / "c.ndjson"
    file.write_text('{"sku":"MUG","name":"Mug","price":1250,"currency":"GBP"}\n\n')
    assert read_entries(file, "catalogue") == [MUG]
    assert without_prices([MUG, MUG]) == [Price(sku="MUG", currency="GBP", price=None)]


@pytest.mark.parametrize(
    ("kind", "entries", "said"),
    [
        ("catalogue", [], "it is empty"),
        ("catalogue", [{"sku": "A", "price": 1}], "line 1 is none of catalogue"),
        ("catalogue", [MUG, {"sku": "A", "price": -1, "currency": "GBP"}], "line 2"),
        ("catalogue", [{"sku": "A", "price": 1.5, "currency": "GBP"}], "line 1"),
        ("catalogue", [{"sku": "A", "price": 1, "currency": "pounds"}], "no ISO 4217 code"),
        ("catalogue", [MUG, MUG], "two prices at one time"),
        ("catalogue", [{"sku": 1, "price": 1, "currency": "GBP"}], "line 1"),
        (
            "catalogue",
            [{"sku": "A", "price": 1, "currency": "GBP", "valid_from": START, "valid_to": START}],
            "ends before it begins",
        ),
        (
            "catalogue",
            [
                {"sku": "A", "price": 1, "currency": "GBP", "valid_to": START + LEAD},
                {"sku": "A", "price": 1, "currency": "GBP", "valid_from": START},
            ],
            "two prices at one time",
        ),
        ("catalogue", [{"sku": "A", "price": 1, "currency": "GBP", "valid_from": "2026-11-27T08:00:00"}], "no zone"),
        ("customers", [Customer(customer_id="C-1"), Customer(customer_id="C-1")], "for the second time"),
        ("customers", [{"customer_id": "C-1", "status": "sleepy"}], "line 1"),
        ("rates", [ENTRIES["rates"][0]] * 2, "two rates"),
        ("rates", [{"currency": "USD", "reporting": "GBP", "date": "2026-11-27", "rate": "0"}], "above zero"),
    ],
)  # fmt: skip
def test_a_list_with_a_fault_is_refused_whole(tmp_path: Path, kind: Kind, entries: list[Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_entries(written(tmp_path, *entries), kind)


def test_prices_that_follow_each_other_tiers_and_promotions_are_no_contradiction(tmp_path: Path) -> None:
    prices = [
        Price(sku="A", currency="GBP", price=1, valid_to=START),
        Price(sku="A", currency="GBP", price=2, valid_from=START),
        Price(sku="A", currency="GBP", price=1, min_quantity=10),
        Price(sku="A", currency="GBP", price=1, promotion="sale"),
        Price(sku="A", currency="EUR", price=1),
        Price(sku="A", currency="GBP", channel="app", price=1),
    ]
    assert read_entries(written(tmp_path, *prices), "catalogue") == prices


@pytest.mark.parametrize("time", ["tomorrow", "2026-11-27T08:00:00"])
def test_the_command_names_what_it_cannot_do(tmp_path: Path, time: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREPULSE_SETTINGS", str(tmp_path / "settings.toml"))
    (tmp_path / "settings.toml").write_text('[aws]\nendpoint = "http://127.0.0.1:9"\n')
    told = ["publish", "catalogue", str(written(tmp_path, MUG))]
    assert "[reference] bucket" in str(CliRunner().invoke(reference, told).exception)
    monkeypatch.setenv("STOREPULSE_REFERENCE_BUCKET", "b")
    assert time in str(CliRunner().invoke(reference, [*told, "--effective-at", time]).exception)
