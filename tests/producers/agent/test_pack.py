"""From a line to its record, and back."""

import json
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract.stamp import Stamp
from producers.agent.pack import RECORD_LIMIT, Origin, pack, pack_all, pack_oversize, partition_key
from producers.agent.testing import original_of

pytestmark = pytest.mark.unit

ORIGIN = Origin("order", "i-1-0123456789abcdef", 'web-1/srv/,"_sp":{}/x.ndjson', "2026-11-27T08:00:00.000Z")
NAUGHTY = Path(__file__).parents[4] / "shared/data/hostile_strings/blns.json"


def packed(content: bytes, offset: int = 7) -> bytes:
    record = pack(ORIGIN, offset, content)
    assert record is not None
    assert (record.file_id, record.offset, record.end) == (ORIGIN.file_id, offset, offset + len(content) + 1)
    return record.data


def test_the_stamp_is_spliced_into_the_lines_own_bytes() -> None:
    content = b'{"order_id" : "O-1", "tax":1.50,"n":{"_sp":1}} \r'
    stamp = Stamp(k="order", f=ORIGIN.file_id, o=7, n=48, c=zlib.crc32(content), h=ORIGIN.where, t=ORIGIN.read_at)
    spliced = content[:-3] + b',"_sp":' + msgspec.json.encode(stamp) + b"} \r"
    assert packed(content) == spliced


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"\r",
        b"no json",
        b"[1]",
        b"7",
        b'{"a":1',
        b'{"a":1}}',
        b'{"a":NaN}',
        b'\xef\xbb\xbf{"a":1}',
        b"\x00",
        b'{"_sp":1}',
        b'{"a":1,"\\u005fsp":2}',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":"\\ud800"}',
    ],
)
def test_what_is_no_json_object_or_brings_a_stamp_travels_as_text(content: bytes) -> None:
    record = json.loads(packed(content))
    assert list(record) == ["_sp", "line"]
    assert record["line"].encode() == content
    assert record["_sp"]["c"] == zlib.crc32(content)


@pytest.mark.parametrize("content", [b"\xff", b'{"a":"\xff"}', b'{"\xed\xa0\x80":1}', b'{"a":1}\xc3'])
def test_what_is_not_utf8_travels_as_base64_even_inside_a_field_that_nobody_reads(content: bytes) -> None:
    assert list(json.loads(packed(content))) == ["_sp", "line_b64"]
    assert original_of(packed(content))[1] == content


@pytest.mark.parametrize("content", [b"{}", b"{ }", b' {"line":"x"} ', b'{"line":5}', b'{"oversize":{}}', b'{"a":{}}'])
def test_only_an_envelope_begins_with_the_stamp(content: bytes) -> None:
    data = packed(content)
    assert data.startswith(b'{"_sp":') == (content == b"{}")
    assert original_of(data)[1] == content


@given(st.binary() | st.text().map(str.encode) | st.sampled_from(["{}", '{"a":1}', "[", '{"_sp":']).map(str.encode))
@example(b'{"a":"\\u0000","customer_id":"\\u005f"}')
def test_every_line_comes_back_byte_for_byte(content: bytes) -> None:
    stamp, original = original_of(packed(content))
    assert original == content
    assert (stamp.k, stamp.f, stamp.o) == ("order", ORIGIN.file_id, 7)
    assert (stamp.n, stamp.c) == (len(content), zlib.crc32(content))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("line"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.sampled_from([None, 2]), st.booleans())
def test_every_json_object_is_spliced_and_keeps_its_bytes(
    fields: dict[str, object], indent: int | None, ascii_only: bool
) -> None:
    fields.pop("_sp", None)
    try:
        content = (
            json.dumps(fields, ensure_ascii=ascii_only, allow_nan=False, indent=indent).replace("\n", " ").encode()
        )
    except ValueError:  # an infinity
        return
    data = packed(content)
    assert original_of(data)[1] == content
    assert json.loads(data).keys() - {"_sp"} == fields.keys()


