"""What a running agent says of itself: `status.json` in its state folder, written anew every second."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from producers.agent.roads import Road
from producers.agent.state import Kind

STATUS_FILE = "status.json"
WRITTEN_EVERY_S = 1.0
FRESH_S = 10.0  # older than that, nobody writes it any more
WAITS_LONG_S = 60.0  # throttled, or away: longer than a failover of any service that we know
# A call to the stream ends after 10 s, a step of anything else within one: this is a thread that hangs.
SILENT_LONG_S = 60.0


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that went wrong."""

    at: datetime
    text: str


class RoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of lines, since the agent's start."""

    kind: Kind
    stream: str
    condition: Literal["starting", "well", "waiting", "failed"]
    waits_s: float  # nothing gets through since so long
    silent_s: float  # no sign of life
    lines: int  # acknowledged
    bytes: int  # of those, in their files
    pending: int  # lines in memory
    lines_a_s: float  # over the last 10 s
    bytes_a_s: float
    caught_up_at: datetime | None  # the last time that everything there was had been acknowledged
    errors: Sequence[Trouble]  # the last five different ones
    unreadable: dict[str, str]  # by path: why its lines are not sent


class DrainReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to the last wish."""

    wish: str
    is_drained: bool


class AgentReport(msgspec.Struct, frozen=True, kw_only=True):
    """As it stands in the file."""

    pid: int
    started_at: datetime
    at: datetime
    roads: Sequence[RoadReport]
    drain: DrainReport | None = None

    def unwell(self) -> list[str]:
        """What somebody should look at; nothing if all is well."""
        found = []
        for road in self.roads:
            if road.condition == "failed":
                found.append(f"{road.kind}: {road.errors[-1].text if road.errors else 'cannot be sent'}")
            elif road.waits_s > WAITS_LONG_S:
                found.append(f"{road.kind}: nothing gets through to {road.stream} for {road.waits_s:.0f} s")
            if road.silent_s > SILENT_LONG_S and road.condition != "failed":
                found.append(f"{road.kind}: no sign of life for {road.silent_s:.0f} s")
            found += [f"{road.kind}: {path}: {why}" for path, why in road.unreadable.items()]
        return found


def report_of(roads: Sequence[Road], *, started_at: datetime, now: datetime) -> AgentReport:
    """As of now. Times are aware UTC."""
    answers = {road.drain.answer for road in roads}
    drain = None
    wishes = {answer[0] for answer in answers if answer is not None}
    if len(wishes) == 1 and None not in answers:
        drain = DrainReport(wish=wishes.pop(), is_drained=all(answer[1] for answer in answers if answer is not None))
    return AgentReport(
        pid=os.getpid(), started_at=started_at, at=now, roads=[_road_report(road) for road in roads], drain=drain
    )


def write_report(folder: Path, report: AgentReport) -> None:
    """Whole, but not synced: after a power cut it is of no use anyway. Raises OSError."""
    temporary = folder / f"{STATUS_FILE}.tmp"
    temporary.write_bytes(msgspec.json.encode(report))
    temporary.replace(folder / STATUS_FILE)


def read_report(folder: Path) -> AgentReport | None:
    """The last one that was written; None if there is none, or another release's."""
    try:
        return msgspec.json.decode((folder / STATUS_FILE).read_bytes(), type=AgentReport)
    except (OSError, msgspec.MsgspecError):
        return None


def _road_report(road: Road) -> RoadReport:
    seen = road.meter.read()
    condition: Literal["starting", "well", "waiting", "failed"] = "well" if seen.is_ready else "starting"
    if seen.failure is not None:
        condition = "failed"
    elif seen.waits_s:
        condition = "waiting"
    return RoadReport(
        kind=road.kind,
        stream=road.stream,
        condition=condition,
        waits_s=round(seen.waits_s, 1),
        silent_s=round(seen.silent_s, 1),
        lines=seen.lines,
        bytes=seen.bytes,
        pending=seen.pending,
        lines_a_s=seen.lines_a_s,
        bytes_a_s=seen.bytes_a_s,
        caught_up_at=seen.caught_up_at,
        errors=[Trouble(at=at, text=text) for at, text in seen.errors],
        unreadable=dict(seen.unreadable),
    )
