"""A stream of a real Kinesis as the agent's laws want to see it, and what is in it."""

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

from producers.agent.aggregating import AT_ONCE, AggregatingKinesisStream
from producers.agent.kinesis import KinesisStream
from producers.agent.pack import Packed
from producers.agent.put import ONE_REQUEST, Limits
from producers.agent.testing import FakeStream
from producers.agent.testing_shards import lines_of
from runtime.clock import Clock
from runtime.effects import Effect
from runtime.outage import Stop

_READ_AGAIN_S = 0.25  # five reads a second and shard


class RealStream(FakeStream):
    """What is `stored`, Kinesis has acknowledged; its faults are the server's own."""

    def __init__(self, client: Any, name: str, *, aggregate: bool, clock: Clock, effect: Effect) -> None:
        super().__init__(effect=effect)
        self._client = client
        self._summary: Any = None
        self._sent_by = (
            AggregatingKinesisStream(self, name, clock=clock, rng=random.Random(0), aggregate_bytes=600)
            if aggregate
            else KinesisStream(self, name)
        )
        self.limits: Limits = AT_ONCE if aggregate else ONE_REQUEST

    def check(self) -> None:
        self._sent_by.check()

    def put(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        return self._sent_by.put(batch, stop)

    def describe_stream_summary(self, **arguments: Any) -> Any:
        """Asked once: 20 a second are allowed, and the agent, whose clock the test sets, starts more often."""
        self._summary = self._summary or self._client.describe_stream_summary(**arguments)
        return self._summary

    def list_shards(self, **arguments: Any) -> Any:
        return self._client.list_shards(**arguments)

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> Any:
        self._effect("put")
        answer = self._client.put_records(StreamName=StreamName, Records=Records)
        for record, result in zip(Records, answer["Records"], strict=True):
            if "ErrorCode" not in result:
                self.keep(lines_of(record))
        self._effect("stored")
        return answer


def shards_of(client: Any, stream: str) -> dict[str, list[Packed]]:
    """What is in a stream, by shard, in order, within the limits of a reader."""
    shards = client.list_shards(StreamName=stream)["Shards"]
    return {shard["ShardId"]: list(_read(client, stream, shard["ShardId"])) for shard in shards}


def _read(client: Any, stream: str, shard_id: str) -> Iterator[Packed]:
    place = {"StreamName": stream, "ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = client.get_shard_iterator(**place)["ShardIterator"]
    while iterator:
        try:
            answer = client.get_records(ShardIterator=iterator)
        except client.exceptions.ProvisionedThroughputExceededException:
            time.sleep(_READ_AGAIN_S)
            continue
        for record in answer["Records"]:
            yield from lines_of(record)
        if not answer["Records"] and not answer["MillisBehindLatest"]:
            return
        iterator = answer.get("NextShardIterator")
