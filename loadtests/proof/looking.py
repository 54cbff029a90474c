"""Looking for probes in each store, the way its readers look."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from opensearchpy import OpenSearch

from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.read import LakeReader
from consumers.lake.store import LakeStore
from consumers.warehouse.connection import Session, connect
from dashboards.board import queries
from loadtests.sale.settings import SaleSettings
from runtime.settings import Shop, Warehouse

_LENIENT = {"ignore_unavailable": "true", "allow_no_indices": "true"}
_THERE = "SELECT event_id FROM orders WHERE event_date >= ? AND event_id IN ({})"


class InOpenSearch:
    """By their ids, as a search shows them; and beside them the board's own figures."""

    def __init__(self, client: OpenSearch, shop: Shop) -> None:
        self._client = client
        self._currency = shop.currency

    def find(self, keys: Sequence[str], oldest: dt.datetime) -> tuple[list[str], dict[str, int]]:
        """Which of them are there, and the sales of each minute since `oldest` by HH:MM. Raises OpenSearchException.

        Minutes that no probe is looked for in are not counted: at each look, that would cost more than the board.
        """
        now = dt.datetime.now(dt.UTC)
        minutes = (queries.window(now, 1).start - queries.window(oldest, 1).start) // queries.MINUTE + 1
        span = queries.window(now, max(1, min(minutes, queries.MINUTES_SHOWN)))
        figures = queries.minute_figures(span)
        ids = {"size": len(keys), "_source": False, "track_total_hits": False, "query": {"ids": {"values": list(keys)}}}
        # Counted after they were found, or the count could lack them. One search for both would read every order.
        found = self._client.search(index=figures.index, body=ids, params=_LENIENT)["hits"]["hits"]
        if not found:
            return [], {}
        counted = self._client.search(index=figures.index, body=figures.body, params=_LENIENT)
        return [hit["_id"] for hit in found], self._sales(counted.get("aggregations"))

    def _sales(self, aggregations: Any) -> dict[str, int]:
        currencies = aggregations["currencies"]["buckets"] if aggregations else []
        own = next((each for each in currencies if each["key"] == self._currency), None)
        minutes = own["minutes"]["buckets"] if own else []
        return {_clock(bucket["key"] // 1000): bucket["sales"]["doc_count"] for bucket in minutes}


class InLake:
    """Days that no order of a run can be in are not read."""

    def __init__(self, settings: SaleSettings) -> None:
        self._reader = LakeReader(LakeStore(LakeCatalogue(settings.aws), settings.lake))

    def find(self, keys: Sequence[str]) -> Collection[str]:
        """Which of them are there. Raises Outage, ConfigError where the tables are still to be made."""
        today = dt.datetime.now(dt.UTC).date()
        days = (today - dt.timedelta(days=1), today + dt.timedelta(days=1))
        rows = self._reader.query(_THERE.format(", ".join("?" * len(keys))), [days[0], *keys], days=days)
        return [row["event_id"] for row in rows]


class InWarehouse:
    """On one connection, made again after a failure."""

    def __init__(self, settings: Warehouse) -> None:
        self._settings = settings
        self._session: Session | None = None

    def find(self, keys: Sequence[str]) -> Collection[str]:
        """Which of them are there. Raises Outage, ConfigError."""
        self._session = self._session or connect(self._settings)
        yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
        try:
            rows = self._session.query("probes", _THERE.format(", ".join("?" * len(keys))), [yesterday, *keys])
            self._session.rollback()
        except Exception:
            self.close()
            raise
        return [row["event_id"] for row in rows]

    def close(self) -> None:
        if self._session:
            self._session.close()
        self._session = None


class _Minute(msgspec.Struct):
    label: str
    orders: int


class _Snapshot(msgspec.Struct):
    minutes: list[_Minute]


def sales_on_board(snapshot: bytes, now: dt.datetime, shop: Shop) -> dict[str, int]:
    """Sales by minute, HH:MM of UTC; the board has the shop's time, and its last minute is the one that runs.

    It is the one a moment ago, too, where the board has not asked since.
    """
    minutes = msgspec.json.decode(snapshot, type=_Snapshot).minutes
    running = now.replace(second=0, microsecond=0)
    zone = shop.zone()
    for back in range(3):
        last = running - dt.timedelta(minutes=back)
        if minutes and f"{last.astimezone(zone):%H:%M}" == minutes[-1].label:
            starts = [last - dt.timedelta(minutes=len(minutes) - 1 - n) for n in range(len(minutes))]
            return {f"{start:%H:%M}": minute.orders for start, minute in zip(starts, minutes, strict=True)}
    return {}


def _clock(seconds: int) -> str:
    return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}"
