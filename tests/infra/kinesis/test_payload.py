from base64 import b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from infra.local.kinesis.errors import KinesisError
from infra.local.kinesis.payload import sized

pytestmark = pytest.mark.unit


@given(st.binary(max_size=200))
def test_base64_is_kept_as_it_came_and_sized(data: bytes) -> None:
    text = b'"' + b64encode(data) + b'"'
    stored, size = sized(Raw(text))
    assert (bytes(stored), size) == (text, len(data))


@given(st.binary(max_size=200))
def test_an_escaped_slash_is_the_same_base64(data: bytes) -> None:
    plain = b'"' + b64encode(data) + b'"'
    stored, size = sized(Raw(plain.replace(b"/", b"\\/")))
    assert (bytes(stored), size) == (plain, len(data))


@pytest.mark.parametrize(
    "text", ['"a"', '"ab=c"', '"====a"', '"=abc"', '"ab c"', '"a_b-"', '"abc\\n"', "1", "null", '["abcd"]', '"===="']
)
def test_anything_else_is_a_serialization_exception(text: str) -> None:
    raw = msgspec.json.decode(text.encode(), type=Raw)
    with pytest.raises(KinesisError) as refusal:
        sized(raw)
    assert refusal.value.name == "SerializationException"
