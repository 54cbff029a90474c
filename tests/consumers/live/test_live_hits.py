"""Access lines on their way through live: what of them is found in a real store."""

import base64
import datetime as dt
import json
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from consumers.delivery import Batch
from consumers.live import LivePath
from consumers.live_process import run_live
from consumers.settings import Identity, Live, LiveSettings
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.sink import OpenSearchSink
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.stages.testing import (
    ARRIVED_AT,
    KEY,
    SHARD,
    access_judge,
    batch,
    encoded,
    heartbeat,
    order,
    stamp_of,
    stamped,
)
from consumers.tally import Tally
from infra.local.endpoints import Endpoints
from infra.local.prepare import make_stream
from runtime.aws import client
from runtime.settings import Streams
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

LOG = Path(__file__).resolve().parents[4] / "shared" / "data" / "weblogs" / "elastic_apache_access.log.zst"


class _Live:
    """The path from access lines of one file to the store; `name` is the file's id and begins every path."""

    def __init__(self, stack: Endpoints) -> None:
        self.name = f"hits-{uuid.uuid4().hex[:8]}"
        self.store = connect(stack.opensearch)
        ensure_templates(self.store, templates(refresh_ms=500, replicas="0-1"))
        self.tally = Tally()
        sink = OpenSearchSink(self.store, random.Random(7), lambda count: self.tally.add("duplicates", count))
        self.path = LivePath(SHARD, access_judge(), sink, self.tally, ManualClock(ARRIVED_AT + dt.timedelta(seconds=2)))

    def record(self, line: bytes, offset: int) -> bytes:
        """As the agent makes it of a line."""
        if line.startswith(b"{"):
            return stamped(line, kind="access", file=self.name, offset=offset)
        stamp = stamp_of(line, kind="access", file=self.name, offset=offset)
        try:
            return msgspec.json.encode({"_sp": stamp, "line": line.decode()})
        except UnicodeDecodeError:
            return msgspec.json.encode({"_sp": stamp, "line_b64": line})

    def asked(self, number: int, **more: Any) -> bytes:
        """A JSON line."""
        fields = {"time": "2026-11-27T08:00:00Z", "path": f"/{self.name}/{number}?token=secret", "status": 200}
        return json.dumps(fields | more).encode()

    def accept(self, *lines: bytes) -> Batch:
        """Offsets are the lines' numbers."""
        offered = batch([self.record(line, number) for number, line in enumerate(lines)])
        assert self.path.accept(offered) == offered.end
        return offered

    def found(self, index: str, **term: Any) -> list[dict[str, Any]]:
        """Documents of the file, by offset."""
        params = {"ignore_unavailable": "true"}
        self.store.indices.refresh(index=index, params=params)
        query = {
            "bool": {"filter": [{"term": {"origin.file": self.name}}, *({"term": {k: v}} for k, v in term.items())]}
        }
        body = {"query": query, "size": 10_000, "sort": [{"origin.offset": "asc"}]}
        return [hit["_source"] for hit in self.store.search(index=index, body=body, params=params)["hits"]["hits"]]


@pytest.fixture
def live(stack: Endpoints) -> _Live:
    return _Live(stack)


def test_hits_are_found_by_session_status_and_path(live: _Live) -> None:
    text = f'192.0.2.77 - - [27/Nov/2026:09:00:01 +0100] "GET /{live.name}/text?q=me HTTP/1.1" 404 612 "-" "curl"'
    live.accept(live.asked(0, session="S-1"), text.encode(), live.asked(2, session="S-2", status=500))
    (first,) = live.found("hits-*", session=KEY.hash_of("session", "S-1"))
    assert (first["path"], first["origin"]["offset"]) == (f"/{live.name}/0", 0)
    (second,) = live.found("hits-*", status=404)
    assert (second["path"], second["address"], second["event_time"]) == (
        f"/{live.name}/text",
        "192.0.2.0",
        "2026-11-27T08:00:01Z",
    )
    (third,) = live.found("hits-*", path=f"/{live.name}/2")
    assert third["session"] == KEY.hash_of("session", "S-2")
    assert {hit["event_date"] for hit in live.found("hits-2026.11.27")} == {"2026-11-27"}
    assert "S-1" not in json.dumps(live.found("hits-*"))
    assert live.tally.take()[0] == {"accepted": 3, "refused": 0}


def test_the_session_of_a_hit_is_that_of_its_order(live: _Live) -> None:
    live.accept(live.asked(0, session=order()["session_id"]))
    (hit,) = live.found("hits-*")
    assert hit["session"] == KEY.hash_of("session", order()["session_id"])


