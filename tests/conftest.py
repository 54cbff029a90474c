"""What every test may ask for. Imported before the first test, and once more by whoever hands tests out: what starts a
part of the stack is imported when that part is asked for, as it takes four seconds."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from infra.local.endpoints import Endpoints
    from infra.local.kafka.testing import LocalBroker


# How long one example takes on a busy machine says nothing of a law. All else is the profile in force, CI's included.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Endpoints]":
    """All parts, started when the first test asks. Tests make streams, tables and indices under names of their own."""
    from infra.local.testing import local_stack

    with local_stack(tmp_path_factory.mktemp("stack")) as endpoints:
        yield endpoints


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[LocalBroker]":
    """A real broker. Who kills it waits until it is back."""
    from infra.local.home import Home
    from infra.local.kafka.testing import local_broker
    from infra.local.settings import LocalSettings

    with local_broker(tmp_path_factory.mktemp("kafka"), Home.of(LocalSettings().local).downloads) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(kafka_broker: "LocalBroker") -> str:
    """Address of the broker."""
    return kafka_broker.address


@pytest.fixture
def new_topic(kafka: str) -> Callable[..., str]:
    """Makes a topic of so many partitions; its name."""
    from kafka.admin import KafkaAdminClient, NewTopic

    made: list[str] = []

    def make(partitions: int) -> str:
        admin = KafkaAdminClient(bootstrap_servers=kafka)
        name = f"orders-{id(made):x}-{len(made)}"
        made.append(name)
        admin.create_topics([NewTopic(name, partitions, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})])
        admin.close()
        return name

    return make
