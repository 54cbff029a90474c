"""The lake's tables hold rows as cold wrote them; these views leave out what came twice. For DuckDB and Athena alike.

An order's identity is (event_id, event_date), a letter's (letter_id, read_on). A line is (origin_file, origin_offset),
or arrived_at where there is no origin. Of one identity the earliest row counts; every other line of it is a duplicate,
a conflict where the content differs; the same line again is nothing.
"""

from dataclasses import dataclass

from contract.tables import LETTERS, LINES, ORDERS, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A table of judged events."""

    table: Table
    identity: str
    ties: str  # columns that order rows of one arrival
    content: str  # what tells a conflict from a mere duplicate

    @property
    def same_event(self) -> str:
        return f"PARTITION BY {self.identity}, {self.table.day}"

    @property
    def earliest(self) -> str:
        """The window whose first row counts."""
        return f"({self.same_event} ORDER BY arrived_at, origin_file NULLS LAST, origin_offset NULLS LAST, {self.ties})"


_ORDERS = _Judged(table=ORDERS, identity="event_id", ties="content_hash", content="content_hash")
_LETTERS = _Judged(table=LETTERS, identity="letter_id", ties="shard_id, sequence, sub_sequence", content="''")

_FOREIGN_AT = "CASE WHEN origin_file IS NULL THEN arrived_at END"


def _names(table: Table, prefix: str = "") -> str:
    return ", ".join(f"{prefix}{column.name}" for column in table.columns)


def _once(judged: _Judged) -> str:
    names = _names(judged.table)
    return (
        f"SELECT {names} FROM (SELECT {names}, ROW_NUMBER() OVER {judged.earliest} AS place"
        f" FROM {judged.table.name}) ranked WHERE place = 1"
    )


def _lines_once() -> str:
    """One row per line number of the order that counts; the lines of a conflicting one belong to nothing."""
    names = _names(LINES)
    order = f"PARTITION BY event_id, {LINES.day}, content_hash"
    return (
        f"SELECT {_names(LINES, 'l.')} FROM (SELECT {names}, ROW_NUMBER() OVER ({order}, line_number"
        f" ORDER BY event_time) AS place FROM {LINES.name}) l"
        f" JOIN orders_once o ON o.event_id = l.event_id AND o.{ORDERS.day} = l.{LINES.day}"
        " AND o.content_hash = l.content_hash WHERE l.place = 1"
    )


def _duplicates(judged: _Judged) -> str:
    """Compared by line with the row that counts, not by place: rows delivered twice may be alike in every column."""
    line = "arrived_at, origin_file, origin_offset"
    firsts = ", ".join(
        f"FIRST_VALUE({column}) OVER {judged.earliest} AS kept_{name}"
        for column, name in ((judged.content, "content"), *((each, each) for each in line.split(", ")))
    )
    return (
        "SELECT event_id, content <> kept_content AS conflict, arrived_at, origin_file, origin_offset, origin_bytes,"
        f" origin_crc FROM (SELECT {judged.identity} AS event_id, {judged.content} AS content, {line}, origin_bytes,"
        f" origin_crc, {firsts}, ROW_NUMBER() OVER ({judged.same_event}, origin_file, origin_offset, {_FOREIGN_AT}"
        f" ORDER BY arrived_at, {judged.ties}) AS place FROM {judged.table.name}) ranked"
        " WHERE place = 1 AND (origin_file IS DISTINCT FROM kept_origin_file"
        " OR origin_offset IS DISTINCT FROM kept_origin_offset"
        " OR (origin_file IS NULL AND arrived_at <> kept_arrived_at))"
    )


# In the order in which they can be created: a later one may read an earlier one.
VIEWS = {
    "orders_once": _once(_ORDERS),
    "letters_once": _once(_LETTERS),
    "lines_once": _lines_once(),
    "duplicates": f"{_duplicates(_ORDERS)} UNION ALL {_duplicates(_LETTERS)}",
}

# The tables that each reads.
READS = {
    "orders_once": (ORDERS.name,),
    "letters_once": (LETTERS.name,),
    "lines_once": (LINES.name, ORDERS.name),
    "duplicates": (ORDERS.name, LETTERS.name),
}


def athena_ddl(database: str) -> list[str]:
    """The statements that create the views in Athena, one each, to be run in this order with `database` selected."""
    return [f"CREATE OR REPLACE VIEW {database}.{name} AS {text}" for name, text in VIEWS.items()]
