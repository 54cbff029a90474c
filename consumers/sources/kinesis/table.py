"""The lease table: conditional writes by which workers agree on who reads which shard.

A write is conditional on the counter that the worker saw last, so of two workers one wins. A refused write is read
again: the SDK's own retry, or an answer lost on the way, may have landed it already.
"""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from botocore.exceptions import ClientError

from consumers.delivery import LeaseLost
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.leases import KEY, Lease, decode, encode, encode_checkpoint
from runtime.aws_errors import naming_outages, one_line
from runtime.errors import ConfigError
from runtime.outage import Outage

log = logging.getLogger(__name__)

_SEEN = "leaseCounter = :seen"  # nobody wrote since this worker looked
_READY_WITHIN_S = 60  # a new pay-per-request table is active after a few seconds


class TableGone(Outage):
    """Somebody has deleted the lease table, or it is not there yet: `ensure` makes it, empty."""


class LeaseTable(Protocol):
    """Leases of one application on one stream. Every method may raise Outage; whether the write landed is unknown.

    Every method but `ensure` raises TableGone, which is an Outage, where there is no table.
    """

    def ensure(self) -> None:
        """Create the table where it is absent, and wait until it takes writes."""
        ...

    def read_all(self) -> list[Lease]:
        """Every lease, strongly consistent; rows that are no leases are skipped with a warning each."""
        ...

    def create(self, lease: Lease) -> bool:
        """Add a lease. False: it is there already, and is left as it is."""
        ...

    def renew(self, lease: Lease) -> Lease:
        """Show that the owner lives. Raises LeaseLost."""
        ...

    def take(self, lease: Lease, owner: str) -> Lease:
        """Become the owner, of a free lease or another's. Raises LeaseLost where somebody was faster."""
        ...

    def checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> Lease:
        """Store what is durable. Raises LeaseLost, and then nothing was stored.

        Never goes back behind an earlier write of ours whose answer was lost: that one may have ended the shard.
        """
        ...

    def evict(self, lease: Lease) -> None:
        """Give the lease back so that a successor starts at once. Raises LeaseLost."""
        ...

    def link(self, shard_id: str, children: Collection[str]) -> None:
        """Note the shards that follow a finished one. No lease, no note."""
        ...


