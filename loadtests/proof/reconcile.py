"""What was intended against what the stores hold, line by line. In DuckDB: memory is bounded, whatever the volume."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from loadtests.proof.holdings import Held
from loadtests.sale.ledger import COLUMNS, whole_lines

NAMED = 100  # identities of each kind in the report; the file beside it has all
_BATCH = 20_000
_MEMORY_MIB = 1_024
_CSV = "auto_detect=false, header=false, delim=',', quote='\"', null_padding=true"  # an older ledger has no totals
_AMOUNTS = ("total", "revenue")
_SCHEMA = pa.schema([(name, pa.int64() if name in _AMOUNTS else pa.string()) for name in Held._fields])

# A duplicate carries no order number: the order that it is a second line of does.
_KEYED = """
CREATE OR REPLACE VIEW keyed AS
SELECT *, 'event' AS via, event_id AS key FROM held
UNION ALL SELECT *, 'order', order_id FROM held WHERE order_id IS NOT NULL
UNION ALL SELECT *, 'line', line FROM held WHERE line IS NOT NULL
UNION ALL SELECT d.*, 'order', o.order_id FROM held d
  JOIN (SELECT DISTINCT store, event_id, order_id FROM held WHERE kind = 'order') o
    ON o.store = d.store AND o.event_id = d.event_id WHERE d.kind = 'duplicate'
"""

# Of one store. A line's rows: those that its key leads to. An open letter of something that was accepted is none.
# `$lines`: lines have an origin, by which each second one is known, and the same one delivered again as well.
_JUDGED = """
CREATE OR REPLACE TABLE judged AS
WITH rows AS (
  SELECT i.key, i.reason, i.copies, i.due_us, i.total,
    COUNT(*) FILTER (WHERE h.kind = 'order') AS orders,
    COUNT(*) FILTER (WHERE h.kind = 'letter') AS letters,
    COUNT(*) FILTER (WHERE h.kind = 'duplicate') AS duplicates,
    MIN(h.reason) FILTER (WHERE h.kind = 'letter') AS found_reason,
    COUNT(*) FILTER (
      WHERE h.kind = 'order' AND (h.total IS DISTINCT FROM i.total OR h.revenue IS DISTINCT FROM i.total)
    ) AS otherwise
  FROM intended i LEFT JOIN keyed h ON h.via = i.via AND h.key = i.key AND h.store = $store
  GROUP BY ALL
)
SELECT *, CASE
    WHEN orders + letters = 0 THEN 'missing'
    WHEN orders > 1 OR letters > 1 THEN 'duplicated'
    WHEN reason = '' AND letters > 0 AND orders = 0 THEN 'refused'
    WHEN reason <> '' AND orders > 0 THEN 'accepted'
    WHEN reason <> '' AND found_reason <> reason THEN 'other_reason'
    WHEN $lines AND duplicates > copies - 1 THEN 'duplicated'
    WHEN total IS NOT NULL AND otherwise > 0 THEN 'altered'
    WHEN $lines AND duplicates < copies - 1 THEN 'undetected'
    ELSE 'right'
  END AS verdict FROM rows
