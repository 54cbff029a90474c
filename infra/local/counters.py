"""One line of counters for whoever watches the demo: how far the sales have come."""

from collections.abc import Callable
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from opensearchpy import OpenSearch, OpenSearchException

from consumers.warehouse.connection import Session, connect
from consumers.warehouse.trouble import Refused
from contract.tables import ORDERS
from infra.local.endpoints import Endpoints
from producers.agent.state import read_ledger
from runtime.aws import client
from runtime.errors import ConfigError
from runtime.outage import Outage

UNKNOWN = "?"  # a store that does not answer just now


class Counters:
    """Looks at the agent's state and the three stores. Rows are counted as written; the account compares them."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._live = OpenSearch([endpoints.opensearch.url], timeout=endpoints.opensearch.timeout_s)
        self._glue, self._s3 = client("glue", endpoints.aws, attempts=1), client("s3", endpoints.aws, attempts=1)
        self._warehouse: Session | None = None

    def line(self) -> str:
        """Raises nothing: a store that does not answer is shown as `?`."""
        sent = read_ledger(self._endpoints.agent_state).acknowledged_lines
        figures = {
            "sent": f"{sent:,}",
            "live": _or_unknown(lambda: self._documents("orders-*")),
            "refused": _or_unknown(lambda: self._documents("letters-*")),
            "lake": _or_unknown(self._in_lake),
            "warehouse": _or_unknown(self._in_warehouse),
        }
        return " · ".join(f"{name} {figure}" for name, figure in figures.items())

    def close(self) -> None:
        """Let go of the connections."""
        if self._warehouse:
            self._warehouse.close()
        self._live.close()

    def _documents(self, pattern: str) -> int:
        answer: dict[str, Any] = self._live.count(index=pattern, params={"ignore_unavailable": "true"})
        return int(answer["count"])

    def _in_lake(self) -> int:
        """From the table's metadata alone: one small object, where pyiceberg would cost 60 MB of memory."""
        try:
            table = self._glue.get_table(DatabaseName=self._endpoints.lake.database, Name=ORDERS.name)["Table"]
        except self._glue.exceptions.EntityNotFoundException:  # the keeper has yet to make it
            return 0
        bucket, _, key = table["Parameters"]["metadata_location"].removeprefix("s3://").partition("/")
        metadata = msgspec.json.decode(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read(), type=Metadata)
        return metadata.rows

    def _in_warehouse(self) -> int:
        if self._warehouse is None:
            self._warehouse = connect(self._endpoints.warehouse)
        try:
            (found,) = self._warehouse.query("count", "SELECT COUNT(*) AS orders FROM orders")
            self._warehouse.rollback()
        except BaseException:
            self._warehouse.close()
            self._warehouse = None
            raise
        return int(found["orders"])


class _Snapshot(msgspec.Struct, rename={"snapshot_id": "snapshot-id"}):
    snapshot_id: int
    summary: dict[str, str]


class Metadata(msgspec.Struct, rename={"current": "current-snapshot-id"}):
    """What is read of an Iceberg table's metadata."""

    snapshots: list[_Snapshot] = []
    current: int | None = None

    @property
    def rows(self) -> int:
        return next((int(s.summary["total-records"]) for s in self.snapshots if s.snapshot_id == self.current), 0)


def _or_unknown(count: Callable[[], int]) -> str:
    try:
        return f"{count():,}"
    except (OpenSearchException, BotoCoreError, ClientError, Outage, Refused, ConfigError):
        return UNKNOWN
