"""A shard from AWS's MultiLangDaemon as a source: the Java KCL leases, reads and opens aggregates; the path is ours.

The daemon starts one process a shard. What a path holds back is held back here by not answering: the daemon sends
nothing before it has the answer, and keeps renewing the lease meanwhile.
"""

import logging
import random
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from consumers.delivery import Backpressure, Batch, LeaseLost, Path, Position, Shard
from consumers.sources.kcl import protocol
from consumers.sources.kcl.protocol import Conversation, ProtocolError
from consumers.sources.kcl.wire import DaemonGone, Wire
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.source import ShardStatus
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Outage, Trouble

log = logging.getLogger(__name__)

T = TypeVar("T")

_OWNER = "the KCL"  # of the shard, as long as it is ours to read
_LOST = "ShutdownException"  # the daemon no longer has the lease
# DynamoDB throttles, or is away.
_PASSING = frozenset({"ThrottlingException", "KinesisClientLibDependencyException", "InvalidStateException"})


class _CheckpointFailed(Outage):
    """The daemon could not store it now."""


class KclSource:
    """One shard, for as long as the daemon has it.

    The checkpoint is only ever what the path called durable, and at most one is asked for per `checkpoint_s`.
    """

    def __init__(self, *, stream: str, wire: Wire, checkpoint_s: float, clock: Clock, rng: random.Random) -> None:
        self._stream = stream
        self._wire = wire
        self._checkpoint_s = checkpoint_s
        self._clock = clock
        self._rng = rng
        self._conversation = Conversation()
        self._shard: Shard | None = None
        self._path: Path | None = None
        self._is_over = False  # the shard is finished, or another's
        self._known: Position | None = None  # everything up to here is the path's already
        self._taken: Position | None = None  # last record that the path accepted
        self._durable: Position | None = None
        self._saved: Position | None = None
        self._next_save_s = 0.0  # monotonic
        self._millis_behind: int | None = None
        self._writing = Trouble("the path", clock)
        self._saving = Trouble("the checkpoint", clock)

    def run(self, open_path: Callable[[Shard], Path], stop: Event) -> None:
        """Read until the daemon hangs up. When to stop is for it to say: only then can a checkpoint be had.

        So `stop` ends nothing here. Raises ProtocolError, and what the path raises: the daemon sees its child gone,
        and ends too; nothing was promised.
        """
        try:
            while True:
                action = self._conversation.action(self._wire.receive())
                try:
                    self._act(action, open_path)
                except LeaseLost as lost:
                    log.warning("no more is read, without a checkpoint: %s", lost)
                    self._leave()  # what still comes belongs to another; the daemon will say so soon
                self._wire.send(protocol.status(action))
        except DaemonGone:
            log.info("the daemon hung up %s", self._conversation.state.value)

    @property
    def worker_id(self) -> str:
        """The owner in `status`: who leases the shard is the daemon's to know."""
        return _OWNER

    def status(self) -> list[ShardStatus]:
        """The shard, once the daemon has named it. Safe from any thread."""
        if self._shard is None:
            return []
        return [
            ShardStatus(
                shard_id=self._shard.shard_id,
                owner=None if self._is_over else _OWNER,
                taken=self._taken,
                durable=self._durable,
                millis_behind=self._millis_behind,
            )
        ]

    def _act(self, action: protocol.Action, open_path: Callable[[Shard], Path]) -> None:
        if isinstance(action, protocol.Initialize):
            self._begin(action, open_path)
        elif self._path is None:
            return  # lost: what is said now concerns nobody
        elif isinstance(action, protocol.ProcessRecords):
            self._take(self._path, action)
        elif isinstance(action, protocol.ShardEnded):
            self._end(self._path)
        elif isinstance(action, protocol.ShutdownRequested):
            self._stop(self._path)
        else:
            raise LeaseLost(f"{self._name} belongs to another worker")

    @property
    def _name(self) -> str:
        return self._shard.shard_id if self._shard else "a shard"

    def _begin(self, action: protocol.Initialize, open_path: Callable[[Shard], Path]) -> None:
        shard = self._shard = Shard(stream=self._stream, shard_id=action.shard_id)
        checkpoint = _checkpoint_of(action)
        path = self._path = self._patiently(lambda: open_path(shard))
        resume = self._patiently(lambda: path.resume(checkpoint))
        if checkpoint is not None and resume is not None and resume < checkpoint:
            raise ConfigError(
                f"{shard.shard_id}: the path has to read on after record {resume.sequence}, before the checkpoint"
                f" {checkpoint.sequence}; the KCL cannot go back: run it without --host kcl"
            )
        self._saved = checkpoint
        self._known = checkpoint if resume is None else resume
        self._note(resume)

    def _take(self, path: Path, action: protocol.ProcessRecords) -> None:
        """All of `action` is the path's when this returns."""
        assert self._shard
        self._millis_behind = action.millis_behind_latest
        records = protocol.records_of(action)
        if self._known is not None:
            records = [record for record in records if record.position > self._known]
        if records:
            batch = Batch(shard=self._shard, records=records)
            self._note(self._patiently(lambda: path.accept(batch)))
            self._taken = self._known = batch.end
        else:
            self._note(self._patiently(path.tick))
        if self._clock.monotonic() >= self._next_save_s:
            self._try_to_save()

    def _end(self, path: Path) -> None:
        """The shard is finished once the daemon has stored that: a lost checkpoint here would stop its children."""
        self._note(self._patiently(path.settle))
        if self._taken is not None and (self._durable is None or self._durable < self._taken):
            raise RuntimeError(f"the path settled at {self._durable}, but it had accepted {self._taken}")
        self._patiently(lambda: self._checkpoint(None))
        log.info("%s is finished", self._name)
        self._leave()

    def _stop(self, path: Path) -> None:
        """A path that cannot settle now costs a repetition: the successor starts further back."""
        try:
            self._note(path.settle())
        except (Backpressure, Outage) as trouble:
            log.warning("%s stops unsettled, its successor repeats what is open: %s", self._name, trouble)
        self._try_to_save()
        self._leave()

    def _leave(self) -> None:
        self._path, self._is_over = None, True

    def _patiently(self, step: Callable[[], T]) -> T:
        """What `step` returns, however long trouble that passes may take. Raises DaemonGone while it waits."""
        attempt = 0
        while True:
            try:
                done = step()
            except Backpressure as pressure:
                wait_s, why = pressure.wait_s, str(pressure)
            except Outage as outage:
                wait_s, why = full_jitter(attempt, self._rng), str(outage)
            else:
                self._writing.over()
                return done
            self._writing.goes_on(why)
            attempt += 1
            self._wire.wait(wait_s)

    def _note(self, durable: Position | None) -> None:
        if durable is not None and (self._durable is None or durable > self._durable):
            self._durable = durable

    def _try_to_save(self) -> None:
        """Checkpoint what is durable, if that is news. Raises LeaseLost."""
        # What the path has beyond the last record handed over, the daemon refuses: it never delivered that.
        position = None if self._durable is None or self._taken is None else min(self._durable, self._taken)
        if position is None or (self._saved is not None and position <= self._saved):
            return
        self._next_save_s = self._clock.monotonic() + self._checkpoint_s
        try:
            self._checkpoint(position)
        except _CheckpointFailed as failed:
            self._saving.goes_on(str(failed))
        else:
            self._saved = position
            self._saving.over()

    def _checkpoint(self, position: Position | None) -> None:
        """Raises LeaseLost, _CheckpointFailed, ProtocolError."""
        self._wire.send(protocol.checkpoint(position))
        error = self._conversation.checkpointed(self._wire.receive()).error
        if error == _LOST:
            raise LeaseLost(f"the daemon no longer has the lease of {self._name}")
        if error in _PASSING:
            raise _CheckpointFailed(f"the daemon could not store it: {error}")
        if error is not None:
            raise ProtocolError(f"the daemon refuses a checkpoint of {self._name} at {position}: {error}")


def _checkpoint_of(action: protocol.Initialize) -> Position | None:
    """The lease's; None for a sentinel. Raises ProtocolError."""
    if action.sequence_number is None:
        return None
    try:
        return Checkpoint.parse(action.sequence_number, action.sub_sequence_number or 0).position
    except ValueError as error:
        raise ProtocolError(str(error)) from None
