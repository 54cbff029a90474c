"""Kafka's errors by the reaction that they ask for."""

import threading

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors
from kafka.admin import KafkaAdminClient

from runtime.errors import ConfigError
from runtime.kafka import client, naming_outages
from runtime.outage import Outage

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "error",
    [
        kafka_errors.TopicAuthorizationFailedError("orders"),
        kafka_errors.SaslAuthenticationFailedError(),
        kafka_errors.InvalidSessionTimeoutError(),
        kafka_errors.KafkaConfigurationError("two\nlines"),
    ],
)
def test_what_waiting_does_not_mend_is_the_operators(error: Exception) -> None:
    with pytest.raises(ConfigError, match=type(error).__name__) as raised, naming_outages():
        raise error
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "error", [kafka_errors.KafkaTimeoutError(), kafka_errors.KafkaConnectionError(), kafka_errors.NotControllerError()]
)
def test_what_passes_is_an_outage(error: Exception) -> None:
    with pytest.raises(Outage, match=f"no Kafka broker answers \\({type(error).__name__}\\)"), naming_outages():
        raise error


@pytest.mark.parametrize("kind", [KafkaConsumer, KafkaProducer, KafkaAdminClient])
def test_a_client_that_cannot_be_made_leaves_no_thread(kind: type) -> None:
    before = threading.active_count()
    with pytest.raises(Outage):
        client(kind, "127.0.0.1:9", bootstrap_timeout_ms=100)
    with pytest.raises(ConfigError, match=r"\[kafka\] servers 'host:port'"):
        client(kind, "host:port")
    assert threading.active_count() == before
