"""The end of the world before each effect of cold, and two workers that do not know of each other."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.cold import ColdPath, Limits
from consumers.cold_testing import ColdBench, access_line
from consumers.delivery import Backpressure, Batch, Position, Record
from consumers.stages.judge import Judge
from consumers.stages.testing import SHARD, access_judge, batch, encoded, enveloped, heartbeat, judge, order
from runtime.effects import Effect, no_effect
from runtime.objects.testing import Fault
from runtime.outage import Outage

pytestmark = pytest.mark.unit

LIMITS = Limits(nbytes=1 << 20, records=8, parts=64, age_s=20.0)
CONTENTS = [
    msgspec.json.encode(heartbeat(lines=n))
    if n % 10 == 9
    else encoded(order(event_id=f"e-{n}", total=1 if n % 7 == 3 else 2025), offset=n)
    for n in range(1, 31)
]
RECORDS: Sequence[Record] = batch(CONTENTS).records
ACCESS_CONTENTS = [
    msgspec.json.encode(heartbeat(kind="access", lines=n))
    if n % 10 == 9
    else enveloped(b"no line of a server", kind="access", offset=n)
    if n % 7 == 3
    else access_line(n)
    for n in range(1, 31)
]


TABLES = ("orders", "lines", "hits", "letters", "account")


class Death(BaseException):
    """The process is gone: nothing in it may catch this."""


class Worker:
    """A process that reads the shard from where its path says."""

    def __init__(
        self, bench: ColdBench, name: str, effect: Effect = no_effect, *, records: Sequence[Record] = RECORDS
    ) -> None:
        self.path: ColdPath = bench.path(worker=name, effect=effect)
        self._records = records
        self._read = 0
        self._has_resumed = False

    def _resume(self) -> None:
        if not self._has_resumed:
            end = self.path.resume(None)
            self._read = 0 if end is None else end.sequence
            self._has_resumed = True

    def take(self, count: int) -> None:
        """Offer the next records; after Backpressure the same ones, as a source does."""
        self._resume()
        if offered := self._records[self._read : self._read + count]:
            self.path.accept(Batch(shard=SHARD, records=offered))
            self._read += len(offered)

    def settle(self) -> None:
        self._resume()
        self.path.settle()

    def run(self, together: int) -> Position | None:
        """To the end of the shard."""
        self._resume()
        while self._read < len(self._records):
            self.take(together)
        return self.path.settle()


def contents_of(bench: ColdBench) -> dict[str, Any]:
    """What counts, without what differs from run to run."""
    bench.chained.check()
    return {
        "originals": [(record.position, record.data) for record in bench.chained.originals()],
        "letters": [(record.position, record.reasons) for record in bench.chained.letters()],
        **{name: bench.chained.rows(name) for name in TABLES},
    }


def run_with_a_rival(bench: ColdBench, effect: Effect, records: Sequence[Record]) -> None:
    """Read all, while another worker's first span comes between this one's objects and its manifest."""
    rival = Worker(bench, "rival", records=records)
    rival.take(5)
    is_first = True

    def before(name: str) -> None:
        nonlocal is_first
        effect(name)
        if name.startswith("append") and is_first:
            is_first = False
            rival.settle()

    Worker(bench, "w-1", before, records=records).run(4)


def effects_of(run: Callable[[Effect], None]) -> list[str]:
    names: list[str] = []
    run(names.append)
    return names


def dying_at(number: int) -> Effect:
    left = number

    def effect(_: str) -> None:
        nonlocal left
        if left == 0:
            raise Death
        left -= 1

    return effect


@pytest.mark.parametrize(
    ("judge", "contents", "rows"), [(judge(), CONTENTS, "orders"), (access_judge(), ACCESS_CONTENTS, "hits")]
)
def test_a_crash_before_any_effect_changes_nothing_of_what_counts(
    judge: Judge, contents: list[bytes], rows: str, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed, records = ColdBench(limits=LIMITS, judge=judge), batch(contents).records
    names = effects_of(lambda effect: run_with_a_rival(undisturbed, effect, records))
    expected = contents_of(undisturbed)
    assert [record for _, record in expected["originals"]] == contents
    assert (len(expected[rows]), len(expected["letters"]), len(expected["account"])) == (23, 4, 3)
    assert {name.split()[0] for name in names} == {"put", "append", "delete"}
    crashes = 0
    for first in range(len(names) + 1):
        bench = ColdBench(limits=LIMITS, judge=judge)
        with suppress(Death):
            run_with_a_rival(bench, dying_at(first), records)
        for second in range(0, 12, 4):  # its successor dies as well, at its start or in its first spans
            with suppress(Death):
                Worker(bench, "w-2", dying_at(second), records=records).run(4)
            crashes += 1
        last = Worker(bench, "w-3", records=records).run(4)
        assert last in (Position(len(records)), bench.path().resume(None))
        assert contents_of(bench) == expected, (first, names[first - 1 : first + 1])
    with capsys.disabled():
        print(f"\ncold, {rows}: {len(names)} effects, {crashes} pairs of crashes")


actions = st.tuples(
    st.sampled_from(["take", "take", "take", "settle", "tick", "restart"]), st.integers(0, 1), st.integers(1, 9)
)
faults = st.sampled_from([None] * 8 + [Fault.BEFORE, Fault.AFTER, Fault.SLOW_DOWN])


@settings(deadline=None)
@given(st.lists(actions, max_size=25), st.lists(st.tuples(st.booleans(), actions), max_size=12), st.lists(faults))
def test_two_workers_on_one_shard_write_every_record_once(
    script: list[tuple[str, int, int]], between: list[tuple[bool, tuple[str, int, int]]], met: list[Fault | None]
) -> None:
    """`between` happens between the effects of whichever works, done by the other one."""
    bench = ColdBench(limits=LIMITS)
    bench.next_faults(*met)
    running: list[int] = []
    workers: list[Worker] = []

    def act(action: str, who: int, count: int) -> None:
        running.append(who)
        worker = workers[who]
        with suppress(Backpressure, Outage):  # the latter where reading begins
            if action == "take":
                worker.take(count)
            elif action == "settle":
                worker.settle()
            elif action == "tick":
                bench.clock.advance(7.0)
                worker.path.tick()
        if action == "restart":
            workers[who] = start(who)
        running.pop()

    def interrupt(_: str) -> None:
        if between and len(running) == 1:
            does, (action, _, count) = between.pop(0)
            if does:
                act(action, 1 - running[0], count)

    def start(who: int) -> Worker:
        return Worker(bench, f"w-{who}", interrupt)

    workers += [start(0), start(1)]
    for action, who, count in script:
        act(action, who, count)
    bench.fail(None)
    Worker(bench, "last").run(7)
    bench.chained.check()
    assert [(record.position, record.data) for record in bench.chained.originals()] == [
        (record.position, record.data) for record in RECORDS
    ]
    manifests = bench.chained.manifests
    assert [manifest.previous for manifest in manifests] == [0, *(manifest.last for manifest in manifests[:-1])]
