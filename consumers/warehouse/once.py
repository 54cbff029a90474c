"""The SQL by which a row is taken in once, whoever sends it again.

The rule is that of `consumers.identities`, but for one thing: what is stored stays, so that the earliest wins within
one stage only. A second line becomes a row of `duplicates`, and one of `conflicts` where an order's content differs. A
line has one row in `duplicates`, so that the account stays exact: one that was refused, and is accepted when it comes
again, is not looked at for conflicts.
Keys are not enforced by Redshift: the anti-joins below are all there is. They join known_TABLE, so that the rows of
the days are read once by a commit, and not by each of its statements.

Texts name tables and columns of the contract only; days are parameters, so that the sort key prunes what is read.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

from consumers.identities import FOREIGN_AT, ORDERS, ORIGIN, Judged
from contract.tables import ACCOUNT, CONFLICTS, DUPLICATES, LINES, Column

Days = Sequence[tuple[dt.date, dt.date]]  # ranges, both ends included

# Heartbeats of one kind arrive on any day; records are kept for 30 days at most, and none is sent again after that.
HEARTBEAT_MEMORY = dt.timedelta(days=30)
_NEAR = dt.timedelta(days=7)  # days nearer than this share a range: fewer predicates for the same blocks

# `s` is a staged row; foreign_at its arrival, where it has no origin.
_SAME_LINE = (
    "(({0}.origin_file = s.origin_file AND {0}.origin_offset = s.origin_offset)"
    " OR ({0}.origin_file IS NULL AND {0}.arrived_at = s.foreign_at))"
)


def day_ranges(days: Iterable[dt.date], *, before: dt.timedelta = dt.timedelta(0)) -> list[tuple[dt.date, dt.date]]:
    """The fewest ranges that hold `days`, and what lies `before` each."""
    ranges: list[tuple[dt.date, dt.date]] = []
    for day in sorted(set(days)):
        if ranges and day - before - ranges[-1][1] <= _NEAR:
            ranges[-1] = ranges[-1][0], day
        else:
            ranges.append((day - before, day))
    return ranges


def parameters(days: Days) -> list[dt.date]:
    """What the `?` of a statement's days stand for."""
    return [day for both in days for day in both]


def known_columns(judged: Judged, columns: Sequence[Column]) -> Sequence[Column]:
    """What the temporary table known_TABLE has of a stored row: enough to tell its lines and conflicts from others."""
    wanted = {judged.identity, judged.table.day, "arrived_at", "origin_file", "origin_offset", judged.content}
    return [column for column in columns if column.name in wanted]


def insert_known(judged: Judged, columns: Sequence[Column], days: Days) -> str:
    """Into the temporary table known_TABLE: the stored rows of the staged identities."""
    return (
        f"INSERT INTO known_{judged.table.name} ({_names(columns)}) SELECT {_names(columns, 'known.')}"
        f" FROM {judged.table.name} known JOIN (SELECT DISTINCT {judged.event} FROM stage_{judged.table.name}) s"
        f" ON {_same_event(judged)} AND {_within(f'known.{judged.table.day}', days)}"
    )


def insert_new(judged: Judged, columns: Sequence[Column]) -> str:
    """Into the temporary table new_TABLE: the first line of each identity that is not known."""
    names = _names(columns)
    return (
        f"INSERT INTO new_{judged.table.name} ({names}) SELECT {_names(columns, 's.')}"
        f" FROM (SELECT {names}, ROW_NUMBER() OVER (PARTITION BY {judged.event} ORDER BY {judged.earliest}) AS place"
        f" FROM stage_{judged.table.name}) s LEFT JOIN {_known(judged)}"
        f" WHERE s.place = 1 AND known.{judged.identity} IS NULL"
    )


def insert_all(into: str, columns: Sequence[Column], source: str) -> str:
    """Every row of `source`."""
    return f"INSERT INTO {into} ({_names(columns)}) SELECT {_names(columns)} FROM {source}"


def insert_lines(columns: Sequence[Column], *, repeated: bool) -> str:
    """The lines of the orders in new_orders. `repeated`: some of these orders were staged more than once."""
    source, first = "stage_lines", ""
    if repeated:
        source = (
            f"(SELECT {_names(columns)}, ROW_NUMBER() OVER"
            " (PARTITION BY event_id, event_date, content_hash, line_number ORDER BY event_time) AS place"
            " FROM stage_lines)"
        )
        first = " WHERE s.place = 1"
    return (
        f"INSERT INTO {LINES.name} ({_names(columns)}) SELECT {_names(columns, 's.')} FROM {source} s"
        " JOIN new_orders o ON o.event_id = s.event_id AND o.event_date = s.event_date"
        f" AND o.content_hash = s.content_hash{first}"
    )


