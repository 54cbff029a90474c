"""`python -m consumers live` on real parts: a stream, a lease table, a store."""

import base64
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumers.live_process import run_live
from consumers.settings import Identity, Live, LiveSettings
from consumers.sinks.opensearch.connection import connect
from consumers.stages.testing import encoded, order
from infra.local.endpoints import Endpoints
from infra.local.prepare import make_stream
from runtime.aws import client
from runtime.errors import ConfigError
from runtime.settings import Streams

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[3]


def settings_of(stack: Endpoints, name: str, folder: Path) -> LiveSettings:
    key = folder / "identity.key"
    key.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(b"s" * 32).decode()}))
    return LiveSettings(
        aws=stack.aws,
        streams=Streams(transactions=name, access=""),
        opensearch=stack.opensearch,
        identity=Identity(key=str(key)),
        live=Live(application=name),
    )


class _Shop:
    """A stream with orders in it, one record each, and what the store holds of them."""

    def __init__(self, stack: Endpoints, folder: Path) -> None:
        self.name = f"live-{uuid.uuid4().hex[:8]}"
        self.settings = settings_of(stack, self.name, folder)
        self._kinesis = client("kinesis", stack.aws)
        self._store = connect(stack.opensearch)
        make_stream(self._kinesis, self.name)

    def emit(self, first: int, count: int) -> None:
        """Orders with their numbers as offsets; every tenth has the wrong total."""
        now = datetime.now(UTC).isoformat()
        events = [
            order(event_id=f"{self.name}-{n}", event_time=now, total=1 if n % 10 == 0 else 2025)
            for n in range(first, first + count)
        ]
        records = [
            {"Data": encoded(event, file=self.name, offset=first + n), "PartitionKey": f"{n % 7}"}
            for n, event in enumerate(events)
        ]
        assert self._kinesis.put_records(StreamName=self.name, Records=records)["FailedRecordCount"] == 0

    def found(self) -> tuple[int, int]:
        """Orders and letters in the store."""
        return self._count("orders-*", "event_id"), self._count("letters-*", "letter_id")

    def duplicates(self) -> int:
        return self._count("duplicates", "event_id")

    def _count(self, index: str, identity: str) -> int:
        params = {"ignore_unavailable": "true"}
        self._store.indices.refresh(index=index, params=params)
        count: int = self._store.count(index=index, body={"query": {"prefix": {identity: self.name}}}, params=params)[
            "count"
        ]
        return count

    def write_settings(self, file: Path) -> None:
        """The settings as the file that the command reads."""
        tables = dataclasses.asdict(self.settings)
        lines = [
            f"[{table}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
            for table, values in tables.items()
        ]
        file.write_text("\n".join(lines))


@pytest.fixture
def shop(stack: Endpoints, tmp_path: Path) -> _Shop:
    return _Shop(stack, tmp_path)


def until(holds: Callable[[], bool], within_s: float = 30.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def start(shop: _Shop, tmp_path: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Starts the command; what still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []
    file = tmp_path / "settings.toml"
    shop.write_settings(file)

    def begin() -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "consumers", "live", "--settings", str(file)]
        environ = {**os.environ, "STOREPULSE_FLEET_FAILOVER_S": "2"}
        running.append(subprocess.Popen(command, cwd=PROJECT, env=environ, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def test_every_record_is_found_as_an_order_or_a_letter(shop: _Shop) -> None:
    shop.emit(0, 100)
    stop = threading.Event()
    live = threading.Thread(target=run_live, args=(shop.settings, stop))
    live.start()
    try:
        assert until(lambda: shop.found() == (90, 10)), shop.found()
    finally:
        stop.set()
        live.join()


def test_after_a_stop_and_after_a_kill_the_next_one_goes_on(
    shop: _Shop, start: Callable[[], "subprocess.Popen[str]"]
) -> None:
    shop.emit(0, 100)
    stopped = start()
    assert until(lambda: shop.found() == (90, 10)), shop.found()
    stopped.send_signal(signal.SIGTERM)
    _, log = stopped.communicate(timeout=20)
    assert stopped.returncode == 0
    assert "accepted 90, refused 10, duplicates 0" in log

    shop.emit(100, 100)
    killed = start()
    assert until(lambda: shop.found()[0] > 90), shop.found()
    killed.kill()
    killed.communicate()

    shop.emit(200, 100)
    start()
    assert until(lambda: shop.found() == (270, 30)), shop.found()
    assert shop.duplicates() == 0


def test_a_store_that_is_away_at_the_start_is_one_line_and_exit_code_2(
    shop: _Shop, start: Callable[[], "subprocess.Popen[str]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOREPULSE_OPENSEARCH_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("STOREPULSE_LIVE_START_PATIENCE_S", "1")
    live = start()
    _, log = live.communicate(timeout=30)
    assert live.returncode == 2
    (error,) = (line for line in log.splitlines() if line.startswith("error: "))
    assert "[opensearch] url http://127.0.0.1:9" in error
    assert "Traceback" not in log


def test_what_the_operator_must_change_ends_it(stack: Endpoints, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no stream"):
        run_live(settings_of(stack, "no-such-stream", tmp_path), threading.Event())
