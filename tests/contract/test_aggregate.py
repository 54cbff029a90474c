import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.kpl.aggregate import LARGEST_HASH_KEY, MAGIC, UserRecord, aggregated, hash_key_of, opened
from contract.kpl.messages_pb2 import AggregatedRecord

pytestmark = pytest.mark.unit

# Golden vectors, checked against google.protobuf and the format's description.
EXPLICIT = (
    "f3899ac20a01610a01621201311201321a08080010001a0264311a0408011a001a08080010011a026433"
    "4e07bd01eb665628282903f278348215"
)
MIXED = "f3899ac20a016112033132331a0908001a0564617461311a0b080010001a05646174613297e02a4b1030e3e328951dbc0dd9d052"

records_ = st.builds(
    UserRecord,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.binary(max_size=50),
    st.none() | st.integers(0, LARGEST_HASH_KEY),
)


@pytest.mark.parametrize(
    ("records", "golden"),
    [
        ([UserRecord("a", b"d1", 1), UserRecord("b", b""), UserRecord("a", b"d3", 2)], EXPLICIT),
        ([UserRecord("a", b"data1"), UserRecord("a", b"data2", 123)], MIXED),
    ],
)
def test_an_aggregate_is_what_the_kpl_writes(records: list[UserRecord], golden: str) -> None:
    assert aggregated(records).hex() == golden
    assert opened(bytes.fromhex(golden)) == records


@given(st.lists(records_, min_size=2, max_size=20))
def test_what_goes_in_comes_out_in_order(records: list[UserRecord]) -> None:
    assert opened(aggregated(records)) == records


@given(st.binary(max_size=200))
def test_no_bytes_are_mistaken_for_an_aggregate_and_none_raise(data: bytes) -> None:
    assert opened(data) is None
    assert opened(MAGIC + data) is None or len(data) > 16


@given(st.lists(records_, min_size=2, max_size=5), st.data())
def test_a_damaged_aggregate_is_none(records: list[UserRecord], data: st.DataObject) -> None:
    whole = bytearray(aggregated(records))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    assert opened(bytes(whole)) is None


@pytest.mark.parametrize(("key", "explicit"), [(1, None), (0, 1)])
def test_an_index_beyond_its_table_is_damage(key: int, explicit: int | None) -> None:
    message = AggregatedRecord(partition_key_table=["a"], explicit_hash_key_table=["7"])
    message.records.add(partition_key_index=key, explicit_hash_key_index=explicit, data=b"x")
    body = message.SerializeToString()
    assert opened(MAGIC + body + hashlib.md5(body).digest()) is None


def test_a_hash_key_is_the_md5_of_the_partition_key() -> None:
    assert hash_key_of("a") == int("0cc175b9c0f1b6a831c399e269772661", 16)
    assert UserRecord("a", b"", 5).hash_key == 5