"""


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """One line that is not as it was intended."""

    key: str  # event id, order id, or crc32-bytes of the line
    verdict: str  # missing, duplicated, refused, accepted, other_reason, altered, undetected
    planted: str  # reason; empty: a good one
    found: str | None  # reason
    due_us: int


class StoreProof(msgspec.Struct, frozen=True, kw_only=True):
    """One store. emitted = right + missing + duplicated + misjudged + altered + undetected, in identities."""

    store: str
    emitted: int  # identities
    stored: int  # good ones that are there as orders
    dead: int  # planted ones that are there as letters
    missing: int
    duplicated: int
    misjudged: int
    altered: int  # stored, but worth something else than was sold
    twice: int  # intended to come twice
    undetected: int
    foreign: int  # orders and letters of the time that no ledger of this run has
    foreign_orders: int  # those of them that are orders
    reasons: dict[str, dict[str, int]]  # planted reason -> found reason (or missing, accepted) -> lines
    faults: list[Missing]  # the first ones


class Reconciliation:
    """A database file; `intended` and `held` are put in, then every store is judged."""

    def __init__(self, file: Path, *, has_origins: bool = True) -> None:
        """`has_origins`: an agent has sent the lines. Without one nothing tells a second line from a retry of the
        first, and no store promises to: then duplicates are not judged."""
        self._has_origins = has_origins
        file.unlink(missing_ok=True)
        self._database = duckdb.connect(str(file), config={"memory_limit": f"{_MEMORY_MIB}MiB"})
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        self._database.execute(f"CREATE TABLE intended ({columns})")
        self._database.register("batch", _SCHEMA.empty_table())
        self._database.execute("CREATE TABLE held AS SELECT * FROM batch")
        self._database.unregister("batch")

    def __enter__(self) -> "Reconciliation":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def intend(self, files: Sequence[Path]) -> int:
        """Read ledgers, all that is whole of them. Returns how many identities they hold; one in two ledgers is one,
        emitted twice."""
        types = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
        for file in files:
            with whole_lines(file) as ledger:
                if ledger.stat().st_size:
                    self._database.execute(
                        "INSERT INTO intended SELECT * REPLACE (COALESCE(reason, '') AS reason)"
                        f" FROM read_csv(?, {_CSV}, columns={{{types}}})",
                        [str(ledger)],
                    )
        self._database.execute(
            "CREATE OR REPLACE TABLE intended AS SELECT key, via, reason, SUM(copies)::INTEGER AS copies,"
            " MIN(due_us) AS due_us, MIN(sent_us) AS sent_us, MIN(total) AS total FROM intended GROUP BY ALL"
        )
        return int(self._one("SELECT COUNT(*) FROM intended"))

    def hold(self, rows: Iterable[Held]) -> None:
        """What stores hold, in any order."""
        for batch in _batches(rows):
            table = pa.Table.from_pylist([row._asdict() for row in batch], schema=_SCHEMA)
            self._database.register("batch", table)
            self._database.execute("INSERT INTO held SELECT * FROM batch")
            self._database.unregister("batch")
        self._database.execute(_KEYED)

    def let_go(self) -> None:
        """Forget what stores hold: it is read again."""
        self._database.execute("DELETE FROM held")

    def judge(self, store: str, faults_to: Path | None = None) -> StoreProof:
        """One store. All that is not as intended goes to the CSV file `faults_to`."""
        self._database.execute(_JUDGED, {"store": store, "lines": self._has_origins})
        counts = dict(self._rows("SELECT verdict, COUNT(*) FROM judged GROUP BY verdict"))
        if faults_to is not None:
            self._database.execute(
                "COPY (SELECT key, verdict, reason AS planted, found_reason AS found, due_us FROM judged"
                " WHERE verdict <> 'right' ORDER BY due_us, key) TO '{}' (HEADER)".format(
                    str(faults_to).replace("'", "''")
                )
            )
        foreign = self._foreign(store)
        return StoreProof(
            store=store,
            emitted=sum(counts.values()),
            stored=self._one("SELECT COUNT(*) FROM judged WHERE reason = '' AND orders > 0"),
            dead=self._one("SELECT COUNT(*) FROM judged WHERE reason <> '' AND letters > 0"),
            missing=counts.get("missing", 0),
            duplicated=counts.get("duplicated", 0),
            misjudged=sum(counts.get(verdict, 0) for verdict in ("refused", "accepted", "other_reason")),
            altered=counts.get("altered", 0),
            twice=self._one("SELECT COUNT(*) FROM judged WHERE copies > 1"),
            undetected=counts.get("undetected", 0),
            foreign=sum(foreign.values()),
            foreign_orders=foreign.get("order", 0),
            reasons=self._reasons(),
            faults=[
                Missing(key=key, verdict=verdict, planted=planted, found=found, due_us=due_us)
                for key, verdict, planted, found, due_us in self._rows(
                    "SELECT key, verdict, reason, found_reason, due_us FROM judged WHERE verdict <> 'right'"
                    f" ORDER BY due_us, key LIMIT {NAMED}"
                )
            ],
        )

    def lateness(self) -> tuple[int, int, dict[int, tuple[int, int]]]:
        """Of the event users' lines: written, written within a second of due; the same by minute of being due."""
        rows = self._rows(
            "SELECT due_us // 60000000, COUNT(*), COUNT(*) FILTER (WHERE sent_us - due_us <= 1000000) FROM intended"
            " WHERE via <> 'order' GROUP BY 1 ORDER BY 1"
        )
        return sum(row[1] for row in rows), sum(row[2] for row in rows), {row[0]: (row[1], row[2]) for row in rows}

    def span_us(self) -> tuple[int, int] | None:
        """When the first was due, and when the last was sent; None: nothing was."""
        first, last = self._rows("SELECT MIN(LEAST(due_us, sent_us)), MAX(GREATEST(due_us, sent_us)) FROM intended")[0]
        return None if first is None else (first, last)

    def _reasons(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for planted, as_what, lines in self._rows(
            "SELECT reason, CASE WHEN orders > 0 THEN 'accepted' WHEN letters = 0 THEN 'missing' ELSE found_reason END,"
            " COUNT(*) FROM judged WHERE reason <> '' GROUP BY 1, 2 ORDER BY 1, 2"
        ):
            found.setdefault(planted, {})[as_what] = lines
        return found

    def _foreign(self, store: str) -> dict[str, int]:
        joined = " ".join(
            f"LEFT JOIN (SELECT DISTINCT key FROM intended WHERE via = '{via}') {via}_key ON {via}_key.key = h.{column}"
            for via, column in (("event", "event_id"), ("order", "order_id"), ("line", "line"))
        )
        unknown = "event_key.key IS NULL AND order_key.key IS NULL AND line_key.key IS NULL"
        of_it = f"WHERE store = ? AND kind <> 'duplicate' AND {unknown}"
        return dict(self._rows(f"SELECT kind, COUNT(*) FROM held h {joined} {of_it} GROUP BY kind", [store]))

    def _rows(self, text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._database.execute(text, list(parameters)).fetchall()

    def _one(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        return self._rows(text, parameters)[0][0]


def _batches(rows: Iterable[Held]) -> Iterator[list[Held]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, _BATCH)):
        yield batch
