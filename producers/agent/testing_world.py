"""A world of files in which anything may happen to them, to the agent that follows them, and to its stream."""

import contextlib
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from hypothesis import strategies as st

from contract.heartbeat import Heartbeat
from producers.agent.agent import Agent
from producers.agent.files import is_same_file
from producers.agent.state import Kind, read_ledger
from producers.agent.testing import FakeStream, agent_on
from producers.agent.testing_laws import assert_checkpoints_acknowledged
from runtime.effects import Effect, no_effect
from runtime.testing import ManualClock, StopAfter

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
        events: list[Event],
        stream_of: Callable[[ManualClock, Effect], FakeStream],
        *,
        kind: Kind = "order",
    ) -> None:
        """`stream_of` makes the stream, whose effects are moments too."""
        self.folder = folder
        self.kind = kind
        self.clock = ManualClock()
        self.stream = stream_of(self.clock, self.effect)
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
            assert_checkpoints_acknowledged(self.folder, self.stream, self.kind)
        self.stream._effect = lambda _: None
        self.finish()
        assert self.agent().run(StopAfter(10_000, self.clock), once=True)


def assert_complete(world: World, last: dict[str, Heartbeat]) -> None:
    """What is there after a drain, and what had surely been read before it went, has a final heartbeat of all of it."""
    ends = {(beat.sp.o, beat.size, beat.crc_sum) for beat in last.values() if beat.final}
    for content in [*world.contents.values(), *world.surely_read]:
        *lines, _ = content.split(b"\n")
        if lines:
            assert (content.rfind(b"\n") + 1, len(content), sum(map(zlib.crc32, lines))) in ends
    state = read_ledger(world.folder / "state", world.kind)
    assert all(not record.is_over and record.said == record.standing(is_finished=True) for record in state.files)
