"""The lake's tables hold rows as cold wrote them; these views leave out what came twice. For DuckDB and Athena alike.

By the rule of `consumers.identities`.
"""

from consumers import identities
from consumers.checkouts import checkout_views
from consumers.identities import ORIGIN, Judged
from consumers.mended import letters_open
from contract.tables import HITS, LETTERS, LINES, ORDERS, Table


def _names(table: Table, prefix: str = "") -> str:
    return ", ".join(f"{prefix}{column.name}" for column in table.columns)


def _of_event(judged: Judged) -> str:
    """The window whose first row counts."""
    return f"(PARTITION BY {judged.event} ORDER BY {judged.earliest})"


def _once(judged: Judged) -> str:
    names = _names(judged.table)
    return (
        f"SELECT {names} FROM (SELECT {names}, ROW_NUMBER() OVER {_of_event(judged)} AS place"
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


def _duplicates(judged: Judged) -> str:
    """Compared by line with the row that counts, not by place: rows delivered twice may be alike in every column."""
    line = "arrived_at, origin_file, origin_offset"
    firsts = ", ".join(
        f"FIRST_VALUE({column}) OVER {_of_event(judged)} AS kept_{name}"
        for column, name in ((judged.content, "content"), *((each, each) for each in line.split(", ")))
    )
    return (
        f"SELECT event_id, content <> kept_content AS conflict, arrived_at, {ORIGIN}"
        f" FROM (SELECT {judged.identity} AS event_id, {judged.content} AS content, arrived_at, {ORIGIN}, {firsts},"
        f" ROW_NUMBER() OVER (PARTITION BY {judged.line} ORDER BY arrived_at, {judged.ties}) AS place"
        f" FROM {judged.table.name}) ranked"
        " WHERE place = 1 AND (origin_file IS DISTINCT FROM kept_origin_file"
        " OR origin_offset IS DISTINCT FROM kept_origin_offset"
        " OR (origin_file IS NULL AND arrived_at <> kept_arrived_at))"
    )


_CHECKOUTS = checkout_views("orders_once", "hits_once")

# In the order in which they can be created: a later one may read an earlier one.
VIEWS = {
    "orders_once": _once(identities.ORDERS),
    "hits_once": _once(identities.HITS),
    "letters_once": _once(identities.LETTERS),
    "lines_once": _lines_once(),
    "duplicates": f"{_duplicates(identities.ORDERS)} UNION ALL {_duplicates(identities.HITS)}"
    f" UNION ALL {_duplicates(identities.LETTERS)}",
    "letters_open": letters_open("letters_once", ORDERS.name, HITS.name),
    **_CHECKOUTS,
}

# The tables that each reads.
READS = {
    "orders_once": (ORDERS.name,),
    "hits_once": (HITS.name,),
    "letters_once": (LETTERS.name,),
    "lines_once": (LINES.name, ORDERS.name),
    "duplicates": (ORDERS.name, HITS.name, LETTERS.name),
    "letters_open": (LETTERS.name, ORDERS.name, HITS.name),
    **dict.fromkeys(_CHECKOUTS, (ORDERS.name, HITS.name)),
}


def athena_ddl(database: str) -> list[str]:
    """The statements that create the views in Athena, one each, to be run in this order with `database` selected."""
    return [f"CREATE OR REPLACE VIEW {database}.{name} AS {text}" for name, text in VIEWS.items()]
