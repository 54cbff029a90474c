"""Ids planted wherever a shop or a client can write: no store, no log and no letter has one, in no encoding; the
restricted bucket has them all."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from opensearchpy.helpers import scan

from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.read import LakeReader
from consumers.lake.store import LakeStore
from consumers.lake.views import VIEWS
from consumers.spans.columns import batches_of
from consumers.spans.raw import read_raw
from consumers.stages.access.judge import AccessJudge
from consumers.stages.documents import document_of
from consumers.stages.facts import Fixed, InForce
from consumers.stages.orders import OrderJudge
from consumers.stages.rows import ShopFacts
from consumers.stages.testing import KEY, batch, enveloped, stamped
from consumers.warehouse.connection import connect
from contract.tables import SPANNED, WAREHOUSE
from infra.local.testing import Pipeline
from producers.storefront.shelf import SHIPPED
from runtime.aws import client

PRODUCT = json.loads(SHIPPED.read_bytes().splitlines()[0])
NOW = datetime.now(UTC)

# Ids of people: each is planted where it is said to be, and found nowhere but among the originals.
CUSTOMERS = {
    "plain": "CUST-planted-4711",
    "quoted": 'planted"quo\\te',
    "foreign": "Plänted-Zoë/Ω",
    "sql": "planted'; DROP TABLE orders; --",
    "html": "<planted>&amp;",
    "number": "7777123456789",
    "nul": "planted\0nul",
}
SESSIONS = {
    "mail": "anna.planted+shop@example.com",
    "token": "planted.eyJhbGciOiJIUzI1NiJ9.c2lnbmVk",
    "spaces": "planted session id",
}
ADDRESSES = ["203.0.113.177", "2001:db8:cafe:1234:5678:9abc:def0:1357"]
TYPED = ["planted-query-token", "planted.mail@example.org", "planted-jsession-9", "planted-password"]
SHOWN = "Mozilla/5.0 (planted-agent-is-kept)"  # by design: see docs/privacy.md


def an_order(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "type": "order",
        "schema_version": 1,
        "event_id": f"personal-{number}",
        "event_time": datetime.now(UTC).isoformat(),
        "order_id": f"O-{number}",
        "kind": "sale",
        "customer_id": None,
        "channel": "web",
        "region": "GB",
        "currency": "GBP",
        "lines": [{"sku": PRODUCT["sku"], "quantity": 1, "unit_price": PRODUCT["price"]}],
        "total": PRODUCT["price"],
        **changes,
    }


def orders() -> Iterator[dict[str, Any]]:
    """Refused ones, as no such customer is known; and a guest's, accepted, with all of it in unknown fields."""
    number = 0
    for customer in CUSTOMERS.values():
        number += 1
        yield an_order(number, customer_id=customer, session_id=SESSIONS["token"], note=f"for {customer}")
        number += 1
        yield an_order(number, customer_id=customer, total=-1, currency=customer, lines=[{"sku": 7, customer: 1}])
    for session in SESSIONS.values():
        number += 1
        unknown = {"who": session, session: [session, {"in": f"text {session} more"}], "ip": ADDRESSES}
        lines = [{**an_order(0)["lines"][0], "for": session, "mail": TYPED[1]}]
        yield an_order(number, session_id=session, client=unknown, lines=lines)
    known = an_order(number + 1, customer_id="C-4321", session_id=SESSIONS["token"], gift={"to": TYPED[1]})
    yield known
    yield {**known, "customer_id": "C-4322", "shipping": 5, "total": PRODUCT["price"] + 5}  # a conflict


def requests() -> Iterator[bytes]:
    at = f"{NOW:%d/%b/%Y:%H:%M:%S} +0000"
    for address in ADDRESSES:
        yield (
            f'{address} - {TYPED[1]} [{at}] "GET /a;jsessionid={TYPED[2]}?token={TYPED[0]}&m={TYPED[1]} HTTP/1.1" 200 5'
            f' "https://u:{TYPED[3]}@shop.example/r?m={quote(TYPED[1])}" "{SHOWN}"'
        ).encode()
        yield f'{address} - - [{at}] "\\x16\\x03 {TYPED[0]}" 400 5 "-" "-"'.encode()
        for session in SESSIONS.values():
            hit = {"time": NOW.timestamp(), "address": address, "session": session, "status": 200}
            mail = quote(TYPED[1])
            yield json.dumps({**hit, "path": f"/p/{mail}/{session}", "referer": f"/{session}?{TYPED[0]}"}).encode()
            yield json.dumps({**hit, "path": "/p", "peer": address, "u": {session: TYPED[1]}}).encode()
            yield json.dumps({**hit, "path": "/p", "status": session, "bytes": address}).encode()  # of no good shape
    yield f"no line at all, by {TYPED[0]} of {ADDRESSES[0]}".encode()
    yield b"\xff\xfe " + TYPED[0].encode()


def written(planted: str) -> set[bytes]:
    """As it may be found: in clear, escaped, quoted, encoded; base64 at each place within three bytes."""
    plain = planted.encode()
    forms = {plain, quote(planted).encode(), quote(planted, safe="").encode(), plain.hex().encode()}
    for ascii_only in (True, False):
        forms.add(json.dumps(planted, ensure_ascii=ascii_only)[1:-1].encode())
        forms.add(json.dumps(json.dumps(planted, ensure_ascii=ascii_only))[1:-1].encode())
    forms.add(repr(planted)[1:-1].encode())
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + plain)
        inner = encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]
        forms |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return {form for form in forms if len(form) >= 8}


