"""The sender: unlimited patience, and only what failed is sent again."""

import logging
import random

import pytest

from producers.agent.pack import Packed
from producers.agent.put import Sender
from producers.agent.testing import FakeStream, Fault
from runtime.errors import ConfigError
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit

BATCH = [Packed("file", i, i + 1, i, "key", b"%d" % i) for i in range(20)]


def sender(stream: FakeStream, clock: ManualClock | None = None) -> Sender:
    return Sender(stream, rng=random.Random(1), clock=clock or ManualClock(), start_patience_s=60.0)


def patient() -> StopAfter:
    return StopAfter(1000, ManualClock())


def test_only_the_entries_that_failed_are_sent_again() -> None:
    stream = FakeStream([Fault.THROTTLE_SOME, Fault.THROTTLE_SOME, Fault.THROTTLE_ALL])
    assert sender(stream).send(BATCH, patient()) == [True] * 20
    assert sorted(stream.stored) == sorted(BATCH)
    assert stream.requests[0] == 20 > stream.requests[1] >= stream.requests[2] == stream.requests[3]


def test_a_request_without_an_answer_is_sent_again_as_a_whole() -> None:
    stream = FakeStream([Fault.REFUSE, Fault.DROP_ANSWER, Fault.DROP_ANSWER_OF_SOME])
    assert sender(stream).send(BATCH, patient()) == [True] * 20
    assert set(stream.stored) == set(BATCH)
    assert stream.requests == [20] * 4


def test_stop_ends_the_retries_and_says_what_is_acknowledged() -> None:
    stream = FakeStream([Fault.THROTTLE_SOME] * 2 + [Fault.THROTTLE_ALL] * 9)
    acknowledged = sender(stream).send(BATCH, StopAfter(3, ManualClock()))
    assert len(stream.requests) == 3
    assert {line for line, is_in in zip(BATCH, acknowledged, strict=True) if is_in} == set(stream.stored) < set(BATCH)


def test_waits_grow_to_a_limit_and_never_end_by_themselves() -> None:
    clock = ManualClock()
    sender(FakeStream([Fault.REFUSE] * 500)).send(BATCH, StopAfter(500, clock))
    assert 200 < clock.monotonic() < 700


def test_an_outage_is_said_once_when_it_begins_and_once_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stream = FakeStream([Fault.REFUSE] * 50 + [Fault.THROTTLE_ALL] * 50)
    sender(stream, ManualClock()).send(BATCH, patient())
    assert caplog.messages == [
        "stream: no answer; waiting, nothing is lost",
        "stream: ProvisionedThroughputExceededException; waiting, nothing is lost",
        "stream: well again after 0.0 s",
    ]


def test_a_stream_that_is_throttled_all_the_time_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    throttled = sender(FakeStream([Fault.THROTTLE_ALL, Fault.THROTTLE_ALL, Fault.NONE] * 30), clock)
    for _ in range(30):
        throttled.send(BATCH, StopAfter(10, ManualClock()))
        clock.advance(4)
    assert len([message for message in caplog.messages if "waiting" in message]) == 2
    assert len([message for message in caplog.messages if "well again" in message]) == 2


def test_a_single_failure_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sender(FakeStream([Fault.REFUSE])).send(BATCH, patient())
    assert caplog.messages == []


def test_a_stream_that_is_away_at_the_start_is_waited_for() -> None:
    clock = ManualClock()
    sender(FakeStream(down_for=20), clock).wait_until_ready(StopAfter(21, clock))
    assert clock.monotonic() > 1


def test_a_stream_that_stays_away_at_the_start_ends_the_agent_with_what_to_change() -> None:
    clock = ManualClock()
    with pytest.raises(ConfigError, match=r"no connection; waited 60 s for it: .*\[aws\] kinesis_endpoint"):
        sender(FakeStream(down_for=1_000), clock).wait_until_ready(StopAfter(1_000, clock))
    assert clock.monotonic() == pytest.approx(60)


def test_a_stream_that_goes_away_after_the_start_is_waited_for_without_an_end() -> None:
    clock = ManualClock()
    running = sender(FakeStream([Fault.REFUSE] * 400), clock)
    running.wait_until_ready(StopAfter(1, clock))
    assert running.send(BATCH, StopAfter(500, clock)) == [True] * 20
    assert clock.monotonic() > 200
