"""`python -m infra.local`, as a process, on the real parts."""

import os
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from opensearchpy import OpenSearch as Client
from rich.console import Console

from consumers.warehouse.connection import connect
from infra.local.home import Home
from infra.local.jars import download
from infra.local.jars.lock import Jar
from infra.local.settings import Local, LocalSettings
from infra.local.stack import PARTS, bring_up
from infra.local.status import report
from infra.local.supervisor import Supervisor
from infra.local.testing import ClientSettings, Commands, fast
from runtime.aws import client
from runtime.errors import ConfigError

pytestmark = pytest.mark.integration


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(600):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("not within 30 s")


def listen_on_loopback_alone(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        listening = [one.laddr.ip for one in process.net_connections() if one.status == psutil.CONN_LISTEN]
        assert set(listening) <= {"127.0.0.1", "::ffff:127.0.0.1"}, process


def refuses(found: "subprocess.CompletedProcess[str]", words: str) -> None:
    """Exit code not 0, and one line of error with `words`."""
    assert found.returncode != 0, found
    (line,) = found.stderr.splitlines()
    assert line.startswith("error: ")
    assert words in line


def test_up_status_logs_down_and_reset(stack: Commands) -> None:
    started = stack.run("up", "--detach")
    assert started.returncode == 0, started

    status = stack.status()
    assert status["ready"]
    assert {part["name"]: part["condition"] for part in status["parts"]} == dict.fromkeys(PARTS, "ready")
    listen_on_loopback_alone(stack.processes())
    assert "started" in stack.run("logs", "opensearch").stdout
    refuses(stack.run("logs", "nothing"), "kinesis")
    refuses(stack.run("up"), "a stack runs here already")
    refuses(stack.run("up", "--detach"), "a stack runs here already")
    refuses(stack.run("reset"), "a stack runs here already")

    stopped = stack.run("down")

    assert stopped.returncode == 0, stopped
    assert stack.processes() == []
    assert stack.run("status").returncode == 1
    again = stack.run("down")
    assert (again.returncode, "nothing was running" in again.stdout) == (0, True)
    assert stack.run("reset").returncode == 0
    assert not (stack.home.root / "data").exists()


def test_a_killed_part_comes_back_on_its_port(stack: Commands) -> None:
    with Supervisor(stack.home, Console(quiet=True)) as supervisor:
        before = bring_up(supervisor, fast(stack.home.root), only=["kinesis"])
        (process,) = stack.processes()

        process.kill()
        until(lambda: [part.condition for part in report(stack.home).parts if part.restarts] == ["ready"])

        names = client("kinesis", before.aws).list_streams()["StreamNames"]
        assert sorted(names) == ["storepulse-access", "storepulse-transactions"]


def test_over_kafka_both_streams_are_topics_which_a_killed_broker_has_when_it_is_back(stack: Commands) -> None:
    with Supervisor(stack.home, Console(quiet=True)) as supervisor:
        before = bring_up(supervisor, fast(stack.home.root, "kafka"), only=["kafka"])
        assert before.streams.transport == "kafka"
        (process,) = stack.processes()
        listen_on_loopback_alone([process])

        process.kill()
        until(lambda: [part.condition for part in report(stack.home).parts if part.restarts] == ["ready"])

        admin = KafkaAdminClient(bootstrap_servers=before.kafka.servers)
        topics = [ConfigResource(ConfigResourceType.TOPIC, name) for name in admin.list_topics()]
        clocks = {name: its["message.timestamp.type"] for name, its in admin.describe_configs(topics)["topic"].items()}
        admin.close()
        assert clocks.keys() == {"storepulse-access", "storepulse-transactions"}
        assert {clock["value"] for clock in clocks.values()} == {"LogAppendTime"}


def test_a_killed_redshift_takes_its_database_with_it_and_comes_back_with_what_was_committed(stack: Commands) -> None:
    with Supervisor(stack.home, Console(quiet=True)) as supervisor:
        warehouse = bring_up(supervisor, fast(stack.home.root), only=["redshift"]).warehouse
        with connect(warehouse) as session:
            session.execute("create", "CREATE TABLE kept AS SELECT 1 AS v")
            session.commit()
            session.execute("insert", "INSERT INTO kept VALUES (2)")
            before = stack.processes()
            (front,) = [process for process in before if "infra.local.redshift" in process.cmdline()]
            front.kill()
            psutil.wait_procs(before, timeout=30)
            assert not [process for process in before if process.is_running()]
        until(lambda: [part.condition for part in report(stack.home).parts if part.restarts] == ["ready"])

        with connect(warehouse) as session:
            assert session.query("read", "SELECT v FROM kept") == [{"v": 1}]


def test_a_killed_supervisor_leaves_no_process_and_the_next_one_has_all_data(stack: Commands) -> None:
    assert stack.run("up", "--detach").returncode == 0
    settings, name = stack.settings(), f"t-{uuid.uuid4().hex[:8]}"
    write(settings, name)

    os.kill(stack.status()["supervisor_pid"], signal.SIGKILL)
    until(lambda: not stack.processes())
    assert not stack.status()["running"]

    assert stack.run("up", "--detach").returncode == 0
    assert read(stack.settings(), name) == ("a record", "an item", "a document", "an object", "a row")


def write(settings: ClientSettings, name: str) -> None:
    kinesis, dynamodb = client("kinesis", settings.aws), client("dynamodb", settings.aws)
    kinesis.put_record(StreamName="storepulse-transactions", Data=b"a record", PartitionKey=name)
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=name, Item={"k": {"S": "1"}, "v": {"S": "an item"}})
    with Client(settings.opensearch.url) as opensearch:
        opensearch.index(index=name, id="1", body={"v": "a document"})
    client("s3", settings.aws).put_object(Bucket="storepulse-lake", Key=name, Body=b"an object")
    with connect(settings.warehouse) as warehouse:
        warehouse.execute("create", f'CREATE TABLE "{name}" (v VARCHAR(100))')
        warehouse.execute("insert", f'INSERT INTO "{name}" VALUES (?)', ["a row"])
        warehouse.commit()


