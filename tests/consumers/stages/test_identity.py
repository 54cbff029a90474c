import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import Position
from consumers.stages.decode import decode
from consumers.stages.events import Event
from consumers.stages.identity import LONGEST_ID, content_hash_of, event_id_of, original_line
from consumers.stages.testing import encoded, order, stamp_of, stamped, verdict
from contract.heartbeat import Heartbeat
from contract.identity import event_id_of_line
from contract.rows import OrderRow
from producers.agent.pack import Origin, pack

pytestmark = pytest.mark.unit


def hash_of(data: bytes) -> str:
    event = decode(data)
    assert isinstance(event, Event)
    return content_hash_of(event)


def id_of(data: bytes) -> str:
    row = verdict(data)
    assert isinstance(row, OrderRow)
    return row.event_id


def test_an_event_is_known_by_its_own_id() -> None:
    assert id_of(encoded(order(event_id="mine"))) == "mine"


def test_a_line_without_an_id_is_known_by_file_offset_and_bytes() -> None:
    line = msgspec.json.encode(order(event_id=...))
    assert id_of(stamped(line, offset=9)) == event_id_of_line(stamp_of(line, offset=9), line)


def test_a_foreign_record_without_an_id_is_known_by_its_place() -> None:
    assert id_of(msgspec.json.encode(order(event_id=...))) == "record:shardId-000000000000:1:0"


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=300))
def test_an_identity_always_fits_the_store(own: str) -> None:
    identity = event_id_of(own, None, None, b"", "s", Position(1))
    assert 0 < len(identity.encode()) <= LONGEST_ID
    assert "\0" not in identity
    assert identity == own or len(own.encode()) > LONGEST_ID or "\0" in own


def test_long_ids_that_begin_alike_stay_apart() -> None:
    identities = {event_id_of("é" * 300 + end, None, None, b"", "s", Position(1)) for end in "ab"}
    assert len(identities) == 2


space = st.text(alphabet=" \t\r", max_size=3)


@given(space, space, st.text(max_size=20), st.sampled_from([{}, {"note": '"_sp"'}, {"order_id": "O"}]))
def test_the_line_is_recovered_from_what_the_agent_packs(inside: str, after: str, host: str, event: object) -> None:
    line = msgspec.json.encode(event)[:-1] + f"{inside}}}{after}".encode()
    packed = pack(Origin(kind="order", file_id="f", where=host, read_at="t"), 5, line)
    assert packed is not None
    event_read = decode(packed.data)
    assert not isinstance(event_read, Heartbeat)
    assert event_read.stamp is not None
    assert original_line(packed.data, event_read.stamp) == line


def test_a_stamp_added_another_way_still_names_the_line_for_good() -> None:
    line = msgspec.json.encode(order(event_id=...))
    stamp = stamp_of(line)
    ids = {
        id_of(msgspec.json.encode({"_sp": msgspec.structs.replace(stamp, t=read_at), **order(event_id=...)}))
        for read_at in ("first", "again")
    }
    assert len(ids) == 1


def test_the_content_hash_ignores_stamp_order_of_fields_and_explicit_nulls() -> None:
    fields = order(region=...)
    turned = dict(reversed(fields.items()))
    hashes = {
        hash_of(encoded(fields, offset=1)),
        hash_of(encoded(fields, offset=2)),
        hash_of(msgspec.json.encode(fields)),
        hash_of(msgspec.json.encode(turned)),
        hash_of(msgspec.json.encode({**fields, "region": None, "tax": 0})),
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("changes", [{"total": 2026}, {"customer_id": None}, {"gift": 1}, {"region": "FR"}])
def test_the_content_hash_changes_with_the_content(changes: dict[str, object]) -> None:
    assert hash_of(encoded(order(**changes))) != hash_of(encoded(order()))
