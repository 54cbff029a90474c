"""December 2010 of a real shop, replayed through the pipeline: three stores say what the file says, to the penny."""

import datetime as dt
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from contract.catalogue import products_from_ndjson
from infra.local.home import PROJECT
from infra.local.testing import Pipeline
from producers.replay.mapping import load_mapping
from producers.replay.testing import Expected, expected

pytestmark = pytest.mark.integration

EXPORT = PROJECT.parent / "shared" / "data" / "online_retail" / "online_retail_2010_2011.parquet"
FIRST, LAST = dt.date(2010, 12, 1), dt.date(2010, 12, 31)


def producers(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "producers", *words], cwd=PROJECT, check=True, capture_output=True)


def days(file: Expected) -> pl.DataFrame:
    """Orders, units and revenue (minor units) by the shop's own day."""
    rows = [(day, sums.orders, sums.units, sums.revenue) for day, sums in file.days.items()]
    return pl.DataFrame(rows, schema=["day", "orders", "units", "revenue"], orient="row")


def reasons_by_invoice(pipeline: Pipeline) -> dict[str, frozenset[str]]:
    """Of every letter: the invoice that it is about, and why it was refused."""
    hits = pipeline.store.search(index="letters-*", body={"size": 10_000, "_source": ["order_id", "reasons"]})
    letters = [hit["_source"] for hit in hits["hits"]["hits"]]
    return {letter["order_id"]: frozenset(letter["reasons"]) for letter in letters}


@pytest.mark.soak
@pytest.mark.skipif(not EXPORT.is_file(), reason=f"the Online Retail export is not here: {EXPORT}")
def test_december_2010_is_in_all_three_stores_to_the_penny(
    start_pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOREPULSE_RULES_OWN_REGION", "false")  # some of these customers live in two countries

    def catalogue(home: Path) -> None:
        producers("reference", str(EXPORT), "--mapping", "online-retail", "--out", str(home))
        publish = ("--at-once", "--settings", str(home / "settings.toml"))
        producers("reference", "publish", "catalogue", str(home / "catalogue.ndjson"), "--unpriced", *publish)
        producers("reference", "publish", "customers", str(home / "customers.ndjson"), *publish)

    pipeline = start_pipeline(before_live=catalogue)
    replay = ("replay", str(EXPORT), "--mapping", "online-retail", "--spool", str(pipeline.spool))
    producers(*replay, "--from", str(FIRST), "--to", str(LAST))
    pipeline.drain()

    account = pipeline.settled(within_s=180)

    products = products_from_ndjson((pipeline.home.root / "catalogue.ndjson").read_bytes())
    file = expected(EXPORT, load_mapping("online-retail"), products, first=FIRST, last=LAST)
    assert account.settled, account
    assert account.emitted.lines == file.invoices
    refused_lines = sum(refusal.lines for refusal in file.refused.values())
    for store in account.stores:
        assert sum(store.refused.values()) == len(file.refused), store.name
        assert store.orders + len(file.refused) == file.invoices, store.name
    for name, sold in pipeline.sold().items():
        assert_frame_equal(sold.by("day"), days(file)), name
        assert sold.lines["orders"].sum() + refused_lines == file.lines > 42_000, name
    assert reasons_by_invoice(pipeline) == {
        invoice: frozenset(str(reason) for reason in refusal.reasons) for invoice, refusal in file.refused.items()
    }
    for store in account.stores:
        assert store.refused == account.stores[0].refused
