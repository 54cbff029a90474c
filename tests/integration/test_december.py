"""December 2010 of a real shop, replayed through the pipeline: the store says what the file says, to the penny."""

import datetime as dt
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract.catalogue import products_from_ndjson
from infra.local.home import PROJECT
from infra.local.testing import Pipeline
from producers.replay.mapping import load_mapping
from producers.replay.testing import expected

pytestmark = pytest.mark.integration

EXPORT = PROJECT.parent / "shared" / "data" / "online_retail" / "online_retail_2010_2011.parquet"
FIRST, LAST = "2010-12-01", "2010-12-31"


def producers(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "producers", *words], cwd=PROJECT, check=True, capture_output=True)


def figures_by_day(pipeline: Pipeline) -> dict[str, tuple[int, int, int]]:
    """Orders, units and revenue (minor units) by the shop's own day, as OpenSearch has them."""
    sums = {name: {"sum": {"field": name}} for name in ("units", "revenue")}
    by_day = {"date_histogram": {"field": "event_date", "calendar_interval": "day", "min_doc_count": 1}, "aggs": sums}
    answer: dict[str, Any] = pipeline.store.search(index="orders-*", body={"size": 0, "aggs": {"days": by_day}})
    return {
        day["key_as_string"][:10]: (day["doc_count"], round(day["units"]["value"]), round(day["revenue"]["value"]))
        for day in answer["aggregations"]["days"]["buckets"]
    }


def reasons_by_invoice(pipeline: Pipeline) -> dict[str, frozenset[str]]:
    """Of every letter: the invoice that it is about, and why it was refused."""
    hits = pipeline.store.search(index="letters-*", body={"size": 10_000, "_source": ["order_id", "reasons"]})
    letters = [hit["_source"] for hit in hits["hits"]["hits"]]
    return {letter["order_id"]: frozenset(letter["reasons"]) for letter in letters}


def stored_lines(pipeline: Pipeline) -> int:
    answer = pipeline.store.search(
        index="orders-*", body={"size": 0, "aggs": {"lines": {"sum": {"field": "line_count"}}}}
    )
    return round(answer["aggregations"]["lines"]["value"])


@pytest.mark.skipif(not EXPORT.is_file(), reason=f"the Online Retail export is not here: {EXPORT}")
def test_december_2010_is_in_the_store_to_the_penny(start_pipeline: Callable[..., Pipeline]) -> None:
    def catalogue(home: Path) -> None:
        producers("reference", str(EXPORT), "--mapping", "online-retail", "--out", str(home))

    pipeline = start_pipeline(before_live=catalogue)
    replay = ("replay", str(EXPORT), "--mapping", "online-retail", "--spool", str(pipeline.spool))
    producers(*replay, "--from", FIRST, "--to", LAST)

    account = pipeline.settled(within_s=120)

    products = products_from_ndjson((pipeline.home.root / "catalogue.ndjson").read_bytes())
    file = expected(
        EXPORT,
        load_mapping("online-retail"),
        products,
        first=dt.date.fromisoformat(FIRST),
        last=dt.date.fromisoformat(LAST),
    )
    assert account.balances
    assert account.emitted == file.invoices
    assert figures_by_day(pipeline) == {
        str(day): (sums.orders, sums.units, sums.revenue) for day, sums in file.days.items()
    }
    assert reasons_by_invoice(pipeline) == {
        invoice: frozenset(str(reason) for reason in refusal.reasons) for invoice, refusal in file.refused.items()
    }
    refused = sum(refusal.lines for refusal in file.refused.values())
    assert stored_lines(pipeline) + refused == file.lines > 42_000
    assert account.indexed + len(file.refused) == file.invoices
