"""Locust's view of a plan: how many users there are when."""

from pathlib import Path
from typing import Any

from locust import LoadTestShape

from loadtests.sale.arrivals import users_at
from loadtests.sale.plan import Plan, RunFolder
from loadtests.users.taking_part import LEAD_S

_SPAWNED_A_SECOND = 50.0


class SaleDayShape(LoadTestShape):
    """Users of the plan; the rates are the users' own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self._plan: Plan | None = None

    def tick(self) -> tuple[int, float] | None:
        """Users and spawn rate."""
        if self._plan is None:
            self._plan = RunFolder(Path(_options_of(self.runner).plan).parent).plan()
        users = users_at(self._plan, self.get_run_time() - LEAD_S)  # type: ignore[no-untyped-call]
        return None if users is None else (users, _SPAWNED_A_SECOND)


def _options_of(runner: Any) -> Any:
    return runner.environment.parsed_options