def insert_heartbeats(columns: Sequence[Column], days: Days) -> str:
    """The first of each (file_id, end_offset, final, read_at) that is not stored: to repeat itself is to live.

    `days` reach back by HEARTBEAT_MEMORY.
    """
    names = _names(columns)
    return (
        f"INSERT INTO {ACCOUNT.name} ({names}) SELECT {_names(columns, 's.')}"
        f" FROM (SELECT {names}, ROW_NUMBER() OVER (PARTITION BY file_id, end_offset, final, read_at"
        f" ORDER BY arrived_at) AS place FROM stage_{ACCOUNT.name}) s"
        f" LEFT JOIN {ACCOUNT.name} known ON known.file_id = s.file_id AND known.end_offset = s.end_offset"
        f" AND known.final = s.final AND known.read_at = s.read_at AND {_within('known.arrived_on', days)}"
        " WHERE s.place = 1 AND known.file_id IS NULL"
    )


def insert_conflicts() -> str:
    """Later lines of an order with other content. Comes before `insert_duplicates`, after which they are known."""
    return (
        f"INSERT INTO {CONFLICTS.name} (event_id, event_date, kept_content_hash, content_hash, currency, revenue,"
        f" arrived_at, {ORIGIN})"
        " SELECT s.event_id, s.event_date, known.content_hash, s.content_hash, s.currency, s.revenue, s.arrived_at,"
        f" {_origin_of_s()}{_later_lines(ORDERS, 'content_hash, currency, revenue')}"
        " AND s.content_hash <> known.content_hash"
    )


def insert_duplicates(judged: Judged) -> str:
    """Later lines of an identity that is known, by now."""
    conflict = "s.content_hash <> known.content_hash" if judged is ORDERS else "FALSE"
    return (
        f"INSERT INTO {DUPLICATES.name} (event_id, conflict, arrived_at, {ORIGIN})"
        f" SELECT s.{judged.identity}, {conflict}, s.arrived_at, {_origin_of_s()}"
        f"{_later_lines(judged, judged.ties)}"
    )


def count_lines(judged: Judged) -> str:
    """`lines`: of how many different lines the staged rows are."""
    return f"SELECT COUNT(*) AS lines FROM {_staged_lines(judged)}"


def count_stored(judged: Judged) -> str:
    """`firsts` and `laters`: how many of these lines are stored now, as a row and as a duplicate."""
    same, later = _SAME_LINE.format("known"), _SAME_LINE.format("d")
    return (
        f"SELECT SUM(CASE WHEN {same} THEN 1 ELSE 0 END) AS firsts,"
        f" SUM(CASE WHEN {same} THEN 0 WHEN d.event_id IS NOT NULL THEN 1 ELSE 0 END) AS laters"
        f" FROM {_staged_lines(judged)}"
        f" JOIN {_known(judged)}"
        f" LEFT JOIN {DUPLICATES.name} d ON d.event_id = s.{judged.identity} AND {later}"
    )


def _later_lines(judged: Judged, more: str) -> str:
    """FROM and WHERE of the staged lines that are neither their identity's row nor known as a duplicate."""
    return (
        f" FROM (SELECT {judged.event}, arrived_at, {ORIGIN}, {more}, {FOREIGN_AT} AS foreign_at,"
        f" ROW_NUMBER() OVER (PARTITION BY {judged.line} ORDER BY arrived_at, {judged.ties}) AS delivery"
        f" FROM stage_{judged.table.name}) s"
        f" JOIN {_known(judged)}"
        f" LEFT JOIN {DUPLICATES.name} d ON d.event_id = s.{judged.identity} AND {_SAME_LINE.format('d')}"
        " WHERE s.delivery = 1 AND d.event_id IS NULL"
        f" AND CASE WHEN {_SAME_LINE.format('known')} THEN 0 ELSE 1 END = 1"  # NOT would lose what compares with NULL
    )


def _staged_lines(judged: Judged) -> str:
    return (
        f"(SELECT DISTINCT {judged.event}, origin_file, origin_offset, {FOREIGN_AT} AS foreign_at"
        f" FROM stage_{judged.table.name}) s"
    )


def _known(judged: Judged) -> str:
    """The known row of a staged one's event, to be joined."""
    return f"known_{judged.table.name} known ON {_same_event(judged)}"


def _same_event(judged: Judged) -> str:
    return " AND ".join(f"known.{column} = s.{column}" for column in (judged.identity, judged.table.day))


def _within(column: str, days: Days) -> str:
    return f"({' OR '.join(f'{column} BETWEEN ? AND ?' for _ in days)})"


def _names(columns: Sequence[Column], alias: str = "") -> str:
    return ", ".join(alias + column.name for column in columns)


def _origin_of_s() -> str:
    return ", ".join(f"s.{column}" for column in ORIGIN.split(", "))
