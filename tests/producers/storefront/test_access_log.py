import asyncio
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from producers.storefront import access_log as module
from producers.storefront.access_log import AccessLog

pytestmark = pytest.mark.unit


def entries(file):
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def test_every_request_leaves_one_line_when_the_shop_has_stopped(browser, access_log):
    browser.get("/search?q=caf%C3%A9", headers={"referer": "http://elsewhere/", "user-agent": 'a "b"\\'})
    browser.post("/cart/add", data={"sku": "KT-101", "quantity": "1"}, follow_redirects=False)
    browser.get("/nowhere")
    browser.get("/health")
    browser.get("/static/shop.css")
    browser.__exit__(None)

    found = entries(access_log)

    assert [(each["method"], each["path"], each["status"]) for each in found] == [
        ("GET", "/search?q=caf%C3%A9", 200),
        ("POST", "/cart/add", 303),
        ("GET", "/nowhere", 404),
        ("GET", "/health", 200),
        ("GET", "/static/shop.css", 200),
    ]
    first = found[0]
    assert first["type"] == "access"
    assert first["time"] == datetime(2026, 11, 27, 8, tzinfo=UTC).timestamp()
    assert (first["referer"], first["agent"]) == ("http://elsewhere/", 'a "b"\\')
    assert first["session"] == found[1]["session"] == browser.cookies["sid"]
    assert found[3]["session"] == ""
    assert first["bytes"] > 1000 and found[1]["bytes"] == 0
    assert first["duration_s"] == 0
    assert first["address"] == "testclient"
    assert len({each["request_id"] for each in found}) == 5


def test_a_line_has_the_fields_that_nginx_writes(browser, access_log):
    browser.get(
        "/", headers=[("host", "Shop.example:8080"), ("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "::1")]
    )
    browser.__exit__(None)

    (line,) = access_log.read_bytes().splitlines()
    found = json.loads(line)
    shipped = (Path(module.__file__).parent / "nginx" / "access_json.conf").read_text()

    assert list(found) == re.findall(r'"(\w+)":', shipped)
    assert (found["host"], found["protocol"], found["referer"]) == ("shop.example", "HTTP/1.1", "")
    assert found["forwarded_for"] == "203.0.113.7, ::1"


def test_a_line_waits_in_memory_until_the_flush_and_follows_a_rotation(tmp_path):
    file = tmp_path / "access.log"

    async def run():
        log = AccessLog(file)
        log.append({"n": 1})
        assert not file.exists()
        log.flush()
        file.rename(tmp_path / "access.log.1")
        log.append({"n": 2})
        log.flush()

    asyncio.run(run())
    assert entries(tmp_path / "access.log.1") == [{"n": 1}]
    assert entries(file) == [{"n": 2}]


def test_many_lines_do_not_wait_for_the_clock(tmp_path):
    async def run():
        log = AccessLog(tmp_path / "access.log")
        for number in range(2_000):
            log.append({"n": number, "filler": "x" * 100})
        assert (tmp_path / "access.log").stat().st_size >= module.FLUSH_AT
        log.flush()

    asyncio.run(run())
    assert [each["n"] for each in entries(tmp_path / "access.log")] == list(range(2_000))


def test_a_disk_that_is_full_for_a_while_loses_nothing_and_tears_nothing(tmp_path, monkeypatch, caplog):
    file = tmp_path / "access.log"
    write, full = os.write, [True]

    def short(descriptor, content):
        if not full[0]:
            return write(descriptor, content)
        if file.stat().st_size >= 10:
            raise OSError(28, "No space left on device")
        return write(descriptor, bytes(content[:10]))

    async def run():
        log = AccessLog(file)
        log.append({"n": 1, "text": "longer than ten bytes"})
        log.flush()
        log.append({"n": 2})
        full[0] = False
        log.flush()

    monkeypatch.setattr(os, "write", short)
    asyncio.run(run())
    assert [each["n"] for each in entries(file)] == [1, 2]
    assert "No space left" in caplog.text


def test_past_its_limit_the_buffer_drops_lines_and_says_how_many(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "LARGEST_BUFFER", 100)

    async def run():
        log = AccessLog(tmp_path / "no folder" / "access.log")
        for number in range(50):
            log.append({"n": number})
        log.flush()
        (tmp_path / "no folder").mkdir()
        log.flush()

    asyncio.run(run())
    kept = len(entries(tmp_path / "no folder" / "access.log"))
    assert 0 < kept < 50
    assert f"{50 - kept} access log lines were dropped" in caplog.text
