"""The SQL by which a row is taken in once, whoever sends it again.

An order's identity is (event_id, event_date), a letter's (letter_id, read_on). A *line* is where a row came from:
(origin_file, origin_offset), or the time of arrival where there is no origin. The first line of an identity becomes
the row: what is stored stays, and within one stage the earliest by (arrived_at, origin_file, origin_offset) wins.
Another line of the same identity becomes a row of `duplicates`, and one of `conflicts` where an order's content
differs. The same line again leaves nothing. Keys are not enforced by Redshift: the anti-joins below are all there is.

Texts name tables and columns of the contract only; days are parameters, so that the sort key prunes what is read.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contract.tables import ACCOUNT, CONFLICTS, DUPLICATES, LINES, Column

Days = Sequence[tuple[dt.date, dt.date]]  # ranges, both ends included

# Heartbeats of one kind arrive on any day; records are kept for 30 days at most, and none is sent again after that.
HEARTBEAT_MEMORY = dt.timedelta(days=30)
_NEAR = dt.timedelta(days=7)  # days nearer than this share a range: fewer predicates for the same blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A table of judged events."""

    table: str
    identity: str  # column
    day: str  # column
    ties: str  # columns that order rows of one arrival

    @property
    def same_event(self) -> str:
        return f"known.{self.identity} = s.{self.identity} AND known.{self.day} = s.{self.day}"


ORDERS = Judged(table="orders", identity="event_id", day="event_date", ties="content_hash")
LETTERS = Judged(table="letters", identity="letter_id", day="read_on", ties="shard_id, sequence, sub_sequence")

# `s` is a staged row; foreign_at its arrival, where it has no origin.
_FOREIGN_AT = "CASE WHEN origin_file IS NULL THEN arrived_at END"
_SAME_LINE = (
    "(({0}.origin_file = s.origin_file AND {0}.origin_offset = s.origin_offset)"
    " OR ({0}.origin_file IS NULL AND {0}.arrived_at = s.foreign_at))"
)
_ORIGIN = "origin_file, origin_offset, origin_bytes, origin_crc"


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


def insert_new(judged: Judged, columns: Sequence[Column], days: Days) -> str:
    """Into the temporary table new_TABLE: the first line of each identity that is not stored."""
    names = _names(columns)
    return (
        f"INSERT INTO new_{judged.table} ({names}) SELECT {_names(columns, 's.')}"
        f" FROM (SELECT {names}, ROW_NUMBER() OVER (PARTITION BY {judged.identity}, {judged.day}"
        f" ORDER BY arrived_at, origin_file, origin_offset, {judged.ties}) AS place FROM stage_{judged.table}) s"
        f" LEFT JOIN {judged.table} known ON {judged.same_event} AND {_within(f'known.{judged.day}', days)}"
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
    """The first of each (file_id, end_offset, final) that is not stored. `days` reach back by HEARTBEAT_MEMORY."""
    names = _names(columns)
    return (
        f"INSERT INTO {ACCOUNT.name} ({names}) SELECT {_names(columns, 's.')}"
        f" FROM (SELECT {names}, ROW_NUMBER() OVER (PARTITION BY file_id, end_offset, final"
        f" ORDER BY arrived_at, read_at) AS place FROM stage_{ACCOUNT.name}) s"
        f" LEFT JOIN {ACCOUNT.name} known ON known.file_id = s.file_id AND known.end_offset = s.end_offset"
        f" AND known.final = s.final AND {_within('known.arrived_on', days)}"
        " WHERE s.place = 1 AND known.file_id IS NULL"
    )


def insert_conflicts(days: Days) -> str:
    """Later lines of an order with other content. Comes before `insert_duplicates`, after which they are known."""
    return (
        f"INSERT INTO {CONFLICTS.name} (event_id, event_date, kept_content_hash, content_hash, currency, revenue,"
        f" arrived_at, {_ORIGIN})"
        " SELECT s.event_id, s.event_date, known.content_hash, s.content_hash, s.currency, s.revenue, s.arrived_at,"
        f" {_origin_of_s()}{_later_lines(ORDERS, 'content_hash, currency, revenue', days)}"
        " AND s.content_hash <> known.content_hash"
    )


def insert_duplicates(judged: Judged, days: Days) -> str:
    """Later lines of an identity that is stored, by now."""
    is_order = judged is ORDERS
    conflict = "s.content_hash <> known.content_hash" if is_order else "FALSE"
    return (
        f"INSERT INTO {DUPLICATES.name} (event_id, conflict, arrived_at, {_ORIGIN})"
        f" SELECT s.{judged.identity}, {conflict}, s.arrived_at, {_origin_of_s()}"
        f"{_later_lines(judged, judged.ties, days)}"
    )


def count_lines(judged: Judged) -> str:
    """`lines`: of how many different lines the staged rows are."""
    return f"SELECT COUNT(*) AS lines FROM {_staged_lines(judged)}"


def count_stored(judged: Judged, days: Days) -> str:
    """`firsts` and `laters`: how many of these lines are stored now, as a row and as a duplicate."""
    same, later = _SAME_LINE.format("known"), _SAME_LINE.format("d")
    return (
        f"SELECT SUM(CASE WHEN {same} THEN 1 ELSE 0 END) AS firsts,"
        f" SUM(CASE WHEN {same} THEN 0 WHEN d.event_id IS NOT NULL THEN 1 ELSE 0 END) AS laters"
        f" FROM {_staged_lines(judged)}"
        f" JOIN {judged.table} known ON {judged.same_event} AND {_within(f'known.{judged.day}', days)}"
        f" LEFT JOIN {DUPLICATES.name} d ON d.event_id = s.{judged.identity} AND {later}"
    )


def _later_lines(judged: Judged, more: str, days: Days) -> str:
    """FROM and WHERE of the staged lines that are neither their identity's row nor known as a duplicate."""
    return (
        f" FROM (SELECT {judged.identity}, {judged.day}, arrived_at, {_ORIGIN}, {more}, {_FOREIGN_AT} AS foreign_at,"
        f" ROW_NUMBER() OVER (PARTITION BY {judged.identity}, {judged.day}, origin_file, origin_offset, {_FOREIGN_AT}"
        f" ORDER BY arrived_at, {judged.ties}) AS delivery FROM stage_{judged.table}) s"
        f" JOIN {judged.table} known ON {judged.same_event} AND {_within(f'known.{judged.day}', days)}"
        f" LEFT JOIN {DUPLICATES.name} d ON d.event_id = s.{judged.identity} AND {_SAME_LINE.format('d')}"
        " WHERE s.delivery = 1 AND d.event_id IS NULL"
        f" AND CASE WHEN {_SAME_LINE.format('known')} THEN 0 ELSE 1 END = 1"  # NOT would lose what compares with NULL
    )


def _staged_lines(judged: Judged) -> str:
    return (
        f"(SELECT DISTINCT {judged.identity}, {judged.day}, origin_file, origin_offset, {_FOREIGN_AT} AS foreign_at"
        f" FROM stage_{judged.table}) s"
    )


def _within(column: str, days: Days) -> str:
    return f"({' OR '.join(f'{column} BETWEEN ? AND ?' for _ in days)})"


def _names(columns: Sequence[Column], alias: str = "") -> str:
    return ", ".join(alias + column.name for column in columns)


def _origin_of_s() -> str:
    return ", ".join(f"s.{column}" for column in _ORIGIN.split(", "))
