"""The streams of one data folder.

    streams/NAME.stream/stream.json          what the stream is; replaced as a whole
    streams/NAME.stream/shardId-....log      one log a shard

A stream appears and disappears by the renaming of its folder, so a crash leaves all of it or nothing.
"""

import logging
import shutil
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from infra.local.kinesis import sequence
from infra.local.kinesis.clock import Clock
from infra.local.kinesis.errors import KinesisError, StartError, in_use, internal, limit_exceeded, not_found
from infra.local.kinesis.on_demand import Meter, OnDemand, begun
from infra.local.kinesis.scaling import Range, Step, doubled, halved
from infra.local.kinesis.shards import Shard, ShardInfo, even
from infra.local.kinesis.subscription import Seat

log = logging.getLogger(__name__)

Mode = Literal["ON_DEMAND", "PROVISIONED"]
MOST_SHARDS = 1000  # of all streams together; ours, not AWS's: every shard holds a file open
_SUFFIX = ".stream"


class ConsumerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A registered consumer. `number`: what its ARN ends with, the second of its registration."""

    name: str
    created_ms: int
    number: int


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored about a stream, shards in order of their number."""

    name: str
    mode: Mode
    created_ms: int  # tells two streams of the same name apart
    shards: tuple[ShardInfo, ...]
    consumers: tuple[ConsumerInfo, ...] = ()
    last_consumer: int = 0  # the greatest number a consumer had
    on_demand: OnDemand | None = None
    scaled_ms: tuple[int, ...] = ()  # when UpdateShardCount was called in the last 24 hours
    switched_ms: tuple[int, ...] = ()  # when UpdateStreamMode was
    retention_h: int = 24  # as told; nothing is trimmed


class Stream:
    """An active stream: every shard's log is open."""

    def __init__(self, info: StreamInfo, folder: Path, now_ms: int, *, limits: bool) -> None:
        self.info = info
        self.folder = folder
        self._limits = limits
        self.meter = Meter()
        self._seats: dict[tuple[int, str], Seat] = {}  # by consumer's number and shard id
        self.shards = {shard.shard_id: Shard(shard, folder, now_ms, limits=limits) for shard in info.shards}
        self._note_takers()

    def _note_takers(self) -> None:
        takers = [shard for shard in self.shards.values() if shard.info.closed_ms is None]
        takers.sort(key=lambda shard: int(shard.info.starting_hash_key))
        self._takers = takers
        self._starts = [int(shard.info.starting_hash_key) for shard in takers]

    @property
    def open_shards(self) -> int:
        return len(self._takers)

    @property
    def open_ranges(self) -> list[Range]:
        """The hash keys of the open shards, in order."""
        return [shard.info.hash_range for shard in self._takers]

    def become(self, info: StreamInfo, now_ms: int, *, limits: bool) -> None:
        """Take over a description in which shards were closed and others added. Raises OSError with nothing changed."""
        added = [
            Shard(shard, self.folder, now_ms, limits=limits)
            for shard in info.shards
            if shard.shard_id not in self.shards
        ]
        _save(info, self.folder)
        self.info = info
        changed = [
            (self.shards[known.shard_id], known)
            for known in info.shards
            if known.shard_id in self.shards and self.shards[known.shard_id].info != known
        ]
        for shard, known in changed:
            shard.info = known
        self.shards |= {shard.shard_id: shard for shard in added}
        self._note_takers()
        for shard, _ in changed:
            shard.tell()

    def seat(self, consumer: ConsumerInfo, shard_id: str) -> Seat:
        """A consumer's claim to a shard."""
        return self._seats.setdefault((consumer.number, shard_id), Seat(limits=self._limits))

    def vacate(self, consumer: ConsumerInfo | None, error: KinesisError) -> None:
        """End the subscriptions of a consumer (None: of all) with an error that their clients meet."""
        for place in [place for place in self._seats if consumer is None or place[0] == consumer.number]:
            self._seats.pop(place).end(error)

    def ending_sequence(self, info: ShardInfo) -> str:
        """The number to close an open shard with: greater than any record's. One not opened yet has no records."""
        shard = self.shards.get(info.shard_id)
        return shard.next_sequence() if shard else sequence.number(info.sequence_prefix, 1)

    def children(self, shard_id: str) -> list[ShardInfo]:
        """The shards that took a closed one's hash keys."""
        return [info for info in self.info.shards if shard_id in (info.parent, info.adjacent_parent)]

    def route(self, hash_key: int) -> Shard:
        """The open shard that takes a hash key."""
        return self._takers[bisect_right(self._starts, hash_key) - 1]


