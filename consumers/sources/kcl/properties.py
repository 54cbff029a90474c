"""The .properties file from which AWS's MultiLangDaemon starts: the fleet's settings in the KCL's words."""

from collections.abc import Sequence

from consumers.sources.kcl.settings import Kcl
from consumers.sources.kinesis.reading import KinesisReadingSettings
from consumers.sources.kinesis.settings import KinesisSourceSettings
from runtime.errors import ConfigError
from runtime.settings import Aws

_MODES = {"polling": "POLLING", "fan_out": "FANOUT"}


def properties(
    *,
    command: Sequence[str],
    stream: str,
    application: str,
    aws: Aws,
    fleet: KinesisSourceSettings,
    reading: KinesisReadingSettings,
    kcl: Kcl,
) -> str:
    """The file's text. `command` starts the process of one shard, `application` names the lease table.

    Raises ConfigError for a command that the daemon would cut in the wrong places, or no initial_time.
    """
    for part in command:
        if not part or " " in part:
            raise ConfigError(f"the MultiLangDaemon cuts its command at spaces: {part!r} has to be a path without any")
    values = {
        "executableName": " ".join(command),
        "processingLanguage": "python",
        "streamName": stream,
        "applicationName": application,
        "regionName": aws.region,
        **_endpoints(aws),
        **_release(kcl),
        **_entry(fleet),
        "failoverTimeMillis": _ms(fleet.failover_s),
        "shardSyncIntervalMillis": _ms(fleet.discover_s),
        "parentShardPollIntervalMillis": _ms(fleet.scan_s),
        "retrievalMode": _MODES[reading.mode],
        **(_polling(fleet, kcl) if reading.mode == "polling" else {}),
        "shutdownGraceMillis": _ms(kcl.shutdown_grace_s),
        # Time may end what a path holds, also while nothing comes.
        "callProcessRecordsEvenForEmptyRecordList": "true",
        # With the shards' hash ranges at hand the KCL drops aggregates that were packed before a split, without a word.
        "skipShardSyncAtWorkerInitializationIfLeasesExist": "true",
    }
    return "".join(f"{key} = {_escaped(value)}\n" for key, value in values.items())


def _endpoints(aws: Aws) -> dict[str, str]:
    found = {"kinesisEndpoint": aws.kinesis_endpoint, "dynamoDBEndpoint": aws.endpoint}
    given = {key: url for key, url in found.items() if url}
    # There is no property for CloudWatch's endpoint: beside a local stack the metrics would go to AWS.
    return {**given, "metricsLevel": "NONE" if given else "SUMMARY"}


def _entry(fleet: KinesisSourceSettings) -> dict[str, str]:
    if fleet.initial_position != "AT_TIMESTAMP":
        return {"initialPositionInStream": fleet.initial_position}
    # MultiLangDaemonConfiguration reads whole seconds since 1970. Rounded down: nothing is left out.
    return {"initialPositionInStreamExtended": str(int(fleet.initial_since.timestamp()))}


def _release(kcl: Kcl) -> dict[str, str]:
    if kcl.release == "2":
        return {"AWSCredentialsProvider": "DefaultAWSCredentialsProviderChain"}
    return {
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "clientVersionConfig": "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X_PHASE1",
    }


def _polling(fleet: KinesisSourceSettings, kcl: Kcl) -> dict[str, str]:
    return {"maxRecords": str(kcl.records_per_read), "idleTimeBetweenReadsInMillis": _ms(fleet.poll_s)}


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))


def _escaped(value: str) -> str:
    """As java.util.Properties reads it, which takes Latin-1 and cuts leading blanks."""
    text = value.replace("\\", "\\\\")
    return "".join(
        letter if " " <= letter <= "~" else "".join(f"\\u{unit:04x}" for unit in _utf16(letter)) for letter in text
    )


def _utf16(letter: str) -> list[int]:
    encoded = letter.encode("utf-16-be")
    return [int.from_bytes(encoded[place : place + 2], "big") for place in range(0, len(encoded), 2)]
