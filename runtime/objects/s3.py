"""A bucket of S3."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from runtime.aws_errors import code_of, naming_outages, one_line
from runtime.errors import ConfigError
from runtime.outage import Outage

_EXISTS = frozenset({"PreconditionFailed", "412"})
_ABSENT = frozenset({"NoSuchKey", "404"})
# Codes of S3's own below HTTP 500 that pass by themselves: two conditional writes at once, a body cut off on its way,
# a token that botocore renews.
_PASSING = frozenset({"ConditionalRequestConflict", "OperationAborted", "IncompleteBody", "BadDigest", "ExpiredToken"})


class S3Objects:
    """One bucket behind a boto3 `s3` client, which may be shared between threads."""

    def __init__(self, client: Any, bucket: str, *, setting: str = "[lake] bucket") -> None:
        """`setting` is what an operator would change to name another bucket."""
        self._client = client
        self._setting = setting
        self.bucket = bucket

    def check(self) -> None:
        """See that the bucket is there. Raises Outage, and ConfigError for what the operator has to change."""
        with self._naming():
            self._client.list_objects_v2(Bucket=self.bucket, MaxKeys=1)

    def put(self, key: str, body: bytes) -> None:
        with self._naming():
            self._client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        with self._naming():
            try:
                self._client.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) in _EXISTS:
                    return False
                raise
            return True

    def get(self, key: str) -> bytes:
        with self._naming():
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    raise KeyError(key) from error
                raise
            return bytes(answer["Body"].read())

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        for page in self._pages(Prefix=prefix, StartAfter=after):
            yield from (entry["Key"] for entry in page.get("Contents", ()))

    def folders(self, prefix: str) -> Iterator[str]:
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            yield from (entry["Prefix"][len(prefix) : -1] for entry in page.get("CommonPrefixes", ()))

    def _pages(self, **request: str) -> Iterator[dict[str, Any]]:
        while True:
            with self._naming():
                page = self._client.list_objects_v2(Bucket=self.bucket, **request)
            yield page
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def delete(self, key: str) -> None:
        with self._naming():
            self._client.delete_object(Bucket=self.bucket, Key=key)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            with naming_outages():
                yield
        except ClientError as error:
            code = code_of(error)
            if code in _PASSING:
                raise Outage(f"{error.operation_name}: {code}") from error
            if code == "NoSuchBucket":
                raise ConfigError(f"S3 has no bucket {self.bucket!r}: create it, or mend {self._setting}") from error
            raise ConfigError(
                f"S3 refuses bucket {self.bucket!r}: {one_line(error)}; mend its policy, the role or {self._setting}"
            ) from error
