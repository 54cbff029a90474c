"""Kinesis as a Stream: what each of its errors means for the sender."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from producers.agent.pack import Packed
from runtime.aws_errors import code_of, naming_outages, one_line
from runtime.errors import ConfigError
from runtime.outage import Outage


class KinesisStream:
    """Plain PutRecords on one stream.

    An error that asks for other settings ends the agent only while nothing has been stored yet: what worked once and
    fails now is an outage, and the agent outlives it.
    """

    def __init__(self, client: Any, name: str) -> None:
        """`client` is boto3's, without retries of its own."""
        self._client = client
        self._name = name
        self._worked = False

    def check(self) -> None:
        answer = self._call(self._client.describe_stream_summary, StreamName=self._name)
        status = answer["StreamDescriptionSummary"]["StreamStatus"]
        if status not in ("ACTIVE", "UPDATING"):
            raise Outage(f"{self._name} is {status}")

    def put(self, batch: Sequence[Packed]) -> Sequence[str | None]:
        records = [{"Data": line.data, "PartitionKey": line.key} for line in batch]
        answer = self._call(self._client.put_records, StreamName=self._name, Records=records)
        results = answer["Records"]
        if len(results) != len(batch):
            raise Outage("an answer that does not fit the request")
        self._worked = True
        if not answer["FailedRecordCount"]:
            return [None] * len(batch)
        return [result.get("ErrorCode") for result in results]

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
            return f"stream {self._name!r} does not exist: create it, or name another as [streams] transactions"
        return f"stream {self._name!r}: {one_line(error)}; see [streams] transactions"
