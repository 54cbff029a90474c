"""The file from which the MultiLangDaemon starts."""

from typing import Any

import pytest

from consumers.settings import ColdFleet
from consumers.sources.kcl.properties import properties
from consumers.sources.kcl.settings import Kcl
from consumers.sources.kinesis.reading import KinesisReadingSettings
from consumers.sources.kinesis.settings import KinesisSourceSettings
from runtime.errors import ConfigError
from runtime.settings import Aws

pytestmark = pytest.mark.unit

COMMAND = ("/opt/storepulse/.venv/bin/python", "-m", "consumers", "live", "--host", "kcl")


def parsed(**changes: Any) -> dict[str, str]:
    given = {
        "command": COMMAND,
        "stream": "sales",
        "application": "live-sales",
        "aws": Aws(region="eu-west-2"),
        "fleet": KinesisSourceSettings(),
        "reading": KinesisReadingSettings(),
        "kcl": Kcl(),
    }
    return dict(line.split(" = ", 1) for line in properties(**{**given, **changes}).splitlines())


def test_the_file_names_who_reads_what_under_which_table() -> None:
    found = parsed()
    assert found["executableName"] == "/opt/storepulse/.venv/bin/python -m consumers live --host kcl"
    assert (found["streamName"], found["applicationName"], found["regionName"]) == ("sales", "live-sales", "eu-west-2")


def test_the_fleets_settings_in_milliseconds() -> None:
    fleet = ColdFleet(failover_s=7.5, scan_s=2.0, discover_s=30.0, initial_position="LATEST")
    found = parsed(fleet=fleet)
    assert found["failoverTimeMillis"] == "7500"
    assert found["parentShardPollIntervalMillis"] == "2000"
    assert found["shardSyncIntervalMillis"] == "30000"
    assert found["idleTimeBetweenReadsInMillis"] == "1000"
    assert found["initialPositionInStream"] == "LATEST"


def test_polls_or_fan_out_as_for_the_fleet() -> None:
    assert parsed()["retrievalMode"] == "POLLING"
    assert parsed()["maxRecords"] == "10000"


def test_a_first_time_is_in_seconds_and_in_the_place_of_a_first_position() -> None:
    entered = KinesisSourceSettings(initial_position="AT_TIMESTAMP", initial_time="2026-11-27T10:00:00.9+02:00")
    found = parsed(fleet=entered)
    assert found["initialPositionInStreamExtended"] == "1795766400"
    assert "initialPositionInStream" not in found
    with pytest.raises(ConfigError, match="initial_time"):
        parsed(fleet=KinesisSourceSettings(initial_position="AT_TIMESTAMP"))


def test_empty_reads_come_and_no_aggregate_is_dropped() -> None:
    found = parsed()
    assert found["callProcessRecordsEvenForEmptyRecordList"] == "true"
    assert found["skipShardSyncAtWorkerInitializationIfLeasesExist"] == "true"


def test_no_timeout_of_an_answer_and_no_worker_that_two_daemons_would_share() -> None:
    assert not parsed().keys() & {"timeoutInSeconds", "workerId", "workerIdentifier"}


def test_local_endpoints_and_then_no_metrics_that_would_go_to_aws() -> None:
    found = parsed(aws=Aws(kinesis_endpoint="http://127.0.0.1:4567", endpoint="http://127.0.0.1:4566"))
    assert found["kinesisEndpoint"] == "http://127.0.0.1:4567"
    assert found["dynamoDBEndpoint"] == "http://127.0.0.1:4566"
    assert found["metricsLevel"] == "NONE"
    assert not parsed().keys() & {"kinesisEndpoint", "dynamoDBEndpoint"}


def test_a_secret_is_never_in_it() -> None:
    text = properties(
        command=COMMAND,
        stream="sales",
        application="live-sales",
        aws=Aws(access_key_id="AKIA", secret_access_key="hush"),
        fleet=KinesisSourceSettings(),
        reading=KinesisReadingSettings(),
        kcl=Kcl(),
    )
    assert "hush" not in text and "AKIA" not in text


def test_each_release_has_its_own_words() -> None:
    newer, older = parsed(), parsed(kcl=Kcl(release="2"))
    assert newer["clientVersionConfig"] == "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X_PHASE1"
    assert newer["AwsCredentialsProvider"] == "DefaultCredentialsProvider"
    assert older["AWSCredentialsProvider"] == "DefaultAWSCredentialsProviderChain"
    assert "clientVersionConfig" not in older


def test_fan_out_has_no_polls() -> None:
    found = parsed(reading=KinesisReadingSettings(mode="fan_out"))
    assert found["retrievalMode"] == "FANOUT"
    assert not found.keys() & {"maxRecords", "idleTimeBetweenReadsInMillis"}


@pytest.mark.parametrize("python", ["/home/Jane Doe/python", ""])
def test_a_path_that_the_daemon_would_cut_is_an_error(python: str) -> None:
    with pytest.raises(ConfigError, match="cuts its command at spaces"):
        parsed(command=(python, *COMMAND[1:]))


def test_letters_that_java_reads_otherwise_are_escaped() -> None:
    found = parsed(command=("C:\\shop\\é\\😀", *COMMAND[1:]))
    assert found["executableName"].startswith(r"C:\\shop\\\u00e9\\\ud83d\ude00 -m")
