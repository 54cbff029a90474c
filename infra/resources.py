"""What the pipeline finds in its place, on one machine and on AWS: the one list of names and shapes.

Names are the defaults of the processes' own settings, so that a default that changes takes both along. `infra.local`
makes its things from this list and `infra.aws` the same; a test compares the two.
"""

from dataclasses import dataclass
from typing import Any, Literal

from consumers.keeper.settings import Keeper
from consumers.settings import Cold, Live
from consumers.sinks.opensearch.mappings import templates
from consumers.sources.kinesis.leases import KEY
from consumers.warehouse.schema import SCHEMA
from contract.tables import SPANNED
from runtime.settings import Lake, Reference, Streams

Holds = Literal["lake", "restricted", "reference", "reports"]

RETENTION_H = 168  # of a stream: seven days, for as long as a store may be away; KPL and KCL know no other limit
ORIGINALS_DAYS = 30  # of raw records and letters: docs/privacy.md promises it
DOCUMENTS_DAYS = 14  # of live documents: `[live] window_days`, past which an order goes to `orders-late` anyway
FUNCTION_FAILURES = "storepulse-function-failures"
PAGES = "storepulse-pages"  # alarms that wake somebody
TICKETS = "storepulse-tickets"  # alarms that can wait for the morning
REPORTS = "storepulse-reports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream, or a topic."""

    name: str
    mode: Literal["ON_DEMAND"] = "ON_DEMAND"
    retention_h: int = RETENTION_H


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedTable:
    """A DynamoDB table of leases: one key, paid by the request. No TTL: a lease that vanished would be read again."""

    name: str
    key: str = KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A private bucket. `expires_days` 0: what it holds stays."""

    name: str
    holds: Holds
    expires_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """An SQS queue."""

    name: str
    retention_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All of it."""

    streams: tuple[Stream, ...]
    tables: tuple[KeyedTable, ...]
    buckets: tuple[Bucket, ...]
    database: str  # of Glue
    database_tables: tuple[str, ...]  # which `python -m consumers migrate` and the keeper make, from contract/tables.py
    index_templates: dict[str, dict[str, Any]]
    index_policies: dict[str, dict[str, Any]]  # OpenSearch's index state management
    queues: tuple[Queue, ...]
    topics: tuple[str, ...]
    warehouse_tables: tuple[str, ...]

    def bucket(self, holds: Holds) -> Bucket:
        """The bucket that holds it. Raises KeyError where there is none."""
        for bucket in self.buckets:
            if bucket.holds == holds:
                return bucket
        raise KeyError(holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The settings that name things."""

    streams: Streams = Streams()
    lake: Lake = Lake()
    reference: Reference = Reference(bucket="storepulse-reference")
    reports_bucket: str = "storepulse-reports"
    live: Live = Live()
    cold: Cold = Cold()
    keeper: Keeper = Keeper()


_DEFAULTS = Names()


def resources(names: Names = _DEFAULTS) -> Resources:
    """The list, under the names that these settings give. A stream or bucket without a name is left out."""
    buckets = (
        Bucket(name=names.lake.bucket, holds="lake"),
        Bucket(name=names.lake.restricted_bucket, holds="restricted", expires_days=ORIGINALS_DAYS),
        Bucket(name=names.reference.bucket, holds="reference"),
        Bucket(name=names.reports_bucket, holds="reports"),
    )
    applications = (
        names.live.application,
        names.live.access_application,
        names.cold.application,
        names.cold.access_application,
    )
    return Resources(
        streams=tuple(Stream(name=name) for name in (names.streams.transactions, names.streams.access) if name),
        tables=tuple(KeyedTable(name=name) for name in (*applications, names.keeper.lease_table)),
        buckets=tuple(bucket for bucket in buckets if bucket.name),
        database=names.lake.database,
        database_tables=tuple(table.name for table in SPANNED),
        index_templates=templates(refresh_ms=names.live.refresh_ms, replicas=names.live.replicas),
        index_policies=index_policies(),
        queues=(Queue(name=FUNCTION_FAILURES, retention_s=14 * 86_400),),  # as long as SQS keeps anything
        topics=(PAGES, TICKETS, REPORTS),
        warehouse_tables=tuple(table.name for table in SCHEMA.tables),
    )


def index_policies() -> dict[str, dict[str, Any]]:
    """When indices are deleted: an index is a day's, so its age is that of its documents.

    `orders-late` holds what was imported and `duplicates` is small: neither has an age of its own, and both stay.
    """
    days = {"orders": DOCUMENTS_DAYS, "hits": DOCUMENTS_DAYS, "letters": ORIGINALS_DAYS}
    return {f"storepulse-{name}": _policy(f"{name}-2*", age) for name, age in days.items()}


def _policy(pattern: str, days: int) -> dict[str, Any]:
    gone = {"state_name": "delete", "conditions": {"min_index_age": f"{days}d"}}
    return {
        "policy": {
            "description": f"Deletes {pattern} after {days} days.",
            "default_state": "hot",
            "ism_template": [{"index_patterns": [pattern], "priority": 100}],
            "states": [
                {"name": "hot", "actions": [], "transitions": [gone]},
                {"name": "delete", "actions": [{"delete": {}}], "transitions": []},
            ],
        }
    }
