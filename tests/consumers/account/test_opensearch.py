"""OpenSearch's own documents, counted on a real node."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from opensearchpy import OpenSearch

from consumers.account.stores import opensearch
from consumers.account.stores.opensearch import OpenSearchStore
from consumers.account.stores.store import Kind
from consumers.account.testing.memory import Stored, hit, lines_of, tally_of
from consumers.account.testing.rows import row_of
from consumers.account.testing.suite import LONG_AGO, StoreConformance
from consumers.sinks.opensearch.bulk import mending
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.stages.documents import document_of
from consumers.stages.judge import Judged
from contract.rows import OrderRow
from infra.local.endpoints import Endpoints
from runtime.outage import Outage
from runtime.settings import OpenSearch as Settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client(stack: Endpoints) -> OpenSearch:
    client = connect(stack.opensearch)
    ensure_templates(client, templates(refresh_ms=500, replicas="0-1"))
    return client


@pytest.fixture
def prefix() -> str:
    return f"host-{uuid.uuid4().hex[:8]}"


class _Filled:
    def __init__(self, client: OpenSearch) -> None:
        self.client = client
        self.store = OpenSearchStore(client)

    def put(self, rows: Sequence[Stored]) -> None:
        body = b""
        for stored in rows:
            day = f"{stored.arrived_at:%Y.%m.%d}"
            index = {
                Kind.ORDER: f"orders-{day}",
                Kind.HIT: f"hits-{day}",
                Kind.LETTER: f"letters-{day}",
                Kind.DUPLICATE: "duplicates",
            }
            row_id = stored.row_id if stored.kind is not Kind.DUPLICATE else f"{stored.file_id}:{stored.offset}"
            action = {"create": {"_index": index[stored.kind], "_id": row_id}}
            row = row_of(stored)
            body += msgspec.json.encode(action) + b"\n" + msgspec.json.encode(row) + b"\n"
            if stored.attempt:  # the event was accepted, be it as the second line of one that is stored
                accepted = row_of(replace(stored, kind=Kind.ORDER, label="GBP"))
                assert isinstance(accepted, OrderRow)
                made = document_of(Judged(accepted, None), 14)
                assert made is not None
                assert made.mended is not None
                body += mending(made, made.mended)
        answer = self.client.bulk(body=body, params={"refresh": "true"})
        assert not answer["errors"], answer


@pytest.fixture
def filled(client: OpenSearch) -> _Filled:
    return _Filled(client)


class TestOpenSearchStore(StoreConformance):
    pass


def test_groups_and_lines_come_in_pages(filled: _Filled, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opensearch, "_PAGE", 3)
    rows = [row for n in range(4) for row in lines_of(f"{prefix}-{n}", *(b"line %d" % m for m in range(7)))]
    rows[14:] = map(hit, rows[14:])
    filled.put(rows)
    groups = [group for group in filled.store.groups(LONG_AGO) if group.file_id.startswith(prefix)]
    assert [(group.file_id, group.tally) for group in groups] == [
        (f"{prefix}-{n}", tally_of(rows[7 * n : 7 * n + 7])) for n in range(4)
    ]


@pytest.mark.parametrize("kind", [Kind.ORDER, Kind.HIT])
def test_sums_too_long_for_a_double_are_taken_in_parts(
    filled: _Filled, prefix: str, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opensearch, "_EXACT_LINES", 5)
    monkeypatch.setattr(opensearch, "_SAFE_LINES", 2)
    rows = lines_of(f"{prefix}-a", *(b"line %d" % (10**n) for n in range(17)))
    rows = list(map(hit, rows)) if kind is Kind.HIT else rows
    filled.put(rows)
    (group,) = [group for group in filled.store.groups(LONG_AGO) if group.file_id.startswith(prefix)]
    assert group.tally == tally_of(rows)


def test_a_store_that_is_away_is_an_outage() -> None:
    away = OpenSearchStore(connect(Settings(url="http://127.0.0.1:9", timeout_s=1.0)))
    with pytest.raises(Outage):
        list(away.groups(LONG_AGO))
