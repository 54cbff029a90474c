"""How fresh each store was: from an order's event time until its reader's own query showed it."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec

from loadtests.proof.sightings import ASKED, BOARD
from loadtests.shapes import Phase

STORES = (BOARD, *ASKED)
_MINUTE_US = 60_000_000
_CUTS = "COUNT(*), quantile_cont(fresh, 0.5), quantile_cont(fresh, 0.95), quantile_cont(fresh, 0.99), MAX(fresh)"


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Of some probes; seconds."""

    probes: int
    p50: float
    p95: float
    p99: float
    max: float


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One store in one minute."""

    store: str
    minute: int  # since the first order was due
    spread: Spread


class PhaseFreshness(msgspec.Struct, frozen=True, kw_only=True):
    """One store in one phase of the shape."""

    phase: str
    store: str
    spread: Spread
    over_limit_s: float  # from when the first probe was due that took too long, until the last of them was seen


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """Of a run."""

    probes: int
    stores: dict[str, Spread]
    unseen: dict[str, int]  # probes that never came, by store
    minutes: list[Moment]
    phases: list[PhaseFreshness]
    catch_up_s: dict[str, float]  # from when the last probe was due until the last one was seen


def freshness(
    sightings: Path, probes: Path, *, began_us: int, phases: Sequence[Phase], limit_s: dict[str, float]
) -> Freshness:
    """Of what a run's folder holds. `limit_s` by store: what takes longer is too long."""
    with duckdb.connect() as database:
        database.execute("CREATE TABLE seen (store VARCHAR, key VARCHAR, due_us BIGINT, seen_us BIGINT, fresh DOUBLE)")
        if sightings.exists() and sightings.stat().st_size:
            types = "{'store': 'VARCHAR', 'key': 'VARCHAR', 'due_us': 'BIGINT', 'seen_us': 'BIGINT'}"
            database.execute(
                "INSERT INTO seen SELECT *, GREATEST(0, seen_us - due_us) / 1e6"
                f" FROM read_csv(?, header=false, columns={types})",
                [str(sightings)],
            )
        due = [int(line.rpartition(",")[2]) for file in probes.glob("*.csv") for line in file.read_text().splitlines()]
        stores = {
            row[0]: _spread(row[1:])
            for row in database.execute(f"SELECT store, {_CUTS} FROM seen GROUP BY store").fetchall()
        }
        last_due = max(due, default=0)
        caught = database.execute("SELECT store, MAX(seen_us) FROM seen GROUP BY store").fetchall()
        return Freshness(
            probes=len(due),
            stores=dict(sorted(stores.items(), key=lambda each: STORES.index(each[0]))),
            unseen={store: len(due) - (stores[store].probes if store in stores else 0) for store in STORES},
            minutes=_minutes(database, began_us),
            phases=[each for phase in phases for each in _phase(database, phase, began_us, limit_s)],
            catch_up_s={store: max(0.0, (seen_us - last_due) / 1e6) for store, seen_us in caught},
        )


def _minutes(database: duckdb.DuckDBPyConnection, began_us: int) -> list[Moment]:
    rows = database.execute(
        f"SELECT store, (due_us - ?) // {_MINUTE_US} AS minute, {_CUTS} FROM seen GROUP BY 1, 2 ORDER BY 1, 2",
        [began_us],
    ).fetchall()
    return [Moment(store=row[0], minute=max(0, row[1]), spread=_spread(row[2:])) for row in rows]


def _phase(
    database: duckdb.DuckDBPyConnection, phase: Phase, began_us: int, limit_s: dict[str, float]
) -> list[PhaseFreshness]:
    start, end = began_us + phase.start_s * 1e6, began_us + phase.end_s * 1e6
    found = []
    for store in STORES:
        row = database.execute(
            f"SELECT {_CUTS}, MIN(due_us) FILTER (WHERE fresh > $limit), MAX(seen_us) FILTER (WHERE fresh > $limit)"
            " FROM seen WHERE store = $store AND due_us >= $start AND due_us < $end",
            {"limit": limit_s.get(store, 1e9), "store": store, "start": start, "end": end},
        ).fetchone()
        if row and row[0]:
            over_s = (row[6] - row[5]) / 1e6 if row[5] is not None else 0.0
            found.append(PhaseFreshness(phase=phase.name, store=store, spread=_spread(row[:5]), over_limit_s=over_s))
    return found


def _spread(row: Sequence[float]) -> Spread:
    return Spread(probes=int(row[0]), p50=row[1], p95=row[2], p99=row[3], max=row[4])