PLANTED = [*CUSTOMERS.values(), *SESSIONS.values(), *ADDRESSES, *TYPED, "C-4321", "C-4322"]
FORMS = {planted: written(planted) | ({planted.encode()} if planted.startswith("C-") else set()) for planted in PLANTED}


def found_in(text: bytes) -> list[str]:
    return [planted for planted, forms in FORMS.items() if any(form in text for form in forms)]


def stored(pipeline: Pipeline) -> Iterator[tuple[str, bytes]]:
    """Everything that the stores and the logs say, and where."""
    store = pipeline.store
    store.indices.refresh(index="*")
    for hit in scan(store, index="*", size=1_000):
        yield f"opensearch {hit['_index']} {hit['_id']}", json.dumps(hit, ensure_ascii=False).encode()
    for place, body in objects(pipeline, pipeline.endpoints.lake.bucket):
        yield f"lake {place}", body
        if place.endswith(".parquet"):
            yield f"lake {place} rows", repr(pq.read_table(pa.BufferReader(body)).to_pylist()).encode()
    lake = LakeReader(LakeStore(LakeCatalogue(pipeline.endpoints.aws), pipeline.endpoints.lake))
    for name in (*(table.name for table in SPANNED), *VIEWS):
        yield f"lake table {name}", repr(list(lake.query(f"SELECT * FROM {name}"))).encode()
    with connect(pipeline.endpoints.warehouse) as session:
        for table in WAREHOUSE:
            rows = session.query("read", f"SELECT * FROM {table.name}")
            yield f"warehouse {table.name}", repr(rows).encode()
        for view in ("sys_load_error_detail",):
            yield f"warehouse {view}", repr(session.query("read", f"SELECT * FROM {view}")).encode()
    for log in pipeline.home.logs.rglob("*"):
        if log.is_file():
            yield f"log {log.relative_to(pipeline.home.root)}", log.read_bytes()


def objects(pipeline: Pipeline, bucket: str) -> Iterator[tuple[str, bytes]]:
    s3 = client("s3", pipeline.endpoints.aws)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", ()):
            yield each["Key"], s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()


@pytest.mark.soak
def test_no_planted_id_leaves_the_restricted_bucket(start_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = start_pipeline()
    pipeline.spool.mkdir(exist_ok=True)
    with (pipeline.spool / "other.ndjson").open("ab") as spool:  # not through the SDK, which refuses what it can
        spool.write(b"".join(json.dumps(order).encode() + b"\n" for order in orders()))
    pipeline.home.access_log.parent.mkdir(exist_ok=True)
    with pipeline.home.access_log.open("ab") as log:
        log.write(b"".join(line + b"\n" for line in requests()))
    pipeline.drain()
    account = pipeline.settled(within_s=120)
    assert account.settled and not account.gaps

    def agrees() -> bool:
        return len({json.dumps(each.revenue) for each in pipeline.account()[1].stores}) == 1

    assert pipeline.until(agrees, within_s=60)  # of the conflict, too
    (revenue, *_) = (each.revenue for each in pipeline.account()[1].stores)
    assert revenue["GBP"] in (4 * PRODUCT["price"], 4 * PRODUCT["price"] + 5)

    seen = list(stored(pipeline))
    assert {place.split()[0] for place, _ in seen} == {"opensearch", "lake", "warehouse", "log"}
    assert any(b"planted-agent-is-kept" in text for place, text in seen if place.startswith("opensearch"))
    assert [(place, found) for place, text in seen if (found := found_in(text))] == []

    kept = objects(pipeline, pipeline.endpoints.lake.restricted_bucket)
    originals = b"\n".join(record.data for _, body in kept for record in read_raw(body))
    assert set(found_in(originals)) == set(PLANTED)


@pytest.mark.unit
def test_no_planted_id_is_in_a_row_of_the_stages() -> None:
    """The same by the stages alone, at once: what they make is all that any store is given."""
    shop = [json.dumps(each, ensure_ascii=number % 2 == 0).encode() for number, each in enumerate(orders())]
    site = list(requests())
    records = [stamped(line) for line in shop], [enveloped(line, kind="access") for line in site]
    facts = ShopFacts(key=KEY, zone=ZoneInfo("UTC"))
    judges = OrderJudge(Fixed(facts=InForce()), facts), AccessJudge(facts)
    verdicts = [
        verdict
        for judge, contents in zip(judges, records, strict=True)
        for verdict in judge.judge(batch(contents, arrived_at=datetime.now(UTC)))
    ]
    documents = [document.document for each in verdicts if (document := document_of(each, 14))]
    columns = [repr(rows.to_pylist()).encode() for _, _, rows in batches_of(each.row for each in verdicts)]
    assert len(documents) == len(shop) + len(site)
    assert {type(each.row).__name__ for each in verdicts} == {"OrderRow", "HitRow", "LetterRow"}
    assert [(found, text) for text in (*documents, *columns) if (found := found_in(text))] == []
    assert set(found_in(b"\n".join(shop + site))) == set(PLANTED)