class Streams:
    """All streams, by name."""

    def __init__(self, folder: Path, clock: Clock, *, limits: bool) -> None:
        """Open what the folder holds, making it if need be. Raises StartError if something there is damaged."""
        self._folder = folder / "streams"
        self._clock = clock
        self._limits = limits
        self._folder.mkdir(parents=True, exist_ok=True)
        self._streams: dict[str, Stream] = {}
        for entry in sorted(self._folder.iterdir()):
            if entry.suffix == _SUFFIX:
                stream = Stream(_load(entry, clock.now_ms()), entry, clock.now_ms(), limits=limits)
                self._streams[stream.info.name] = stream
            else:  # a stream half made or half deleted
                shutil.rmtree(entry, ignore_errors=True)
        self._newest_ms = max((stream.info.created_ms for stream in self), default=0)

    def __iter__(self) -> Iterator[Stream]:
        """In order of name."""
        return iter([self._streams[name] for name in sorted(self._streams)])

    def get(self, name: str, account_id: str) -> Stream:
        """The stream of that name. Raises ResourceNotFoundException."""
        try:
            return self._streams[name]
        except KeyError:
            raise not_found(f"Stream {name} under account {account_id} not found.") from None

    def create(self, name: str, mode: Mode, shard_count: int) -> None:
        """Make a stream. Raises ResourceInUseException, LimitExceededException, InternalFailure (disk full)."""
        if name in self._streams:
            raise in_use(f"Stream {name} already exists.")
        self._check_room(shard_count)
        self._newest_ms = now_ms = max(self._clock.now_ms(), self._newest_ms + 1)
        info = StreamInfo(
            name=name,
            mode=mode,
            created_ms=now_ms,
            shards=tuple(even(shard_count, now_ms)),
            on_demand=begun(shard_count, now_ms) if mode == "ON_DEMAND" else None,
        )
        making, folder = self._folder / f"{name}.new", self._folder / f"{name}{_SUFFIX}"
        try:
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            _save(info, making)
            making.rename(folder)
            self._streams[name] = Stream(info, folder, now_ms, limits=self._limits)
        except OSError as error:
            shutil.rmtree(making, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            raise internal(f"cannot store stream {name}: {error.strerror}") from error

    def reshard(self, stream: Stream, steps: Sequence[Step], **changes: object) -> None:
        """Close parents and open children, all of the steps or none, and store `changes` of other members with it.

        Raises LimitExceededException, InternalFailure.
        """
        self._check_room(sum(len(step.children) for step in steps))
        shards = {shard.shard_id: shard for shard in stream.info.shards}
        takers = {shard.hash_range: shard for shard in shards.values() if shard.closed_ms is None}
        for step in steps:
            parents = [takers.pop(each) for each in step.parents]
            # A child's numbers are greater than its parent's.
            now_ms = max(self._clock.now_ms(), *(parent.opened_ms + 1 for parent in parents))
            for parent in parents:
                shards[parent.shard_id] = msgspec.structs.replace(
                    parent, closed_ms=now_ms, ending_sequence=stream.ending_sequence(parent)
                )
            names: list[str | None] = [*(parent.shard_id for parent in parents), None]
            for start, end in step.children:
                child = ShardInfo(
                    number=len(shards),
                    starting_hash_key=str(start),
                    ending_hash_key=str(end),
                    opened_ms=now_ms,
                    parent=names[0],
                    adjacent_parent=names[1],
                )
                shards[child.shard_id] = takers[(start, end)] = child
        info = msgspec.structs.replace(stream.info, shards=tuple(shards.values()), **changes)
        try:
            stream.become(info, self._clock.now_ms(), limits=self._limits)
        except OSError as error:
            raise internal(f"cannot store stream {stream.info.name}: {error.strerror}") from error

    def follow(self, stream: Stream) -> None:
        """Let an on-demand stream's shards follow its traffic, once a minute. Without rates there is no need to."""
        follows, now_ms = stream.info.on_demand, self._clock.now_ms()
        filled = stream.meter.turn(now_ms) if follows and self._limits else None
        if follows is None or filled is None:
            return
        seen = follows.seen(filled, now_ms)
        shards = stream.open_shards
        wanted = seen.wanted(shards, now_ms)
        try:
            if wanted != shards:
                steps = list((doubled if wanted > shards else halved)(stream.open_ranges))
                self.reshard(stream, steps, on_demand=msgspec.structs.replace(seen, scaled_ms=now_ms))
            elif seen != follows:
                self.amend(stream, on_demand=seen)
        except KinesisError as error:  # the stream goes on as it is
            log.warning("%s stays at %d shards: %s", stream.info.name, shards, error.message)

    def amend(self, stream: Stream, **changes: object) -> None:
        """Store other values of the description's members. Raises InternalFailure with nothing changed."""
        info = msgspec.structs.replace(stream.info, **changes)
        try:
            _save(info, stream.folder)
        except OSError as error:
            raise internal(f"cannot store stream {stream.info.name}: {error.strerror}") from error
        stream.info = info

    def _check_room(self, shard_count: int) -> None:
        held = sum(len(stream.shards) for stream in self)
        if held + shard_count > MOST_SHARDS:
            raise limit_exceeded(f"{shard_count} more shards would exceed {MOST_SHARDS} ({held} in use).")

    def delete(self, stream: Stream) -> None:
        """Remove a stream with all its records."""
        gone = self._folder / f"{stream.info.name}.gone"
        try:
            stream.folder.rename(gone)
        except OSError as error:
            raise internal(f"cannot delete stream {stream.info.name}: {error.strerror}") from error
        del self._streams[stream.info.name]
        stream.vacate(None, not_found(f"Stream {stream.info.name} was deleted."))
        shutil.rmtree(gone, ignore_errors=True)  # what stays behind goes at the next start


def _load(folder: Path, now_ms: int) -> StreamInfo:
    path = folder / "stream.json"
    try:
        info = msgspec.json.decode(path.read_bytes(), type=StreamInfo)
    except (OSError, msgspec.DecodeError) as error:
        raise StartError(f"{path}: not readable ({error}); move the stream's folder away") from error
    if info.mode == "ON_DEMAND" and info.on_demand is None:  # written before on-demand streams had a memory
        shards = sum(shard.closed_ms is None for shard in info.shards)
        return msgspec.structs.replace(info, on_demand=begun(shards, now_ms))
    return info


def _save(info: StreamInfo, folder: Path) -> None:
    """Replace the stream's description as a whole."""
    draft = folder / "stream.json.new"
    draft.write_bytes(msgspec.json.encode(info))
    draft.replace(folder / "stream.json")
