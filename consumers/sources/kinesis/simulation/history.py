"""Random histories of a fleet: what happens, in which order, and how Hypothesis draws it.

A history is a list of small steps whose numbers are taken modulo what is there: every list is a history, so that
Hypothesis can leave out any step and make any number smaller.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from consumers.sources.kinesis.simulation.fleet import Fleet, SimulatedWorker, simulated_fleet
from consumers.sources.kinesis.simulation.threads import scheduler

STEPS = 60
MOST_SHARDS = 16  # that take records at the same time
MOST_WORKERS = 6
_LARGEST = 15  # number of a step


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, and how long nothing else does afterwards."""

    action: str
    which: int
    how: int

    @property
    def lasts_s(self) -> float:
        return 0.3 + 0.4 * (self.how % 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How a fleet begins, and what it goes through."""

    shards: int
    workers: int
    page: int  # stream records an answer
    trails: int  # records that a path holds back
    knows_better: bool  # paths resume where their sink says
    seed: int  # of latencies and of the workers' own choices
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a history that broke no law came to."""

    records: int
    repeated: int
    shards: int
    takes: int
    rest_s: float  # from the end of all trouble to rest


def live_through(history: History) -> Outcome:
    """Raises LawBroken."""
    with simulated_fleet(
        shards=history.shards,
        page=history.page,
        trails=history.trails,
        knows_better=history.knows_better,
        seed=history.seed,
    ) as fleet:
        for _ in range(history.workers):
            fleet.start()
        for step in history.steps:
            _ACTIONS[step.action](fleet, step)
            fleet.run(step.lasts_s)
        rest_s = fleet.come_to_rest()
        fleet.stop()
        return Outcome(
            records=sum(len(log.positions) for log in fleet.stream.logs.values()),
            repeated=fleet.laws.repeated,
            shards=len(fleet.stream.logs),
            takes=fleet.laws.takes,
            rest_s=rest_s,
        )


def _nothing(fleet: Fleet, step: Step) -> None:
    pass


def _put(fleet: Fleet, step: Step) -> None:
    for number in range(1 + step.how % 4):
        fleet.stream.put(step.which + 3 * number, 1 + step.how % 6)


def _split(fleet: Fleet, step: Step) -> None:
    if len(fleet.stream.open_logs()) < MOST_SHARDS:
        fleet.stream.split(step.which)


def _merge(fleet: Fleet, step: Step) -> None:
    fleet.stream.merge(step.which)


def _start(fleet: Fleet, step: Step) -> None:
    if len(fleet.workers) < MOST_WORKERS:
        fleet.start()


def _trim(fleet: Fleet, step: Step) -> None:
    fleet.trim()


def _throttle(fleet: Fleet, step: Step) -> None:
    fleet.stream.throttle(step.which, 1.0 + step.how)


def _sink_away(fleet: Fleet, step: Step) -> None:
    fleet.sink.away_until_s = scheduler().now_s + 1.0 + step.how


def _all_cut_off(fleet: Fleet, step: Step) -> None:
    for worker in fleet.workers:
        worker.trouble.table_away_until_s = scheduler().now_s + 1.0 + step.how


def _of_a_worker(change: Callable[[Fleet, SimulatedWorker, int], None]) -> Callable[[Fleet, Step], None]:
    def act(fleet: Fleet, step: Step) -> None:
        if fleet.workers:
            change(fleet, fleet.workers[step.which % len(fleet.workers)], step.how)

    return act


def _pause(fleet: Fleet, worker: SimulatedWorker, how: int) -> None:
    worker.pause(1.0 + how)


def _stop(fleet: Fleet, worker: SimulatedWorker, how: int) -> None:
    worker.stop()


def _cut_table(fleet: Fleet, worker: SimulatedWorker, how: int) -> None:
    worker.trouble.table_away_until_s = scheduler().now_s + 1.0 + how


def _cut_stream(fleet: Fleet, worker: SimulatedWorker, how: int) -> None:
    worker.trouble.stream_away_until_s = scheduler().now_s + 1.0 + how


def _lose_answers(fleet: Fleet, worker: SimulatedWorker, how: int) -> None:
    worker.trouble.answers_to_lose = 1 + how % 4


def _stall(fleet: Fleet, worker: SimulatedWorker, how: int) -> None:
    worker.trouble.stalls.append((how % 2 == 1, 1.0 + how))


def _fail(fleet: Fleet, worker: SimulatedWorker, how: int) -> None:
    worker.failures_to_come = 1 + how % 2


def _set_clock(fleet: Fleet, worker: SimulatedWorker, how: int) -> None:
    worker.clock.skew_s += 4.0 * (how - _LARGEST // 2)


_ACTIONS: dict[str, Callable[[Fleet, Step], None]] = {
    "nothing": _nothing,  # first: what Hypothesis replaces a step by that plays no part
    "put": _put,
    "split": _split,
    "merge": _merge,
    "start": _start,
    "kill": _of_a_worker(lambda fleet, worker, how: fleet.kill(worker)),
    "stop": _of_a_worker(_stop),
    "pause": _of_a_worker(_pause),
    "lose answers": _of_a_worker(_lose_answers),
    "cut off from DynamoDB": _of_a_worker(_cut_table),
    "cut off from Kinesis": _of_a_worker(_cut_stream),
    "DynamoDB away": _all_cut_off,
    "stall": _of_a_worker(_stall),
    "sink away": _sink_away,
    "path fails": _of_a_worker(_fail),
    "trim": _trim,
    "throttle": _throttle,
    "set clock": _of_a_worker(_set_clock),
}
_OFTEN = {"put": 6, "split": 2, "start": 2, "sink away": 2, "pause": 2, "lose answers": 2, "stall": 2}

_numbers = st.integers(0, _LARGEST)
_steps = st.builds(
    Step, st.sampled_from([name for name in _ACTIONS for _ in range(_OFTEN.get(name, 1))]), _numbers, _numbers
)


def histories(steps: int = STEPS) -> st.SearchStrategy[History]:
    """Of `steps` steps, from a quiet beginning of one to eight shards."""
    return st.builds(
        History,
        shards=st.integers(1, 8),
        workers=st.integers(1, 3),
        page=st.sampled_from([4, 1, 2, 100]),
        trails=st.integers(0, 3),
        knows_better=st.booleans(),
        seed=st.integers(0, 2**16),
        steps=st.lists(_steps, min_size=steps, max_size=steps).map(tuple),
    )
