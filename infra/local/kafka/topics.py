"""The topics that stand for streams."""

from collections.abc import Iterable
from contextlib import suppress

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from runtime.errors import ConfigError

PARTITIONS = 4  # as many as an on-demand stream has shards at first
_CONNECTED_MS = 20_000  # a broker takes connections some seconds before it answers
_CONFIGS = {
    # The account goes by when a record arrived. A producer's clock may be anywhere.
    "message.timestamp.type": "LogAppendTime",
}


def make_topics(servers: str, names: Iterable[str]) -> None:
    """Topics with these names, unless they are there. `servers`: addresses separated by commas. Raises ConfigError."""
    try:
        admin = KafkaAdminClient(bootstrap_servers=servers.split(","), bootstrap_timeout_ms=_CONNECTED_MS)
        try:
            for name in names:
                _make(admin, name)
        finally:
            admin.close()
    except KafkaError as error:
        raise ConfigError(f"Kafka at {servers} takes no topics: {type(error).__name__}") from error


def _make(admin: KafkaAdminClient, name: str) -> None:
    with suppress(TopicAlreadyExistsError):  # from an earlier run
        admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=_CONFIGS)])
