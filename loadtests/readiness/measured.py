"""What our own parts reach, from the committed benchmarks: each a figure with the machine that it was measured on."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from loadtests.bench.results import Recorded, Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Events (or rows) a second, and where the number comes from."""

    value: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacities:
    """Of our own parts; None where nothing was measured."""

    agent: Capacity | None  # events/s of one agent
    live: Capacity | None  # events/s of one live process, the node on the same cores
    node: Capacity | None  # documents/s of one OpenSearch node
    cold: Capacity | None  # events/s of one cold process
    warehouse: Capacity | None  # rows/s of a load


def capacities_of(results: Results, *, aggregate: bool = True) -> Capacities:
    """From the table. A process in Python keeps one core busy: what a CPU second moves, it moves in a second.

    Without `aggregate`, of records that are an event each; the drain of live was measured on aggregates alone.
    """
    return Capacities(
        agent=_capacity(results, "producers", "aggregated" if aggregate else "plain", _of_cpu),
        live=_capacity(results, "live", "drain_rate", lambda figure: figure.value),
        node=_capacity(results, "live", "drain_rate", lambda figure: statistics.median(figure.baseline_runs)),
        cold=_capacity(results, "cold", "cpu" if aggregate else "cpu_plain", _of_cpu),
        warehouse=_capacity(results, "warehouse", "take_vs_write_dataframe", lambda figure: figure.value),
    )


# What `--measure` runs.
BENCHES = ("producers", "live", "cold", "warehouse")


def _capacity(results: Results, bench: str, name: str, value: Callable[[Recorded], float]) -> Capacity | None:
    outcome = results.benches.get(bench)
    figure = outcome.figures.get(name) if outcome else None
    if outcome is None or figure is None:
        return None
    source = f"bench {bench}, {name}, {outcome.date[:10]} on {outcome.machine.cores} cores"
    return Capacity(value=value(figure), source=source)


def _of_cpu(figure: Recorded) -> float:
    return 1e6 / figure.value
