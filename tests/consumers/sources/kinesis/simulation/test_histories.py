"""Random histories of splits, merges, kills, pauses and outages: the laws of `simulation.laws` hold in each."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from consumers.sources.kinesis.simulation.history import STEPS, History, histories, live_through

HISTORIES = 100  # the long test lives through more, and longer ones
# Without the phase that explains: it traces every line.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
OPTIONS = {"deadline": None, "phases": PHASES, "suppress_health_check": [HealthCheck.too_slow]}


@pytest.mark.unit
@settings(max_examples=HISTORIES, derandomize=True, **OPTIONS)  # type: ignore[arg-type]
@given(histories())
def test_histories_keep_the_laws(history: History) -> None:
    live_through(history)


@pytest.mark.soak
@pytest.mark.timeout(900)
@settings(max_examples=500, print_blob=True, **OPTIONS)  # type: ignore[arg-type]
@given(histories(2 * STEPS))
def test_new_and_longer_histories_keep_the_laws(history: History) -> None:
    live_through(history)
