"""`python -m consumers account` as operators and cron meet it."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from consumers.account.command import When, window_of
from consumers.account.settings import AccountSettings
from runtime.errors import ConfigError
from runtime.testing import ManualClock

DEAD = """
[aws]
kinesis_endpoint = "http://127.0.0.1:9"
endpoint = "http://127.0.0.1:9"
access_key_id = "123456789012"
secret_access_key = "x"
[opensearch]
url = "http://127.0.0.1:9"
[warehouse]
port = 9
tls = false
"""


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-27", dt.datetime(2026, 11, 27, tzinfo=dt.UTC)),
        ("2026-11-27T08:00:00Z", dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)),
        ("2026-11-27T08:00:00.5+02:00", dt.datetime(2026, 11, 27, 6, 0, 0, 500_000, tzinfo=dt.UTC)),
    ],
)
def test_a_time_is_a_utc_day_or_an_rfc_3339_time(text: str, time: dt.datetime) -> None:
    assert When().convert(text, None, None) == time


@pytest.mark.unit
@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "2026-11-27T08:00:00", "27.11.2026"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither a day"):
        When().convert(text, None, None)


@pytest.mark.unit
def test_without_a_beginning_it_looks_back_from_the_end() -> None:
    clock, settings = ManualClock(), AccountSettings()
    assert window_of(settings, None, None, clock).since == clock.now() - dt.timedelta(days=2)
    until = clock.now() - dt.timedelta(days=30)
    assert window_of(settings, None, until, clock).since == until - dt.timedelta(days=2)
    with pytest.raises(ConfigError, match="not before"):
        window_of(settings, until, until, clock)
    with pytest.raises(ConfigError, match="in the future"):
        window_of(settings, clock.now() + dt.timedelta(seconds=1), None, clock)


@pytest.mark.integration
def test_where_nothing_answers_it_says_so_and_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "dead.toml").write_text(DEAD)
    command = [sys.executable, "-m", "consumers", "account", "--settings", str(tmp_path / "dead.toml")]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (3, "")
    found = json.loads(done.stdout)
    assert found["verdict"] == "incomplete"
    assert all(store["trouble"] for store in found["stores"])
    done = subprocess.run([*command, "--from", "yesterday"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
