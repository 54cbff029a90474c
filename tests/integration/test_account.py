"""`python -m consumers account` beside a running pipeline: what is missing is named, each loss in its place."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from consumers.account.report import EXIT_BALANCES, EXIT_DOES_NOT, Account, GapKind, Line
from consumers.warehouse.connection import connect
from infra.local.pipeline import agent
from infra.local.testing import Pipeline
from producers.agent.state import STATE_FILES, read_ledger
from producers.emit import Spool
from producers.storefront.shelf import SHIPPED
from runtime.aws import client

pytestmark = pytest.mark.integration

PRODUCT = json.loads(SHIPPED.read_bytes().splitlines()[0])
ORDERS, REQUESTS = 20, 12


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


def a_request(number: int) -> bytes:
    """A line of the access log: text, or JSON as the shop and nginx write it."""
    now = datetime.now(UTC)
    if number % 2:
        return f'192.0.2.7 - - [{now:%d/%b/%Y:%H:%M:%S} +0000] "GET /{number} HTTP/1.1" 200 512 "-" "curl"'.encode()
    return json.dumps({"time": now.timestamp(), "address": "192.0.2.7", "path": f"/{number}", "status": 200}).encode()


def ask(pipeline: Pipeline, *lines: bytes) -> None:
    pipeline.home.access_log.parent.mkdir(exist_ok=True)
    with pipeline.home.access_log.open("ab") as log:
        log.write(b"".join(line + b"\n" for line in lines))


def hit_of(pipeline: Pipeline, path: str) -> str:
    """Identity of the one request for `path`."""
    (found,) = pipeline.store.search(index="hits-*", body={"query": {"term": {"path": path}}})["hits"]["hits"]
    return str(found["_id"])


def lose_document(pipeline: Pipeline, index: str, event_id: str) -> None:
    query = {"query": {"ids": {"values": [event_id]}}}
    assert pipeline.store.delete_by_query(index=index, body=query, refresh=True)["deleted"] == 1


def lose_row(pipeline: Pipeline, table: str, event_id: str) -> None:
    with connect(pipeline.endpoints.warehouse) as warehouse:
        assert warehouse.execute("plant", f"DELETE FROM {table} WHERE event_id = ?", [event_id]) == 1
        warehouse.commit()


def lose_object(pipeline: Pipeline, table: str) -> str:
    """Delete one object of a table from the lake. Returns its key."""
    s3, bucket = client("s3", pipeline.endpoints.aws), pipeline.endpoints.lake.bucket
    key: str = s3.list_objects_v2(Bucket=bucket, Prefix=f"data/{table}/")["Contents"][0]["Key"]
    s3.delete_object(Bucket=bucket, Key=key)
    return key


def skip_next_line(pipeline: Pipeline, length: int) -> int:
    """Make the agent, once it is there again, believe that it has sent the next line. Returns the line's offset."""
    folder = pipeline.home.agent_state
    ledger = read_ledger(folder, "access")
    (file,) = ledger.files
    ledger.files = [msgspec.structs.replace(file, offset=file.offset + length + 1)]
    (folder / STATE_FILES["access"]).write_bytes(msgspec.json.encode(ledger))
    return file.offset


def lines_of(account: Account, store: str, path: str) -> list[Line]:
    """What is wrong there with the lines of files whose path ends so."""
    gaps = [gap for gap in account.gaps if gap.kind is GapKind.LINES and gap.store == store]
    return [line for gap in gaps if str(gap.path).endswith(path) for line in gap.lines]


@pytest.mark.soak
@pytest.mark.parametrize("transport", ["kinesis", "kafka"])
def test_losses_in_each_store_are_named_each_in_its_place(
    start_pipeline: Callable[..., Pipeline], transport: str
) -> None:
    pipeline = start_pipeline(transport=transport)
    with Spool(pipeline.spool) as spool:
        for number in range(ORDERS):
            spool.append(an_order(number))
    ask(pipeline, *map(a_request, range(REQUESTS)), b"no access line")
    pipeline.drain()
    assert pipeline.settled(within_s=120).settled

    code, account = pipeline.account()
    assert (code, account.gaps, account.notes) == (EXIT_BALANCES, [], [])
    assert (account.files, account.emitted.lines) == (2, ORDERS + REQUESTS + 1)
    assert [(store.orders, store.hits, store.refused, store.revenue) for store in account.stores] == [
        (ORDERS, REQUESTS, {"not_access": 1}, {"GBP": ORDERS * PRODUCT["price"]})
    ] * 3

    lost_document, lost_row = hit_of(pipeline, "/7"), hit_of(pipeline, "/4")
    lose_document(pipeline, "orders-*", "account-7")
    lose_document(pipeline, "hits-*", lost_document)
    lose_row(pipeline, "orders", "account-3")
    lose_row(pipeline, "hits", lost_row)
    keys = {"orders": lose_object(pipeline, "orders"), "hits": lose_object(pipeline, "hits")}
    code, account = pipeline.account()

    assert code == EXIT_DOES_NOT
    assert [line.id for line in lines_of(account, "opensearch", ".ndjson")] == ["account-7"]
    assert [line.id for line in lines_of(account, "opensearch", ".log")] == [lost_document]
    assert [line.id for line in lines_of(account, "warehouse", ".ndjson")] == ["account-3"]
    assert [line.id for line in lines_of(account, "warehouse", ".log")] == [lost_row]
    assert {gap.key for gap in account.gaps if gap.kind is GapKind.OBJECT} == set(keys.values())
    for table, path in (("orders", ".ndjson"), ("hits", ".log")):
        lost_in_lake = lines_of(account, "lake", path)
        assert lost_in_lake
        assert all(keys[table] in line.objects for line in lost_in_lake)

    line = a_request(100)
    offset = skip_next_line(pipeline, len(line))
    ask(pipeline, line, a_request(101))
    pipeline.stack.start([agent(pipeline.home)])
    pipeline.drain()

    def is_compared() -> bool:
        compared = {store.compared.lines for store in pipeline.account()[1].stores}
        return compared == {ORDERS + REQUESTS + 2}

    assert pipeline.until(is_compared, within_s=30)
    _, account = pipeline.account()
    for store in ("opensearch", "lake", "warehouse"):
        skipped = [each for each in lines_of(account, store, ".log") if each.trouble == "never_reached"]
        assert [(each.offset, each.end) for each in skipped] == [(offset, offset + len(line) + 1)]
