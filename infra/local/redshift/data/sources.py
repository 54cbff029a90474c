"""Which objects a COPY loads: those under a prefix, or those of a manifest.

Sources: Redshift Database Developer Guide, "COPY from Amazon S3", "Using a manifest to specify data files".
"""

import json
from typing import Any

from infra.local.redshift.actions import Copy
from infra.local.redshift.errors import SqlError
from infra.local.redshift.s3 import S3, Object

_BAD_MANIFEST = "XX000"


def source_objects(copy: Copy, s3: S3) -> list[Object]:
    """In the order in which they are loaded; an entry listed twice comes twice. Raises SqlError."""
    found = _of_manifest(copy, s3) if copy.manifest else s3.find(copy.bucket, copy.key)
    if not found:
        raise SqlError(_BAD_MANIFEST, f"The specified S3 prefix '{copy.key}' does not exist")
    return found


def _of_manifest(copy: Copy, s3: S3) -> list[Object]:
    url = f"s3://{copy.bucket}/{copy.key}"
    data = s3.read(copy.bucket, copy.key)
    if data is None:
        raise SqlError(_BAD_MANIFEST, f"Problem reading manifest file - S3ServiceException: not found: {url}")
    found = []
    for entry in _entries(data, url):
        named = _object(entry, copy, s3, url)
        if named:
            found.append(named)
    return found


def _entries(data: bytes, url: str) -> list[Any]:
    try:
        entries = json.loads(data)["entries"]
        if isinstance(entries, list) and all(isinstance(entry["url"], str) for entry in entries):
            return entries
    except (ValueError, TypeError, KeyError):
        pass
    raise SqlError(_BAD_MANIFEST, f"Manifest file is not in correct json format: {url}")


def _object(entry: Any, copy: Copy, s3: S3, manifest: str) -> Object | None:
    url = entry["url"]
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket or not key:
        raise SqlError(_BAD_MANIFEST, f"Manifest file {manifest} has an invalid url: {url}")
    expected = _content_length(entry)
    if copy.format == "parquet" and expected is None:
        raise SqlError(_BAD_MANIFEST, f"Manifest file {manifest} lacks meta.content_length, which PARQUET needs: {url}")
    found = s3.head(bucket, key)
    if found is None:
        if entry.get("mandatory"):
            raise SqlError(_BAD_MANIFEST, f"The specified S3 file of a mandatory manifest entry does not exist: {url}")
        return None
    if expected is not None and copy.format == "parquet" and expected != found.size:
        raise SqlError(
            _BAD_MANIFEST, f"meta.content_length is {expected}, but the object has {found.size} bytes: {url}"
        )
    return found


def _content_length(entry: Any) -> int | None:
    meta = entry.get("meta")
    length = meta.get("content_length") if isinstance(meta, dict) else None
    return length if isinstance(length, int) and not isinstance(length, bool) else None
