"""At Locust's end: its figures into the run's folder, and an exit code that says whether all was sent."""

from pathlib import Path
from typing import Any

from locust import events
from locust.runners import WorkerRunner

from loadtests.proof.thresholds import thresholds
from loadtests.sale.counted import write_counted
from loadtests.sale.plan import RunFolder

EXIT_BEHIND = 1


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge(environment: Any, **_: Any) -> None:
    """The senders alone are judged here. What the shop has failed is the proof's to judge, from visits.json."""
    if isinstance(environment.runner, WorkerRunner):
        return
    folder = RunFolder(Path(environment.parsed_options.plan).parent)
    achieved = write_counted(folder, folder.plan(), environment.stats)
    environment.process_exit_code = 0 if achieved >= thresholds().achieved else EXIT_BEHIND
    if environment.process_exit_code:
        print(f"only {achieved:.1%} of the orders were sent: the senders are the limit, not the pipeline")
