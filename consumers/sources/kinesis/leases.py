"""A lease and its row in DynamoDB, in the layout of the Kinesis Client Library 2.x, so that its workers are peers.

Every attribute that this module does not name (`pendingCheckpoint`, `throughputKBps`, ...) is left alone in the table:
rows are changed by update expressions and written whole only once, when they are created. Two attributes are our own;
other workers leave them alone in turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consumers.sources.kinesis.checkpoints import Checkpoint

Row = Mapping[str, Mapping[str, Any]]  # DynamoDB's wire form: {"leaseKey": {"S": "..."}, ...}

KEY = "leaseKey"
SINCE = "storepulseSince"  # N, milliseconds since 1970: from when on a shard at LATEST or AT_TIMESTAMP is read
RINGS = "storepulseRings"  # N, of one row: grows when there is something to take
_ENTITY = "LEASE"  # KCL 3.5 and later names its rows; no name means a lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The time-limited right to read one shard, as the table last told it."""

    shard_id: str
    owner: str | None = None  # worker id
    counter: int = 0  # grows with every write; a counter that stands still means a dead owner
    owner_switches: int = 0  # since the last checkpoint
    checkpoint: Checkpoint
    parents: frozenset[str] = frozenset()  # shards to be finished before this one is read
    children: frozenset[str] = frozenset()
    hash_range: tuple[int, int] | None = None  # first and last hash key, both included


def encode(lease: Lease) -> dict[str, dict[str, Any]]:
    """The whole row. Absent values have no attribute: other readers fail on empty strings and NULL."""
    row: dict[str, dict[str, Any]] = {
        KEY: {"S": lease.shard_id},
        "leaseCounter": {"N": str(lease.counter)},
        "ownerSwitchesSinceCheckpoint": {"N": str(lease.owner_switches)},
        **encode_checkpoint(lease.checkpoint),
    }
    if lease.owner is not None:
        row["leaseOwner"] = {"S": lease.owner}
    if lease.parents:
        row["parentShardId"] = {"SS": sorted(lease.parents)}
    if lease.children:
        row["childShardIds"] = {"SS": sorted(lease.children)}
    if lease.hash_range is not None:
        row["startingHashKey"] = {"S": str(lease.hash_range[0])}
        row["endingHashKey"] = {"S": str(lease.hash_range[1])}
    return row


def encode_checkpoint(checkpoint: Checkpoint) -> dict[str, dict[str, str]]:
    """The attributes of a checkpoint: two, and the time where it has one."""
    attributes = {
        "checkpoint": {"S": checkpoint.text},
        "checkpointSubSequenceNumber": {"N": str(checkpoint.sub_sequence)},
    }
    if checkpoint.since is not None:
        attributes[SINCE] = {"N": str(checkpoint.sequence)}
    return attributes


def decode(row: Row) -> Lease | None:
    """The lease of a row, or None for a row that is no lease of ours to read."""
    if row.get("entityType", {}).get("S", _ENTITY) != _ENTITY:
        return None
    try:
        return Lease(
            shard_id=row[KEY]["S"],
            owner=row["leaseOwner"]["S"] if "leaseOwner" in row else None,
            counter=int(row["leaseCounter"]["N"]),
            owner_switches=int(row["ownerSwitchesSinceCheckpoint"]["N"]),
            checkpoint=_checkpoint(row),
            parents=frozenset(_strings(row, "parentShardId")),
            children=frozenset(_strings(row, "childShardIds")),
            hash_range=_hash_range(row),
        )
    except (KeyError, ValueError):
        return None


def _checkpoint(row: Row) -> Checkpoint:
    sub_sequence = int(row["checkpointSubSequenceNumber"]["N"]) if "checkpointSubSequenceNumber" in row else 0
    since_ms = int(row[SINCE]["N"]) if SINCE in row else 0
    return Checkpoint.parse(row["checkpoint"]["S"], sub_sequence, since_ms)


def _strings(row: Row, name: str) -> list[str]:
    return list(row[name]["SS"]) if name in row else []


def _hash_range(row: Row) -> tuple[int, int] | None:
    if "startingHashKey" not in row or "endingHashKey" not in row:
        return None
    return int(row["startingHashKey"]["S"]), int(row["endingHashKey"]["S"])
