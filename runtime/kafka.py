"""The only builder of Kafka clients, what their errors ask for, and what a topic is asked before it is used."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    InvalidTopicError,
    KafkaConfigurationError,
    KafkaError,
    SaslAuthenticationFailedError,
    SecurityDisabledError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)
from kafka.net.compat import KafkaNetClient

from runtime.errors import ConfigError, StreamAbsent
from runtime.outage import Outage

_BOOTSTRAP_MS = 2_000
_REQUEST_MS = 5_000  # of an administrator's question
# kafka-python doubles the pause between two attempts to connect up to 30 s by default: a broker that was away for a
# while is then not seen for as long again after it is back.
_RECONNECT_MS = 500
_MSK_IAM = ".amazonaws.com:9098"

# Waiting helps with none of these.
_REFUSALS = (
    AuthorizationError,
    IllegalSaslStateError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    InvalidTopicError,
    KafkaConfigurationError,
    SaslAuthenticationFailedError,
    SecurityDisabledError,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)


@contextmanager
def naming_outages() -> Iterator[None]:
    """Raises Outage and ConfigError in place of kafka-python's errors."""
    try:
        yield
    except _REFUSALS as error:
        why = " ".join(str(error).split())
        raise ConfigError(f"Kafka refuses this: {why}; mend [kafka] or [streams], or grant the right") from error
    except KafkaError as error:
        raise Outage(f"no Kafka broker answers ({type(error).__name__})") from error


def client(kind: Callable[..., Any], servers: str, **options: Any) -> Any:
    """A client of kafka-python's class `kind`, connected. `servers`: addresses separated by commas.

    Raises Outage, and ConfigError for addresses that are none. It never makes a topic by asking for it.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # a line for each attempt; our own texts say what matters
    made: list[KafkaNetClient] = []

    def network(**config: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**config))
        return made[-1]

    settings = {
        "bootstrap_servers": servers.split(","),
        "bootstrap_timeout_ms": _BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": _RECONNECT_MS,
        "kafka_client": network,
        **_login(servers),
        **options,
    }
    try:
        with naming_outages():
            return kind(**settings)
    except BaseException as error:
        for each in made:  # a constructor that fails leaves its thread running
            each.close()
        if isinstance(error, ValueError):
            raise ConfigError(f"[kafka] servers {servers!r}: no list of addresses: {error}") from error
        raise


def _login(servers: str) -> dict[str, str]:
    """MSK takes IAM's log-in on a port of its own, and Serverless takes no other: the host's role is asked."""
    if not all(server.endswith(_MSK_IAM) for server in servers.split(",")):
        return {}
    return {"security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM"}


@contextmanager
def administrator(servers: str) -> Iterator[KafkaAdminClient]:
    """For a few questions: connected, and closed on leaving. Raises Outage, ConfigError; errors are named inside."""
    admin = client(KafkaAdminClient, servers, request_timeout_ms=_REQUEST_MS)
    try:
        with naming_outages():
            yield admin
    finally:
        admin.close()


def partitions_of(admin: KafkaAdminClient, topic: str) -> list[int]:
    """Numbers of the partitions, in order. Raises StreamAbsent where there is no such topic, and ConfigError."""
    (found,) = admin.describe_topics([topic])
    if found["error_code"] == UnknownTopicOrPartitionError.errno:
        raise StreamAbsent(f"Kafka has no topic {topic!r}: create it, or mend [streams]")
    if found["error_code"] == InvalidTopicError.errno:
        raise ConfigError(f"Kafka takes no topic by the name of {topic!r}: mend [streams]")
    return sorted(partition["partition_index"] for partition in found["partitions"])


def require_arrival_times(admin: KafkaAdminClient, topic: str) -> None:
    """Raises ConfigError for a topic whose records bear their producers' time: nobody knows when they arrived."""
    key = "message.timestamp.type"
    answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    found = answer["topic"][topic].get(key, {}).get("value")
    if found not in (None, "LogAppendTime"):
        raise ConfigError(f"topic {topic!r} has {key}={found}: set it to LogAppendTime")
