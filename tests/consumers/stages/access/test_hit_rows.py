"""What a hit's row says beyond its line: page, order, session, client, flags. The same each time, whoever asks."""

import datetime as dt
import random
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import Batch, Record
from consumers.stages.access.hit import Hit
from consumers.stages.access.judge import AccessJudge
from consumers.stages.access.remembered import LONGEST_KEY, Remembered
from consumers.stages.access.rows import HitRows
from consumers.stages.access.site import Page, Rules, Site, load_site
from consumers.stages.rows import ShopFacts
from consumers.stages.testing import KEY, SHARD, access_judge, batch, enveloped, order, stamped, verdict
from contract.identity import IdentityKey
from contract.rows import HitRow, OrderRow

pytestmark = pytest.mark.unit

AT = dt.datetime(2026, 11, 27, 10, 5, 7, tzinfo=dt.UTC)
SITE = load_site()
SHOP = ShopFacts(key=KEY, zone=ZoneInfo("Europe/London"))
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36"


def row(**said: Any) -> HitRow:
    good: dict[str, Any] = {"time": AT, "client": "192.0.2.77", "method": "GET", "target": "/", "status": 200}
    hit = Hit(**{**good, "agent": FIREFOX, **said})
    return HitRows(SHOP, SITE).row(hit, None, "e-1", AT)


def test_a_row_says_what_its_agent_is() -> None:
    found = row()
    assert (found.browser, found.os, found.device, found.is_bot) == ("Firefox", "Linux", "desktop", False)
    unnamed = row(agent=None)
    assert (unnamed.browser, unnamed.os, unnamed.device, unnamed.is_bot) == (None, None, None, False)


def test_a_row_says_what_its_path_is() -> None:
    found = row(target="/thank-you/O-ABC234?from=mail")
    assert (found.path, found.page, found.order_id) == ("/thank-you/O-ABC234", "checkout", "O-ABC234")
    assert (row(target=None).page, row(target=None).path) == ("other", None)


@pytest.mark.parametrize(
    ("status", "its_class"),
    [(100, "1xx"), (200, "2xx"), (304, "3xx"), (499, "4xx"), (599, "5xx"), (9, None), (600, None), (None, None)],
)
def test_a_status_has_a_class(status: int | None, its_class: str | None) -> None:
    assert row(status=status).status_class == its_class


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        ({}, []),
        ({"target": "/wp-login.php", "status": 404}, ["probe"]),
        ({"agent": "sqlmap/1.8"}, ["scanner"]),
        ({"target": "/checkout", "status": 503}, ["checkout_error"]),
        ({"target": "/thank-you/O-1", "status": 500}, ["checkout_error"]),
        ({"target": "/checkout", "status": 404}, []),
        ({"target": "/search", "status": 503}, []),
        ({"target": "/checkout/../.env", "status": 500, "agent": "Nikto"}, ["probe", "scanner", "checkout_error"]),
    ],
)
def test_a_row_has_a_flag_for_each_thing_that_an_operator_looks_at(said: dict[str, Any], flags: list[str]) -> None:
    assert row(**said).flags == flags


def test_a_cookies_session_is_the_orders() -> None:
    sold = verdict(stamped(msgspec.json.encode(order(session_id="S-1"))))
    assert isinstance(sold, OrderRow)
    found = row(session="S-1")
    assert (found.session, found.session_kind, found.identity_key_id) == (sold.session, "cookie", "test")


def test_without_a_cookie_a_visit_is_address_and_agent_within_a_half_hour_of_utc() -> None:
    first = row()
    assert first.session_kind == "visit" and first.identity_key_id == "test"
    same = [
        row(time=AT.replace(minute=29, second=59)),
        row(time=AT.replace(minute=0, second=0)),
        row(target="/cart", status=500),
        row(client="::ffff:192.0.2.77"),
    ]
    assert {each.session for each in same} == {first.session}
    others = [
        row(time=AT.replace(minute=30)),
        row(time=AT + dt.timedelta(hours=24)),
        row(client="192.0.2.78"),  # truncated alike
        row(client="2001:db8::7"),
        row(agent=CHROME),
        row(agent=None),
    ]
    assert len({first.session, *(each.session for each in others)}) == 1 + len(others)


@pytest.mark.parametrize("client", [None, "unix:", "monitoring-server", "unknown"])
def test_without_cookie_and_address_there_is_no_session(client: str | None) -> None:
    found = row(client=client)
    assert (found.session, found.session_kind, found.identity_key_id) == (None, None, None)


def test_nothing_of_a_row_names_its_visitor() -> None:
    for client in ("192.0.2.77", "::ffff:192.0.2.77", "2001:db8:1:2:3:4:5:6"):
        written = msgspec.json.encode(row(client=client, session=None)) + msgspec.json.encode(row(session="S-secret"))
        assert not any(told in written for told in (b"192.0.2.77", b"2:3:4:5:6", b"S-secret"))


