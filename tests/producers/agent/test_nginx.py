"""Debian's nginx in front of the shop, with our configuration, and the agent behind it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from producers.agent.testing import original_of
from producers.agent.testing_process import (
    ACCESS,
    Kinesis,
    acknowledged,
    finished,
    running_agent,
    settings_file,
    wait_for,
)
from producers.storefront.testing import NGINX, ShopBehindNginx

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(NGINX is None, reason="no nginx here: apt-get install nginx-light"),
]


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[Kinesis]:
    running = Kinesis(tmp_path / "kinesis", shards=1)
    yield running
    running.kill()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[ShopBehindNginx]:
    running = ShopBehindNginx(tmp_path)
    yield running
    running.stop()


ODD = [
    ("/search?q=caf\xe9", {"User_Agent": "Mozilla/5.0 \xff\xfe"}),
    ("/search?q=%22%5C%0A", {"User_Agent": 'a "quoted" \\ agent', "Referer": "\t"}),
    ("/", {"X_Forwarded_For": "203.0.113.7, 2001:db8::1, unix:", "Cookie": "sid=" + "ab" * 16}),
    ("/" + "x" * 4_000, {}),
    ("/caf\u00e9".encode().decode("latin-1"), {"User_Agent": ""}),
]


def test_every_request_s_line_is_delivered_once_and_in_order_through_rotations(
    tmp_path: Path, kinesis: Kinesis, web: ShopBehindNginx
) -> None:
    settings = settings_file(tmp_path, kinesis.endpoint, more=f'access_logs = "{web.logs}/*.log*"\n')
    sent = 0
    with running_agent(settings):
        for rotation in range(4):
            for number in range(60):
                web.get(f"/product/{rotation}-{number}")
                sent += 1
            for path, headers in ODD:
                web.get(path, **headers)
                sent += 1
            web.rotate(rotation + 1)
        wait_for(lambda: acknowledged(tmp_path, "access") == 2 * sent)
    assert finished(settings, "drain")[0] == 0
    written = web.lines()
    assert {name: len(lines) for name, lines in written.items()} == {"shop": sent, "vhost": sent}
    delivered: dict[str, list[bytes]] = {}
    for data in kinesis.lines(ACCESS):
        stamp, line = original_of(data)
        assert line is not None
        delivered.setdefault("shop" if "/shop.access.log" in stamp.h else "vhost", []).append(line)
    assert {name: sorted(lines) for name, lines in delivered.items()} == {n: sorted(ls) for n, ls in written.items()}
    assert_in_order(kinesis)
    beats = {beat.sp.f: beat for beat in kinesis.heartbeats(ACCESS)}
    assert sum(beat.lines for beat in beats.values()) == 2 * sent
    assert_readable(written["shop"])


def assert_in_order(kinesis: Kinesis) -> None:
    """Within a file, on the one shard."""
    last: dict[str, int] = {}
    for data in kinesis.lines(ACCESS):
        stamp, _ = original_of(data)
        assert stamp.o > last.get(stamp.f, -1)
        last[stamp.f] = stamp.o


def assert_readable(lines: list[bytes]) -> None:
    """As JSON, but for those whose request was no UTF-8."""
    events = []
    for line in lines:
        try:
            events.append(json.loads(line.decode()))
        except UnicodeDecodeError:
            assert b"caf\xe9" in line
    assert len(lines) - len(events) == 4
    ids = [event["request_id"] for event in events]
    assert len(set(ids)) == len(ids)
    forwarded = next(event for event in events if event["forwarded_for"])
    assert (forwarded["session"], forwarded["status"], forwarded["address"]) == ("ab" * 16, 200, "127.0.0.1")
    assert forwarded["forwarded_for"] == "203.0.113.7, 2001:db8::1, unix:"
    assert any(event["agent"] == 'a "quoted" \\ agent' for event in events)