def test_every_naughty_string_comes_back() -> None:
    if not NAUGHTY.exists():
        pytest.skip(f"{NAUGHTY} is not there")
    for text in json.loads(NAUGHTY.read_text()):
        for content in (text.encode(), json.dumps({"customer_id": text, text: 1}, ensure_ascii=False).encode()):
            assert original_of(packed(content))[1] == content


@pytest.mark.parametrize(
    ("content", "who"),
    [
        (b'{"customer_id":"C-1","session_id":"S-1"}', "C-1"),
        (b'{"customer_id":"\\u0043-1"}', "C-1"),
        (b'{"customer_id":null,"session_id":"S-1"}', "S-1"),
        (b'{"customer_id":"","session_id":"S-1"}', "S-1"),
        (b'{"customer_id":7}', "i-1-0123456789abcdef:0"),
        (b"junk", "i-1-0123456789abcdef:0"),
    ],
)
def test_the_partition_key_is_a_hash_of_customer_session_or_place(content: bytes, who: str) -> None:
    record = pack(ORIGIN, 7, content)
    assert record is not None
    assert record.key == partition_key(who)


def test_a_record_is_never_larger_than_the_limit_with_its_key() -> None:
    empty = len(packed(b'{"a":""}', offset=0))
    room = RECORD_LIMIT - 16 - empty - len(str(RECORD_LIMIT)) + 1  # its own length is in the stamp
    fitting = [size for size in range(room - 20, room + 20) if pack(ORIGIN, 0, b'{"a":"%b"}' % (b"x" * size))]
    assert fitting, "none fits"
    largest = pack(ORIGIN, 0, b'{"a":"%b"}' % (b"x" * fitting[-1]))
    assert largest is not None
    assert RECORD_LIMIT - 25 < len(largest.data) + len(largest.key) <= RECORD_LIMIT
    assert pack(ORIGIN, 0, b"\x00" * 200_000) is None  # six times as long as JSON text


def test_a_stub_stands_for_a_line_that_no_record_can_hold() -> None:
    stub = pack_oversize(ORIGIN, 7, size=2_000_000, crc=5, sha256="ab")
    assert json.loads(stub.data)["oversize"] == {"bytes": 2_000_000, "sha256": "ab"}
    stamp, original = original_of(stub.data)
    assert original is None
    assert (stamp.o, stamp.n, stamp.c, stub.end) == (7, 2_000_000, 5, 2_000_008)


NEIGHBOURS = st.one_of(
    st.binary(max_size=30),
    st.dictionaries(
        st.sampled_from(["customer_id", "session_id", "_sp", "n", "\u00e9"]),
        st.one_of(st.none(), st.text(max_size=5), st.integers()),
        max_size=3,
    ).map(lambda event: json.dumps(event, ensure_ascii=False).encode()),
    st.sampled_from(
        [b"{}", b"{ }", b'{"n":1 }', b'{"n":1}\r', b'{"customer_id":"C"} ', b'{"customer_id":"C" }', b"", b"}"]
    ),
    st.sampled_from([b'{"n":"%b"}' % (b"x" * (RECORD_LIMIT - 400)), b"x" * (RECORD_LIMIT + 1)]),
)


@given(contents=st.lists(NEIGHBOURS, min_size=1, max_size=12), offset=st.integers(0, 1 << 40))
def test_neighbours_are_packed_as_each_by_itself_up_to_one_that_no_record_can_hold(
    contents: list[bytes], offset: int
) -> None:
    expected = []
    for content in contents:
        line = pack(ORIGIN, offset + sum(len(before) + 1 for before in contents[: len(expected)]), content)
        if line is None:
            break
        expected.append(line)
    assert pack_all(ORIGIN, offset, contents) == expected


def test_keys_spread_evenly() -> None:
    places = [int(partition_key(f"C-{number}"), 16) for number in range(100_000)]
    by_shard = [sum(place % 16 == shard for place in places) for shard in range(16)]
    assert len(set(places)) > 16_000
    assert max(by_shard) < 1.05 * 100_000 / 16
