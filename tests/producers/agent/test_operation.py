"""How the agent is operated: two kinds of lines side by side, drained, looked at, measured."""

import dataclasses
import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.testing import local_stack
from producers.agent.testing import original_of
from producers.agent.testing_process import (
    ACCESS,
    ORDERS,
    WAIT_S,
    Kinesis,
    acknowledged,
    finished,
    running_agent,
    settings_file,
    start,
    wait_for,
)
from runtime.aws import client

pytestmark = pytest.mark.integration

LINE = b'192.0.2.1 - - [27/Nov/2026:08:00:00 +0000] "GET /p/%d HTTP/1.1" 200 17 "-" "curl/8"\n'


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[Kinesis]:
    running = Kinesis(tmp_path / "kinesis")
    yield running
    running.kill()


@pytest.fixture
def settings(tmp_path: Path, kinesis: Kinesis) -> Path:
    (tmp_path / "logs").mkdir()
    (tmp_path / "spool").mkdir()
    return settings_file(tmp_path, kinesis.endpoint, more=f'access_logs = "{tmp_path}/logs/*access.log"\n')


@pytest.fixture
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local_stack(tmp_path_factory.mktemp("stack"), parts={"ministack"}) as endpoints:
        assert endpoints.aws.endpoint
        yield endpoints.aws.endpoint


def write(tmp_path: Path, first: int, last: int) -> None:
    """An order and a request for each number."""
    with (tmp_path / "spool" / "a.ndjson").open("ab") as orders, (tmp_path / "logs" / "access.log").open("ab") as log:
        for number in range(first, last):
            orders.write(b'{"order_id":"O-%d"}\n' % number)
            log.write(LINE % number)


