"""The warehouse's part in settling conflicts. See `consumers.keeper.conflicts`."""

import logging
from collections.abc import Callable, Iterable, Sequence

from consumers.identities import ORIGIN
from consumers.keeper.conflicts import Conflict, Found, Line, Row, line_of
from consumers.warehouse.connection import Session, connect
from consumers.warehouse.store import Connect
from consumers.warehouse.trouble import Refused
from contract.tables import CONFLICTS, DUPLICATES, LINES, ORDERS, Table
from runtime.effects import Effect, no_effect
from runtime.errors import ConfigError
from runtime.settings import Warehouse

_log = logging.getLogger(__name__)

_OF_EVENT = "event_id = ? AND event_date = ?"
_OF_LINE = "event_id = ? AND origin_file = ? AND origin_offset = ?"
_OF_FOREIGN = "event_id = ? AND origin_file IS NULL AND arrived_at = ?"
_ORIGIN = ORIGIN.split(", ")


class WarehouseConflicts:
    """See `Corrected`. All conflicts of one call are corrected in one transaction, which no commit runs beside."""

    name = "warehouse"

    def __init__(self, settings: Warehouse, *, effect: Effect = no_effect, connect: Connect = connect) -> None:
        self._settings = settings
        self._effect = effect
        self._open = connect

    def look(self, conflicts: Sequence[Conflict]) -> Found:
        with self._open(self._settings, effect=self._effect) as session:
            shown = _shown(session, conflicts)
        wrong, waiting = [], 0
        for conflict in conflicts:
            row = shown.get(conflict.event_id)
            if row is None or line_of(row) not in conflict.by_line():
                waiting += 1
            elif line_of(row) != line_of(conflict.first):
                wrong.append(conflict)
        return Found(wrong=wrong, waiting=waiting)

    def correct(self, conflicts: Sequence[Conflict], check: Callable[[], None]) -> int:
        check()
        with self._open(self._settings, effect=self._effect) as session:
            try:
                session.execute("lock ledger", "LOCK ledger")  # as a commit does: neither sees half of the other
                shown = _shown(session, conflicts)
                corrected = 0
                for conflict in conflicts:
                    row = shown.get(conflict.event_id)
                    if row is not None and line_of(row) in conflict.by_line():
                        corrected += _correct(session, conflict, line_of(row))
                check()
                session.commit()
            except Refused as refused:
                raise ConfigError(f"the warehouse: {refused}; run `python -m consumers migrate`") from refused
        return corrected


def _shown(session: Session, conflicts: Sequence[Conflict]) -> dict[str, Row]:
    """The stored row of each event. They are of one day."""
    marks = ", ".join("?" for _ in conflicts)
    rows = session.query(
        "read conflicting orders",
        f"SELECT event_id, arrived_at, origin_file, origin_offset FROM {ORDERS.name}"
        f" WHERE event_date = ? AND event_id IN ({marks})",
        [conflicts[0].event_date, *(conflict.event_id for conflict in conflicts)],
    )
    return {row["event_id"]: row for row in rows}


def _correct(session: Session, conflict: Conflict, shown: Line) -> int:
    """Put the first one in place of `shown`, and say of each other line that was taken what it is beside it now."""
    first, by_line = conflict.first, conflict.by_line()
    if shown == line_of(first):
        return 0
    event = [conflict.event_id, conflict.event_date]
    later = {line for line in _duplicates(session, conflict) | {shown} if line in by_line} - {line_of(first)}
    for table in (ORDERS, LINES):
        session.execute(f"take {table.name} out", f"DELETE FROM {table.name} WHERE {_OF_EVENT}", event)
    _insert(session, ORDERS, [first])
    _insert(session, LINES, conflict.order_lines)
    for line in sorted(later | {line_of(first)}, key=repr):
        for table in (DUPLICATES, CONFLICTS):
            session.execute(f"take {table.name} out", *_delete(table, conflict.event_id, line))
    for row in sorted((by_line[line] for line in later), key=lambda row: row["arrived_at"]):
        _insert_later(session, conflict, row)
    # Those of lines that the lake has not taken yet.
    kept = f"UPDATE {CONFLICTS.name} SET kept_content_hash = ? WHERE {_OF_EVENT}"
    session.execute("name what is kept", kept, [first["content_hash"], *event])
    return 1


def _duplicates(session: Session, conflict: Conflict) -> set[Line]:
    rows = session.query(
        "read duplicates",
        f"SELECT arrived_at, origin_file, origin_offset FROM {DUPLICATES.name} WHERE event_id = ?",
        [conflict.event_id],
    )
    return {line_of(row) for row in rows}


def _delete(table: Table, event_id: str, line: Line) -> tuple[str, list[object]]:
    file, offset, arrived_at = line
    which, values = (_OF_FOREIGN, [arrived_at]) if file is None else (_OF_LINE, [file, offset])
    return f"DELETE FROM {table.name} WHERE {which}", [event_id, *values]


def _insert_later(session: Session, conflict: Conflict, row: Row) -> None:
    kept = conflict.first["content_hash"]
    is_other = row["content_hash"] != kept
    where = {name: row[name] for name in ("arrived_at", *_ORIGIN)}
    _insert(session, DUPLICATES, [{"event_id": conflict.event_id, "conflict": is_other, **where}])
    if is_other:
        what = {name: row[name] for name in ("event_id", "event_date", "content_hash", "currency", "revenue")}
        _insert(session, CONFLICTS, [{**what, "kept_content_hash": kept, **where}])


def _insert(session: Session, table: Table, rows: Iterable[Row]) -> None:
    """What is null is left out: a parameter that is None has no type."""
    for row in rows:
        names = [column.name for column in table.columns if row.get(column.name) is not None]
        marks = ", ".join("?" for _ in names)
        session.execute(
            f"put {table.name} in",
            f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})",
            [row[name] for name in names],
        )
