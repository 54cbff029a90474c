"""Workers that stand by while an operator wishes it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from consumers.delivery import Path, Shard
from consumers.fleet.standby import StandbySource
from consumers.fleet.testing import InMemoryWishes
from consumers.fleet.wishes import EVERYONE
from consumers.sources.kinesis.source import ShardStatus
from consumers.sources.testing import ScriptedPath
from runtime.clock import SystemClock

pytestmark = pytest.mark.unit

LOOK_S = 0.02
PATIENCE_S = 10.0


class Worker:
    """Runs until told to stop."""

    def __init__(self, worker_id: str, ended: Exception | None = None) -> None:
        self.worker_id = worker_id
        self.reads, self.released = threading.Event(), threading.Event()
        self._ended = ended

    def run(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> None:
        self.reads.set()
        if self._ended is not None:
            raise self._ended
        stop.wait()
        self.released.set()

    def status(self) -> Sequence[ShardStatus]:
        return [ShardStatus(shard_id="s-0", owner=self.worker_id, durable=None)]


class Process:
    """A source under test, and the workers that it has made."""

    def __init__(self) -> None:
        self.wishes = InMemoryWishes()
        self.workers: list[Worker] = []
        self.made = threading.Semaphore(0)
        self.failure: Exception | None = None
        self.source = StandbySource(self._make, self.wishes, SystemClock(), name="app", look_s=LOOK_S)
        self.stop = threading.Event()

    def _make(self) -> Worker:
        self.workers.append(Worker(f"host-{len(self.workers)}", self.failure))
        self.made.release()
        return self.workers[-1]

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.source.run, args=(lambda shard: ScriptedPath(), self.stop))
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@pytest.fixture
def process() -> Process:
    return Process()


def test_without_a_wish_it_reads_until_it_is_stopped(process: Process) -> None:
    with process.running():
        assert process.workers[0].reads.wait(PATIENCE_S)
    assert process.workers[0].released.is_set()
    assert len(process.workers) == 1


@pytest.mark.parametrize("who", [EVERYONE, "host-0"])
def test_a_wish_releases_and_its_end_reads_again_under_a_new_name(process: Process, who: str) -> None:
    assert process.made.acquire(timeout=PATIENCE_S)
    with process.running():
        assert process.workers[0].reads.wait(PATIENCE_S)
        process.wishes.add(who)
        assert process.workers[0].released.wait(PATIENCE_S)
        assert not process.made.acquire(timeout=10 * LOOK_S)  # the process stands by
        assert process.source.status() == []
        process.wishes.withdraw()
        assert process.made.acquire(timeout=PATIENCE_S)
        assert process.workers[1].reads.wait(PATIENCE_S)
        assert process.source.worker_id == process.source.status()[0].owner == "host-1"


def test_a_process_that_is_started_while_the_wish_stands_does_not_begin(process: Process) -> None:
    process.wishes.add(EVERYONE)
    with process.running():
        assert not process.workers[0].reads.wait(10 * LOOK_S)
    assert len(process.workers) == 1


def test_a_wish_for_another_worker_is_none(process: Process) -> None:
    process.wishes.add("host-7")
    with process.running():
        assert process.workers[0].reads.wait(PATIENCE_S)
        assert not process.workers[0].released.wait(10 * LOOK_S)


def test_an_outage_neither_makes_a_wish_nor_ends_one(process: Process) -> None:
    assert process.made.acquire(timeout=PATIENCE_S)
    process.wishes.away = True
    with process.running():
        assert process.workers[0].reads.wait(PATIENCE_S)
        assert not process.workers[0].released.wait(10 * LOOK_S)
        process.wishes.away = False
        process.wishes.add(EVERYONE)
        assert process.workers[0].released.wait(PATIENCE_S)
        process.wishes.away = True
        assert not process.made.acquire(timeout=10 * LOOK_S)
        process.wishes.away = False
        process.wishes.withdraw()
        assert process.made.acquire(timeout=PATIENCE_S)


def test_a_question_that_hangs_holds_up_no_stop(process: Process) -> None:
    hangs, over = threading.Event(), threading.Event()

    def hang() -> frozenset[str]:
        hangs.set()
        over.wait(PATIENCE_S)
        return frozenset()

    with process.running():
        assert process.workers[0].reads.wait(PATIENCE_S)
        process.wishes.read = hang  # type: ignore[method-assign]
        assert hangs.wait(PATIENCE_S)
    assert process.workers[0].released.is_set()
    over.set()


def test_what_ends_a_worker_ends_the_process() -> None:
    class Broken(Process):
        def __init__(self) -> None:
            super().__init__()
            self.workers[0]._ended = RuntimeError("no such stream")

    process = Broken()
    with pytest.raises(RuntimeError, match="no such stream"):
        process.source.run(lambda shard: ScriptedPath(), process.stop)
