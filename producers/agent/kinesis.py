"""Kinesis as a Stream: what each of its errors means for the sender."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    ResponseStreamingError,
)
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError

from producers.agent.pack import Packed
from producers.agent.put import Unavailable
from runtime.errors import ConfigError

_PASSING = (NoConnection, HTTPClientError, ResponseStreamingError, CredentialRetrievalError, ResponseParserError)
# Error codes under HTTP 4xx that pass by themselves (API reference of PutRecords, and of all actions).
_PASSING_CODES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "ResourceInUseException",
        "KMSThrottlingException",
        "Throttling",
        "ThrottlingException",
        "RequestExpired",
        "RequestTimeout",
        "RequestTimeoutException",
        "ExpiredTokenException",
    }
)
_SERVER_ERROR = 500


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
            raise Unavailable(f"{self._name} is {status}")

    def put(self, batch: Sequence[Packed]) -> Sequence[str | None]:
        records = [{"Data": line.data, "PartitionKey": line.key} for line in batch]
        answer = self._call(self._client.put_records, StreamName=self._name, Records=records)
        results = answer["Records"]
        if len(results) != len(batch):
            raise Unavailable("an answer that does not fit the request")
        self._worked = True
        if not answer["FailedRecordCount"]:
            return [None] * len(batch)
        return [result.get("ErrorCode") for result in results]

    def _call(self, method: Any, **arguments: Any) -> Any:
        try:
            return method(**arguments)
        except _PASSING as error:
            raise Unavailable(str(error)) from error
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if self._worked or code in _PASSING_CODES or status >= _SERVER_ERROR:
                raise Unavailable(code or str(status)) from error
            raise ConfigError(self._advice(code, error)) from error
        except BotoCoreError as error:
            raise ConfigError(f"AWS client: {error}; see [aws] in the settings") from error

    def _advice(self, code: str, error: ClientError) -> str:
        if code == "ResourceNotFoundException":
            return f"stream {self._name!r} does not exist: create it, or name another as [streams] transactions"
        return f"stream {self._name!r}: {error}"
