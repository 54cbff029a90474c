"""Bytes in memory, of all shards of a process."""

import threading

import pytest

from consumers.sources.kinesis.allowance import Allowance

pytestmark = pytest.mark.unit


def test_no_more_is_held_than_the_limit() -> None:
    allowance = Allowance(10)
    assert allowance.take(6)
    assert not allowance.take(5)
    assert allowance.take(4)
    allowance.give_back(6)
    assert (allowance.held_bytes, allowance.most_bytes) == (4, 10)


def test_reading_ahead_leaves_half_to_those_who_have_nothing() -> None:
    allowance = Allowance(10)
    assert allowance.take(4, ahead=True)
    assert not allowance.take(4, ahead=True)
    assert allowance.take(4)


def test_what_is_larger_than_the_limit_goes_alone() -> None:
    allowance = Allowance(10)
    assert allowance.take(11)
    assert not allowance.take(1)
    allowance.give_back(11)
    assert allowance.take(1)
    assert not allowance.take(11)


def test_who_waits_is_let_in_when_room_is_made() -> None:
    allowance = Allowance(10)
    allowance.take(10)
    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(allowance.take_when_free(5, lambda: False)))
    thread.start()
    allowance.give_back(5)
    thread.join(10)
    assert got == [True]
    assert allowance.held_bytes == 10


def test_who_waits_in_vain_holds_nothing() -> None:
    allowance, over = Allowance(10), threading.Event()
    allowance.take(10)
    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(allowance.take_when_free(5, over.is_set)))
    thread.start()
    over.set()
    allowance.wake()
    thread.join(10)
    assert got == [False]
    assert allowance.held_bytes == 10
