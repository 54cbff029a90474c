"""At Locust's end: its figures into the run's folder, and an exit code that says whether all was sent."""

from pathlib import Path
from typing import Any

import msgspec
from locust import events
from locust.runners import WorkerRunner

from loadtests.proof.thresholds import thresholds
from loadtests.sale.plan import RunFolder
from loadtests.shapes import Schedule
from loadtests.users.event_user import WRITTEN
from runtime.whole_file import write_whole

EXIT_BEHIND = 1


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge(environment: Any, **_: Any) -> None:
    """Failed requests alone do not fail a rehearsal (the shop may be killed in it): the proof says what they cost."""
    if isinstance(environment.runner, WorkerRunner):
        return
    folder = RunFolder(Path(environment.parsed_options.plan).parent)
    plan = folder.plan()
    write_whole(folder.requests, msgspec.json.encode([_figures(entry) for entry in environment.stats.entries.values()]))
    intended = Schedule(plan.orders).events if plan.senders else 0
    sent = environment.stats.get(WRITTEN, "EVENT").num_requests
    achieved = sent / intended if intended else 1.0
    environment.process_exit_code = 0 if achieved >= thresholds().achieved else EXIT_BEHIND
    if environment.process_exit_code:
        print(f"only {achieved:.1%} of {intended:,} orders were sent: the senders are the limit, not the pipeline")


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
