"""The wish that workers stand by: how `drain` reaches them wherever they run, a laptop, EC2 or Fargate.

It is one more attribute on each row of the lease table, a set of worker ids, `*` for all of them: rows are the one
thing that every worker of an application reads anyway, and extra attributes mean nothing to the Java library.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from botocore.exceptions import ClientError

from consumers.sources.kinesis.leases import KEY, decode
from consumers.sources.kinesis.table import TableGone
from runtime.aws_errors import naming_outages, one_line
from runtime.errors import ConfigError

EVERYONE = "*"
_ATTRIBUTE = "storepulseDrain"
# Of a look: the wish is on every row, but for those that were made since, and rows that are no leases.
_ROWS_PER_LOOK = 10


class Wishes(Protocol):
    """Who is to stand by. Every method may raise Outage, TableGone where there is no lease table, and ConfigError."""

    def read(self) -> frozenset[str]:
        """Worker ids, EVERYONE among them for all. Half a read unit, where a scan of the leases takes one a row."""
        ...

    def add(self, who: str) -> None:
        """Ask it; again for rows that were made since."""
        ...

    def withdraw(self, who: str | None = None) -> None:
        """Let it read again; None: every worker."""
        ...


class DynamoDbWishes:
    """On the lease table `name`. `dynamodb` is a boto3 client."""

    def __init__(self, dynamodb: Any, name: str) -> None:
        self._dynamodb = dynamodb
        self._name = name

    def read(self) -> frozenset[str]:
        with self._naming():
            answer = self._dynamodb.scan(
                TableName=self._name, ProjectionExpression=_ATTRIBUTE, Limit=_ROWS_PER_LOOK, ConsistentRead=False
            )
        return frozenset(who for row in answer["Items"] for who in row.get(_ATTRIBUTE, {}).get("SS", ()))

    def add(self, who: str) -> None:
        for row in self._leases():
            if who not in row.get(_ATTRIBUTE, {}).get("SS", ()):
                self._update(row, f"ADD {_ATTRIBUTE} :who", {":who": {"SS": [who]}})

    def withdraw(self, who: str | None = None) -> None:
        for row in self._leases():
            asked = row.get(_ATTRIBUTE, {}).get("SS", ())
            if who is None and asked:
                self._update(row, f"REMOVE {_ATTRIBUTE}", {})
            elif who in asked:
                self._update(row, f"DELETE {_ATTRIBUTE} :who", {":who": {"SS": [who]}})

    def _leases(self) -> list[dict[str, Any]]:
        with self._naming():
            pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True)
            return [row for page in pages for row in page["Items"] if decode(row) is not None]

    def _update(self, row: dict[str, Any], expression: str, values: dict[str, Any]) -> None:
        """A row that was deleted meanwhile stays deleted."""
        with self._naming():
            try:
                self._dynamodb.update_item(
                    TableName=self._name,
                    Key={KEY: row[KEY]},
                    UpdateExpression=expression,
                    ConditionExpression=f"attribute_exists({KEY})",
                    **({"ExpressionAttributeValues": values} if values else {}),
                )
            except self._dynamodb.exceptions.ConditionalCheckFailedException:
                return

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            with naming_outages():
                yield
        except self._dynamodb.exceptions.ResourceNotFoundException as error:
            raise TableGone(f"there is no lease table {self._name}: no worker of it ever started") from error
        except ClientError as error:
            raise ConfigError(f"lease table {self._name!r}: {one_line(error)}; mend it, or the role") from error
