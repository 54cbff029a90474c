"""Rows that the warehouse makes of its tables for a figure: what a customer, an hour or a file was, in SQL.

Relations in parentheses rather than views: a definition changes with the release that shows it, and needs no migration.
"""

import datetime as dt

import msgspec

from contract.formula import OverRows, Source
from contract.formula_sql import ZONE, expression, literal
from contract.rows import LedgerRow

WEEKS = 8  # that usual is made of
SETTLED_MINUTES = 15  # by which the rows of a heartbeat's lines have followed it into the warehouse


class PurchaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A sale to a known customer."""

    event_id: str
    event_time: dt.datetime
    event_date: dt.date
    customer: str
    currency: str
    region: str | None = None
    channel: str
    revenue: int
    is_new: bool  # on the day of the customer's first purchase


class HourRow(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the shop's clock up to the end of today, in one currency."""

    started_at: dt.datetime  # UTC
    event_date: dt.date
    currency: str
    measure: str  # of what the next two are: revenue, sales
    amount: int
    usual: int | None = None  # None: no week before to compare with
    is_over: bool


class RegionHourRow(HourRow, frozen=True, kw_only=True):
    """The same of one region. Medians of regions do not add up to the shop's."""

    region: str | None = None


class FileRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file that agents have read, up to a heartbeat that is old enough for its lines to be in the warehouse."""

    file_id: str
    kind: str  # of its lines: order, access
    path: str
    heard_at: dt.datetime
    emitted: int  # lines
    found: int  # orders, hits, letters and duplicates of those lines
    missing: int


class FailedCheckoutRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the view: see `consumers.checkouts`."""

    event_date: dt.date
    session: str
    session_kind: str | None = None
    first_at: dt.datetime
    last_at: dt.datetime
    failures: int
    status: int | None = None
    order_id: str | None = None
    browser: str | None = None
    device: str | None = None


class UnseenOrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the view: see `consumers.checkouts`."""

    event_date: dt.date
    event_time: dt.datetime
    order_id: str
    session: str | None = None
    channel: str
    region: str | None = None
    currency: str
    revenue: int


PURCHASES = Source(
    name="purchases",
    relation=(
        "(SELECT o.event_id, o.event_time, o.event_date, o.customer, o.currency, o.region, o.channel, o.revenue,"
        " CASE WHEN o.event_date = first_one.event_date THEN TRUE ELSE FALSE END AS is_new FROM orders o"
        " JOIN (SELECT customer, MIN(event_date) AS event_date FROM orders"
        " WHERE kind = 'sale' AND customer IS NOT NULL GROUP BY customer) first_one"
        " ON first_one.customer = o.customer WHERE o.kind = 'sale') purchases"
    ),
    row=PurchaseRow,
    time="event_time",
    day="event_date",
)
FILES = Source(
    name="files",
    relation=(
        "(WITH heard AS (SELECT file_id, kind, path, arrived_at, end_offset, lines FROM"
        " (SELECT a.file_id, a.kind, a.path, a.arrived_at, a.end_offset, a.lines, ROW_NUMBER() OVER"
        " (PARTITION BY a.file_id ORDER BY a.end_offset DESC, a.arrived_at DESC) AS place FROM account a"
        " CROSS JOIN (SELECT MAX(last_arrived_at) AS arrived_at FROM ledger) newest"
        f" WHERE a.arrived_at <= DATEADD('minute', -{SETTLED_MINUTES}, newest.arrived_at)) ranked WHERE place = 1),"
        " stored AS (SELECT origin_file, origin_offset FROM orders"
        " UNION ALL SELECT origin_file, origin_offset FROM hits"
        " UNION ALL SELECT origin_file, origin_offset FROM letters_open WHERE event_type <> 'heartbeat'"
        " UNION ALL SELECT origin_file, origin_offset FROM duplicates),"
        " counted AS (SELECT heard.file_id, COUNT(*) AS found FROM stored JOIN heard"
        " ON heard.file_id = stored.origin_file AND stored.origin_offset < heard.end_offset GROUP BY heard.file_id)"
        " SELECT heard.file_id, heard.kind, heard.path, heard.arrived_at AS heard_at, heard.lines AS emitted,"
        " COALESCE(counted.found, 0) AS found, heard.lines - COALESCE(counted.found, 0) AS missing"
        " FROM heard LEFT JOIN counted ON counted.file_id = heard.file_id) files"
    ),
    row=FileRow,
    time="heard_at",
    day="",
)
LEDGER = Source(name="ledger", relation="ledger", row=LedgerRow, time="last_arrived_at", day="")
FAILED_CHECKOUTS = Source(
    name="failed_checkouts", relation="failed_checkouts", row=FailedCheckoutRow, time="first_at", day="event_date"
)
UNSEEN_ORDERS = Source(
    name="orders_without_checkout",
    relation="orders_without_checkout",
    row=UnseenOrderRow,
    time="event_time",
    day="event_date",
)


def hours(revenue: OverRows, sales: OverRows) -> Source:
    """Each hour with what is usual in it: the median of the same hour and weekday in the weeks before.

    A week without an order in that hour counts as 0; weeks before the shop's first order do not count.
    """
    return Source(name="hours", relation=_hours(revenue, sales), row=HourRow, time="started_at", day="event_date")


def region_hours(revenue: OverRows, sales: OverRows) -> Source:
    """The same by region."""
    relation = _hours(revenue, sales, ", region")
    return Source(name="region_hours", relation=relation, row=RegionHourRow, time="started_at", day="event_date")


def _hours(revenue: OverRows, sales: OverRows, region: str = "") -> str:
    source = revenue.source
    if sales.source != source:
        raise ValueError("what is usual is computed over the same rows")
    keys = "local_hour, currency" + region
    measures = {"revenue": revenue, "sales": sales}
    local = f"CONVERT_TIMEZONE('UTC', {ZONE}, %s)"
    hourly = ", ".join(f"{expression(formula)} AS {name}" for name, formula in measures.items())
    measured = " UNION ALL ".join(
        f"SELECT {keys}, CAST({literal(name)} AS VARCHAR(16)) AS measure, {name} AS amount FROM hourly"
        for name in measures
    )
    ago = " UNION ALL ".join(f"SELECT {week} AS ago" for week in range(WEEKS + 1))
    own = "w.local_hour, w.currency, w.measure" + (", w.region" if region else "")
    # A region that is not known is one, too: an empty one in comparisons.
    same = " AND {0}.currency = w.currency AND {0}.measure = w.measure" + (
        " AND COALESCE({0}.region, '') = COALESCE(w.region, '')" if region else ""
    )
    before = "DATEADD('day', -7 * k.ago, w.local_hour)"
    return (
        f"(WITH hourly AS (SELECT DATE_TRUNC('hour', {local % source.time}) AS local_hour, currency{region}, {hourly}"
        f" FROM {source.relation} GROUP BY {'1, 2, 3' if region else '1, 2'}),"
        f" measured AS ({measured}),"
        f" weeks AS ({ago}),"
        " opened AS (SELECT MIN(local_hour) AS local_hour FROM hourly),"
        # MEDIAN is of one column a statement in Redshift; hence a row a measure.
        f" wanted AS (SELECT DISTINCT DATEADD('day', 7 * k.ago, m.local_hour) AS local_hour, m.currency, m.measure"
        f"{', m.region' if region else ''} FROM measured m CROSS JOIN weeks k"
        f" WHERE DATEADD('day', 7 * k.ago, m.local_hour)"
        f" < DATEADD('day', 1, DATE_TRUNC('day', {local % 'GETDATE()'}))),"
        f" compared AS (SELECT {own}, MEDIAN(COALESCE(m.amount, 0)) AS usual FROM wanted w CROSS JOIN weeks k"
        f" JOIN opened ON {before} >= opened.local_hour"
        f" LEFT JOIN measured m ON m.local_hour = {before}{same.format('m')}"
        f" WHERE k.ago > 0 GROUP BY {own})"
        f" SELECT CONVERT_TIMEZONE({ZONE}, 'UTC', w.local_hour) AS started_at,"
        f" CAST(w.local_hour AS DATE) AS event_date, w.currency{', w.region' if region else ''}, w.measure,"
        " COALESCE(m.amount, 0) AS amount, CAST(ROUND(c.usual, 0) AS BIGINT) AS usual,"
        f" CASE WHEN w.local_hour < DATE_TRUNC('hour', {local % 'GETDATE()'}) THEN TRUE ELSE FALSE END AS is_over"
        " FROM wanted w"
        f" LEFT JOIN compared c ON c.local_hour = w.local_hour{same.format('c')}"
        f" LEFT JOIN measured m ON m.local_hour = w.local_hour{same.format('m')}) {'region_' if region else ''}hours"
    )