def test_lines_that_are_no_requests_are_letters(live: _Live) -> None:
    live.accept(b"no access line", live.asked(1), b"\xff\xfe", b"", b'{"path":"/without/time"}')
    letters = live.found("letters-*")
    assert [(letter["origin"]["offset"], letter["reason"]) for letter in letters] == [
        (0, "not_access"),
        (2, "not_access"),
        (3, "not_access"),
        (4, "bad_shape"),
    ]
    assert {letter["event_type"] for letter in letters} == {"access"}
    assert len(live.found("hits-*")) == 1
    assert live.tally.take()[0] == {"accepted": 1, "refused": 4}


def test_a_heartbeat_of_an_access_log_leaves_nothing(live: _Live) -> None:
    beat = heartbeat(kind="access")
    beat["_sp"] = {**beat["_sp"], "f": live.name}
    offered = batch([msgspec.json.encode(beat), live.record(live.asked(0), 0)])
    assert live.path.accept(offered) == offered.end
    assert len(live.found("hits-*,letters-*,duplicates")) == 1
    assert live.tally.take()[0] == {"accepted": 1, "refused": 0}


def test_lines_delivered_again_change_nothing(live: _Live) -> None:
    """After a crash, by a successor that has heard of nothing; alike lines of a file are two."""
    lines = [live.asked(0), live.asked(0), b"no access line"]
    live.accept(*lines)
    live.accept(*lines)
    assert len(live.found("hits-*")) == 2
    assert len(live.found("letters-*")) == 1
    assert live.found("duplicates") == []


def test_records_that_no_agent_sent_are_hits_once_each(live: _Live) -> None:
    offered = batch([live.asked(7)] * 2, first=uuid.uuid4().int >> 64)
    for _ in range(2):
        assert live.path.accept(offered) == offered.end
    live.store.indices.refresh(index="hits-*")
    query = {"query": {"term": {"path": f"/{live.name}/7"}}}
    assert live.store.count(index="hits-*", body=query)["count"] == 2
    assert live.tally.take()[0] == {"accepted": 4, "refused": 0, "duplicates": 0}


def test_lines_of_long_ago_share_one_index(live: _Live) -> None:
    live.accept(live.asked(0, time="2004-03-07T16:05:49-08:00"), live.asked(1))
    assert [hit["event_date"] for hit in live.found("hits-late")] == ["2004-03-08"]
    assert len(live.found("hits-2026.11.27")) == 1


def test_fields_of_any_length_fit_the_store(live: _Live) -> None:
    long = "é" * 40_000
    fields = dict.fromkeys(("request_id", "host", "method", "protocol", "referer", "agent", "session", "more"), long)
    live.accept(live.asked(0, path=f"/{long}", **fields))
    (hit,) = live.found("hits-*")
    assert hit["path"].startswith("/é")
    assert live.found("letters-*") == []


@pytest.mark.skipif(not LOG.is_file(), reason="the real web logs are not there: ../shared/data/weblogs")
def test_a_real_log_is_found_line_by_line(live: _Live) -> None:
    lines = zstandard.ZstdDecompressor().decompress(LOG.read_bytes(), 1 << 26).splitlines()
    live.accept(*lines)
    assert (len(live.found("hits-*")), len(live.found("letters-*"))) == (9_999, 1)


def until(holds: Callable[[], bool], within_s: float = 30.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.1)
    return False


def test_live_reads_both_streams_and_its_log_counts_both(
    stack: Endpoints, live: _Live, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = tmp_path / "identity.key"
    key.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(b"s" * 32).decode()}))
    settings = LiveSettings(
        aws=stack.aws,
        streams=Streams(transactions=live.name, access=f"{live.name}-access"),
        opensearch=stack.opensearch,
        identity=Identity(key=str(key)),
        live=Live(application=live.name, access_application=f"{live.name}-access"),
    )
    kinesis = client("kinesis", stack.aws)
    now = dt.datetime.now(dt.UTC).isoformat()
    sold = [encoded(order(event_id=f"{live.name}-{n % 3}", event_time=now), file=live.name, offset=n) for n in range(4)]
    asked = [
        live.record(line, n) for n, line in enumerate([live.asked(0), live.asked(1), b"no access line"], start=100)
    ]
    for name, records in ((live.name, sold), (f"{live.name}-access", asked)):
        make_stream(kinesis, name)
        entries = [{"Data": record, "PartitionKey": live.name} for record in records]
        assert kinesis.put_records(StreamName=name, Records=entries)["FailedRecordCount"] == 0
    stop = threading.Event()
    with caplog.at_level(logging.INFO, "consumers.report"):
        running = threading.Thread(target=run_live, args=(settings, stop))
        running.start()
        try:
            assert until(lambda: len(live.found("orders-*,hits-*,letters-*,duplicates")) == 7)
        finally:
            stop.set()
            running.join()
    assert (len(live.found("orders-*")), len(live.found("hits-*")), len(live.found("letters-*"))) == (3, 2, 1)
    said = [record.getMessage() for record in caplog.records if record.name == "consumers.report"]
    assert "accepted 6, refused 1, duplicates 1;" in said[-1]