def test_a_visit_can_be_had_by_nobody_without_the_key() -> None:
    other = ShopFacts(key=IdentityKey(key_id="next", secret=b"another secret of thirty-two byte"), zone=SHOP.zone)
    hit = Hit(time=AT, client="192.0.2.77", agent=FIREFOX)
    sessions = {HitRows(shop, SITE).row(hit, None, "e-1", AT).session for shop in (SHOP, other)}
    assert len(sessions) == 2


@given(st.datetimes(dt.datetime(1972, 2, 1), dt.datetime(9998, 1, 1), timezones=st.just(dt.UTC)))
def test_half_hours_begin_on_the_hour_and_at_its_half_and_days_in_the_shops_zone(time: dt.datetime) -> None:
    begin = time.replace(minute=time.minute // 30 * 30, second=0, microsecond=0)
    found = row(time=time)
    assert found.event_date == time.astimezone(SHOP.zone).date()
    assert row(time=begin).session == found.session != row(time=begin - dt.timedelta(microseconds=1)).session


def test_the_day_is_the_shops() -> None:
    late = dt.datetime(2026, 7, 1, 23, 30, tzinfo=dt.UTC)  # British summer time
    assert row(time=late).event_date == dt.date(2026, 7, 2)
    assert row(time=dt.datetime(2, 1, 1, tzinfo=dt.UTC)).event_date == dt.date(1, 12, 31)  # 75 s behind UTC then


requests = st.fixed_dictionaries(
    {},
    optional={
        "time": st.integers(0, 7_200).map(lambda second: 1_795_766_400 + second),
        "address": st.sampled_from(["192.0.2.77", "198.51.100.7", "2001:db8::7", "x" * 600, ""]),
        "path": st.sampled_from(["/", "/checkout", "/thank-you/O-1", "/wp-login.php", "/" + "p" * 5_000]),
        "agent": st.sampled_from([FIREFOX, CHROME, "sqlmap", "", "a" * 2_000, "\0"]),
        "session": st.sampled_from(["S-1", ""]),
        "status": st.sampled_from([200, 503]),
    },
)


@given(st.lists(requests, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_a_verdict_hangs_on_nothing_but_the_record(said: list[dict[str, Any]], chance: random.Random) -> None:
    lines = [{"time": 1_795_766_400, **each} for each in said]
    records = batch(stamped(msgspec.json.encode(each), offset=offset) for offset, each in enumerate(lines)).records
    shuffled = chance.sample(records, len(records))
    at_once = rows_of(AccessJudge(SHOP, SITE), records)
    # Another process, after a crash, in another order, with a memory that others have filled; and one without any.
    other = AccessJudge(SHOP, SITE)
    rows_of(other, shuffled)
    assert rows_of(other, shuffled) == at_once
    assert set().union(*(rows_of(AccessJudge(SHOP, SITE), [record]) for record in shuffled)) == at_once


def rows_of(judge: AccessJudge, records: Sequence[Record]) -> set[bytes]:
    return {msgspec.json.encode(judged.row) for judged in judge.judge(Batch(shard=SHARD, records=records))}


def test_what_is_remembered_is_bounded_in_entries_and_in_length() -> None:
    asked: list[str] = []

    def read(key: str) -> int:
        asked.append(key)
        return len(key)

    remembered = Remembered(read, entries=3)
    for number in range(100):
        assert remembered[str(number)] == len(str(number))
        assert len(remembered) <= 3
    for _ in range(2):
        assert remembered["99"] == 2
        assert remembered["x" * (LONGEST_KEY + 1)] == LONGEST_KEY + 1
    assert asked[100:] == ["x" * (LONGEST_KEY + 1)] * 2


def test_clients_that_choose_all_they_send_fill_no_memory() -> None:
    rows = HitRows(SHOP, SITE)
    for number in range(300):
        text = f"{number:08d}" * 5_000
        rows.row(Hit(time=AT, client=text, agent=text, target=text, referrer=text), None, "e", AT)
    kept = {name: len(value) for name, value in vars(rows).items() if isinstance(value, Remembered)}
    assert kept == {"_agents": 0, "_targets": 0, "_referrers": 0, "_addresses": 0, "_visits": 0, "_days": 1}


def test_the_rules_that_it_judges_by_are_named() -> None:
    reference = access_judge().reference(AT, AT)
    assert reference.keys() == {"identity_key", "site_rules", "user_agents"}
    other = AccessJudge(SHOP, Site(Rules(page=(Page(kind="cart", paths=("/basket",)),))))
    assert other.reference(AT, AT)["site_rules"] != reference["site_rules"]


def test_a_text_line_is_enriched_as_a_json_line_is() -> None:
    line = f'192.0.2.77 - - [27/Nov/2026:10:05:07 +0000] "POST /checkout HTTP/1.1" 503 17 "-" "{FIREFOX}"'
    (text,) = access_judge().judge(batch([enveloped(line.encode(), kind="access")]))
    found, expected = text.row, row(method="POST", target="/checkout", status=503)
    assert isinstance(found, HitRow)
    names = ("session", "session_kind", "page", "status_class", "browser", "os", "device", "is_bot", "flags")
    assert [getattr(found, name) for name in names] == [getattr(expected, name) for name in names]
