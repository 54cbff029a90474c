"""The sink on a real OpenSearch."""

import json
import random
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError

from consumers.delivery import Row
from consumers.live import LivePath
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.sink import OpenSearchSink
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.sinks.testing import SinkConformance, order_row
from consumers.stages.testing import ARRIVED_AT, SHARD, batch, documents, encoded, judge, order
from consumers.tally import Tally
from contract.rows import OrderRow
from infra.local.endpoints import Endpoints
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import OpenSearch as OpenSearchSettings
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

NOWHERE = OpenSearchSettings(url="http://127.0.0.1:9", timeout_s=1.0)


@pytest.fixture(scope="module")
def client(stack: Endpoints) -> OpenSearch:
    client = connect(stack.opensearch)
    ensure_templates(client, templates(refresh_ms=500, replicas="0-1"))
    return client


def sink_on(client: OpenSearch) -> OpenSearchSink:
    return OpenSearchSink(client, random.Random(7), lambda count: None)


class _RealStore:
    def __init__(self, client: OpenSearch) -> None:
        self.name = uuid.uuid4().hex[:8]
        self.sink = sink_on(client)
        self.unreachable = sink_on(connect(NOWHERE))
        self._client = client

    def document(self, index: str, row_id: str) -> Any:
        try:
            return self._client.get(index=index, id=row_id)["_source"]
        except NotFoundError:
            return None

    def poison(self) -> Row:
        """More lines than an index takes as nested documents."""
        row = order_row(self, "poison", offset=7)
        order = msgspec.json.decode(row.document, type=OrderRow)
        document = msgspec.json.encode(msgspec.structs.replace(order, lines=order.lines * 10_001))
        return msgspec.structs.replace(row, document=document)


@pytest.fixture
def store(client: OpenSearch) -> _RealStore:
    return _RealStore(client)


class TestOpenSearchSink(SinkConformance):
    pass


def test_templates_are_put_once(client: OpenSearch) -> None:
    wanted = templates(refresh_ms=500, replicas="0-1")

    class Unwritable:
        class indices:
            get_index_template = client.indices.get_index_template

    ensure_templates(Unwritable, wanted)  # type: ignore[arg-type]


def test_a_newer_template_widens_the_indices_that_exist(client: OpenSearch) -> None:
    name = f"widened-{uuid.uuid4().hex[:8]}"
    client.indices.create(index=f"{name}-1", body={"mappings": {"dynamic": "strict"}})
    template = {
        "index_patterns": [f"{name}-*"],
        "template": {"mappings": {"dynamic": "strict", "properties": {"new": {"type": "long"}}}},
        "_meta": {"version": "2"},
    }
    ensure_templates(client, {name: template})
    client.index(index=f"{name}-1", body={"new": 1})
    changed = {
        **template,
        "template": {"mappings": {"dynamic": "strict", "properties": {"new": {"type": "keyword"}}}},
        "_meta": {"version": "3"},
    }
    with pytest.raises(ConfigError, match=name):
        ensure_templates(client, {name: changed})
    client.indices.delete(index=f"{name}-1")
    client.indices.delete_index_template(name=name)


def test_a_store_that_is_away_is_an_outage_for_templates() -> None:
    with pytest.raises(Outage):
        ensure_templates(connect(NOWHERE), templates(refresh_ms=500, replicas="0-1"))


def test_an_order_that_the_store_refuses_is_a_letter_there(store: _RealStore) -> None:
    event_id = f"{store.name}-many"
    lines = [{"sku": "85123A", "quantity": 1, "unit_price": 1}] * 10_001
    path = LivePath(SHARD, judge(), store.sink, Tally(), ManualClock(ARRIVED_AT))
    offered = batch([encoded(order(event_id=event_id, lines=lines, shipping=0, total=10_001), file=store.name)])
    for _ in range(2):
        assert path.accept(offered) == offered.end
    letter = store.document("letters-2026.11.27", event_id)
    assert letter["reason"] == "rejected_by_store"
    assert store.document("duplicates", f"{store.name}:0") is None


def test_an_id_that_the_store_cannot_hold_is_poison_and_harms_no_other_row(store: _RealStore) -> None:
    rows = [order_row(store, name, offset=n) for n, name in enumerate(("fits", "é" * 257, "fits too"))]
    (refused,) = store.sink.write(rows)
    assert refused.row is rows[1]
    assert store.document(rows[0].index, rows[0].row_id)
    assert store.document(rows[2].index, rows[2].row_id)


HOSTILE = Path(__file__).parents[4] / "shared" / "data" / "hostile_strings" / "blns.json"


@pytest.mark.skipif(not HOSTILE.exists(), reason="needs the list of hostile strings in ../shared/data")
def test_hostile_strings_reach_the_store_in_any_field(store: _RealStore) -> None:
    strings = json.loads(HOSTILE.read_text(encoding="utf-8"))
    fields = ("order_id", "customer_id", "channel", "region", "gift")
    events = [order(event_id=..., **{field: text}) for text in strings for field in fields]
    events += [order(event_id=f"{store.name}{text}") for text in strings]
    offered = batch([encoded(event, file=store.name, offset=n) for n, event in enumerate(events)])
    rows = documents(offered)
    assert not store.sink.write(rows)
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        assert store.document(row.index, row.row_id) == msgspec.json.decode(row.document)
