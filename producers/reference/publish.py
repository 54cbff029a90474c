"""Publishing a snapshot of reference data: data first, then the object that makes it count."""

import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl

from contract.reference import LEAD, SUMMARY, TABLES, Part, Snapshot, folder, part_key, summary_key
from contract.reference import Kind as ReferenceKind
from contract.tables import Column, Kind
from producers.reference.reading import check
from runtime.clock import Clock
from runtime.effects import Effect, no_effect
from runtime.errors import ConfigError
from runtime.objects import Objects

_TYPES: dict[Kind, pl.DataType] = {
    Kind.TEXT: pl.String(),
    Kind.INTEGER: pl.Int64(),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.DATE: pl.Date(),
    Kind.TIME: pl.Datetime("us", "UTC"),
}


def publish(
    kind: ReferenceKind,
    entries: Sequence[Any],
    objects: Objects,
    clock: Clock,
    *,
    effective_at: datetime | None = None,
    at_once: bool = False,
    effect: Effect = no_effect,
) -> Snapshot:
    """Publish `entries` (Price, Customer or Rate, as `kind` says) as the next snapshot.

    In force from `effective_at`, at the earliest two minutes from now, so that every reader has it by then. The first
    one ever is in force at once, and so is any with `at_once`: for when no reader runs, who would judge differently
    until it has looked. Killed at any point, the old snapshot stays whole and in force. Raises Outage, and ConfigError
    for entries that cannot be judged by, or an `effective_at` that is too early.
    """
    check(entries, kind, source=kind)
    waits = not at_once and any(key.endswith(SUMMARY) for key in objects.keys(folder(kind)))
    _effective(effective_at, clock.now(), waits=waits)  # before the work
    body = to_parquet(kind, entries)
    digest = hashlib.sha256(body).hexdigest()
    version = f"{clock.now():%Y%m%dT%H%M%S%fZ}-{digest[:8]}"
    part = Part(key=part_key(kind, version, 0), rows=len(entries), bytes=len(body), sha256=digest)
    effect("put data")
    objects.put(part.key, body)
    now = clock.now()
    snapshot = Snapshot(
        kind=kind,
        version=version,
        rows=len(entries),
        parts=[part],
        published_at=now,
        effective_at=_effective(effective_at, now, waits=waits),
    )
    effect("put summary")
    # False is an earlier try of this very put: the version names the time and the content.
    objects.put_if_absent(summary_key(kind, version), msgspec.json.encode(snapshot))
    return snapshot


def _effective(wanted: datetime | None, now: datetime, *, waits: bool) -> datetime:
    earliest = now + LEAD if waits else now
    if wanted is not None and wanted < earliest:
        raise ConfigError(
            f"{wanted.isoformat()} is too early: readers need {LEAD.total_seconds():g} s to take a snapshot in"
        )
    return (wanted or earliest).astimezone(UTC)


def to_parquet(kind: ReferenceKind, entries: Sequence[Any]) -> bytes:
    """One file with the columns of the kind's table."""
    columns = TABLES[kind].columns
    frame = pl.DataFrame(
        {column.name: [_value(getattr(entry, column.name), column) for entry in entries] for column in columns},
        schema={column.name: _TYPES[column.kind] for column in columns},
    )
    body = io.BytesIO()
    frame.write_parquet(body, compression="zstd")
    return body.getvalue()


def _value(value: Any, column: Column) -> Any:
    return str(value) if column.kind is Kind.TEXT and value is not None else value
