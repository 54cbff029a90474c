"""Kinesis as a Stream: what each of its errors means for the sender."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from producers.agent.pack import Packed
from producers.agent.put import ONE_REQUEST, Limits
from producers.agent.shard_map import ShardMap, shard_map
from runtime.aws_errors import code_of, naming_outages, one_line
from runtime.errors import ConfigError
from runtime.outage import Outage, Stop


class Result(NamedTuple):
    """What became of one record."""

    code: str | None  # the error's; None once it is stored
    shard_id: str | None  # where it is


class KinesisStream:
    """Plain PutRecords on one stream.

    An error that asks for other settings ends the agent only while nothing has been stored yet: what worked once and
    fails now is an outage, and the agent outlives it.
    """

    limits: Limits = ONE_REQUEST

    def __init__(self, client: Any, name: str) -> None:
        """`client` is boto3's, without retries of its own."""
        self._client = client
        self._name = name
        self._worked = False

    def check(self) -> None:
        self._summary()

    def put(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        """One request."""
        results = self.put_records([{"Data": line.data, "PartitionKey": line.key} for line in batch])
        return [result.code for result in results]

    def close(self) -> None:
        self._client.close()

    def put_records(self, records: list[dict[str, Any]]) -> list[Result]:
        """One request, of records as PutRecords takes them. Raises Outage, and ConfigError as `check`."""
        answer = self._call(self._client.put_records, StreamName=self._name, Records=records)
        results = answer["Records"]
        if len(results) != len(records):
            raise Outage("an answer that does not fit the request")
        self._worked = True
        return [Result(result.get("ErrorCode"), result.get("ShardId")) for result in results]

    def shards(self) -> ShardMap | None:
        """Where keys lead; None for a stream that spreads records itself. Raises as `check`, and Outage in a reshard.

        A reshard: the open shards that are listed do not cover all hash keys.
        """
        if self._summary().get("RecordDistributionStrategy") == "AUTO":
            return None
        found: list[Any] = []
        request: dict[str, Any] = {"StreamName": self._name}
        while request:
            answer = self._call(self._client.list_shards, **request)
            found += answer["Shards"]
            request = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}
        shards = shard_map(found)
        if shards is None:
            raise Outage(f"{self._name} is in a reshard")
        return shards

    def _summary(self) -> Any:
        """Raises Outage while the stream is not to be used."""
        answer = self._call(self._client.describe_stream_summary, StreamName=self._name)
        summary = answer["StreamDescriptionSummary"]
        if summary["StreamStatus"] not in ("ACTIVE", "UPDATING"):
            raise Outage(f"{self._name} is {summary['StreamStatus']}")
        return summary

    def _call(self, method: Any, **arguments: Any) -> Any:
        try:
            with naming_outages():
                return method(**arguments)
        except ConfigError as error:
            raise self._verdict(str(error)) from error
        except ClientError as error:
            raise self._verdict(self._advice(error)) from error

    def _verdict(self, why: str) -> Outage | ConfigError:
        return Outage(why) if self._worked else ConfigError(why)

    def _advice(self, error: ClientError) -> str:
        if code_of(error) == "ResourceNotFoundException":
            return f"stream {self._name!r} does not exist: create it, or name another under [streams]"
        return f"stream {self._name!r}: {one_line(error)}; see [streams]"
