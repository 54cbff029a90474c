"""Rows of the lease table: what is written can be read, by us and by the Kinesis Client Library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import LATEST, SHARD_END, TRIM_HORIZON, Checkpoint, Rank
from consumers.sources.kinesis.leases import Lease, decode, encode

pytestmark = pytest.mark.unit

SEQUENCES = st.integers(min_value=0, max_value=2**186)
SENTINELS = st.sampled_from([rank for rank in Rank if rank is not Rank.NUMBER])
CHECKPOINTS = st.one_of(
    st.builds(Checkpoint, SENTINELS, st.just(0), st.just(0)),
    st.builds(Checkpoint, st.just(Rank.NUMBER), SEQUENCES, st.integers(min_value=0, max_value=10**6)),
)
NAMES = st.text(min_size=1, max_size=20)
COUNTS = st.integers(min_value=0, max_value=10**12)
HASH_KEYS = st.integers(min_value=0, max_value=2**128 - 1)
LEASES = st.builds(
    Lease,
    shard_id=NAMES,
    owner=st.none() | NAMES,
    counter=COUNTS,
    owner_switches=COUNTS,
    checkpoint=CHECKPOINTS,
    parents=st.frozensets(NAMES, max_size=2),
    children=st.frozensets(NAMES, max_size=2),
    hash_range=st.none() | st.tuples(HASH_KEYS, HASH_KEYS),
)


@given(LEASES)
def test_a_row_reads_back_as_the_lease_that_was_written(lease: Lease) -> None:
    assert decode(encode(lease)) == lease


@given(LEASES)
def test_no_attribute_is_empty(lease: Lease) -> None:
    values = [value for attribute in encode(lease).values() for value in attribute.values()]
    assert all(values)
    assert {"leaseCounter", "ownerSwitchesSinceCheckpoint", "checkpoint"} <= encode(lease).keys()


def test_a_row_of_the_java_library_is_a_lease() -> None:
    row = {
        "leaseKey": {"S": "shardId-000000000002"},
        "leaseOwner": {"S": "10.0.0.7:worker"},
        "leaseCounter": {"N": "41"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpoint": {"S": "49671269123456789012345678901234567890123456789012345682"},
        "checkpointSubSequenceNumber": {"N": "3"},
        "parentShardId": {"SS": ["shardId-000000000000"]},
        "throughputKBps": {"N": "12.5"},
        "entityType": {"S": "LEASE"},
    }
    lease = decode(row)
    assert lease is not None
    assert lease.checkpoint.position == Position(49671269123456789012345678901234567890123456789012345682, 3)
    assert lease.parents == {"shardId-000000000000"}


@pytest.mark.parametrize(
    "change",
    [
        {"entityType": {"S": "WORKER_METRICS"}},
        {"leaseCounter": {"S": "x"}},
        {"checkpoint": {"S": "soon"}},
        {"checkpoint": {"S": "NUMBER"}},
        {"checkpoint": {"S": "\u0661"}},
    ],
)
def test_a_foreign_row_is_no_lease(change: dict[str, dict[str, str]]) -> None:
    assert decode({**encode(Lease(shard_id="s", checkpoint=LATEST)), **change}) is None
    assert decode({"leaseKey": {"S": "Migration3.0"}, "cv": {"S": "CLIENT_VERSION_3X"}}) is None


@given(CHECKPOINTS)
def test_a_checkpoint_reads_back_from_its_two_attributes(checkpoint: Checkpoint) -> None:
    assert Checkpoint.parse(checkpoint.text, checkpoint.sub_sequence) == checkpoint


@given(SEQUENCES, SEQUENCES)
def test_sentinels_stand_on_both_sides_of_all_numbers_and_numbers_compare_as_integers(one: int, other: int) -> None:
    low, high = sorted([one, other])
    order = [
        Checkpoint.parse("AT_TIMESTAMP"),
        TRIM_HORIZON,
        LATEST,
        Checkpoint.at(Position(low, 0)),
        Checkpoint.at(Position(low, 1)),
        Checkpoint.at(Position(high, 2)),
        SHARD_END,
    ]
    assert order == sorted(order)
