"""One Kinesis stream as the readers see it: its shards, iterators, and answers of records."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec
from botocore.exceptions import ClientError

from consumers.delivery import Position, Record, Trimmed
from consumers.sources.kinesis.aggregates import HashRange, Opener
from consumers.sources.kinesis.checkpoints import Checkpoint
from runtime.aws_errors import code_of, naming_outages, one_line
from runtime.errors import ConfigError, StreamAbsent
from runtime.outage import Outage

# Service limit of one GetRecords: 10,000 records or 10 MiB.
RECORDS_PER_READ = 10_000
BYTES_PER_READ = 10 << 20


class IteratorExpired(Exception):
    """The iterator is older than five minutes: get a new one at the last processed position."""


class Throttled(Exception):
    """The shard's read budget is used up by somebody: wait with jitter, then read again."""


class ShardGone(Trimmed):
    """The shard itself is gone, and with it all that was not read."""


class ShardInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One shard as the stream lists it."""

    shard_id: str
    parents: frozenset[str] = frozenset()  # one after a split, two after a merge; they may be trimmed and unlisted
    hash_range: tuple[int, int]  # first and last hash key, both included
    is_open: bool = True  # takes new records


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One GetRecords, or some events of a subscription."""

    records: list[Record]
    next_iterator: str | None  # (or continuation) None: the shard is closed and read to its end
    millis_behind: int  # between the answer and the head of the stream
    children: tuple[ShardInfo, ...] = ()  # with the end of a shard only
    strays: int = 0  # of `records`: from aggregates that were packed for another shard
    nbytes: int = 0  # that the stream's records carry
    resumed_at: Position | None = None  # reading began at this record, and `records` are the first since


class Stream(Protocol):
    """What is asked of a stream. Every method may raise Outage."""

    @property
    def name(self) -> str: ...

    def shards(self) -> list[ShardInfo]:
        """All shards, closed ones too as long as they are listed."""
        ...

    def iterator(self, shard_id: str, start: Checkpoint) -> str:
        """An iterator AT `start`: a number's own record comes first; with a time, what arrived from then on.

        Raises Trimmed, Throttled.
        """
        ...

    def read(self, iterator: str, hash_range: HashRange | None) -> Answer:
        """User records, aggregates opened; `hash_range` is the shard's. Raises IteratorExpired, Throttled."""
        ...


class KinesisStream:
    """A stream behind a boto3 `kinesis` client of its own (GetRecords of that client answers raw bytes afterwards).

    boto3's parser costs 12 us a record, most of it in time stamps; the answer is decoded here instead, at 1 us.
    """

    def __init__(self, kinesis: Any, name: str, *, records_per_read: int = RECORDS_PER_READ) -> None:
        self._kinesis = kinesis
        self._name = name
        self._records_per_read = records_per_read
        kinesis.meta.events.register("before-parse.kinesis.GetRecords", _keep_body, unique_id="storepulse-raw-records")

    @property
    def name(self) -> str:
        return self._name

    def shards(self) -> list[ShardInfo]:
        found: list[ShardInfo] = []
        request: dict[str, Any] = {"StreamName": self._name}
        while request:
            try:
                with naming_outages():
                    answer = self._kinesis.list_shards(**request)
            except self._kinesis.exceptions.ResourceNotFoundException as error:
                raise StreamAbsent(f"Kinesis has no stream {self._name!r}: create it, or mend [streams]") from error
            except ClientError as error:
                raise ConfigError(f"stream {self._name!r}: {one_line(error)}; mend [streams]") from error
            found += [_shard(shard) for shard in answer["Shards"]]
            request = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}
        return found

    def iterator(self, shard_id: str, start: Checkpoint) -> str:
        position = start.position
        where: dict[str, Any] = {"ShardIteratorType": start.rank.name}
        if position is not None:
            where = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": str(position.sequence)}
        elif start.since is not None:  # LATEST too: what arrived since the lease was made is not skipped
            where = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": start.since}
        with naming_outages():
            try:
                answer = self._kinesis.get_shard_iterator(StreamName=self._name, ShardId=shard_id, **where)
            except ClientError as error:
                code = code_of(error)
                if code == "ProvisionedThroughputExceededException":
                    raise Throttled(str(error)) from error
                if code == "ResourceNotFoundException":
                    raise ShardGone(
                        f"{self._name} no longer lists {shard_id}; all after {start.text} is gone"
                    ) from error
                if code == "InvalidArgumentException" and position is not None:
                    raise Trimmed(f"{self._name}/{shard_id} does not know its record {start.text}: {error}") from error
                if code == "InvalidArgumentException" and start.since is not None:
                    raise in_the_future(start.since, error) from error
                raise
        return str(answer["ShardIterator"])

    def read(self, iterator: str, hash_range: HashRange | None) -> Answer:
        with naming_outages():
            try:
                answer = self._kinesis.get_records(ShardIterator=iterator, Limit=self._records_per_read)
            except ClientError as error:
                code = code_of(error)
                if code == "ExpiredIteratorException":
                    raise IteratorExpired(str(error)) from error
                if code == "ProvisionedThroughputExceededException":
                    raise Throttled(str(error)) from error
                raise
        try:
            return decode_answer(answer["Body"], hash_range)
        except msgspec.MsgspecError as error:
            raise Outage("an answer to GetRecords that is none of Kinesis's") from error


