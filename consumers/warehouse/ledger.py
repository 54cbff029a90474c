"""The warehouse's memory of what it has taken: one row a manifest, each shard's rows a chain."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from consumers.keeper.store import Outrun, Place
from consumers.manifests import START, Manifest, manifest_key, padded
from consumers.warehouse.connection import Session
from contract.rows import LedgerRow
from contract.tables import ACCOUNT, HITS, LEDGER, LETTERS, LINES, ORDERS

_ENDS = "SELECT application, shard_id, MAX(last) AS last FROM ledger GROUP BY application, shard_id"
# Rows a statement: the protocol allows 32,767 parameters, and statements of one shape are translated once.
_TOGETHER = 100


def read_ends(session: Session) -> Mapping[Place, int]:
    """The last sequence taken of each shard."""
    rows = session.query("read ledger", _ENDS)
    return {(row["application"], row["shard_id"]): int(row["last"]) for row in rows}


def require_next(ends: Mapping[Place, int], manifests: Sequence[Manifest]) -> None:
    """See that each shard's manifests go on where the ledger ends.

    Raises Outrun where it ends elsewhere: another keeper was here, or the warehouse was set back since it was asked.
    Raises ValueError for manifests that are no chain by themselves.
    """
    reached: dict[Place, int] = {}
    for manifest in manifests:
        place = manifest.application, manifest.shard_id
        if place in reached and manifest.previous != reached[place]:
            raise ValueError(f"{'/'.join(place)}: {manifest.previous} does not follow {reached[place]}")
        end = ends.get(place, START)
        if place not in reached and manifest.previous != end:
            raise Outrun(f"{'/'.join(place)}: taken up to {end}, the manifest goes on from {manifest.previous}")
        reached[place] = manifest.last


def record(session: Session, manifests: Sequence[Manifest], commit_id: str, committed_at: datetime) -> int:
    """Add a row a manifest. Returns how many."""
    rows = [_row(manifest, commit_id, committed_at) for manifest in manifests]
    columns = ", ".join(column.name for column in LEDGER.columns)
    one = f"({', '.join('?' for _ in LEDGER.columns)})"
    added = 0
    for together in _pieces(rows):
        sql = f"INSERT INTO {LEDGER.name} ({columns}) VALUES {', '.join(one for _ in together)}"
        values = [value for row in together for value in msgspec.structs.astuple(row)]
        added += session.execute("record ledger", sql, values)
    return added


def _row(manifest: Manifest, commit_id: str, committed_at: datetime) -> LedgerRow:
    return LedgerRow(
        application=manifest.application,
        shard_id=manifest.shard_id,
        previous=padded(manifest.previous),
        last=padded(manifest.last),
        manifest=manifest_key(manifest.application, manifest.shard_id, manifest.previous),
        records=manifest.records,
        orders=manifest.rows(ORDERS.name),
        lines=manifest.rows(LINES.name),
        letters=manifest.rows(LETTERS.name),
        heartbeats=manifest.rows(ACCOUNT.name),
        hits=manifest.rows(HITS.name),
        first_arrived_at=manifest.first_arrived_at,
        last_arrived_at=manifest.last_arrived_at,
        commit_id=commit_id,
        committed_at=committed_at,
    )


def _pieces(rows: Sequence[LedgerRow]) -> Iterator[Sequence[LedgerRow]]:
    for start in range(0, len(rows), _TOGETHER):
        yield rows[start : start + _TOGETHER]
