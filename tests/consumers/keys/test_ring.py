"""The key in force at arrival, in every process and on every reading."""

import datetime as dt
import logging
from zoneinfo import ZoneInfo

import pytest

from consumers.keys.document import document_of
from consumers.keys.ring import LEAD, KeyRing
from consumers.reference.polling import Lookout, look_again
from consumers.stages.access.judge import AccessJudge
from consumers.stages.facts import Fixed
from consumers.stages.orders import OrderJudge
from consumers.stages.testing import ARRIVED_AT, FACTS, batch, encoded, order, stamped
from contract.identity import IdentityKey
from contract.rows import HitRow, OrderRow
from runtime.errors import ConfigError
from runtime.outage import Outage, Trouble
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

LONDON = ZoneInfo("Europe/London")
CHANGE = ARRIVED_AT + dt.timedelta(hours=1)
OLD = IdentityKey(key_id="old", secret=b"o" * 32)
NEW = IdentityKey(key_id="new", secret=b"n" * 32, effective_at=CHANGE)
BEFORE, AFTER = CHANGE - dt.timedelta(microseconds=1), CHANGE
ACCESS = b'{"time":"2026-11-27T08:00:00Z","address":"192.0.2.7","path":"/","status":200,"session":"S-1"}'


class MemoryPlace:
    """A document in memory; `trouble` is raised by every read."""

    name = "memory"

    def __init__(self, *keys: IdentityKey) -> None:
        self.body = document_of(keys)
        self.trouble: Exception | None = None

    def read(self) -> bytes:
        if self.trouble:
            raise self.trouble
        return self.body

    def create(self, body: bytes) -> None:
        self.body = body

    def write(self, body: bytes) -> None:
        self.body = body


def ring(*keys: IdentityKey, clock: ManualClock | None = None) -> tuple[KeyRing, MemoryPlace]:
    place = MemoryPlace(*keys)
    made = KeyRing(place, LONDON, clock or ManualClock(ARRIVED_AT))
    made.look()
    return made, place


def key_of(made: KeyRing, at: dt.datetime) -> str:
    return made.at(at).key.key_id


def test_the_first_key_hashes_what_arrived_before_it() -> None:
    made, _ = ring(IdentityKey(key_id="k", secret=b"o" * 32, effective_at=CHANGE), clock=ManualClock(AFTER))
    assert key_of(made, ARRIVED_AT - dt.timedelta(days=400)) == "k"


def test_a_key_is_in_force_from_its_time_on_whenever_it_is_asked() -> None:
    made, _ = ring(OLD, NEW)
    assert [key_of(made, at) for at in (AFTER, BEFORE, AFTER)] == ["new", "old", "new"]


def test_both_streams_hash_with_the_key_of_the_arrival_and_name_it() -> None:
    made, _ = ring(OLD, NEW, clock=ManualClock(BEFORE))
    orders, access = OrderJudge(Fixed(facts=FACTS), made), AccessJudge(made)
    record, line = encoded(order(customer_id="C-1", session_id="S-1")), stamped(ACCESS, kind="access")
    for at, key in ((BEFORE, OLD), (AFTER, NEW), (BEFORE, OLD)):
        (sold,), (hit,) = orders.judge(batch([record], arrived_at=at)), access.judge(batch([line], arrived_at=at))
        assert isinstance(sold.row, OrderRow) and isinstance(hit.row, HitRow)
        assert sold.row.identity_key_id == hit.row.identity_key_id == key.key_id
        assert sold.row.customer == key.hash_of("customer", "C-1")
        assert sold.row.session == hit.row.session == key.hash_of("session", "S-1")
        assert orders.reference(at, at)["identity_key"] == access.reference(at, at)["identity_key"] == key.key_id
    assert orders.reference(BEFORE, AFTER)["identity_key"] == "old,new"


def test_what_is_hashed_does_not_depend_on_when_the_key_was_read() -> None:
    """One process started before the key came, one after it was in force, one reads it all again much later."""
    clock = ManualClock(ARRIVED_AT)
    early, place = ring(OLD, clock=clock)
    place.write(document_of([OLD, NEW]))
    early.look()
    clock.advance(7_200)
    late = KeyRing(place, LONDON, clock)
    late.look()
    for at in (ARRIVED_AT, BEFORE, AFTER):
        assert early.at(at) == late.at(at)


def test_a_new_key_is_said_once_without_its_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made, place = ring(OLD)
    place.write(document_of([OLD, NEW]))
    made.look()
    made.look()
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "identity key old hashes what arrives from the first record on",
        f"identity key new hashes what arrives from {CHANGE.isoformat()} on",
    ]


def test_with_the_service_away_the_keys_go_on_and_are_stale_after_the_lead(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(ARRIVED_AT)
    made, place = ring(OLD, clock=clock)
    place.trouble = Outage("GetSecretValue: 503")
    trouble = Trouble("identity keys", clock)
    clock.advance(LEAD.total_seconds())
    look_again(made, trouble)
    assert not made.is_stale
    assert made.key_ids(ARRIVED_AT, clock.now()) == "old"
    clock.advance(1)
    look_again(made, trouble)
    assert made.is_stale and key_of(made, clock.now()) == "old"
    missed = clock.now()
    assert made.key_ids(missed, missed) == "old (stale)"
    assert "GetSecretValue: 503; the last one known goes on judging" in caplog.text
    place.trouble = None
    clock.advance(1)
    look_again(made, trouble)
    assert not made.is_stale
    assert made.key_ids(missed, missed) == "old (stale)"
    assert made.key_ids(clock.now() + dt.timedelta(seconds=1), clock.now() + LEAD) == "old"


@pytest.mark.parametrize("keys", [[NEW], [IdentityKey(key_id="old", secret=b"x" * 32), NEW]])
def test_a_document_without_the_key_in_force_is_refused_and_the_known_ones_go_on(keys: list[IdentityKey]) -> None:
    made, place = ring(OLD)
    place.write(document_of(keys))
    with pytest.raises(ConfigError, match="no longer holds key old, which is in force"):
        made.look()
    assert made.at(ARRIVED_AT).key == OLD


def test_an_old_key_may_go() -> None:
    clock = ManualClock(AFTER)
    made, place = ring(OLD, NEW, clock=clock)
    place.write(document_of([NEW]))
    made.look()
    assert key_of(made, AFTER) == "new"


def test_a_host_whose_threads_stand_still_looks_at_its_turns() -> None:
    clock = ManualClock(ARRIVED_AT)
    place = MemoryPlace(OLD)
    made = KeyRing(place, LONDON, clock)
    lookout = Lookout(made, 60.0, clock, "identity keys")
    lookout.look()
    place.write(document_of([OLD, NEW]))
    lookout.look()
    assert made.key_ids(BEFORE, AFTER).startswith("old")
    clock.advance(60)
    lookout.look()
    assert key_of(made, AFTER) == "new"