def in_the_future(since: datetime, error: ClientError) -> Outage:
    """What Kinesis says to a time that has not come yet, by its clock: it passes."""
    return Outage(f"Kinesis refuses to read from {since.isoformat()}, this machine's clock may be ahead: {error}")


class _WireRecord(msgspec.Struct, rename="pascal", gc=False):
    sequence_number: str
    approximate_arrival_timestamp: datetime  # a number on the wire: seconds since the epoch, UTC
    data: bytes  # base64 on the wire


class _WireAnswer(msgspec.Struct, rename="pascal"):
    records: list[_WireRecord]
    next_shard_iterator: str | None = None
    continuation_sequence_number: str | None = None  # what an event has in its place
    millis_behind_latest: int = 0
    child_shards: list[dict[str, Any]] | None = None


_decoder = msgspec.json.Decoder(_WireAnswer, strict=False)  # not strict: numbers are taken as times


def decode_answer(body: bytes, hash_range: HashRange | None) -> Answer:
    """From the JSON of a GetRecords response, or of an event of SubscribeToShard.

    Raises msgspec.MsgspecError where it is none.
    """
    wire = _decoder.decode(body)
    opener = Opener(hash_range)
    return Answer(
        records=[
            user
            for record in wire.records
            for user in opener.records(int(record.sequence_number), record.approximate_arrival_timestamp, record.data)
        ],
        next_iterator=wire.next_shard_iterator or wire.continuation_sequence_number,
        millis_behind=wire.millis_behind_latest,
        children=tuple(_child(child) for child in wire.child_shards or ()),
        strays=opener.strays,
        nbytes=sum([len(record.data) for record in wire.records]),
    )


def _keep_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """A botocore `before-parse` handler: hands a good answer's bytes on, and leaves errors to botocore."""
    if response_dict["status_code"] == 200:
        customized_response_dict["Body"] = response_dict["body"]
        response_dict["body"] = b"{}"


def _shard(shard: Mapping[str, Any]) -> ShardInfo:
    parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
    return ShardInfo(
        shard_id=shard["ShardId"],
        parents=frozenset(parent for parent in parents if parent),
        hash_range=_hash_range(shard),
        is_open="EndingSequenceNumber" not in shard["SequenceNumberRange"],
    )


def _child(child: Mapping[str, Any]) -> ShardInfo:
    return ShardInfo(shard_id=child["ShardId"], parents=frozenset(child["ParentShards"]), hash_range=_hash_range(child))


def _hash_range(shard: Mapping[str, Any]) -> tuple[int, int]:
    hash_keys = shard["HashKeyRange"]
    return int(hash_keys["StartingHashKey"]), int(hash_keys["EndingHashKey"])
