"""One transaction that takes manifests: whole, checked at every step, or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from consumers import identities
from consumers.identities import Judged
from consumers.keeper.store import Discrepancy
from consumers.manifests import Manifest
from consumers.warehouse import once
from consumers.warehouse.connection import Session
from consumers.warehouse.copying import Load, Source
from consumers.warehouse.ddl import create_stage
from consumers.warehouse.ledger import read_ends, record, require_next
from consumers.warehouse.schema import Schema
from contract.rows import CommitRow
from contract.tables import ACCOUNT, COMMITS, HITS, LETTERS, LINES, ORDERS, Column

# Tables of judged events, in the order in which they are taken.
_JUDGED = (identities.ORDERS, identities.HITS, identities.LETTERS)

# LOCK comes first: under SNAPSHOT isolation a transaction sees what was committed before its first statement that
# reads or writes, so the ledger that is read after the lock has what the lock's last holder did. Whoever comes late,
# a keeper that lost its lease among them, finds the chain's end elsewhere and changes nothing.
_LOCK = "LOCK ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """What became of the staged rows of one table."""

    added: int = 0
    duplicates: int = 0
    conflicts: int = 0
    redelivered: int = 0


class Commit:
    """Takes manifests over one session. Made for one use."""

    def __init__(self, session: Session, schema: Schema, source: Source, commit_id: str) -> None:
        self._session = session
        self._schema = schema
        self._source = source
        self._id = commit_id

    def run(self, manifests: Sequence[Manifest], loads: Mapping[str, Load], now: datetime) -> CommitRow:
        """Take `manifests`, whose files `loads` holds by the keys of their COPY manifests.

        Raises Outrun and Discrepancy, and whatever the session raises.
        """
        self._session.execute("lock ledger", _LOCK)
        require_next(read_ends(self._session), manifests)
        staged = self._stage(loads)
        judged = {each.table.name: self._judge(each, staged, loads) for each in _JUDGED}
        orders, letters = judged[ORDERS.name], judged[LETTERS.name]
        lines = self._lines(staged, repeated=orders.added < staged.get(ORDERS.name, 0))
        heartbeats = self._heartbeats(staged, loads)
        if left := staged.keys() - judged.keys() - {LINES.name, ACCOUNT.name}:
            raise Discrepancy(f"nothing takes the rows of {', '.join(sorted(left))}")
        done = CommitRow(
            commit_id=self._id,
            committed_at=now,
            manifests=len(manifests),
            orders=orders.added,
            lines=lines,
            letters=letters.added,
            heartbeats=heartbeats.added,
            hits=judged[HITS.name].added,
            duplicates=sum(each.duplicates for each in judged.values()),
            conflicts=orders.conflicts,
            redelivered=heartbeats.redelivered + sum(each.redelivered for each in judged.values()),
        )
        self._record(manifests, done)
        self._session.commit()
        return done

    def _stage(self, loads: Mapping[str, Load]) -> dict[str, int]:
        """Copy all files into temporary tables stage_TABLE. Returns how many rows each has."""
        staged: dict[str, int] = {}
        for table in sorted({load.table for load in loads.values()}):
            self._create(f"stage_{table}", table)
        for key, load in loads.items():
            self._copy(key, load)
            staged[load.table] = staged.get(load.table, 0) + load.rows
        for table, rows in staged.items():
            _same(f"{table}: rows staged", self._count(f"stage_{table}"), "in the manifests", rows)
        return staged

    def _copy(self, key: str, load: Load) -> None:
        """One COPY. Files from before a column was added go through a table with the columns that they have."""
        stage = f"stage_{load.table}"
        columns = self._schema.columns(load.table, load.version)
        is_older = len(columns) < len(self._schema.table(load.table).columns)
        into = f"{stage}_{load.version}" if is_older else stage
        if is_older:
            self._session.execute(f"create {into}", create_stage(into, columns))
        self._session.execute(f"copy {into}", self._source.statement(into, key))
        (copied,) = self._session.query(f"ask {into}", "SELECT pg_last_copy_count() AS rows_copied")
        _same(f"{load.table}: rows copied", copied["rows_copied"], "in the manifests", load.rows)
        if is_older:
            moved = self._session.execute(f"fill {stage}", once.insert_all(stage, columns, into))
            _same(f"{load.table}: rows of older spans staged", moved, "copied", load.rows)

    def _judge(self, judged: Judged, staged: Mapping[str, int], loads: Mapping[str, Load]) -> _Taken:
        """Add what is new; find second lines of what is known. Rows staged = added + duplicates + redelivered."""
        table = judged.table.name
        if table not in staged:
            return _Taken()
        days = once.day_ranges(file.day for load in loads.values() if load.table == table for file in load.files)
        columns = self._schema.table(table).columns
        of_known = once.known_columns(judged, columns)
        self._find_known(judged, of_known, days)
        added = self._add_new(judged, columns)
        if added == staged[table]:  # as it mostly is: every row was a new one
            return _Taken(added=added)
        self._session.execute(f"add to known_{table}", once.insert_all(f"known_{table}", of_known, f"new_{table}"))
        conflicts = 0
        if judged is identities.ORDERS:
            conflicts = self._session.execute("add conflicts", once.insert_conflicts())
        later = self._session.execute(f"add duplicates of {table}", once.insert_duplicates(judged))
        self._check_lines(judged)
        redelivered = staged[table] - added - later
        if redelivered < 0:
            raise Discrepancy(f"{table}: {added} rows and {later} duplicates from {staged[table]} rows staged")
        return _Taken(added=added, duplicates=later, conflicts=conflicts, redelivered=redelivered)

    def _find_known(self, judged: Judged, columns: Sequence[Column], days: once.Days) -> None:
        table = judged.table.name
        self._session.execute(f"create known_{table}", create_stage(f"known_{table}", columns))
        self._session.execute(f"find known_{table}", once.insert_known(judged, columns, days), once.parameters(days))

    def _add_new(self, judged: Judged, columns: Sequence[Column]) -> int:
        table = judged.table.name
        self._create(f"new_{table}", table)
        new = self._session.execute(f"find new_{table}", once.insert_new(judged, columns))
        added = self._session.execute(f"add {table}", once.insert_all(table, columns, f"new_{table}"))
        return _same(f"{table}: rows added", added, "new", new)

    def _check_lines(self, judged: Judged) -> None:
        """Every line that was staged is stored now, once."""
        table = judged.table.name
        (staged,) = self._session.query(f"count lines of {table}", once.count_lines(judged))
        (stored,) = self._session.query(f"count stored lines of {table}", once.count_stored(judged))
        found = int(stored["firsts"] or 0) + int(stored["laters"] or 0)
        _same(f"{table}: lines stored", found, "staged", staged["lines"])

    def _lines(self, staged: Mapping[str, int], *, repeated: bool) -> int:
        """Add the lines of the orders that were added."""
        if ORDERS.name not in staged:
            return _same(f"{LINES.name}: rows staged", staged.get(LINES.name, 0), "of orders", 0)
        (wanted,) = self._session.query(
            "count lines of new_orders", "SELECT COALESCE(SUM(line_count), 0) AS rows_wanted FROM new_orders"
        )
        added = 0
        if LINES.name in staged:
            sql = once.insert_lines(self._schema.table(LINES.name).columns, repeated=repeated)
            added = self._session.execute("add lines", sql)
        return _same(f"{LINES.name}: rows added", added, "in the orders added", int(wanted["rows_wanted"]))

    def _heartbeats(self, staged: Mapping[str, int], loads: Mapping[str, Load]) -> _Taken:
        table = ACCOUNT.name
        if table not in staged:
            return _Taken()
        arrived_on = (file.day for load in loads.values() if load.table == table for file in load.files)
        days = once.day_ranges(arrived_on, before=once.HEARTBEAT_MEMORY)
        sql = once.insert_heartbeats(self._schema.table(table).columns, days)
        added = self._session.execute("add heartbeats", sql, once.parameters(days))
        return _Taken(added=added, redelivered=staged[table] - added)

    def _record(self, manifests: Sequence[Manifest], done: CommitRow) -> None:
        recorded = record(self._session, manifests, self._id, done.committed_at)
        _same("ledger: rows added", recorded, "manifests", len(manifests))
        columns = ", ".join(column.name for column in COMMITS.columns)
        marks = ", ".join("?" for _ in COMMITS.columns)
        sql = f"INSERT INTO {COMMITS.name} ({columns}) VALUES ({marks})"
        self._session.execute("record commit", sql, msgspec.structs.astuple(done))

    def _create(self, stage: str, like: str) -> None:
        self._session.execute(f"create {stage}", create_stage(stage, self._schema.table(like).columns))

    def _count(self, table: str) -> int:
        (row,) = self._session.query(f"count {table}", f"SELECT COUNT(*) AS rows_there FROM {table}")
        return int(row["rows_there"])


def _same(what: str, found: int, where: str, wanted: int) -> int:
    """`found`. Raises Discrepancy unless it is what was wanted."""
    if found != wanted:
        raise Discrepancy(f"{what}: {found}, {where}: {wanted}")
    return found
