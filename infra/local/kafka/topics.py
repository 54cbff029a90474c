"""The topics that stand for streams."""

import random
from collections.abc import Collection
from contextlib import suppress

from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from runtime.clock import SystemClock
from runtime.kafka import administrator
from runtime.outage import Stop, Trouble, wait_at_start

PARTITIONS = 4  # as many as an on-demand stream has shards at first
_PATIENCE_S = 30.0  # a broker takes connections before it answers, on busy cores some seconds
_CONFIGS = {
    # The account goes by when a record arrived. A producer's clock may be anywhere.
    "message.timestamp.type": "LogAppendTime",
}


def make_topics(servers: str, names: Collection[str], stop: Stop) -> None:
    """Topics with these names, unless they are there; fewer if `stop` is set. Raises ConfigError.

    `servers`: addresses separated by commas.
    """
    clock = SystemClock()
    wait_at_start(
        lambda: _make(servers, names),
        stop,
        trouble=Trouble("Kafka", clock),
        patience_s=_PATIENCE_S,
        advice="its log: `python -m infra.local logs kafka`",
        clock=clock,
        rng=random.Random(),
    )


def _make(servers: str, names: Collection[str]) -> None:
    """Raises Outage, ConfigError."""
    with administrator(servers) as admin:
        for name in names:
            with suppress(TopicAlreadyExistsError):  # from an earlier run
                admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=_CONFIGS)])
