"""Which splits and merges scale a stream, and when an on-demand stream does so by itself."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.kinesis.errors import KinesisError
from infra.local.kinesis.operations import TARGET, Api
from infra.local.kinesis.scaling import HASH_KEYS, Range, Step, doubled, halved, uniform
from infra.local.kinesis.service import Service
from infra.local.kinesis.shards import even
from infra.local.kinesis.streams import Streams
from infra.local.kinesis.testing import ManualClock

pytestmark = pytest.mark.unit

_KIB = "A" * 1364 + "AA=="  # base64 of 1,024 bytes less one


def _even(count: int) -> list[Range]:
    return [shard.hash_range for shard in even(count, 0)]


def _walked(ranges: list[Range], steps: list[Step]) -> list[Range]:
    """The shards after the steps; each must be a split or a merge of neighbours that are there."""
    shards = set(ranges)
    for step in steps:
        assert sorted([len(step.parents), len(step.children)]) == [1, 2]
        shards -= set(step.parents)
        assert len(shards) + len(step.parents) == len(shards | set(step.parents))
        covered = [sorted(step.parents), sorted(step.children)]
        assert covered[0][0][0] == covered[1][0][0]
        assert covered[0][-1][1] == covered[1][-1][1]
        assert all(before[1] + 1 == after[0] for side in covered for before, after in pairwise(side))
        shards |= set(step.children)
    left = sorted(shards)
    assert (left[0][0], left[-1][1]) == (0, HASH_KEYS - 1)
    assert all(before[1] + 1 == after[0] for before, after in pairwise(left))
    return left


@given(st.lists(st.integers(1, HASH_KEYS - 1), unique=True, max_size=20), st.integers(1, 40))
def test_any_shards_become_so_many_of_equal_size(cuts: list[int], target: int) -> None:
    ranges = [(start, end - 1) for start, end in pairwise([0, *sorted(cuts), HASH_KEYS])]
    left = _walked(ranges, list(uniform(ranges, target)))
    assert len(left) == target
    assert all(abs((end - start + 1) * target / HASH_KEYS - 1) < 1e-5 for start, end in left)


@given(st.integers(1, 200))
def test_doubling_only_splits_and_halving_only_merges(count: int) -> None:
    ranges = _even(count)
    up = list(uniform(ranges, 2 * count))
    assert all(len(step.parents) == 1 for step in up)
    assert len(up) == count
    more = _walked(ranges, up)
    down = list(uniform(more, count))
    assert all(len(step.parents) == 2 for step in down)
    assert len(down) == count
    assert _walked(more, down) == ranges
    assert list(uniform(ranges, count)) == []


def test_an_odd_shard_stays_when_neighbours_merge() -> None:
    assert len(_walked(_even(5), list(halved(_even(5))))) == 3
    assert len(_walked(_even(5), list(doubled(_even(5))))) == 10


class Local:
    """An account with one on-demand stream."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.folder = folder
        self.start()
        self.call("CreateStream", StreamName="s", StreamModeDetails={"StreamMode": "ON_DEMAND"})

    def start(self) -> None:
        streams = Streams(self.folder, self.clock, limits=True)
        self.streams = streams
        service = Service(streams=streams, clock=self.clock, region="eu-west-2", account_id="000000000000", limits=True)
        self.api = Api(service)

    def call(self, operation: str, **members: Any) -> Any:
        answer = self.api.answer(TARGET + operation, msgspec.json.encode(members))
        assert isinstance(answer, bytes)
        return msgspec.json.decode(answer)

    @property
    def shards(self) -> int:
        """Open ones, as the stream is described (which lets it follow its traffic first)."""
        summary = self.call("DescribeStreamSummary", StreamName="s")
        return int(summary["StreamDescriptionSummary"]["OpenShardCount"])

    def traffic(self, mib: float, minutes: int) -> None:
        """So many MiB/s, of which as much is stored as the shards take: counted, not written."""
        stream = self.streams.get("s", "000000000000")
        for _ in range(minutes):
            taken = min(mib, stream.open_shards)
            stream.meter.count(1, round(taken * 60 * (1 << 20)))
            self.clock.advance(60)
            assert self.shards


@pytest.fixture
def local(tmp_path: Path) -> Local:
    return Local(tmp_path)


