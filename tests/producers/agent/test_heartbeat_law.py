"""Whatever happens to files, stream and agent: a heartbeat is true, and comes after what it vouches for."""

import contextlib
import gzip
import random
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contract.heartbeat import Heartbeat
from producers.agent.agent import Agent
from producers.agent.files import is_same_file
from producers.agent.pack import Packed
from producers.agent.state import Kind, read_ledger
from producers.agent.testing import FakeStream, Fault, agent_on, is_heartbeat, original_of
from producers.agent.testing_shards import FakeShards
from runtime.effects import Effect, no_effect
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit

NAMES = ("a", "b")


class Event(NamedTuple):
    """What happens at one moment: before an effect of the agent, or while it waits."""

    what: Literal["nothing", "append", "rename", "delete", "truncate", "compress", "crash", "stop", "time"]
    name: str = "a"
    content: bytes = b""
    seconds: float = 0.0


PIECES = st.lists(st.sampled_from([b"\n", b"x", b"\xff", b'{"n":1}\n', b"y\n" * 300]), min_size=1, max_size=4)
APPENDS = st.builds(Event, st.just("append"), st.sampled_from(NAMES), PIECES.map(b"".join))
EVENTS = st.one_of(
    st.builds(Event, st.sampled_from(["nothing", "nothing", "crash", "stop"])),
    st.builds(Event, st.sampled_from(["rename", "delete", "truncate", "compress"]), st.sampled_from(NAMES)),
    APPENDS,
    st.builds(Event, st.just("time"), seconds=st.sampled_from([5.0, 15.0, 70.0, 310.0])),
)


