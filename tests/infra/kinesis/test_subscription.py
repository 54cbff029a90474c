"""Subscriptions over a folder and a clock of the test's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.kinesis.errors import KinesisError
from infra.local.kinesis.exchange import Request, respond
from infra.local.kinesis.operations import TARGET, Api
from infra.local.kinesis.service import Service
from infra.local.kinesis.streams import Streams
from infra.local.kinesis.subscription import Subscription
from infra.local.kinesis.testing import ManualClock

pytestmark = pytest.mark.unit

_FIRST = "shardId-000000000000"
_STREAM_ARN = "arn:aws:kinesis:eu-west-2:000000000000:stream/s"
_KIB = "A" * 1364 + "AA=="  # base64 of 1,024 bytes less one


class Local:
    """An account with one stream of one shard and one active consumer."""

    def __init__(self, folder: Path, *, limits: bool = True) -> None:
        self.clock = ManualClock()
        self.folder = folder
        self.limits = limits
        self.start()
        self.call("CreateStream", StreamName="s", ShardCount=1)
        self.arn = self.register("one")
        self.clock.advance(1)

    def start(self) -> None:
        streams = Streams(self.folder, self.clock, limits=self.limits)
        service = Service(
            streams=streams, clock=self.clock, region="eu-west-2", account_id="000000000000", limits=self.limits
        )
        self.api = Api(service)

    def call(self, operation: str, **members: Any) -> Any:
        answer = self.api.answer(TARGET + operation, msgspec.json.encode(members))
        return msgspec.json.decode(answer) if isinstance(answer, bytes) else answer

    def register(self, name: str) -> str:
        made = self.call("RegisterStreamConsumer", StreamARN=_STREAM_ARN, ConsumerName=name)
        return str(made["Consumer"]["ConsumerARN"])

    def subscribe(self, kind: str = "TRIM_HORIZON", after: str | None = None) -> Subscription:
        position = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after} if after else {"Type": kind}
        made = self.call("SubscribeToShard", ConsumerARN=self.arn, ShardId=_FIRST, StartingPosition=position)
        assert _decoded(made.poll()) == ("initial-response", {})
        assert isinstance(made, Subscription)
        return made

    def put(self, count: int = 1, data: str = "AAAA") -> None:
        records = [{"Data": data, "PartitionKey": "k"}] * count
        assert self.call("PutRecords", StreamName="s", Records=records)["FailedRecordCount"] == 0

    def refused(self, operation: str, **members: Any) -> str:
        with pytest.raises(KinesisError) as refusal:
            self.call(operation, **members)
        return refusal.value.name

    def refused_again(self) -> str:
        return self.refused(
            "SubscribeToShard", ConsumerARN=self.arn, ShardId=_FIRST, StartingPosition={"Type": "LATEST"}
        )


@pytest.fixture
def local(tmp_path: Path) -> Local:
    return Local(tmp_path)


def _decoded(message: bytes | None) -> tuple[str, Any]:
    """An event's type (or an exception's) and payload, as boto3 reads them."""
    assert message is not None
    buffer = EventStreamBuffer()
    buffer.add_data(message)
    (event,) = buffer
    kind = event.headers.get(":event-type") or event.headers[":exception-type"]
    return kind, msgspec.json.decode(event.payload)


def _next(subscription: Subscription) -> Any:
    kind, payload = _decoded(subscription.poll())
    assert kind == "SubscribeToShardEvent"
    return payload


def test_it_is_asked_again_when_records_come(local: Local) -> None:
    subscription, woken = local.subscribe(), []
    subscription.wake = lambda: woken.append(1)
    assert _next(subscription)["Records"] == []
    assert subscription.poll() is None
    assert subscription.due_in_s() == 5.0
    local.put()
    assert woken
    local.clock.advance(subscription.due_in_s())
    assert len(_next(subscription)["Records"]) == 1


def test_a_quiet_shard_is_heard_of_every_five_seconds(local: Local) -> None:
    subscription = local.subscribe()
    for _ in range(3):
        event = _next(subscription)
        assert (event["Records"], event["MillisBehindLatest"]) == ([], 0)
        assert subscription.poll() is None
        local.clock.advance(subscription.due_in_s())


def test_it_lasts_five_minutes(local: Local) -> None:
    subscription = local.subscribe()
    _next(subscription)
    local.clock.advance(299.9)
    _next(subscription)
    assert not subscription.ended
    assert subscription.due_in_s() == pytest.approx(0.1)
    local.clock.advance(0.2)
    assert subscription.poll() is None
    assert subscription.ended
    assert local.subscribe().poll()


def test_a_consumer_takes_two_mib_a_second_and_is_told_how_far_behind_it_is(local: Local) -> None:
    for _ in range(6):
        local.put(480, _KIB)
        local.put(480, _KIB)
        local.clock.advance(1)
    other = local.register("two")
    local.clock.advance(1)
    subscription, took, began = local.subscribe(), [], local.clock.monotonic()
    while sum(took) < 6 * 960:
        local.clock.advance(subscription.due_in_s())
        event = _next(subscription)
        took.append(len(event["Records"]))
        assert (event["MillisBehindLatest"] > 0) == (sum(took) < 6 * 960)
    assert len(took) > 3
    assert 2.0 <= local.clock.monotonic() - began <= 3.0
    local.arn = other
    assert _next(local.subscribe())["Records"], "another consumer has throughput of its own"


def test_a_record_of_a_mib_is_an_event(local: Local) -> None:
    local.put(1, "A" * ((1 << 20) // 3 * 4 - 4))
    local.clock.advance(1)
    local.put()
    subscription = local.subscribe()
    assert [len(_next(subscription)["Records"]) for _ in range(2)] == [1, 1]


def test_one_call_a_second_and_five_seconds_to_oneself(local: Local) -> None:
    first = local.subscribe()
    assert local.refused_again() == "LimitExceededException"
    local.clock.advance(1)
    assert local.refused_again() == "ResourceInUseException"
    _next(first)
    local.clock.advance(4)
    second = local.subscribe()
    kind, _ = _decoded(first.poll())
    assert kind == "ResourceInUseException"
    assert first.ended
    assert first.poll() is None
    local.put()
    assert len(_next(second)["Records"]) == 1


def test_a_subscription_that_was_closed_holds_nobody_up(local: Local) -> None:
    local.subscribe().close()
    local.clock.advance(1)
    _next(local.subscribe())


def test_what_a_subscription_is_of_may_go(local: Local) -> None:
    first = local.subscribe()
    local.call("DeregisterStreamConsumer", ConsumerARN=local.arn)
    assert _decoded(first.poll())[0] == "ResourceNotFoundException"
    assert local.refused_again() == "ResourceNotFoundException"
    local.arn = local.register("two")
    assert local.refused_again() == "ResourceInUseException"  # CREATING
    local.clock.advance(1)
    second = local.subscribe()
    assert local.refused("DeleteStream", StreamName="s") == "ResourceInUseException"
    local.call("DeleteStream", StreamName="s", EnforceConsumerDeletion=True)
    assert _decoded(second.poll())[0] == "ResourceNotFoundException"


def test_a_stream_has_twenty_consumers_five_in_the_making(local: Local) -> None:
    register = {"StreamARN": _STREAM_ARN, "ConsumerName": "more"}
    for batch in range(3):
        for number in range(5):
            local.register(f"{batch}-{number}")
        local.clock.advance(0.1)
        assert local.refused("RegisterStreamConsumer", **register) == "LimitExceededException"
        local.clock.advance(1)
    for number in range(4):
        local.register(f"last-{number}")
    local.clock.advance(1)
    assert local.refused("RegisterStreamConsumer", **register) == "LimitExceededException"
    assert len(local.call("ListStreamConsumers", StreamARN=_STREAM_ARN)["Consumers"]) == 20
    local.call("DeregisterStreamConsumer", ConsumerARN=local.arn)
    local.register("more")


def test_consumers_outlive_the_server(local: Local) -> None:
    local.put(3)
    place = _next(local.subscribe())["ContinuationSequenceNumber"]
    local.put()
    local.start()
    assert len(_next(local.subscribe(after=place))["Records"]) == 1


def test_a_mute_subscription_says_nothing_and_ends_late(local: Local) -> None:
    local.api.faults.replace(b'[{"operation":"SubscribeToShard","fault":"mute","delay_s":2,"times":1}]')
    request = {"ConsumerARN": local.arn, "ShardId": _FIRST, "StartingPosition": {"Type": "TRIM_HORIZON"}}
    outcome = respond(local.api, Request(b"POST", b"/", TARGET + "SubscribeToShard", msgspec.json.encode(request)))
    assert outcome and isinstance(outcome.answer, Subscription)
    subscription = outcome.answer
    assert _decoded(subscription.poll())[0] == "initial-response"
    _next(subscription)
    local.clock.advance(2)
    local.put()
    assert subscription.poll() is None
    assert not subscription.ended
    assert subscription.due_in_s() == 298.0
    again = local.subscribe
    with pytest.raises(KinesisError):
        again()
    local.clock.advance(4)
    assert _next(again())["Records"], "the next one speaks"


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.sampled_from(["put", "poll", "again", "restart", "wait"]), max_size=40), split=st.integers(0, 40)
)
def test_every_record_comes_once_and_in_order_whatever_breaks(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], split: int
) -> None:
    local = Local(tmp_path_factory.mktemp("local"), limits=False)
    subscription, place, seen, stored = local.subscribe(), None, [], 0

    def poll() -> None:
        nonlocal place
        told = subscription.poll()
        if told:
            event = _decoded(told)[1]
            seen.extend(record["SequenceNumber"] for record in event["Records"])
            place = event["ContinuationSequenceNumber"]

    acts: dict[str, Callable[[], object]] = {
        "put": lambda: local.put(3),
        "poll": poll,
        "wait": lambda: local.clock.advance(1),
    }
    for number, step in enumerate(steps):
        if number == split:
            local.call("SplitShard", StreamName="s", ShardToSplit=_FIRST, NewStartingHashKey="1000")
        if step in acts:
            acts[step]()
            stored += 3 * (step == "put" and number < split)
        else:
            subscription.close()
            if step == "restart":
                local.start()
            if not (seen and place is None):
                subscription = local.subscribe(after=place)
    for _ in range(3):
        local.clock.advance(5)
        poll()
    assert len(seen) == stored
    assert seen == sorted(set(seen))