def test_a_new_stream_takes_four_mib_a_second_and_no_more(local: Local) -> None:
    def put() -> int:
        failed = 0
        for number in range(4):
            records = [
                {"Data": _KIB, "PartitionKey": "k", "ExplicitHashKey": str(HASH_KEYS // 4 * number)} for _ in range(500)
            ]
            failed += local.call("PutRecords", StreamName="s", Records=records)["FailedRecordCount"]
        return failed

    assert put() == put() == 0
    assert put() == 2000
    local.clock.advance(1)
    assert put() == 0


def test_capacity_is_twice_the_peak(local: Local) -> None:
    local.traffic(2.0, 3)
    assert local.shards == 4
    local.traffic(2.1, 1)
    assert local.shards == 8, "room for twice 2.1"
    local.traffic(4.0, 60)
    assert local.shards == 8
    local.traffic(4.1, 1)
    assert local.shards == 16


def test_more_than_double_the_peak_within_fifteen_minutes_is_throttled(local: Local) -> None:
    local.traffic(30, 1)
    assert local.shards == 8
    local.traffic(30, 14)
    assert local.shards == 8, "throttled to 8 MiB/s until 15 minutes have passed"
    local.traffic(30, 1)
    assert local.shards == 16
    local.traffic(30, 15)
    assert local.shards == 32
    local.traffic(30, 15)
    assert local.shards == 64, "room for twice 30"
    local.traffic(30, 60)
    assert local.shards == 64


def test_a_peak_counts_for_thirty_days_also_over_a_restart(local: Local) -> None:
    local.traffic(8, 60)
    assert local.shards == 16
    local.start()
    local.clock.advance(28 * 86_400)
    local.traffic(1, 30)
    assert local.shards == 16
    local.clock.advance(3 * 86_400)
    local.traffic(1, 2)
    assert local.shards == 8
    local.traffic(1, 60)
    assert local.shards == 4, "never fewer than a new stream has"


def test_parents_of_shards_that_follow_traffic_are_named_by_them(local: Local) -> None:
    local.traffic(4, 1)
    shards = local.call("ListShards", StreamName="s")["Shards"]
    assert [shard.get("ParentShardId", "-")[-1] for shard in shards] == [*"----00112233"]


def test_a_switched_stream_goes_on_from_the_shards_it_has(local: Local) -> None:
    arn = "arn:aws:kinesis:eu-west-2:000000000000:stream/p"
    local.call("CreateStream", StreamName="p", ShardCount=1)
    local.call("UpdateStreamMode", StreamARN=arn, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    stream = local.streams.get("p", "000000000000")
    for _ in range(30):
        stream.meter.count(1, 30 << 20)  # half a MiB/s: twice that fits
        local.clock.advance(60)
        local.call("ListShards", StreamName="p")
    assert stream.open_shards == 1
    stream.meter.count(1, 60 << 20)
    local.clock.advance(60)
    local.call("ListShards", StreamName="p")
    assert stream.open_shards == 2
    with pytest.raises(KinesisError):
        local.call("SplitShard", StreamName="p", ShardToSplit="shardId-000000000001", NewStartingHashKey="9")


def test_a_warm_stream_has_its_shards_at_once_and_keeps_them(local: Local) -> None:
    answer = local.call("UpdateStreamWarmThroughput", StreamName="s", WarmThroughputMiBps=20)
    assert answer["WarmThroughput"] == {"TargetMiBps": 20, "CurrentMiBps": 32}
    local.clock.advance(40 * 86_400)
    local.traffic(1, 60)
    assert local.shards == 32
    local.call("UpdateStreamWarmThroughput", StreamName="s", WarmThroughputMiBps=0)
    local.traffic(1, 2)
    assert local.shards == 16


def test_a_shard_count_is_updated_ten_times_a_day(local: Local) -> None:
    local.call("CreateStream", StreamName="p", ShardCount=2)
    update: dict[str, Any] = {"StreamName": "p", "ScalingType": "UNIFORM_SCALING"}
    for number in range(10):
        local.call("UpdateShardCount", **update, TargetShardCount=4 - 2 * (number % 2))
        local.clock.advance(60)
    local.start()
    with pytest.raises(KinesisError) as refusal:
        local.call("UpdateShardCount", **update, TargetShardCount=4)
    assert refusal.value.name == "LimitExceededException"
    local.clock.advance(86_400 - 600)
    local.call("UpdateShardCount", **update, TargetShardCount=4)


def test_a_closed_short_lived_shard_is_read_to_its_end(local: Local) -> None:
    local.call("CreateStream", StreamName="p", ShardCount=3)
    local.call("UpdateShardCount", StreamName="p", ScalingType="UNIFORM_SCALING", TargetShardCount=2)
    for shard in local.call("ListShards", StreamName="p")["Shards"]:
        place = {"StreamName": "p", "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = local.call("GetShardIterator", **place)["ShardIterator"]
        answer = local.call("GetRecords", ShardIterator=iterator)
        assert ("ChildShards" in answer) == ("EndingSequenceNumber" in shard["SequenceNumberRange"])
