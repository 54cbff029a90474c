"""What an agent says it has not sent: bytes and age, of the host and of all hosts."""

import json
import socket
from pathlib import Path

import pytest

from contract.health import OURS
from producers.agent.agent import Drain
from producers.agent.globs import Glob
from producers.agent.meter import Meter
from producers.agent.roads import Road
from producers.agent.unsent import UNSENT_METRICS, Unsent
from runtime.metrics import LogSink
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


def test_bytes_and_age_are_said_of_the_host_and_of_all(tmp_path: Path) -> None:
    clock, lines = ManualClock(), list[str]()
    meter = Meter(clock)
    road = Road(kind="order", stream="orders", agent=None, meter=meter, drain=Drain())  # type: ignore[arg-type]
    (tmp_path / "spool").mkdir()
    (tmp_path / "state").mkdir()
    globs = {"order": [Glob.of(f"{tmp_path}/spool/*.ndjson")]}
    sink = LogSink(lines.append, OURS, UNSENT_METRICS)
    unsent = Unsent([road], globs, tmp_path / "state", sink, clock)  # type: ignore[arg-type]
    clock.advance(30)
    unsent.say()
    meter.caught_up()
    clock.advance(7)
    (tmp_path / "spool" / "a.ndjson").write_bytes(b"x" * 99 + b"\n")
    unsent.say()
    told = [json.loads(line) for line in lines]
    assert [(each["unsent_bytes"], each["unsent_age"]) for each in told] == [([0.0], [30.0])] * 2 + [
        ([100.0], [7.0])
    ] * 2
    assert [each.get("Host") for each in told] == [None, socket.gethostname()] * 2
