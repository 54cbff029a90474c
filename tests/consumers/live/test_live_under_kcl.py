"""`python -m consumers live --host kcl` between the pipes of a daemon, on a real store."""

import base64
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.delivery import Position
from consumers.sinks.opensearch.connection import connect
from consumers.sources.kcl.testing import line, record
from consumers.stages.testing import encoded, order
from infra.local.endpoints import Endpoints

PROJECT = Path(__file__).parents[3]


def environ(folder: Path, **settings: str) -> dict[str, str]:
    key = folder / "identity.key"
    key.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(b"s" * 32).decode()}))
    (folder / "settings.toml").write_text("")
    own = {"STOREPULSE_SETTINGS": str(folder / "settings.toml"), "STOREPULSE_IDENTITY_KEY": str(key)}
    return {**os.environ, **own, **settings}


class _Child:
    """The process of one shard, and what a daemon does with it."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "consumers", "live", "--host", "kcl"],
            cwd=PROJECT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def say(self, said: bytes) -> dict[str, Any]:
        """What comes back."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(said)
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture
def children() -> Iterator[list[_Child]]:
    started: list[_Child] = []
    yield started
    for child in started:
        child.process.kill()
        child.process.communicate()


@pytest.mark.integration
def test_the_path_checkpoints_through_the_daemon_and_ends_with_it(
    stack: Endpoints, tmp_path: Path, children: list[_Child]
) -> None:
    name = f"kcl-{uuid.uuid4().hex[:8]}"
    events = [order(event_id=f"{name}-{n}", total=1 if n == 3 else 2025) for n in range(5)]
    records = [record(Position(7, n), encoded(event, file=name, offset=n)) for n, event in enumerate(events)]
    child = _Child(environ(tmp_path, STOREPULSE_OPENSEARCH_URL=stack.opensearch.url))
    children.append(child)

    assert child.say(
        line("initialize", shardId="shardId-000000000000", sequenceNumber="TRIM_HORIZON", subSequenceNumber=0)
    ) == {"action": "status", "responseFor": "initialize"}
    asked = child.say(line("processRecords", records=records, millisBehindLatest=0))
    assert asked == {"action": "checkpoint", "sequenceNumber": "7", "subSequenceNumber": 4}
    store = connect(stack.opensearch)
    store.indices.refresh(index="orders-*")
    found = store.count(index="orders-*", body={"query": {"prefix": {"event_id": name}}})["count"]
    assert found == 4, "the checkpoint comes after the store"

    stored = line("checkpoint", sequenceNumber="7", subSequenceNumber=4, error=None)
    assert child.say(stored) == {"action": "status", "responseFor": "processRecords"}
    child.process.terminate()  # a service manager's word to all: the daemon's is what counts
    for action in ("shutdownRequested", "leaseLost"):
        assert child.say(line(action)) == {"action": "status", "responseFor": action}
    rest, log = child.process.communicate(timeout=20)
    assert child.process.returncode == 0
    assert rest == b""
    assert b"accepted 4, refused 1" in log


@pytest.mark.integration
@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"STOREPULSE_STREAMS_TRANSPORT": "kafka"}, 2, b"the KCL reads Kinesis"),
        ({}, 1, b"processRecords came before initialize"),
    ],
)
def test_what_cannot_go_on_ends_with_words_on_stderr_alone(
    stack: Endpoints, tmp_path: Path, children: list[_Child], settings: dict[str, str], code: int, said: bytes
) -> None:
    child = _Child(environ(tmp_path, STOREPULSE_OPENSEARCH_URL=stack.opensearch.url, **settings))
    children.append(child)
    out, log = child.process.communicate(line("processRecords", records=[]), timeout=30)
    assert (child.process.returncode, out) == (code, b"")
    assert said in log
