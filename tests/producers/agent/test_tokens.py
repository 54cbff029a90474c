"""A shard's room."""

import random

import pytest

from producers.agent.tokens import BYTES_PER_S, RECORDS_PER_S, Room
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


def sent_in(seconds: float, size: int, *, offers_per_s: int = 5_000) -> int:
    clock = ManualClock()
    room = Room(clock, random.Random(1))
    sent = 0
    for _ in range(round(seconds * offers_per_s)):
        if not room.opens_in_s():
            room.spend(size)
            room.taken()
            sent += 1
        clock.advance(1 / offers_per_s)
    return sent


def test_bytes_go_at_a_shards_rate_whatever_their_size() -> None:
    for size in (2_000, 50_000, 200_000):
        assert 9.5 * BYTES_PER_S <= sent_in(10, size) * size <= 10.25 * BYTES_PER_S + size


def test_records_go_at_a_shards_rate() -> None:
    assert 9.9 * RECORDS_PER_S <= sent_in(10, 10) <= 10.26 * RECORDS_PER_S


def test_what_is_larger_than_what_was_saved_goes_and_is_waited_for() -> None:
    clock = ManualClock()
    room = Room(clock, random.Random(1))
    room.spend(1 << 20)
    assert room.opens_in_s() == pytest.approx(0.75, abs=0.01)
    clock.advance(room.opens_in_s() + 1e-6)
    assert room.opens_in_s() == 0.0


def test_a_refusal_costs_no_room_and_the_pauses_grow_to_a_limit() -> None:
    clock = ManualClock()
    room = Room(clock, random.Random(1))
    pauses = []
    for _ in range(40):
        room.spend(1_000)
        room.refused(1_000)
        pauses.append(room.opens_in_s())
        clock.advance(pauses[-1] + 1e-6)
    assert max(pauses[:3]) <= 0.2 and 1.0 < max(pauses) <= 2.0
    room.spend(1_000)
    room.taken()
    room.refused(0)
    assert room.opens_in_s() <= 0.05