def originals(kinesis: Kinesis, stream: str) -> set[bytes | None]:
    return {original_of(data)[1] for data in kinesis.lines(stream)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def health(port: int) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_each_kind_goes_to_its_own_stream(tmp_path: Path, kinesis: Kinesis, settings: Path) -> None:
    write(tmp_path, 0, 700)
    assert finished(settings, "agent", "--once")[0] == 0
    assert originals(kinesis, ORDERS) == {b'{"order_id":"O-%d"}' % number for number in range(700)}
    assert originals(kinesis, ACCESS) == {(LINE % number)[:-1] for number in range(700)}
    (beat,) = kinesis.heartbeats(ACCESS)
    assert (beat.kind, beat.lines, beat.final) == ("access", 700, True)


def test_a_stream_that_is_missing_does_not_hold_up_the_other_kind(
    tmp_path: Path, kinesis: Kinesis, settings: Path
) -> None:
    settings.write_text(settings.read_text().replace(f'access = "{ACCESS}"', 'access = "elsewhere"'))
    write(tmp_path, 0, 10)
    with running_agent(settings) as agent:
        wait_for(lambda: acknowledged(tmp_path) == 10)
        write(tmp_path, 10, 20)
        wait_for(lambda: acknowledged(tmp_path) == 20)
        wait_for(lambda: any("'elsewhere' does not exist" in reason for reason in shown(settings)["unwell"]))
        assert shown(settings)["running"]
        assert agent.poll() is None
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(WAIT_S) == 0


def test_no_stream_for_any_kind_ends_the_agent(tmp_path: Path, kinesis: Kinesis, settings: Path) -> None:
    text = settings.read_text().replace(f'"{ACCESS}"', '"elsewhere"').replace(f'"{ORDERS}"', '"nowhere"')
    settings.write_text(text)
    code, _, errors = finished(settings, "agent")
    assert (code, errors.splitlines()[-1][:14]) == (2, "error: stream ")


def test_a_drain_asks_the_agent_that_runs_and_it_goes_on(tmp_path: Path, kinesis: Kinesis, settings: Path) -> None:
    with running_agent(settings) as agent:
        wait_for((tmp_path / "state" / "status.json").exists)
        write(tmp_path, 0, 5_000)
        code, output, _ = finished(settings, "drain", "--json")
        assert (code, json.loads(output)["drained"]) == (0, True)
        assert (acknowledged(tmp_path), acknowledged(tmp_path, "access")) == (5_000, 5_000)
        last = [kinesis.heartbeats(stream)[-1] for stream in (ORDERS, ACCESS)]
        assert [(beat.lines, beat.final) for beat in last] == [(5_000, True)] * 2
        write(tmp_path, 5_000, 5_010)
        wait_for(lambda: acknowledged(tmp_path) == acknowledged(tmp_path, "access") == 5_010)
        assert finished(settings, "drain")[0] == 0
        assert kinesis.heartbeats(ACCESS)[-1].lines == 5_010
        assert agent.poll() is None
    assert not (tmp_path / "state" / "drain").exists()


def test_a_drain_without_an_agent_sends_by_itself(tmp_path: Path, kinesis: Kinesis, settings: Path) -> None:
    write(tmp_path, 0, 100)
    code, output, _ = finished(settings, "drain")
    assert (code, output[:7]) == (0, "drained")
    assert len(originals(kinesis, ACCESS)) == 100


def test_a_drain_takes_over_from_an_agent_that_dies(tmp_path: Path, kinesis: Kinesis, settings: Path) -> None:
    with running_agent(settings) as agent:
        wait_for((tmp_path / "state" / "status.json").exists)
        agent.send_signal(signal.SIGSTOP)
        write(tmp_path, 0, 50)
        drain = start(settings, "drain")
        wait_for((tmp_path / "state" / "drain").exists)
        agent.kill()
        assert drain.wait(WAIT_S) == 0
        drain.communicate()
    assert len(originals(kinesis, ORDERS)) == len(originals(kinesis, ACCESS)) == 50


@pytest.mark.parametrize("is_running", [True, False])
def test_a_drain_that_does_not_succeed_in_time_says_what_is_left(
    tmp_path: Path, kinesis: Kinesis, settings: Path, is_running: bool
) -> None:
    kinesis.kill()
    write(tmp_path, 0, 10)
    with running_agent(settings) if is_running else subprocess.Popen(["true"]):
        if is_running:
            wait_for((tmp_path / "state" / "status.json").exists)
        code, output, _ = finished(settings, "drain", "--timeout", "1.5", "--json")
    outcome = json.loads(output)
    size = sum((tmp_path / name).stat().st_size for name in ("spool/a.ndjson", "logs/access.log"))
    assert (code, outcome["drained"], outcome["left_bytes"], len(outcome["left_files"])) == (1, False, size, 2)


def test_a_drain_reports_a_file_that_it_cannot_read(tmp_path: Path, kinesis: Kinesis, settings: Path) -> None:
    settings.write_text(settings.read_text() + "compressed = true\n")
    write(tmp_path, 0, 10)
    (tmp_path / "logs" / "access.log.2.gz").write_bytes(b"\x1f\x8bno gzip file")
    code, output, _ = finished(settings, "drain", "--json")
    assert code == 1
    assert "access.log.2.gz: no whole gzip file" in json.loads(output)["unwell"][0]
    assert len(originals(kinesis, ACCESS)) == 10


def test_a_second_agent_on_the_same_web_logs_is_refused(tmp_path: Path, kinesis: Kinesis, settings: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    logs = f'access_logs = "{tmp_path}/logs/*access.log"\n'
    second = settings_file(other, kinesis.endpoint, more=logs)
    with running_agent(settings):
        wait_for((tmp_path / "state" / "status.json").exists)
        code, _, errors = finished(second, "agent")
    assert (code, errors.splitlines()) == (
        2,
        [f"error: {tmp_path}/logs: another agent works on this folder; stop it, or give this one its own"],
    )


def test_the_status_shows_how_far_each_file_is_with_and_without_an_agent(
    tmp_path: Path, kinesis: Kinesis, settings: Path
) -> None:
    write(tmp_path, 0, 10)
    found = json.loads(finished(settings, "status", "--json")[1])
    assert not found["running"]
    assert [(kind["files"][0]["condition"], kind["lag_s"]) for kind in found["kinds"]] == [("new", None)] * 2
    with running_agent(settings):
        wait_for(lambda: acknowledged(tmp_path) == acknowledged(tmp_path, "access") == 10)
        time.sleep(1.2)  # a report is written once a second
        found = json.loads(finished(settings, "status", "--json")[1])
        assert found["running"] and not found["unwell"]
        assert [(kind["lag_bytes"], kind["lag_s"]) for kind in found["kinds"]] == [(0, 0.0)] * 2
        assert [road["lines"] for road in found["agent"]["roads"]] == [10, 10]
        kinesis.kill()
        write(tmp_path, 10, 20)
        wait_for(lambda: bool(read_errors(settings)))
        found = json.loads(finished(settings, "status", "--json")[1])
        assert all(kind["lag_bytes"] > 0 and kind["lag_s"] > 0 for kind in found["kinds"])
        shown = finished(settings, "status")[1]
        assert (
            "agent: runs" in shown and str(tmp_path / "logs" / "access.log") in shown and "Could not connect" in shown
        )


def shown(settings: Path) -> Any:
    """By `status`; the agent reports once a second."""
    return json.loads(finished(settings, "status", "--json")[1])


def read_errors(settings: Path) -> list[Any]:
    return [error for road in shown(settings)["agent"]["roads"] for error in road["errors"]]


def test_the_health_endpoint_says_well_and_unwell(tmp_path: Path, kinesis: Kinesis, settings: Path) -> None:
    port = free_port()
    settings.write_text(settings.read_text() + f"compressed = true\nhealth_port = {port}\n")
    write(tmp_path, 0, 10)
    with running_agent(settings) as agent:
        wait_for(lambda: acknowledged(tmp_path, "access") == 10)
        code, answer = health(port)
        assert (code, answer["status"]) == (200, "well")
        (tmp_path / "logs" / "access.log.1.gz").write_bytes(b"no gzip file")
        wait_for(lambda: health(port)[0] == 503)
        assert "its content does not" in health(port)[1]["unwell"][0]
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(WAIT_S) == 0


def test_metrics_go_to_cloudwatch_under_the_names_of_the_kpl(
    tmp_path: Path, kinesis: Kinesis, settings: Path, ministack: str
) -> None:
    namespace = f"Agent-{tmp_path.name}"
    text = settings.read_text().replace("[aws]\n", f'[aws]\nendpoint = "{ministack}"\n')
    settings.write_text(text + f'metrics_namespace = "{namespace}"\n')
    write(tmp_path, 0, 1_000)
    assert finished(settings, "agent", "--once")[0] == 0
    cloudwatch = client("cloudwatch", dataclasses.replace(kinesis.aws, endpoint=ministack))
    metrics = cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    names = {metric["MetricName"] for metric in metrics}
    assert names >= {
        "UserRecordsReceived",
        "UserRecordsPending",
        "UserRecordsPut",
        "KinesisRecordsPut",
        "RetriesPerRecord",
        "BufferingTime",
        "RequestTime",
        "UserRecordsPerKinesisRecord",
    }
    streams = {dimension["Value"] for metric in metrics for dimension in metric["Dimensions"]}
    assert streams == {ORDERS, ACCESS}