class DynamoDbLeaseTable:
    """The real table. `dynamodb` is a boto3 client, `name` the application's name."""

    def __init__(self, dynamodb: Any, name: str) -> None:
        self._dynamodb = dynamodb
        self._name = name
        self._warned: set[str] = set()

    def ensure(self) -> None:
        try:
            with naming_outages():
                self._create_where_absent()
        except ClientError as error:
            raise ConfigError(f"lease table {self._name!r}: {one_line(error)}; mend the application's name") from error

    def _create_where_absent(self) -> None:
        try:
            self._dynamodb.describe_table(TableName=self._name)
        except self._dynamodb.exceptions.ResourceNotFoundException:
            self._create_table()
        waiter = self._dynamodb.get_waiter("table_exists")
        waiter.wait(TableName=self._name, WaiterConfig={"Delay": 1, "MaxAttempts": _READY_WITHIN_S})

    def _create_table(self) -> None:
        try:
            self._dynamodb.create_table(
                TableName=self._name,
                KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        except self._dynamodb.exceptions.ResourceInUseException:
            log.info("another worker creates the lease table %s", self._name)

    def read_all(self) -> list[Lease]:
        leases: list[Lease] = []
        with self._naming():
            for page in self._dynamodb.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True):
                for row in page["Items"]:
                    lease = decode(row)
                    if lease is None:
                        self._warn(row)
                    else:
                        leases.append(lease)
        return leases

    def _warn(self, row: dict[str, Any]) -> None:
        key = str(row.get(KEY))
        if key not in self._warned:
            self._warned.add(key)
            log.warning("%s: the row %s is no lease and is skipped; nothing else should live here", self._name, key)

    def create(self, lease: Lease) -> bool:
        with self._naming():
            try:
                self._dynamodb.put_item(
                    TableName=self._name, Item=encode(lease), ConditionExpression=f"attribute_not_exists({KEY})"
                )
            except self._dynamodb.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def renew(self, lease: Lease) -> Lease:
        renewed = self._update(lease.shard_id, "SET leaseCounter = :next", _SEEN, _counters(lease))
        return renewed or self._own_write(lease, lease.owner)

    def take(self, lease: Lease, owner: str) -> Lease:
        switches = lease.owner_switches + (lease.owner != owner)
        taken = self._update(
            lease.shard_id,
            "SET leaseCounter = :next, leaseOwner = :owner, ownerSwitchesSinceCheckpoint = :switches",
            _SEEN,
            {**_counters(lease), ":owner": {"S": owner}, ":switches": {"N": str(switches)}},
        )
        return taken or self._own_write(lease, owner)

    def checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> Lease:
        saved = self._save(lease, checkpoint)
        if saved is not None:
            return saved
        row = self._own_write(lease, lease.owner)
        if row.checkpoint >= checkpoint:
            return row
        # An earlier write of ours had landed, though its answer was lost: this one goes on top of it.
        saved = self._save(row, checkpoint)
        if saved is None:
            raise LeaseLost(f"{lease.shard_id} was taken during a checkpoint")
        return saved

    def _save(self, lease: Lease, checkpoint: Checkpoint) -> Lease | None:
        attributes = encode_checkpoint(checkpoint)
        return self._update(
            lease.shard_id,
            "SET leaseCounter = :next, #checkpoint = :checkpoint, checkpointSubSequenceNumber = :sub,"
            " ownerSwitchesSinceCheckpoint = :none"
            " REMOVE pendingCheckpoint, pendingCheckpointSubSequenceNumber, pendingCheckpointState",
            _SEEN,
            {
                **_counters(lease),
                ":checkpoint": attributes["checkpoint"],
                ":sub": attributes["checkpointSubSequenceNumber"],
                ":none": {"N": "0"},
            },
            {"#checkpoint": "checkpoint"},
        )

    def evict(self, lease: Lease) -> None:
        evicted = self._update(
            lease.shard_id,
            "SET leaseCounter = leaseCounter + :one REMOVE leaseOwner",
            "leaseOwner = :owner",
            {":one": {"N": "1"}, ":owner": {"S": lease.owner or ""}},
        )
        if evicted is None:
            self._own_write(lease, None)

    def link(self, shard_id: str, children: Collection[str]) -> None:
        self._update(
            shard_id,
            "SET childShardIds = :children",
            f"attribute_exists({KEY})",
            {":children": {"SS": sorted(children)}},
        )

    def _update(
        self,
        shard_id: str,
        expression: str,
        condition: str,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
    ) -> Lease | None:
        """The row after the write; None where the condition refused it."""
        with self._naming():
            try:
                answer = self._dynamodb.update_item(
                    TableName=self._name,
                    Key={KEY: {"S": shard_id}},
                    UpdateExpression=expression,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                    **({"ExpressionAttributeNames": names} if names else {}),
                )
            except self._dynamodb.exceptions.ConditionalCheckFailedException:
                return None
        return decode(answer["Attributes"])

    def _own_write(self, lease: Lease, owner: str | None) -> Lease:
        """The row, if it is what our refused write would have made of `lease`. Raises LeaseLost otherwise."""
        with self._naming():
            answer = self._dynamodb.get_item(
                TableName=self._name, Key={KEY: {"S": lease.shard_id}}, ConsistentRead=True
            )
        row = decode(answer["Item"]) if "Item" in answer else None
        if row is None or row.owner != owner or row.counter != lease.counter + 1:
            raise LeaseLost(f"{lease.shard_id} belongs to {row.owner if row else 'nobody: its row is gone'}")
        return row

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """As `naming_outages`, and the table's own trouble besides."""
        try:
            with naming_outages():
                yield
        except self._dynamodb.exceptions.ResourceNotFoundException as error:
            raise TableGone(f"the lease table {self._name} is gone") from error
        except ClientError as error:
            raise ConfigError(f"lease table {self._name!r}: {one_line(error)}; mend it, or the role") from error


def _counters(lease: Lease) -> dict[str, dict[str, str]]:
    return {":seen": {"N": str(lease.counter)}, ":next": {"N": str(lease.counter + 1)}}
