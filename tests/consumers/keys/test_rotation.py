import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from consumers.keys.ring import LEAD
from consumers.keys.rotation import KEPT, first_key, next_midnight, with_next_key, without_key
from contract.identity import IdentityKey
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
OLD = IdentityKey(key_id="old", secret=b"o" * 32)


def key(key_id: str, effective_at: dt.datetime) -> IdentityKey:
    return IdentityKey(key_id=key_id, secret=key_id.encode() * 32, effective_at=effective_at)


def test_a_rotation_adds_a_key_of_its_own_and_leaves_the_others() -> None:
    keys = with_next_key([OLD], NOW, NOW + HOUR)
    assert keys[0] == OLD and keys[1].effective_at == NOW + HOUR
    assert len(keys[1].secret) == 32 and keys[1].key_id.startswith("k20261127-")
    again = with_next_key([OLD], NOW, NOW + HOUR)
    assert again[1].secret != keys[1].secret and again[1].key_id != keys[1].key_id


def test_a_key_comes_at_least_a_lead_ahead() -> None:
    assert len(with_next_key([OLD], NOW, NOW + LEAD)) == 2
    with pytest.raises(ConfigError, match="not before 2026-11-27T08:10:00"):
        with_next_key([OLD], NOW, NOW + LEAD - dt.timedelta(seconds=1))


def test_one_rotation_at_a_time() -> None:
    with pytest.raises(ConfigError, match="next is on its way"):
        with_next_key([OLD, key("next", NOW + HOUR)], NOW, NOW + 2 * HOUR)


def test_the_first_key_is_in_force_from_the_first_record_on() -> None:
    assert first_key(NOW).effective_at is None


def test_a_key_is_kept_as_long_as_what_it_hashed_can_come_again() -> None:
    keys = [OLD, key("new", NOW)]
    with pytest.raises(ConfigError, match="can come again until 2027-01-03T08:00:00"):
        without_key(keys, "old", NOW + KEPT - HOUR)
    assert [each.key_id for each in without_key(keys, "old", NOW + KEPT)] == ["new"]


@pytest.mark.parametrize(
    ("key_id", "why"),
    [("new", "in force"), ("other", "no key 'other'; there are old, new, next"), ("next", "in force")],
)
def test_a_key_in_force_is_not_forgotten(key_id: str, why: str) -> None:
    keys = [OLD, key("new", NOW - HOUR), key("next", NOW + LEAD)]
    with pytest.raises(ConfigError, match=why):
        without_key(keys, key_id, NOW)


def test_a_key_that_nobody_uses_yet_may_be_taken_back() -> None:
    assert without_key([OLD, key("next", NOW + HOUR)], "next", NOW) == (OLD,)


def test_the_oldest_goes_first() -> None:
    keys = [OLD, key("a", NOW - 3 * KEPT), key("b", NOW - 2 * KEPT)]
    with pytest.raises(ConfigError, match="old is older"):
        without_key(keys, "a", NOW)


def test_a_rotation_begins_with_a_day_of_the_shop() -> None:
    london = ZoneInfo("Europe/London")
    assert next_midnight(NOW, london).isoformat() == "2026-11-28T00:00:00+00:00"
    late = dt.datetime(2026, 7, 1, 22, 55, tzinfo=dt.UTC)  # 23:55 in London: too near
    assert next_midnight(late, london).isoformat() == "2026-07-03T00:00:00+01:00"
