"""What is called wrong, and how it is shown in 80 columns."""

import datetime as dt
import io
from dataclasses import replace

import msgspec
import pytest
from rich.console import Console

from consumers.delivery import Position
from consumers.fleet.applications import Application, applications_of
from consumers.fleet.look import Look
from consumers.fleet.picture import ApplicationPicture, FleetPicture, fleet_of, picture_of
from consumers.fleet.render import duration, print_fleet
from consumers.fleet.settings import FleetSettings
from consumers.fleet.testing import split
from consumers.fleet.tree import tree_of
from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.shards import LAST_HASH_KEY
from consumers.sources.kinesis.stream import ShardInfo
from runtime.errors import ConfigError
from runtime.settings import Streams

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
BIG = 49_667_716_418_273_645_645_645_645_645_645_645_645_645_645_645_645_645_001
APPLICATION = Application(
    name="storepulse-live-transactions", stream="orders", path="live", fleet=KinesisSourceSettings(), lag_s=30
)
ROOT = ShardInfo(shard_id="shardId-000000000000", hash_range=(0, LAST_HASH_KEY))
LEFT, RIGHT = "shardId-000000000001", "shardId-000000000002"
WORKER = "ip-10-0-12-345.eu-west-2.compute.internal-3f9a22c1"


def ago(seconds: float) -> dt.datetime:
    return NOW - dt.timedelta(seconds=seconds)


def leases(*, right: str | None = "b-00000001") -> list[Lease]:
    above = frozenset({ROOT.shard_id})
    return [
        Lease(shard_id=ROOT.shard_id, checkpoint=SHARD_END),
        Lease(shard_id=LEFT, checkpoint=Checkpoint.at(Position(BIG, 12)), owner=WORKER, parents=above),
        Lease(shard_id=RIGHT, checkpoint=TRIM_HORIZON, owner=right, parents=above),
    ]


LOOKS = {
    LEFT: Look(checkpoint_at=ago(4), waiting_since=ago(0.4), records=120),
    RIGHT: Look(waiting_since=ago(20), records=1_234_567, is_counted=False),
}


def picture(found: list[Lease], looks: dict[str, Look], silent: frozenset[str] = frozenset()) -> ApplicationPicture:
    tree = tree_of(split(ROOT, LEFT, RIGHT), found, silent=silent, initial=TRIM_HORIZON)
    return picture_of(APPLICATION, tree, looks, NOW)


def shown(*applications: ApplicationPicture, everything: bool = False) -> str:
    out = io.StringIO()
    print_fleet(fleet_of(list(applications), NOW), Console(file=out, width=80), everything=everything)
    return out.getvalue()


def test_all_shards_read_and_nothing_old_is_healthy() -> None:
    healthy = picture(leases(), LOOKS)
    assert healthy.wrong == []
    assert fleet_of([healthy], NOW).exit_code == 0
    assert [(worker.worker, worker.shards, worker.lag_ms) for worker in healthy.workers] == [
        ("b-00000001", 1, 20_000),
        (WORKER, 1, 400),
    ]
    assert [shard.state for shard in healthy.shards] == ["finished", "owned", "owned"]


def test_what_is_wrong_is_said_with_the_shards_names() -> None:
    assert picture(leases(right=None), LOOKS).wrong == [f"1 shard without an owner: {RIGHT}"]
    silent = picture(leases(), LOOKS, silent=frozenset({LEFT}))
    assert silent.wrong == [f"1 shard whose owner no longer renews its lease: {LEFT}"]
    assert [worker.is_alive for worker in silent.workers] == [True, False]
    assert picture(leases()[:2], LOOKS).wrong == [f"1 shard to be read, but without a lease: {RIGHT}"]
    assert picture([], {}).wrong == ["no worker has ever read the stream: there are no leases"]
    late = {**LOOKS, LEFT: Look(waiting_since=ago(3600))}
    assert picture(leases(), late).wrong == [f"1 shard is behind by more than 30 s, {LEFT} the most: 3,600 s"]
    assert "records are lost" in picture(leases(), {**LOOKS, LEFT: Look(gap="the oldest is 9")}).wrong[0]


def test_known_trouble_outweighs_what_could_not_be_seen() -> None:
    blind = ApplicationPicture(
        application="b", stream="orders", transport="kinesis", path="cold", unreachable="no answer"
    )
    assert fleet_of([picture(leases(), LOOKS), blind], NOW).exit_code == 3
    assert fleet_of([picture([], {}), blind], NOW).exit_code == 1
    assert "could not be looked at: b" in shown(picture(leases(), LOOKS), blind)


def test_it_fits_80_columns_and_names_stay_recognisable() -> None:
    text = shown(picture(leases(), LOOKS))
    assert max(map(len, text.splitlines())) <= 80
    left = next(line for line in text.splitlines() if line.lstrip().startswith("000000000001"))
    assert left.split() == ["000000000001", "ip-10-0-12-34…3f9a22c1", "0.4", "s", "120", "…45645001:12", "4.0", "s"]
    assert "~1,234,567" in text
    assert f"{WORKER[:39]}…3f9a22c1" in text  # the table of workers has room
    assert "1 finished shard that nothing waits for" in text
    assert "healthy" in text.splitlines()[-1]


def test_finished_shards_are_shown_while_something_waits_for_them_or_on_request() -> None:
    assert "(finished)" in shown(picture(leases(), LOOKS), everything=True)
    assert "(finished)" not in shown(picture(leases(), LOOKS))
    reading = [replace(leases()[0], checkpoint=TRIM_HORIZON, owner="a"), *leases()[1:]]
    text = shown(picture(reading, {}))
    assert text.count("(waits)") == 2


def test_json_has_every_field_under_its_name() -> None:
    found = msgspec.json.decode(msgspec.json.encode(fleet_of([picture(leases(), LOOKS)], NOW)))
    assert found["verdict"] == "healthy"
    (application,) = found["applications"]
    assert application["shards"][1] == {
        "shard": LEFT,
        "state": "owned",
        "depth": 1,
        "parents": [ROOT.shard_id],
        "children": [],
        "owner": WORKER,
        "checkpoint": str(BIG),
        "sub_sequence": 12,
        "checkpoint_age_s": 4.0,
        "lag_ms": 400,
        "lag_records": 120,
        "lag_is_counted": True,
    }
    assert msgspec.convert(found, FleetPicture).applications[0].path == "live"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.42, "0.4 s"), (42.4, "42 s"), (119, "119 s"), (180, "3 min"), (7200, "2 h"), (2e5, "2 d")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_applications_are_those_of_the_streams_that_are_set() -> None:
    assert [each.name for each in applications_of(FleetSettings())] == [
        "storepulse-live-transactions",
        "storepulse-live-access",
        "storepulse-cold-transactions",
        "storepulse-cold-access",
    ]
    without = FleetSettings(streams=Streams(access=""))
    assert {each.stream for each in applications_of(without)} == {"storepulse-transactions"}
    with pytest.raises(ConfigError, match="no application 'x'; the settings name storepulse-live-transactions"):
        applications_of(without, ["x"])
