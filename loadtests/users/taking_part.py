"""What all users of one Locust process share: the plan, the start, the people's visits."""

import itertools
import random
import socket
from pathlib import Path
from typing import Any

from locust import events

from loadtests.sale.arrivals import arrivals_of
from loadtests.sale.ledger import Ledger
from loadtests.sale.plan import Plan, RunFolder
from loadtests.sale.pump import Pump
from loadtests.sale.settings import SaleSettings, settings_in
from runtime.clock import SystemClock

LEAD_S = 3.0  # from Locust's start until second 0 of the shapes: users are there by then
_ATTRIBUTE = "storepulse"


class TakingPart:
    """One process's part in a run."""

    def __init__(self, plan_file: Path, worker: int) -> None:
        self.folder = RunFolder(plan_file.parent)
        self.plan: Plan = self.folder.plan()
        self.settings: SaleSettings = settings_in(self.plan.settings_file)
        self.clock = SystemClock()
        self.began_s = self.clock.monotonic() + LEAD_S
        self.arrivals = arrivals_of(self.plan)
        self.idle: list[Pump] = []  # of event users that Locust has stopped
        self._worker = worker
        self._name = f"{socket.gethostname()[:20]}-{worker}"
        self._numbers = itertools.count()
        self.sold: Ledger | None = self._ledger(f"s{self._name}") if self.arrivals else None  # to all its people

    @property
    def elapsed_s(self) -> float:
        """Since second 0."""
        return self.clock.monotonic() - self.began_s

    def sender(self) -> tuple[str, Ledger]:
        """A name that no other sender of the run has, and its ledger."""
        name = f"e{self._name}-{next(self._numbers)}"
        return name, self._ledger(name)

    def choices_of(self, visit: int) -> random.Random:
        """What a visit of this process is decided by, whoever makes it."""
        return random.Random(f"{self.plan.seed}-{self._worker}-{visit}")

    def _ledger(self, name: str) -> Ledger:
        return Ledger(self.folder.intended, self.folder.probes, name)


def part_of(environment: Any) -> TakingPart:
    """This process's."""
    part = getattr(environment, _ATTRIBUTE)
    assert isinstance(part, TakingPart)
    return part


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _options(parser: Any) -> None:
    parser.add_argument("--plan", required=True, help="plan.json of the run's folder; at the same path everywhere.")


@events.init.add_listener  # type: ignore[untyped-decorator]
def _fixed(environment: Any, **_: Any) -> None:
    """So many of each, whatever the number of shoppers."""
    plan = RunFolder(Path(environment.parsed_options.plan).parent).plan()
    counts = {"EventUser": plan.senders, "BoardViewer": plan.viewers if plan.board_url else 0, "Analyst": plan.analysts}
    environment.user_classes = [cls for cls in environment.user_classes if _wanted(cls.__name__, counts, plan)]
    for cls in environment.user_classes:
        if cls.__name__ in counts:
            cls.fixed_count = counts[cls.__name__]


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Any, **_: Any) -> None:
    worker = getattr(environment.runner, "worker_index", 0)
    setattr(environment, _ATTRIBUTE, TakingPart(Path(environment.parsed_options.plan), worker))


def _wanted(name: str, counts: dict[str, int], plan: Plan) -> bool:
    return counts[name] > 0 if name in counts else plan.visits is not None