def split(content: bytes) -> tuple[bytes, bytes]:
    return content[: len(content) // 2], content[len(content) // 2 :]


class Crash(Exception):
    """The process ends here."""


class World:
    """Files with their histories, and an agent that the events happen to."""

    def __init__(
        self,
        folder: Path,
        faults: list[Fault],
        events: list[Event],
        *,
        kind: Kind = "order",
        reshard_after: list[int] | None,
    ) -> None:
        """`reshard_after` None: over a plain stream; else over one that takes aggregates."""
        self.folder = folder
        self.kind = kind
        self.clock = ManualClock()
        rng = random.Random(0)
        self.stream = (
            FakeStream(faults, rng=rng, effect=self.effect)
            if reshard_after is None
            else FakeShards(faults, clock=self.clock, reshard_after=reshard_after, rng=rng, effect=self.effect)
        )
        self.contents: dict[str, bytes] = {}  # of the files that are there, by name
        self.past: list[bytes] = []  # of those that are not, or not as they were
        self.surely_read: list[bytes] = []  # of those, what the agent's state on disk says it has read to its end
        self._events = iter(events)
        self._generation = 0
        self._left = len(events)
        self._stopped = False
        self._unfinished: Callable[[], None] = lambda: None  # of a compression
        self._changes = {
            "rename": self.rename,
            "delete": self.delete,
            "truncate": self.truncate,
            "compress": self.compress,
        }
        (folder / "spool").mkdir()

    @property
    def is_over(self) -> bool:
        return self._left <= 0

    def is_set(self) -> bool:
        """As the agent's Stop."""
        return self.is_over or self._stopped

    def wait(self, timeout: float) -> bool:
        """As the agent's Stop."""
        self.clock.advance(timeout)
        self.happen()
        return self.is_set()

    def effect(self, _: str) -> None:
        self.happen()

    def happen(self) -> None:
        self._left -= 1
        self.finish()
        event = next(self._events, Event("nothing"))
        if event.what == "crash":
            raise Crash
        if event.what == "stop":
            self._stopped = True
        elif event.what == "time":
            self.clock.advance(event.seconds)
        elif event.what == "append":
            self.append(event.name, event.content)
        elif event.name in self.contents and event.what in self._changes:
            self._changes[event.what](event.name)

    def append(self, name: str, content: bytes) -> None:
        if name not in self.contents:
            self._generation += 1
            content = b"%d\n" % self._generation + content  # no two files begin alike
        self.contents[name] = self.contents.get(name, b"") + content
        with self.path(name).open("ab") as file:
            file.write(content)

    def rename(self, name: str) -> None:
        self._generation += 1
        rotated = f"{name}-{self._generation}"
        self.path(name).rename(self.path(rotated))
        self.contents[rotated] = self.contents.pop(name)

    def delete(self, name: str) -> None:
        self._bury(name)
        self.path(name).unlink()

    def truncate(self, name: str) -> None:
        self._bury(name)
        self.path(name).write_bytes(b"")

    def compress(self, name: str) -> None:
        """As gzip does it: the new file grows, then the old one goes. The second half happens at the next moment."""
        self._generation += 1
        compressed, old = f"{name}-{self._generation}.gz", self.path(name)
        half, rest = split(gzip.compress(self.contents[name], mtime=0))
        self.path(compressed).write_bytes(half)
        self.contents[compressed] = self.contents.pop(name)
        moved = old.rename(self.path(f"{name}-{self._generation}"))  # rotation comes first

        def finish() -> None:
            with self.path(compressed).open("ab") as file:
                file.write(rest)
            moved.unlink()

        self._unfinished = finish

    def finish(self) -> None:
        self._unfinished()
        self._unfinished = lambda: None

    def _bury(self, name: str) -> None:
        content, inode = self.contents.pop(name), self.path(name).stat().st_ino
        self.past.append(content)
        if not (self.folder / "state").exists():
            return
        for record in read_ledger(self.folder / "state", self.kind).files:
            is_this = record.inode == inode and not record.is_over and is_same_file(record, len(content), content)
            if is_this and record.is_read and record.size == len(content):
                self.surely_read.append(content)

    def path(self, name: str) -> Path:
        return self.folder / "spool" / (f"{name[:-3]}.ndjson.gz" if name.endswith(".gz") else f"{name}.ndjson")

    def agent(self, effect: Effect = no_effect) -> Agent:
        """As after a start of the process."""
        globs = [f"{self.folder}/spool/*.ndjson", f"{self.folder}/spool/*.gz"]
        return agent_on(self.folder, self.stream, self.clock, effect=effect, kind=self.kind, globs=globs)[0]

    def run(self) -> None:
        """The agent, started again after each of its ends, until nothing more happens; then it drains the spool."""
        while not self.is_over:
            self._stopped = False
            with contextlib.suppress(Crash):
                self.agent(self.effect).run(self)
        self.stream._effect = lambda _: None
        self.finish()
        assert self.agent().run(StopAfter(10_000, self.clock), once=True)


def lines_before(stored: dict[int, bytes], end: int) -> Iterator[bytes]:
    offset = 0
    while offset < end:
        line = stored[offset]  # KeyError: a heartbeat came before a line that it vouches for
        yield line
        offset += len(line) + 1
    assert offset == end


def assert_true(stream: FakeStream, contents: list[bytes]) -> dict[str, Heartbeat]:
    """Each heartbeat as it came, against the lines that came before it. Returns each file's newest with its offset."""
    stored: dict[str, dict[int, bytes]] = {}
    last: dict[str, Heartbeat] = {}
    for record in stream.stored:
        if not is_heartbeat(record.data):
            take_line(stored, record)
            continue
        beat = msgspec.json.decode(record.data, type=Heartbeat)
        lines = list(lines_before(stored[beat.sp.f], beat.sp.o))
        assert (beat.lines, beat.bytes) == (len(lines), sum(map(len, lines)))
        assert beat.crc_sum == sum(map(zlib.crc32, lines))
        (content,) = (content for content in contents if content.startswith(lines[0] + b"\n"))
        assert content.startswith(b"".join(line + b"\n" for line in lines))
        assert beat.sp.o <= beat.size <= len(content)
        assert not beat.final or beat.sp.o == content.rfind(b"\n", 0, beat.size) + 1
        if beat.sp.f not in last or last[beat.sp.f].sp.o <= beat.sp.o:
            last[beat.sp.f] = beat
    return last


def take_line(stored: dict[str, dict[int, bytes]], record: Packed) -> None:
    stamp, line = original_of(record.data)
    assert line is not None
    assert stored.setdefault(stamp.f, {}).setdefault(stamp.o, line) == line


def assert_complete(world: World, last: dict[str, Heartbeat]) -> None:
    """What is there after a drain, and what had surely been read before it went, has a final heartbeat of all of it."""
    ends = {(beat.sp.o, beat.size, beat.crc_sum) for beat in last.values() if beat.final}
    for content in [*world.contents.values(), *world.surely_read]:
        *lines, _ = content.split(b"\n")
        if lines:
            assert (content.rfind(b"\n") + 1, len(content), sum(map(zlib.crc32, lines))) in ends
    state = read_ledger(world.folder / "state", world.kind)
    assert all(not record.is_over and record.said == record.standing(is_finished=True) for record in state.files)


def assert_known_again(stream: FakeStream) -> None:
    """Whatever became of a file, none of its lines came under two ids: no two files begin alike."""
    begin = {}
    for record in stream.lines:
        stamp, line = original_of(record.data)
        if stamp.o == 0:
            assert begin.setdefault(line, stamp.f) == stamp.f


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    first=st.lists(APPENDS, min_size=1, max_size=3),
    events=st.lists(EVENTS, max_size=60),
    faults=st.lists(st.sampled_from(Fault), max_size=20),
    kind=st.sampled_from(["order", "access"]),
    reshard_after=st.none() | st.lists(st.integers(1, 12), max_size=3),
)
@example(
    first=[Event("append", "a", b"y\n" * 600)],
    events=[Event("nothing")] * 8 + [Event("time", seconds=310.0)] * 2 + [Event("delete", "a"), Event("crash")],
    faults=[Fault.NONE, Fault.DROP_ANSWER],
    kind="order",
    reshard_after=None,
)
def test_a_heartbeat_is_true_and_comes_after_its_lines(
    first: list[Event], events: list[Event], faults: list[Fault], kind: Kind, reshard_after: list[int] | None
) -> None:
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name), faults, [*events], kind=kind, reshard_after=reshard_after)
        for event in first:
            world.append(event.name, event.content)
        world.run()
        last = assert_true(world.stream, [*world.past, *world.contents.values()])
        assert all(beat.kind == kind for beat in last.values())
        assert_complete(world, last)
        assert_known_again(world.stream)
