"""Aggregates on their way through a reader: opened, resumed inside, and never dropped."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import Position
from consumers.sources.kinesis.aggregates import Opener
from contract.kpl.aggregate import MAGIC, UserRecord, aggregated

pytestmark = pytest.mark.unit

ARRIVED_AT = datetime(2026, 11, 27, 8, tzinfo=UTC)


def test_user_records_share_the_number_and_count_from_zero() -> None:
    data = aggregated([UserRecord("a", b"1"), UserRecord("b", b"2"), UserRecord("a", b"3")])
    records = list(Opener(None).records(7, ARRIVED_AT, data))
    assert [(record.position, record.data, record.arrived_at) for record in records] == [
        (Position(7, 0), b"1", ARRIVED_AT),
        (Position(7, 1), b"2", ARRIVED_AT),
        (Position(7, 2), b"3", ARRIVED_AT),
    ]


@given(st.binary(max_size=60))
def test_what_is_no_aggregate_is_one_record_as_it_came(data: bytes) -> None:
    for content in (data, MAGIC + data[:16]):
        (record,) = Opener(None).records(7, ARRIVED_AT, content)
        assert (record.position, record.data) == (Position(7), content)


def test_a_record_packed_for_another_shard_is_delivered_and_counted() -> None:
    opener = Opener((100, 200))
    users = [UserRecord("a", b"in", 100), UserRecord("a", b"in", 200), UserRecord("a", b"out", 201)]
    assert [record.data for record in opener.records(7, ARRIVED_AT, aggregated(users))] == [b"in", b"in", b"out"]
    assert opener.strays == 1


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 2**128 - 1)), min_size=2, max_size=9))
def test_strays_are_those_whose_own_hash_key_lies_outside(sent: list[tuple[str, int | None]]) -> None:
    opener = Opener((0, 2**127))
    users = [UserRecord(key, b"x", explicit) for key, explicit in sent]
    for _ in range(2):  # the second time the keys are known
        assert len(list(opener.records(7, ARRIVED_AT, aggregated(users)))) == len(users)
    assert opener.strays == 2 * sum(user.hash_key > 2**127 for user in users)


def test_a_plain_record_is_never_a_stray() -> None:
    opener = Opener((0, 0))
    assert len(list(opener.records(7, ARRIVED_AT, b"plain"))) == 1
    assert opener.strays == 0
