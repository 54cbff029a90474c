"""How often, by hour of the shop's day."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.keeper.cadence import parse_cadence
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

WHERE = "[keeper] lake_cadence"


@given(st.integers(0, 23))
def test_seconds_alone_hold_all_day(hour: int) -> None:
    cadence = parse_cadence("15", dt.UTC, WHERE)
    assert cadence.every_s(dt.datetime(2026, 11, 27, hour, tzinfo=dt.UTC)) == 15


def test_each_hour_has_its_own() -> None:
    cadence = parse_cadence("06-24:15, 00-06:900", dt.UTC, WHERE)
    assert [cadence.every_s(dt.datetime(2026, 11, 27, hour, 59, tzinfo=dt.UTC)) for hour in (0, 5, 6, 23)] == [
        900,
        900,
        15,
        15,
    ]


def test_hours_are_the_shops() -> None:
    cadence = parse_cadence("00-06:900,06-24:15", ZoneInfo("America/New_York"), WHERE)
    assert cadence.every_s(dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)) == 900


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is not understood"),
        ("soon", "'soon' is not understood"),
        ("-15", "'-15' is not understood"),
        ("0", "0 s is not between"),
        ("86401", "86401 s is not between"),
        ("00-06:900,06-24", "'06-24' is not understood"),
        ("00-06:900,07-24:15", "hour 06 is not covered"),
        ("00-07:900,06-24:15", "hour 06 stands in it twice"),
        ("00-25:15", "'00-25:15' is no stretch of hours"),
        ("22-06:900,06-22:15", "'22-06:900' is no stretch of hours"),
        ("00-24:0", "0 s is not between"),
        ("\u0660\u0660-24:15", "'\u0660\u0660-24:15' is not understood"),
    ],
)
def test_what_is_not_clear_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_cadence(text, dt.UTC, WHERE)
    assert str(refused.value).startswith(f"{WHERE}: {why}")


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 1_000)), min_size=1, max_size=4))
def test_what_is_accepted_covers_every_hour_once(parts: list[tuple[int, int, int]]) -> None:
    text = ",".join(f"{first:02d}-{end:02d}:{seconds}" for first, end, seconds in parts)
    hours = [hour for first, end, _ in parts for hour in range(first, end)]
    try:
        cadence = parse_cadence(text, dt.UTC, WHERE)
    except ConfigError:
        sound = all(first < end <= 24 and seconds for first, end, seconds in parts)
        assert sorted(hours) != list(range(24)) or not sound
    else:
        assert sorted(hours) == list(range(24))
        assert len(cadence.by_hour) == 24