def read(settings: ClientSettings, name: str) -> tuple[str, ...]:
    kinesis, dynamodb = client("kinesis", settings.aws), client("dynamodb", settings.aws)
    found = []
    for shard in kinesis.list_shards(StreamName="storepulse-transactions")["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName="storepulse-transactions", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found += kinesis.get_records(ShardIterator=iterator)["Records"]
    (record,) = found
    item = dynamodb.get_item(TableName=name, Key={"k": {"S": "1"}})["Item"]
    with Client(settings.opensearch.url) as opensearch:
        document = opensearch.get(index=name, id="1")["_source"]
    body = client("s3", settings.aws).get_object(Bucket="storepulse-lake", Key=name)["Body"].read()
    with connect(settings.warehouse) as warehouse:
        (row,) = warehouse.query("read", f'SELECT v FROM "{name}"')
    return record["Data"].decode(), item["v"]["S"], document["v"], body.decode(), row["v"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_start_leaves_nothing(stack: Commands, number: signal.Signals) -> None:
    with stack.start("up") as process:
        until(lambda: len(stack.processes()) >= len(PARTS))
        if number == signal.SIGHUP:  # the terminal has gone: nobody reads what it says
            assert process.stdout
            process.stdout.close()
        process.send_signal(number)
        assert process.wait(30) != 0

    assert stack.processes() == []
    assert not stack.home.state_file.exists()


def test_ctrl_c_of_the_command_that_waits_for_the_background_leaves_nothing(stack: Commands) -> None:
    with stack.start("up", "--detach") as process:
        until(lambda: len(stack.processes()) >= len(PARTS))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0

    assert stack.processes() == []
    assert not stack.status()["running"]


@pytest.mark.parametrize("detach", [(), ("--detach",)])
def test_a_part_that_dies_at_start_is_named_and_nothing_is_left(stack: Commands, detach: tuple[str, ...]) -> None:
    stack.environ["STOREPULSE_LOCAL_OPENSEARCH_JAVA_OPTIONS"] = "-XX:+NoSuchOption"

    refuses(stack.run("up", *detach), "opensearch did not start (exit code 1)")

    assert stack.processes() == []
    assert not stack.home.settings_file.exists()


def test_a_port_in_use_is_refused_before_anything_starts(stack: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        refuses(stack.run("up", "--port", f"ministack={port}"), f"port {port} for ministack is in use")
    assert stack.processes() == []
    assert not list(stack.home.logs.iterdir())


def test_too_little_disk_space_is_refused_before_anything_starts(stack: Commands) -> None:
    stack.environ["STOREPULSE_LOCAL_MIN_FREE_MIB"] = str(1 << 40)

    refuses(stack.run("up"), "MiB free, the local stack needs")
    refuses(stack.run("up", "--detach"), "MiB free, the local stack needs")

    assert stack.processes() == []


def test_a_folder_that_cannot_be_written_is_refused(stack: Commands, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    refuses(stack.run("up", "--home", str(tmp_path / "file" / "home")), "cannot be written")


def test_a_download_with_a_wrong_hash_stops_the_start_before_any_part_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampered(jar: Jar, folder: Path, advance: Callable[[int], None]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / jar.file_name
        path.write_bytes(b"not what was locked")
        return path

    monkeypatch.setattr(download, "_from_repository", tampered)
    settings = LocalSettings(local=Local(home=str(tmp_path)))
    home = Home.of(settings.local)

    with (
        pytest.raises(ConfigError, match=r"^\S+:\S+: the download has the wrong hash"),
        Supervisor(home, Console(quiet=True)) as supervisor,
    ):
        bring_up(supervisor, settings)

    assert not list(home.logs.iterdir())  # no part was started
    assert not home.settings_file.exists()
    assert [path.name for path in (home.downloads / "jars").iterdir()] == ["lock"]
