"""The quick writer writes what protobuf writes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract.kpl.aggregate import UserRecord, aggregated, opened
from contract.kpl.writing import OVERHEAD, packed_together

pytestmark = pytest.mark.unit

KEYS = st.one_of(st.text(max_size=300), st.sampled_from(["", "a", "0123456789abcdef", "k" * 127, "k" * 128]))
DATA = st.one_of(st.binary(max_size=200), st.sampled_from([0, 127, 128, 2_047, 2_048, 16_384]).map(lambda n: b"x" * n))


def assert_same(records: list[tuple[str, bytes]]) -> None:
    keys, data = [key for key, _ in records], [content for _, content in records]
    users = [UserRecord(key, content) for key, content in records]
    written = packed_together(keys, data)
    assert written == aggregated(users)
    assert opened(written) == users


@given(records=st.lists(st.tuples(KEYS, DATA), min_size=2, max_size=20))
@example(records=[("a", b"data1"), ("a", b"data2")])
def test_the_bytes_are_protobufs(records: list[tuple[str, bytes]]) -> None:
    assert_same(records)


def test_indices_of_one_two_and_three_bytes() -> None:
    assert_same([(f"{number:x}", b"%d" % number) for number in range(17_000)])


@given(sizes=st.lists(st.integers(0, 1 << 20), min_size=2, max_size=6))
def test_the_size_is_foretold(sizes: list[int]) -> None:
    keys, data = [f"{number:016x}" for number in range(len(sizes))], [bytes(size) for size in sizes]
    most = sum(len(key) + len(content) + OVERHEAD for key, content in zip(keys, data, strict=True))
    assert len(packed_together(keys, data)) <= most + 20  # magic and digest
