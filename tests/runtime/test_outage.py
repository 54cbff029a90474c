"""Trouble that passes: what is said of it, and how long a start waits."""

import logging
import random
from collections.abc import Callable

import pytest

from runtime.errors import ConfigError
from runtime.outage import Outage, Trouble, wait_at_start
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit


def test_trouble_is_logged_at_its_beginning_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    trouble = Trouble("reading", clock)
    trouble.over()
    for _ in range(3):
        trouble.goes_on("connection refused")
        clock.advance(2)
    trouble.over()
    trouble.over()
    assert caplog.messages == [
        "reading: connection refused; waiting, nothing is lost",
        "reading: well again after 6.0 s",
    ]


def test_trouble_that_changes_is_logged_anew(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("reading", ManualClock())
    for why in ("refused", "timeout", "timeout", "refused"):
        trouble.goes_on(why)
    assert [message.split()[1] for message in caplog.messages] == ["refused;", "timeout;"]


def start(begin: Callable[[], None], clock: ManualClock, waits: int = 1_000) -> bool:
    return wait_at_start(
        begin,
        StopAfter(waits, clock),
        trouble=Trouble("stream", clock),
        patience_s=60.0,
        advice="start it, or change [aws]",
        clock=clock,
        rng=random.Random(3),
    )


def away(seconds: float, clock: ManualClock) -> Callable[[], None]:
    def begin() -> None:
        if clock.monotonic() < seconds:
            raise Outage("no connection to http://127.0.0.1:9/")

    return begin


def test_a_service_that_comes_in_time_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    assert start(away(59.0, clock), clock)
    assert 59 <= clock.monotonic() < 62
    assert caplog.messages == ["stream: no connection to http://127.0.0.1:9/; waiting, nothing is lost"]


def test_a_service_that_does_not_come_is_named_with_what_to_change() -> None:
    clock = ManualClock()
    with pytest.raises(ConfigError, match=r"^no connection to .*; waited 60 s for it: start it, or change \[aws\]$"):
        start(away(1_000.0, clock), clock)
    assert clock.monotonic() == pytest.approx(60)


def test_a_stop_ends_the_waiting() -> None:
    clock = ManualClock()
    assert not start(away(1_000.0, clock), clock, waits=3)


def test_what_waiting_does_not_mend_is_raised_at_once() -> None:
    def begin() -> None:
        raise ConfigError("no such stream")

    clock = ManualClock()
    with pytest.raises(ConfigError, match="no such stream"):
        start(begin, clock)
    assert clock.monotonic() == 0
