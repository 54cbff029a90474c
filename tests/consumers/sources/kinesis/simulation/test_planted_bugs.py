"""The laws have teeth: each bug, planted alone, is found among as many histories as the fleet itself has to pass."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from consumers.sources.kinesis.simulation.bugs import BUGS
from consumers.sources.kinesis.simulation.history import History, histories, live_through
from consumers.sources.kinesis.simulation.laws import LawBroken

pytestmark = pytest.mark.unit

BUDGET = 200  # histories


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    lived = 0

    @settings(
        max_examples=BUDGET,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(histories())
    def search(history: History) -> None:
        nonlocal lived
        lived += 1
        live_through(history)

    with BUGS[bug](), pytest.raises(LawBroken) as found:
        search()
    print(f"{bug}: history {lived - 1}: {found.value}")  # the last one is the same again: Hypothesis makes sure
