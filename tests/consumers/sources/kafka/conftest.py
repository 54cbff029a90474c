"""A real broker for the tests of this folder."""

import threading
from collections.abc import Callable, Iterator

import pytest
from kafka.admin import KafkaAdminClient, NewTopic
from rich.console import Console

from infra.local.home import Home
from infra.local.kafka import broker
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a broker."""
    local = LocalSettings().local
    root = tmp_path_factory.mktemp("kafka")
    home = Home(root=root, downloads=Home.of(local).downloads)
    with Supervisor(home, Console(quiet=True), stop=threading.Event()) as stack:
        ports = stack.ports_for([broker.NAME, broker.CONTROLLER])
        installed = broker.install(home, stack.console, stack.stop)
        part = broker.broker(
            home,
            installed,
            port=ports[broker.NAME],
            controller_port=ports[broker.CONTROLLER],
            java_options="-XX:TieredStopAtLevel=1",
        )
        stack.start([part])
        yield part.url


@pytest.fixture
def new_topic(kafka: str) -> Callable[..., str]:
    """Makes a topic of so many partitions; its name."""
    made: list[str] = []

    def make(partitions: int) -> str:
        admin = KafkaAdminClient(bootstrap_servers=kafka)
        name = f"orders-{id(made):x}-{len(made)}"
        made.append(name)
        admin.create_topics([NewTopic(name, partitions, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})])
        admin.close()
        return name

    return make
