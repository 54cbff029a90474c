"""Objects of S3: what COPY reads and UNLOAD writes."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.redshift.errors import SqlError

_S3_ERROR = "XX000"  # the SQLSTATE that Redshift gives to what S3 refuses
_AT_ONCE = 1_000  # keys of one DeleteObjects
_NOT_THERE = ("404", "NoSuchKey", "NotFound")


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object that is there."""

    bucket: str
    key: str
    size: int  # bytes

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class S3:
    """One account at one endpoint. Every method raises SqlError when S3 refuses or is not there. Thread-safe."""

    def __init__(self, endpoint_url: str, region: str, access_key_id: str, secret_access_key: str) -> None:
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=region,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            config=Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "max_attempts": 3},
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        self._transfer = TransferConfig(use_threads=False, multipart_chunksize=16 << 20)

    def find(self, bucket: str, prefix: str) -> list[Object]:
        """The objects whose keys begin so, in order of key; folders' own empty objects are left out."""
        with _refusals(f"s3://{bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [
                Object(bucket=bucket, key=found["Key"], size=found["Size"])
                for page in pages
                for found in page.get("Contents", ())
                if not found["Key"].endswith("/")
            ]

    def head(self, bucket: str, key: str) -> Object | None:
        """The object, None if it is not there."""
        with _refusals(f"s3://{bucket}/{key}"):
            try:
                answer = self._client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if error.response["Error"]["Code"] in _NOT_THERE:
                    return None
                raise
            return Object(bucket=bucket, key=key, size=answer["ContentLength"])

    def read(self, bucket: str, key: str) -> bytes | None:
        """A small object as a whole, None if it is not there."""
        with _refusals(f"s3://{bucket}/{key}"):
            try:
                body: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] in _NOT_THERE:
                    return None
                raise
            return body

    @contextmanager
    def opened(self, found: Object) -> Iterator[IO[bytes]]:
        """The object as a file, on disk while it is in use: memory stays bounded and it can be read from any place."""
        with tempfile.TemporaryFile() as file:
            with _refusals(found.url):
                self._client.download_fileobj(found.bucket, found.key, file, Config=self._transfer)
            file.seek(0)
            yield file

    def put(self, bucket: str, key: str, data: bytes) -> None:
        with _refusals(f"s3://{bucket}/{key}"):
            self._client.put_object(Bucket=bucket, Key=key, Body=data)

    def upload(self, bucket: str, key: str, file: IO[bytes]) -> None:
        """Store the file from its present place on."""
        with _refusals(f"s3://{bucket}/{key}"):
            self._client.upload_fileobj(file, bucket, key, Config=self._transfer)

    def delete(self, bucket: str, keys: Sequence[str]) -> None:
        with _refusals(f"s3://{bucket}"):
            for start in range(0, len(keys), _AT_ONCE):
                some = [{"Key": key} for key in keys[start : start + _AT_ONCE]]
                self._client.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})


@contextmanager
def _refusals(url: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise SqlError(
            _S3_ERROR,
            f"S3ServiceException:{told.get('Message', '')},Status {status},Error {told.get('Code', '')}: {url}",
        ) from error
    except BotoCoreError as error:
        raise SqlError(_S3_ERROR, f"S3 did not answer for {url}: {type(error).__name__}") from error
