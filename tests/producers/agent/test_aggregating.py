"""Aggregates: when there are any, and what a reshard, a hot shard and an outage do to them."""

import random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from producers.agent.aggregating import LOOK_EVERY_S
from producers.agent.pack import Origin, Packed, pack
from producers.agent.put import HELD_BACK, Sender
from producers.agent.testing import Fault
from producers.agent.testing_shards import FakeShards
from runtime.outage import Outage
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit


def lines(count: int, *, size: int = 100, customers: int = 50, rng: int = 0) -> list[Packed]:
    origin, draw, offset, found = Origin("order", "f", "w", "t"), random.Random(rng), 0, []
    for _ in range(count):
        content = b'{"customer_id":"C-%d","x":"%b"}' % (draw.randrange(customers), b"x" * size)
        packed = pack(origin, offset, content)
        assert packed is not None
        found.append(packed)
        offset = packed.end
    return found


def ready(stream: FakeShards) -> FakeShards:
    stream.check()
    return stream


def test_the_lines_of_a_shard_travel_together() -> None:
    clock = ManualClock()
    stream = ready(FakeShards(clock=clock, shards=4))
    assert stream.put(batch := lines(400), StopAfter(9, clock)) == [None] * 400
    assert stream.requests == [4]
    assert sorted(stream.stored) == sorted(batch)
    for stored in stream.by_shard.values():
        assert [line.offset for line in stored] == sorted(line.offset for line in stored)


def test_without_a_map_every_line_travels_alone_until_there_is_one(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    stream = FakeShards(clock=clock)
    stream.strategy = "AUTO"
    ready(stream)
    assert stream.put(lines(700), StopAfter(9, clock)) == [None] * 700
    assert stream.requests == [500, 200]
    assert [record.message for record in caplog.records] == [
        "stream orders: every line travels alone, at a higher cost: its RecordDistributionStrategy is AUTO"
    ]
    stream.strategy = "USER_PARTITION_KEY"
    clock.advance(LOOK_EVERY_S)
    stream.put(lines(700), StopAfter(9, clock))
    assert stream.requests[2:] == [3]


def test_an_agent_that_may_not_list_the_shards_sends_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    stream = FakeShards(clock=clock)

    def denied(**_: Any) -> None:
        answer = {"Error": {"Code": "AccessDeniedException", "Message": "not ListShards"}}
        raise ClientError(answer, "ListShards")

    monkeypatch.setattr(stream, "list_shards", denied)
    ready(stream)
    assert stream.put(lines(10), StopAfter(9, clock)) == [None] * 10
    assert stream.requests == [10]
    assert len(caplog.records) == 1 and "AccessDeniedException" in caplog.text


def test_a_reshard_shows_in_the_answer_and_is_looked_up_once() -> None:
    clock = ManualClock()
    stream = ready(FakeShards(clock=clock, shards=2, reshard_after=[1], rng=random.Random(5)))
    sender = Sender(stream, rng=random.Random(0), clock=clock, start_patience_s=1)
    sender.send(lines(100), StopAfter(99, clock))
    looks = stream.looks
    clock.advance(2)
    batch = lines(100, rng=1)
    assert all(sender.send(batch, StopAfter(99, clock)))
    clock.advance(2)
    for number in range(5):
        stream.by_shard.clear()
        assert all(sender.send(lines(100, rng=number), StopAfter(99, clock)))
        assert set(stream.by_shard) <= set(stream.ids)
    assert stream.looks == looks + 1
    assert stream.requests[-1] == len(stream.ids)


def test_a_hot_shard_does_not_hold_up_the_others() -> None:
    clock = ManualClock()
    stream = ready(FakeShards(clock=clock, shards=2))
    hot, cold = lines(3_000, size=1_000, customers=1), lines(300, size=100, customers=200)
    cold = [line for line in cold if line.key != hot[0].key]
    codes = stream.put([*hot, *cold], StopAfter(0, clock))
    assert codes[len(hot) :].count(HELD_BACK) < len(cold) * 0.7  # of the same shard as the hot key
    assert HELD_BACK in codes[: len(hot)] and None in codes[: len(hot)]
    assert clock.monotonic() == 0.0
    assert stream.put([*hot, *cold], StopAfter(1_000, clock)) == [None] * (len(hot) + len(cold))
    assert 2.0 < clock.monotonic() < 4.0


def test_an_outage_in_the_middle_keeps_what_is_stored_and_the_order() -> None:
    clock = ManualClock()
    stream = ready(FakeShards([Fault.NONE, Fault.REFUSE], clock=clock, shards=1, aggregate_bytes=5_000))
    batch = lines(100)
    codes = stream.put(batch, StopAfter(99, clock))
    done = codes.count(None)
    assert 0 < done < 100 and codes[:done] == [None] * done
    assert set(codes[done:]) == {"no answer", HELD_BACK}
    assert stream.put(batch[done:], StopAfter(99, clock)) == [None] * (100 - done)
    assert stream.stored == batch


def test_an_outage_of_the_first_request_is_one() -> None:
    clock = ManualClock()
    stream = ready(FakeShards([Fault.DROP_ANSWER], clock=clock))
    with pytest.raises(Outage):
        stream.put(lines(10), StopAfter(9, clock))


def test_a_stop_ends_the_wait_for_room() -> None:
    clock = ManualClock()
    stream = ready(FakeShards(clock=clock, shards=1))
    codes = stream.put(lines(3_000, size=1_000), StopAfter(2, clock))
    assert clock.monotonic() < 1.0
    assert codes == sorted(codes, key=lambda code: code is not None)
    assert HELD_BACK in codes and None in codes
