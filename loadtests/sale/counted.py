"""What a run's users tell Locust beside their requests, and what is written of its counts at the end.

Locust sums what all its processes count, on whatever machines: whoever writes needs nobody else's files.
"""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from loadtests.sale.arrivals import visits_due
from loadtests.sale.outlets import Outlet
from loadtests.sale.plan import Plan, RunFolder
from loadtests.sale.pump import Pump
from loadtests.shapes import Schedule
from runtime.whole_file import write_whole


class Kind(NamedTuple):
    """Of what is counted: method and name of a row of Locust's."""

    method: str
    name: str


WRITTEN = Kind("EVENT", "order (from due)")
NO_ROOM = Kind("EVENT", "order that found no room")
VISIT = Kind("VISIT", "visit (from due until left)")
STREAM = "STREAM"  # method of the rows of what the stream has refused; their names are its error codes


class Visits(msgspec.Struct, frozen=True, kw_only=True):
    """Of people in the shop."""

    due: int
    begun: int
    failed: int  # of those begun: a page failed, or the end of the run cut them off


def tell_step(stats: Any, pump: Pump, *, found_no_room: bool) -> None:
    """The pump's last step, to Locust's `stats`: each line's time from due until written, and a full disk."""
    for late_s in pump.late_s:
        stats.log_request(*WRITTEN, late_s * 1000, 0)
    if found_no_room:
        stats.log_request(*NO_ROOM, None, 0)
        stats.log_error(*NO_ROOM, "no room for an order: the disk is full; it is tried again")


def tell_refused(stats: Any, outlet: Outlet) -> None:
    """Entries that the stream has refused since this was last called."""
    for code, count in outlet.refused.items():
        for _ in range(count):
            stats.log_request(STREAM, code, None, 0)
            stats.log_error(STREAM, code, "refused by the stream; put again until it is taken")
    outlet.refused.clear()


def tell_visit(stats: Any, took_s: float, *, went_well: bool) -> None:
    """A visit that is over. `took_s`: from when it was due."""
    stats.log_request(*VISIT, took_s * 1000, 0)
    if not went_well:
        stats.log_error(*VISIT, "a page failed, or the end of the run cut it off")


def write_counted(folder: RunFolder, plan: Plan, stats: Any) -> float:
    """Locust's figures into the run's folder. Returns the share of the intended orders that were written."""
    entries = {Kind(entry.method or "", entry.name): entry for entry in stats.entries.values()}
    _write(folder.requests, [_figures(entry) for entry in entries.values()])
    if plan.visits:
        visit = entries.get(VISIT)
        begun, failed = (visit.num_requests, visit.num_failures) if visit else (0, 0)
        _write(folder.visits, Visits(due=visits_due(plan), begun=begun, failed=failed))
    if plan.into == "stream":
        _write(folder.stream_refusals, {k.name: e.num_requests for k, e in entries.items() if k.method == STREAM})
    intended = Schedule(plan.orders).events if plan.senders else 0
    written = entries[WRITTEN].num_requests if WRITTEN in entries else 0
    return written / intended if intended else 1.0


def _write(file: Path, found: Any) -> None:
    write_whole(file, msgspec.json.encode(found))


def _figures(entry: Any) -> dict[str, Any]:
    """One kind of request; times in milliseconds, from when it was intended."""
    times = {f"p{percent}": entry.get_response_time_percentile(percent / 100) or 0 for percent in (50, 95, 99)}
    return {
        "method": entry.method or "",
        "name": entry.name,
        "requests": entry.num_requests,
        "failures": entry.num_failures,
        **times,
        "max": entry.max_response_time,
    }
