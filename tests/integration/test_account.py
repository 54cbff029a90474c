"""`python -m consumers account` beside a running pipeline: what is missing is named, each loss in its place."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.account.report import EXIT_BALANCES, EXIT_DOES_NOT, Account, GapKind, Line
from consumers.warehouse.connection import connect
from infra.local.testing import Pipeline
from producers.emit import Spool
from producers.storefront.shelf import SHIPPED
from runtime.aws import client

pytestmark = pytest.mark.integration

PRODUCT = json.loads(SHIPPED.read_bytes().splitlines()[0])
ORDERS = 20


def an_order(number: int) -> dict[str, Any]:
    return {
        "type": "order",
        "schema_version": 1,
        "event_id": f"account-{number}",
        "event_time": datetime.now(UTC).isoformat(),
        "order_id": f"O-{number}",
        "kind": "sale",
        "customer_id": None,
        "channel": "web",
        "region": "GB",
        "currency": "GBP",
        "lines": [{"sku": PRODUCT["sku"], "quantity": 1, "unit_price": PRODUCT["price"]}],
        "total": PRODUCT["price"],
    }


def lose_document(pipeline: Pipeline, event_id: str) -> None:
    query = {"query": {"ids": {"values": [event_id]}}}
    assert pipeline.store.delete_by_query(index="orders-*", body=query, refresh=True)["deleted"] == 1


def lose_row(pipeline: Pipeline, event_id: str) -> None:
    with connect(pipeline.endpoints.warehouse) as warehouse:
        assert warehouse.execute("plant", "DELETE FROM orders WHERE event_id = ?", [event_id]) == 1
        warehouse.commit()


def lose_object(pipeline: Pipeline) -> str:
    """Delete one object of orders from the lake. Returns its key."""
    s3, bucket = client("s3", pipeline.endpoints.aws), pipeline.endpoints.lake.bucket
    key: str = s3.list_objects_v2(Bucket=bucket, Prefix="data/orders/")["Contents"][0]["Key"]
    s3.delete_object(Bucket=bucket, Key=key)
    return key


def lines_of(account: Account, store: str) -> list[Line]:
    return [line for gap in account.gaps if gap.kind is GapKind.LINES and gap.store == store for line in gap.lines]


def test_losses_in_each_store_are_named_each_in_its_place(start_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = start_pipeline()
    with Spool(pipeline.spool) as spool:
        for number in range(ORDERS):
            spool.append(an_order(number))
    pipeline.drain()
    assert pipeline.settled(within_s=120).settled

    code, account = pipeline.account()
    assert (code, account.gaps) == (EXIT_BALANCES, [])
    assert [(store.orders, store.revenue) for store in account.stores] == [
        (ORDERS, {"GBP": ORDERS * PRODUCT["price"]})
    ] * 3

    lose_document(pipeline, "account-7")
    lose_row(pipeline, "account-3")
    key = lose_object(pipeline)
    code, account = pipeline.account()

    assert code == EXIT_DOES_NOT
    assert [line.id for line in lines_of(account, "opensearch")] == ["account-7"]
    assert [line.id for line in lines_of(account, "warehouse")] == ["account-3"]
    assert {gap.key for gap in account.gaps if gap.kind is GapKind.OBJECT} == {key}
    lost_in_lake = lines_of(account, "lake")
    assert lost_in_lake
    assert all(key in line.objects for line in lost_in_lake)
