"""How fresh each store was: from an order's event time until its reader's own query showed it."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import msgspec

from loadtests.proof.recovery import Recovery, recoveries
from loadtests.proof.sightings import ASKED, BOARD, GAPS
from loadtests.sale.ledger import Tail, whole_lines
from loadtests.shapes import Phase, Shape

STORES = (BOARD, *ASKED)
WARM_UP = "warm-up"  # the name of that phase
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


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """How long a probe may have been there before it was seen: since the look before it. Seconds."""

    p50: float
    max: float


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """Of a run."""

    probes: int
    stores: dict[str, Spread]
    unseen: dict[str, int]  # probes that never came, by store that was watched
    minutes: list[Moment]
    phases: list[PhaseFreshness]
    catch_up_s: dict[str, float]  # from when the last probe was due until the last one was seen
    judged_phases: list[str]  # all but the warm-up, in which a fresh stack makes indices and compiles; empty: no phases
    judged: dict[str, Spread]  # of the probes due in these
    gaps: dict[str, Gap]  # by store
    recoveries: list[Recovery]


def freshness(
    sightings: Path,
    probes: Path,
    *,
    began_us: int,
    shape: Shape,
    limit_s: dict[str, float],
    stores: Collection[str] = STORES,
) -> Freshness:
    """Of what a run's folder holds. `limit_s` by store: what takes longer is too long. `stores`: that were watched."""
    due = [int(due_us) for _, due_us in Tail(probes).new()]
    judged = [phase for phase in shape.phases if phase.name != WARM_UP]
    with duckdb.connect() as database:
        database.execute("CREATE TABLE seen (store VARCHAR, key VARCHAR, due_us BIGINT, seen_us BIGINT, fresh DOUBLE)")
        with _rows(sightings, key="VARCHAR", due_us="BIGINT", seen_us="BIGINT") as (read, given):
            database.execute(f"INSERT INTO seen SELECT *, GREATEST(0, seen_us - due_us) / 1e6 FROM {read}", given)
        spreads = _spreads(database, "TRUE")
        caught = database.execute("SELECT store, MAX(seen_us) FROM seen GROUP BY store").fetchall()
        return Freshness(
            probes=len(due),
            stores=spreads,
            unseen={store: len(due) - (spreads[store].probes if store in spreads else 0) for store in stores},
            minutes=_minutes(database, began_us),
            phases=[each for phase in shape.phases for each in _phase(database, phase, began_us, limit_s)],
            catch_up_s={store: max(0.0, (seen_us - max(due, default=0)) / 1e6) for store, seen_us in caught},
            judged_phases=[phase.name for phase in judged],
            judged=_spreads(database, _within(judged, began_us)) if judged else spreads,
            gaps=_gaps(database, sightings.with_name(GAPS)),
            recoveries=recoveries(
                database, due, shape, began_us, {store: limit_s[store] for store in stores if store in limit_s}
            ),
        )


@contextmanager
def _rows(file: Path, **columns: str) -> Iterator[tuple[str, list[str]]]:
    """A table function that reads a file of sightings, and what it is given; no rows where there is no file."""
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in {"store": "VARCHAR", **columns}.items())
    if file.exists():
        with whole_lines(file) as whole:
            if whole.stat().st_size:
                yield f"read_csv(?, header=false, columns={{{types}}})", [str(whole)]
                return
    nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in {"store": "VARCHAR", **columns}.items())
    yield f"(SELECT {nothing} WHERE FALSE)", []


def _spreads(database: duckdb.DuckDBPyConnection, condition: str) -> dict[str, Spread]:
    rows = database.execute(f"SELECT store, {_CUTS} FROM seen WHERE {condition} GROUP BY store").fetchall()
    return {row[0]: _spread(row[1:]) for row in sorted(rows, key=lambda row: STORES.index(row[0]))}


def _within(phases: Sequence[Phase], began_us: int) -> str:
    spans = ((round(began_us + p.start_s * 1e6), round(began_us + p.end_s * 1e6)) for p in phases)
    return f"({' OR '.join(f'due_us >= {start} AND due_us < {end}' for start, end in spans)})"


def _gaps(database: duckdb.DuckDBPyConnection, file: Path) -> dict[str, Gap]:
    with _rows(file, gap_us="BIGINT") as (read, given):
        rows = database.execute(
            f"SELECT store, MEDIAN(gap_us) / 1e6, MAX(gap_us) / 1e6 FROM {read} GROUP BY store", given
        ).fetchall()
    return {row[0]: Gap(p50=row[1], max=row[2]) for row in rows}


def _minutes(database: duckdb.DuckDBPyConnection, began_us: int) -> list[Moment]:
    rows = database.execute(
        f"SELECT store, (due_us - ?) // {_MINUTE_US} AS minute, {_CUTS} FROM seen GROUP BY 1, 2 ORDER BY 1, 2",
        [began_us],
    ).fetchall()
    return [Moment(store=row[0], minute=max(0, row[1]), spread=_spread(row[2:])) for row in rows]


def _phase(
    database: duckdb.DuckDBPyConnection, phase: Phase, began_us: int, limit_s: dict[str, float]
) -> list[PhaseFreshness]:
    found = []
    for store in STORES:
        row = database.execute(
            f"SELECT {_CUTS}, MIN(due_us) FILTER (WHERE fresh > $limit), MAX(seen_us) FILTER (WHERE fresh > $limit)"
            f" FROM seen WHERE store = $store AND {_within([phase], began_us)}",
            {"limit": limit_s.get(store, 1e9), "store": store},
        ).fetchone()
        if row and row[0]:
            over_s = (row[6] - row[5]) / 1e6 if row[5] is not None else 0.0
            found.append(PhaseFreshness(phase=phase.name, store=store, spread=_spread(row[:5]), over_limit_s=over_s))
    return found


def _spread(row: Sequence[float]) -> Spread:
    return Spread(probes=int(row[0]), p50=row[1], p95=row[2], p99=row[3], max=row[4])
