"""A lake of a test's own: its bucket, its database, and what is in it."""

import copy
import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.read import LakeReader
from consumers.lake.store import LakeStore
from consumers.manifests import Manifest
from consumers.warehouse.testing import SpanWriter, heartbeat, hit, letter, lines_of, order
from runtime.aws import client
from runtime.effects import Effect, no_effect
from runtime.objects.s3 import S3Objects
from runtime.settings import Aws, Lake

DAY = dt.date(2026, 11, 27)
AT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)

_NOWHERE = "http://127.0.0.1:9"  # nothing listens there


class OwnLake:
    """A bucket and an empty database; `store` is another keeper's view of it each time."""

    def __init__(self, aws: Aws) -> None:
        name = f"lake-{uuid.uuid4().hex[:12]}"
        self.aws = aws
        self.settings = Lake(bucket=name, restricted_bucket=f"{name}-r", database=name.replace("-", "_"))
        self.s3 = client("s3", aws)
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
        self.objects = S3Objects(self.s3, name)

    def beside(self) -> "OwnLake":
        """Another lake, empty, over the same bucket: the same manifests can be taken by both."""
        other = copy.copy(self)
        other.settings = replace(self.settings, database=f"lake_{uuid.uuid4().hex[:12]}")
        return other

    def store(self, effect: Effect = no_effect) -> LakeStore:
        """Prepared."""
        store = self.unprepared(effect)
        store.prepare()
        return store

    def unprepared(self, effect: Effect = no_effect) -> LakeStore:
        return LakeStore(LakeCatalogue(self.aws, effect), self.settings)

    def unreachable(self) -> LakeStore:
        away = Aws(region=self.aws.region, endpoint=_NOWHERE, access_key_id="x", secret_access_key="y")
        return LakeStore(LakeCatalogue(away), self.settings)

    def orders(self) -> Counter[str]:
        """How often each event id is among the orders, as written."""
        return Counter(str(row["event_id"]) for row in self.rows("SELECT event_id FROM orders"))

    def rows(self, text: str, *parameters: Any) -> list[dict[str, Any]]:
        """All rows of a query."""
        return [dict(row) for row in LakeReader(self.unprepared()).query(text, parameters)]


def spans_of(
    lake: OwnLake, count: int, *, shard_id: str = "s-0", application: str = "cold", orders: int = 2
) -> list[Manifest]:
    """Spans with rows in every table."""
    writer, spans = SpanWriter(lake.objects, shard_id=shard_id, application=application), []
    for number in range(count):
        rows = [
            order(f"{shard_id}-{number}-{n}", day=DAY, arrived_at=AT, line=(shard_id, 10 * number + n))
            for n in range(orders)
        ]
        requests = [hit(f"H-{shard_id}-{number}", day=DAY, arrived_at=AT, line=(f"{shard_id}-access", number))]
        spans.append(
            writer.write(
                {
                    "orders": rows,
                    "lines": [line for row in rows for line in lines_of(row)],
                    "hits": requests,
                    "letters": [letter(f"L-{shard_id}-{number}", day=DAY, arrived_at=AT, line=(shard_id, number))],
                    "account": [heartbeat(shard_id, 10 * number + orders, arrived_at=AT)],
                }
            )
        )
    return spans


@contextmanager
def watched_files(effect: Effect) -> Iterator[None]:
    """Calls `effect` before pyiceberg writes or deletes an object: those that the store's own hook does not see."""
    create, delete = PyArrowFile.create, PyArrowFileIO.delete

    def watched_create(file: PyArrowFile, overwrite: bool = False) -> Any:
        effect(f"put {file.location}")
        return create(file, overwrite)

    def watched_delete(files: PyArrowFileIO, location: Any) -> None:
        effect(f"delete {location}")
        delete(files, location)

    with patch.object(PyArrowFile, "create", watched_create), patch.object(PyArrowFileIO, "delete", watched_delete):
        yield
