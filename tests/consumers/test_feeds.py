import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from consumers.delivery import Path, Shard
from consumers.feeds import Feed, KclHost, StreamRole, feeds_of, run_feeds
from consumers.reference.judges import Judges
from consumers.settings import LiveSettings
from consumers.sources.kcl.testing import FakeDaemon
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.source import ShardStatus
from consumers.stages.testing import access_judge, judge
from runtime.errors import ConfigError
from runtime.settings import Aws, Streams, Transport

pytestmark = pytest.mark.unit

JUDGES = Judges(judge(), access_judge())


@dataclass
class FakeSource:
    """Runs until it is told to stop, or fails at once."""

    failure: Exception | None = None
    running: threading.Event = field(default_factory=threading.Event)
    stopped: bool = False

    def run(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> None:
        self.running.set()
        if self.failure is not None:
            raise self.failure
        assert stop.wait(30)
        self.stopped = True

    def status(self) -> list[ShardStatus]:
        return []


def feed(source: FakeSource, name: str = "orders") -> Feed:
    return Feed(stream=name, application=f"live-{name}", judge=JUDGES.orders, source=source)


def no_path(feed: Feed, shard: Shard) -> Path:
    raise AssertionError("nothing is read")


def test_all_sources_stop_when_they_are_told_to() -> None:
    sources, stop = [FakeSource(), FakeSource()], threading.Event()
    running = threading.Thread(target=run_feeds, args=([feed(source) for source in sources], no_path, stop))
    running.start()
    assert all(source.running.wait(30) for source in sources)
    stop.set()
    running.join(30)
    assert [source.stopped for source in sources] == [True, True]


def test_one_that_fails_stops_the_others_in_good_order() -> None:
    lasting, failing = FakeSource(), FakeSource(ConfigError("no stream"))
    with pytest.raises(ConfigError, match="no stream"):
        run_feeds([feed(lasting), feed(failing)], no_path, threading.Event())
    assert lasting.stopped


@pytest.mark.parametrize(
    ("access", "wanted"),
    [("clicks", [("sales", "live-sales"), ("clicks", "live-clicks")]), ("", [("sales", "live-sales")])],
)
def test_each_stream_has_an_application_and_a_judge_of_its_own(access: str, wanted: list[tuple[str, str]]) -> None:
    settings = LiveSettings(aws=Aws(region="eu-west-2"), streams=Streams(transactions="sales", access=access))
    feeds = feeds_of(
        settings, JUDGES, orders="live-sales", access="live-clicks", fleet=KinesisSourceSettings(), section="fleet"
    )
    assert [(each.stream, each.application) for each in feeds] == wanted
    assert [each.judge for each in feeds] == [JUDGES.orders, JUDGES.access][: len(wanted)]


def test_two_kinds_of_lines_never_share_a_stream() -> None:
    settings = LiveSettings(streams=Streams(transactions="all", access="all"))
    with pytest.raises(ConfigError, match="give each its own"):
        feeds_of(settings, JUDGES, orders="a", access="b", fleet=KinesisSourceSettings(), section="fleet")


def under_kcl(role: StreamRole, *, access: str = "clicks", transport: Transport = "kinesis") -> list[Feed]:
    settings = LiveSettings(streams=Streams(transactions="sales", access=access, transport=transport))
    host = KclHost(role=role, wire=FakeDaemon([]))
    return feeds_of(settings, JUDGES, orders="a", access="b", fleet=KinesisSourceSettings(), section="fleet", kcl=host)


def test_a_daemon_has_one_stream_with_that_streams_judge() -> None:
    (sales,), (clicks,) = under_kcl("transactions"), under_kcl("access")
    assert (sales.stream, sales.judge) == ("sales", JUDGES.orders)
    assert (clicks.stream, clicks.judge) == ("clicks", JUDGES.access)


def test_a_daemon_without_a_stream_of_kinesis_is_an_error() -> None:
    with pytest.raises(ConfigError, match="reads Kinesis"):
        under_kcl("transactions", transport="kafka")
    with pytest.raises(ConfigError, match="access is not set"):
        under_kcl("access", access="")
