"""A stream that misbehaves in every way that a real one does, and the way back to the line."""

import base64
import itertools
import random
import secrets
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from pathlib import Path

import msgspec

from contract.heartbeat import Heartbeat
from contract.stamp import Stamp
from producers.agent.agent import Agent, Drain
from producers.agent.batch import Host
from producers.agent.globs import Glob
from producers.agent.heartbeats import Heartbeats, Rhythm
from producers.agent.meter import Meter
from producers.agent.pack import Packed
from producers.agent.put import ONE_REQUEST, Limits, Sender, Stream
from producers.agent.spool import SUFFIX, Spool
from producers.agent.state import Kind, State
from runtime.effects import Effect, no_effect
from runtime.outage import Outage, Stop
from runtime.testing import ManualClock


class Fault(Enum):
    """What may happen to one request."""

    NONE = auto()
    THROTTLE_SOME = auto()
    THROTTLE_ALL = auto()
    REFUSE = auto()  # an error, nothing stored
    DROP_ANSWER = auto()  # all stored, then a timeout
    DROP_ANSWER_OF_SOME = auto()  # some stored, then a timeout


class FakeStream:
    """Stores records in memory, in the order in which it takes them; after the faults given it is well."""

    limits: Limits = ONE_REQUEST

    def __init__(
        self,
        faults: Iterable[Fault] = (),
        *,
        down_for: int = 0,
        rng: random.Random | None = None,
        effect: Effect = no_effect,
    ) -> None:
        """The n-th request meets the n-th fault; the first `down_for` checks fail. `effect` is told `put`, `stored`."""
        self.stored: list[Packed] = []
        self.requests: list[int] = []  # entries in each
        self._faults: Iterator[Fault] = itertools.chain(faults, itertools.repeat(Fault.NONE))
        self._down_for = down_for
        self._rng = rng or random.Random(0)
        self._effect = effect

    @property
    def lines(self) -> list[Packed]:
        """What is stored but heartbeats."""
        return [record for record in self.stored if not is_heartbeat(record.data)]

    @property
    def heartbeats(self) -> list[Heartbeat]:
        """As stored, in order."""
        return [msgspec.json.decode(record.data, type=Heartbeat) for record in self.stored if is_heartbeat(record.data)]

    def check(self) -> None:
        self._down_for -= 1
        if self._down_for >= 0:
            raise Outage("no connection")

    def put(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        assert 1 <= len(batch) <= self.limits.lines
        assert sum(len(line.data) + len(line.key) for line in batch) <= self.limits.bytes
        return self.answer([[line] for line in batch])

    def close(self) -> None:
        pass

    def answer(self, entries: Sequence[Sequence[Packed]]) -> list[str | None]:
        """One request, and its fault. Each entry is stored as a whole or not at all; the codes of entries."""
        self._effect("put")
        self.requests.append(len(entries))
        fault = next(self._faults)
        some = {Fault.THROTTLE_SOME, Fault.DROP_ANSWER_OF_SOME}
        none = {Fault.THROTTLE_ALL, Fault.REFUSE}
        taken = self.some_of(entries) if fault in some else [fault not in none] * len(entries)
        self.keep([line for lines, is_taken in zip(entries, taken, strict=True) if is_taken for line in lines])
        self._effect("stored")
        if fault in (Fault.REFUSE, Fault.DROP_ANSWER, Fault.DROP_ANSWER_OF_SOME):
            raise Outage("no answer")
        return [None if is_taken else "ProvisionedThroughputExceededException" for is_taken in taken]

    def some_of(self, entries: Sequence[Sequence[Packed]]) -> list[bool]:
        """Which entries are stored where not all are."""
        return [self._rng.random() < 0.5 for _ in entries]

    def keep(self, records: Sequence[Packed]) -> None:
        """Store them, in this order."""
        self.stored += records


RHYTHM = Rhythm(moved_s=10.0, idle_s=60.0, final_after_s=300.0)


def agent_on(
    folder: Path,
    stream: Stream,
    clock: ManualClock,
    *,
    effect: Effect = no_effect,
    seed: int = 0,
    rhythm: Rhythm = RHYTHM,
    kind: Kind = "order",
    globs: Sequence[str] = (),
) -> tuple[Agent, State]:
    """An agent on `folder`/spool, or on `globs`, with its state in `folder`/state, as after a start of the process."""
    for name in ("spool", "state"):
        (folder / name).mkdir(exist_ok=True)
    state = State(folder / "state", kind=kind, effect=effect)
    host = Host(name="web-1", instance="i-1")
    spool = Spool(
        [Glob.of(glob) for glob in globs or [f"{folder}/spool/*{SUFFIX}"]],
        state,
        kind=kind,
        host=host,
        limits=stream.limits,
        clock=clock,
        token=lambda: secrets.token_hex(8),
    )
    sender = Sender(stream, rng=random.Random(seed), clock=clock, start_patience_s=60.0)
    heartbeats = Heartbeats(spool=spool, state=state, sender=sender, host=host, clock=clock, rhythm=rhythm)
    agent = Agent(
        spool=spool,
        state=state,
        sender=sender,
        heartbeats=heartbeats,
        meter=Meter(clock),
        drain=Drain(),
        clock=clock,
        poll_s=0.03,
        state_every_s=0.2,
    )
    return agent, state


class _Stamped(msgspec.Struct):
    stamp: Stamp = msgspec.field(name="_sp")


class _Envelope(msgspec.Struct):
    line: str | None = None
    line_b64: str | None = None
    oversize: dict[str, int | str] | None = None


def is_heartbeat(data: bytes) -> bool:
    """Whether a record speaks of lines instead of carrying one: its stamp says so, whatever type a line claims."""
    return msgspec.json.decode(data, type=_Stamped).stamp.k == "heartbeat"


def original_of(data: bytes) -> tuple[Stamp, bytes | None]:
    """The stamp of a record and the line that it carries, byte for byte; None for a line that stayed on its host."""
    stamp = msgspec.json.decode(data, type=_Stamped).stamp
    if data.startswith(b'{"_sp":'):
        envelope = msgspec.json.decode(data, type=_Envelope)
        if envelope.line is not None:
            return stamp, envelope.line.encode()
        if envelope.line_b64 is not None:
            return stamp, base64.b64decode(envelope.line_b64)
        if envelope.oversize is not None:
            return stamp, None
    # The last one: whatever looks like it inside a text of the stamp has its quotes escaped.
    begin = data.rindex(b'"_sp":')
    end = len(data.rstrip(b" \t\r")) - 1
    return stamp, data[:begin].removesuffix(b",") + data[end:]
