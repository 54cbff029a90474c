"""What every operation works on: the streams, the clock, and who the server says it is."""

from dataclasses import dataclass, field
from typing import NamedTuple

from infra.local.kinesis.clock import Clock
from infra.local.kinesis.errors import invalid, not_found
from infra.local.kinesis.faults import Faults
from infra.local.kinesis.log import ShardLog
from infra.local.kinesis.requests import Named
from infra.local.kinesis.streams import Stream, Streams
from infra.local.kinesis.subscription import Subscription


class Slice(NamedTuple):
    """An answer whose middle is still on disk: `head`, the log's bytes `start` to `end`, `tail`."""

    head: bytes
    log: ShardLog
    start: int
    end: int
    tail: bytes

    @property
    def length(self) -> int:
        return len(self.head) + self.end - self.start + len(self.tail)


Answer = bytes | Slice | Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One account in one region."""

    streams: Streams
    clock: Clock
    region: str
    account_id: str
    limits: bool
    faults: Faults = field(default_factory=Faults)

    def arn(self, name: str) -> str:
        return f"arn:aws:kinesis:{self.region}:{self.account_id}:stream/{name}"

    def find(self, request: Named) -> Stream:
        """The stream that a request names by name, ARN or both.

        Raises InvalidArgumentException if it names none or two, ResourceNotFoundException.
        """
        name, arn = request.StreamName, request.StreamARN
        if arn is not None:
            named = arn.partition(":stream/")[2]
            if name not in (None, named):
                raise invalid(f"StreamName {name} and StreamARN {arn} differ.")
            if arn != self.arn(named):
                raise not_found(f"Stream {arn} not found.")
            name = named
        if name is None:
            raise invalid("Either StreamName or StreamARN is required.")
        stream = self.streams.get(name, self.account_id)
        if stream.info.on_demand:
            self.streams.follow(stream)
        return stream

    def throttle_message(self, shard_id: str, stream: Stream) -> str:
        return f"Rate exceeded for shard {shard_id} in stream {stream.info.name} under account {self.account_id}."
