"""One answer ahead while the path works, in bounded memory, and no thread left behind."""

import threading

import pytest

from consumers.sources.kinesis.allowance import Allowance
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.prefetch import Prefetch
from consumers.sources.kinesis.stream import BYTES_PER_READ, Answer, Throttled
from consumers.sources.kinesis.testing import fixed_random
from runtime.outage import Outage

pytestmark = pytest.mark.unit

SIZE = 1 << 20


class Numbers:
    """An intake whose answers count; each read may be held up, and told about."""

    def __init__(self) -> None:
        self.reads = 0
        self.began = threading.Semaphore(0)
        self.may_go = threading.Event()
        self.may_go.set()
        self.trouble: list[Exception] = []
        self.threads: list[str] = []
        self.due_s = 0.0
        self.is_closed = False

    def begin(self, start: Checkpoint) -> None:
        self.reads = 0

    def take(self) -> Answer | None:
        self.threads.append(threading.current_thread().name)
        self.began.release()
        assert self.may_go.wait(10)
        if self.trouble:
            raise self.trouble.pop()
        self.reads += 1
        return Answer(records=[], next_iterator="next", millis_behind=self.reads, nbytes=SIZE)

    def ahead(self) -> None:
        raise AssertionError

    def wait_s(self) -> float:
        return self.due_s

    def close(self) -> None:
        self.is_closed = True


class Rig:
    def __init__(self, limit: int = 100 << 20) -> None:
        self.allowance = Allowance(limit)
        self.numbers = Numbers()
        self.prefetch = Prefetch(self.numbers, self.allowance, name="ahead")

    def number(self) -> int:
        answer = self.prefetch.take()
        assert answer
        return answer.millis_behind


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_without_a_busy_reader_no_thread_is_made(rig: Rig) -> None:
    assert [rig.number(), rig.number()] == [1, 2]
    assert "ahead" not in rig.numbers.threads
    rig.prefetch.close()


def test_one_answer_is_read_while_the_reader_is_busy_and_not_a_second_one(rig: Rig) -> None:
    assert rig.number() == 1
    rig.numbers.began.acquire()
    rig.prefetch.ahead()
    assert rig.numbers.began.acquire(timeout=10)
    rig.prefetch.ahead()
    assert not rig.numbers.began.acquire(timeout=0.05)
    assert rig.number() == 2
    rig.prefetch.close()
    assert rig.numbers.threads[1:] == ["ahead"]


def test_a_read_under_way_is_waited_for(rig: Rig) -> None:
    rig.numbers.may_go.clear()
    rig.prefetch.ahead()
    assert rig.numbers.began.acquire(timeout=10)
    threading.Timer(0.02, rig.numbers.may_go.set).start()
    assert rig.number() == 1
    rig.prefetch.close()


def test_a_read_that_is_not_due_yet_is_left_to_the_reader(rig: Rig) -> None:
    rig.numbers.due_s = 60.0
    rig.prefetch.ahead()
    assert rig.number() == 1
    assert rig.numbers.threads != ["ahead"]
    rig.prefetch.close()


@pytest.mark.parametrize("trouble", [Throttled("slower"), Outage("reset"), RuntimeError("a bug")])
def test_what_goes_wrong_ahead_is_raised_to_the_reader(rig: Rig, trouble: Exception) -> None:
    rig.numbers.trouble.append(trouble)
    rig.prefetch.ahead()
    assert rig.numbers.began.acquire(timeout=10)
    with pytest.raises(type(trouble)):
        rig.prefetch.take()
    assert rig.number() == 1
    assert rig.allowance.held_bytes == SIZE
    rig.prefetch.close()


def test_what_was_read_ahead_is_dropped_at_a_new_beginning(rig: Rig) -> None:
    rig.prefetch.ahead()
    assert rig.numbers.began.acquire(timeout=10)
    rig.prefetch.begin(TRIM_HORIZON)
    assert rig.allowance.held_bytes == 0
    assert rig.number() == 1
    rig.prefetch.close()


def test_memory_is_held_from_the_read_until_the_next_one_is_taken_and_none_at_the_end(rig: Rig) -> None:
    rig.number()
    assert rig.allowance.held_bytes == SIZE
    rig.numbers.began.acquire()
    rig.prefetch.ahead()
    assert rig.numbers.began.acquire(timeout=10)
    rig.number()
    assert rig.allowance.held_bytes == SIZE
    rig.prefetch.close()
    assert rig.allowance.held_bytes == 0
    assert rig.numbers.is_closed


def test_without_room_nothing_is_read_until_somebody_gives_back(rig: Rig) -> None:
    rig = Rig(limit=BYTES_PER_READ + SIZE)
    rig.allowance.take(2 * SIZE)
    assert rig.prefetch.take() is None
    assert 0 < rig.prefetch.wait_s() < 1
    rig.allowance.give_back(SIZE)
    assert rig.number() == 1
    rig.prefetch.close()


def test_a_slow_path_over_many_shards_never_takes_more_than_the_limit() -> None:
    limit = 3 * BYTES_PER_READ
    allowance, rng = Allowance(limit), fixed_random()
    shards = [Prefetch(Numbers(), allowance, name=f"ahead {number}") for number in range(8)]
    taken = 0
    while taken < 200:
        shard = rng.choice(shards)
        taken += shard.take() is not None
        shard.ahead()
    for shard in shards:
        shard.close()
    assert allowance.most_bytes <= limit
    assert allowance.held_bytes == 0


def test_the_thread_ends_with_the_shard(rig: Rig) -> None:
    rig.prefetch.ahead()
    rig.prefetch.close()
    rig.prefetch.close()
    rig.prefetch.ahead()
    assert "ahead" not in {thread.name for thread in threading.enumerate()}
