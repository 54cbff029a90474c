"""64 workers and 512 shards on a simulated clock: time to balance, and what the lease table is asked meanwhile.

The real source in every worker, with its default waits; DynamoDB answers within 80 ms. The shards are empty, and polled
every 5 s. Each run has another seed. The baseline of the times is what nobody can beat: a look (`scan_s`), after a loss
the failover before it. That of the writes is one renewal of each lease every third of the failover time, that of the
reads one look at the table a worker every 20 s, as the Java library takes it.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.simulation.fleet import Fleet, simulated_fleet
from loadtests.bench.report import Figure

RUNS = 3
WORKERS, SHARDS = 64, 512
_SETTINGS = KinesisSourceSettings(poll_s=5.0)
_STEP_S = 0.25  # between two looks at the fleet
_REST_S = 30.0
_GIVE_UP_S = 300.0
_READS = {"read_all"}
_ROW_BYTES, _UNIT_BYTES = 300, 4096  # of a lease; of a unit of strongly consistent read


@dataclass(slots=True)
class Measured:
    """One run."""

    seconds: dict[str, float] = field(default_factory=dict)  # to balance, by what happened
    writes: dict[str, float] = field(default_factory=dict)  # a minute
    read_units: dict[str, float] = field(default_factory=dict)  # a minute


def run() -> Sequence[Figure]:
    """Times to balance, writes and read units a minute, at rest and while it balances."""
    runs = [measure(seed, workers=WORKERS, shards=SHARDS) for seed in range(RUNS)]
    renewals = SHARDS * 60 / (_SETTINGS.failover_s / 3)
    looks = 3 * WORKERS * math.ceil(SHARDS * _ROW_BYTES / _UNIT_BYTES)
    least_s = {"cold_start": _SETTINGS.scan_s, "half_lost": _SETTINGS.failover_s + _SETTINGS.scan_s}
    names = list(runs[0].seconds)
    return [
        *(
            _figure(f"{name}_s", "s", 30.0, [each.seconds[name] for each in runs], "waits alone", least)
            for name in names
            for least in [least_s.get(name, _SETTINGS.scan_s)]
        ),
        *(
            _figure(f"{name}_writes", "1/min", 2.0 * renewals, [r.writes[name] for r in runs], "renewals", renewals)
            for name in ("rest", *names)
        ),
        *(
            _figure(f"{name}_reads", "units/min", looks, [r.read_units[name] for r in runs], "a look in 20 s", looks)
            for name in ("rest", *names)
        ),
    ]


def _figure(
    name: str, unit: str, target: float, values: Sequence[float], baseline: str, baseline_value: float
) -> Figure:
    return Figure(
        name=name,
        unit=unit,
        better="lower",
        target=target,
        values=values,
        baseline=baseline,
        baseline_values=[baseline_value],
    )


def measure(seed: int, *, workers: int = WORKERS, shards: int = SHARDS) -> Measured:
    """A cold start, half of the workers killed, as many new ones, every shard split in two. Raises LawBroken."""
    found = Measured()
    with simulated_fleet(shards=shards, page=100, trails=0, knows_better=False, seed=seed, settings=_SETTINGS) as fleet:
        for _ in range(workers):
            fleet.start()
        _balance(fleet, "cold_start", found)
        fleet.run(_SETTINGS.failover_s)  # what was in motion comes to rest
        before = Counter(fleet.calls)
        fleet.run(_REST_S)
        _note(fleet, "rest", before, _REST_S, found)
        for worker in fleet.workers[: workers // 2]:
            fleet.kill(worker)
        _balance(fleet, "half_lost", found)
        for _ in range(workers // 2):
            fleet.start()
        _balance(fleet, "as_many_new", found)
        for number in range(shards):
            fleet.stream.split(2 * number)  # `where` counts open shards: the children of those before are among them
        _balance(fleet, "shards_doubled", found)
    return found


def _balance(fleet: Fleet, what: str, found: Measured) -> None:
    before, took_s = Counter(fleet.calls), 0.0
    while (unrest := fleet.unrest()) is not None:
        if took_s >= _GIVE_UP_S:
            raise RuntimeError(f"{what}: not balanced after {_GIVE_UP_S:g} s: {unrest}")
        fleet.run(_STEP_S)
        took_s += _STEP_S
    found.seconds[what] = took_s
    _note(fleet, what, before, took_s, found)


def _note(fleet: Fleet, what: str, before: Counter[str], seconds: float, found: Measured) -> None:
    calls = fleet.calls - before
    looks = sum(calls[name] for name in _READS)
    a_minute = 60.0 / max(seconds, _STEP_S)
    units = math.ceil(len(fleet.table.read_all()) * _ROW_BYTES / _UNIT_BYTES)
    found.writes[what] = (calls.total() - looks) * a_minute
    found.read_units[what] = looks * units * a_minute
