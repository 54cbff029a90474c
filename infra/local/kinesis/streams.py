"""The streams of one data folder.

    streams/NAME.stream/stream.json          what the stream is; replaced as a whole
    streams/NAME.stream/shardId-....log      one log a shard

A stream appears and disappears by the renaming of its folder, so a crash leaves all of it or nothing.
"""

import shutil
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from infra.local.kinesis.clock import Clock
from infra.local.kinesis.errors import KinesisError, StartError, in_use, internal, limit_exceeded, not_found
from infra.local.kinesis.shards import Shard, ShardInfo, even
from infra.local.kinesis.subscription import Seat

Mode = Literal["ON_DEMAND", "PROVISIONED"]
ON_DEMAND_SHARDS = 4  # an on-demand stream starts with 4 MB/s in (Developer Guide, "On-demand mode")
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


class Stream:
    """An active stream: every shard's log is open."""

    def __init__(self, info: StreamInfo, folder: Path, now_ms: int, *, limits: bool) -> None:
        self.info = info
        self.folder = folder
        self._limits = limits
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
                stream = Stream(_load(entry), entry, clock.now_ms(), limits=limits)
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
        info = StreamInfo(name=name, mode=mode, created_ms=now_ms, shards=tuple(even(shard_count, now_ms)))
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

    def reshard(self, stream: Stream, parents: list[Shard], ranges: list[tuple[int, int]]) -> None:
        """Close `parents` and open a child for each range of hash keys. Raises LimitExceeded..., InternalFailure."""
        self._check_room(len(ranges))
        newest_ms = max(shard.opened_ms for shard in stream.info.shards)
        now_ms = max(self._clock.now_ms(), newest_ms + 1)  # a child's numbers are greater than its parent's
        closed = {
            parent.shard_id: msgspec.structs.replace(
                parent.info, closed_ms=now_ms, ending_sequence=parent.next_sequence()
            )
            for parent in parents
        }
        names: list[str | None] = [*closed, None]
        children = [
            ShardInfo(
                number=number,
                starting_hash_key=str(start),
                ending_hash_key=str(end),
                opened_ms=now_ms,
                parent=names[0],
                adjacent_parent=names[1],
            )
            for number, (start, end) in enumerate(ranges, start=len(stream.info.shards))
        ]
        kept = [closed.get(shard.shard_id, shard) for shard in stream.info.shards]
        info = msgspec.structs.replace(stream.info, shards=(*kept, *children))
        try:
            stream.become(info, now_ms, limits=self._limits)
        except OSError as error:
            raise internal(f"cannot store stream {stream.info.name}: {error.strerror}") from error

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


def _load(folder: Path) -> StreamInfo:
    path = folder / "stream.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=StreamInfo)
    except (OSError, msgspec.DecodeError) as error:
        raise StartError(f"{path}: not readable ({error}); move the stream's folder away") from error


def _save(info: StreamInfo, folder: Path) -> None:
    """Replace the stream's description as a whole."""
    draft = folder / "stream.json.new"
    draft.write_bytes(msgspec.json.encode(info))
    draft.replace(folder / "stream.json")
