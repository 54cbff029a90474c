import msgspec
import pytest

from consumers.sinks.opensearch.mappings import properties_of, templates
from contract.rows import DuplicateRow, HitRow, LetterRow, OrderRow

pytestmark = pytest.mark.unit


def test_every_column_of_every_row_has_a_field() -> None:
    for row in (OrderRow, HitRow, LetterRow, DuplicateRow):
        assert list(properties_of(row)) == list(row.__struct_fields__)


def test_fields_follow_the_columns_types_and_uses() -> None:
    order = properties_of(OrderRow)
    assert order["event_id"] == {"type": "keyword"}
    assert order["event_time"] == order["event_date"] == {"type": "date"}
    assert order["revenue"] == {"type": "long", "index": False, "doc_values": True}
    assert order["total"] == {"type": "long", "index": False, "doc_values": False}
    assert order["extra"] == {"type": "keyword", "index": False, "doc_values": False}
    assert order["lines"]["type"] == "nested"
    assert order["lines"]["properties"]["sku"] == {"type": "keyword"}
    assert order["origin"]["properties"]["offset"] == {"type": "long", "index": False, "doc_values": True}
    hit = properties_of(HitRow)
    assert hit["session"] == hit["path"] == {"type": "keyword"}
    assert hit["status"] == {"type": "long"}
    assert hit["duration_us"] == {"type": "long", "index": False, "doc_values": True}
    assert properties_of(LetterRow)["reasons"] == {"type": "keyword"}
    assert properties_of(DuplicateRow)["conflict"] == {"type": "boolean"}


def test_templates_refuse_unknown_fields_and_carry_their_version() -> None:
    made = templates(refresh_ms=500, replicas="0-1")
    patterns = {name: template["index_patterns"] for name, template in made.items()}
    assert patterns == {
        "storepulse-orders": ["orders-*"],
        "storepulse-hits": ["hits-*"],
        "storepulse-letters": ["letters-*"],
        "storepulse-duplicates": ["duplicates"],
    }
    for name, template in made.items():
        assert template["template"]["mappings"]["dynamic"] == "strict"
        assert template["template"]["settings"]["index"]["refresh_interval"] == "500ms"
        assert template["_meta"] == templates(refresh_ms=500, replicas="0-1")[name]["_meta"]
        assert template["_meta"] != templates(refresh_ms=1000, replicas="0-1")[name]["_meta"]


def test_a_column_without_a_field_type_is_an_error() -> None:
    class Odd(msgspec.Struct):
        share: float

    with pytest.raises(TypeError):
        properties_of(Odd)
