"""A snapshot's Parquet as what judges look things up in. A million prices or five million customers at a time."""

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from consumers.spans.columns import schema_of
from consumers.stages.customers import CustomerList, Standing
from consumers.stages.facts import ALWAYS
from consumers.stages.prices import ANY, EVER, NEVER, Book, PriceList, to_us
from contract.reference import TABLES, Part, Snapshot

# How far back from a snapshot's beginning its plain prices reach: orders that arrive later than that ask the rules.
_PLAIN = timedelta(days=1)  # where prices have times at all
_TOGETHER = 65_536  # customers turned into Python's objects at once: few enough that their columns stay small


class Corrupt(Exception):
    """A snapshot that is not what its summary says, or that nobody can judge by. It will never be."""


def price_list_of(snapshot: Snapshot, bodies: Sequence[bytes]) -> PriceList:
    """`bodies`: its parts. Raises Corrupt."""
    table = _checked(snapshot, pa.concat_tables([_table(snapshot, body) for body in bodies]))
    start = table.column("valid_from").cast(pa.int64()).fill_null(EVER)
    end = table.column("valid_to").cast(pa.int64()).fill_null(NEVER)
    table = table.append_column("start_us", start).append_column("end_us", end)
    table = table.sort_by([(name, "ascending") for name in ("channel", "currency", "sku", "start_us")]).combine_chunks()
    is_timeless = pc.all(pc.equal(start, EVER)).as_py() and pc.all(pc.equal(end, NEVER)).as_py()
    since = ALWAYS if is_timeless else snapshot.effective_at - _PLAIN
    channels, currencies = table.column("channel"), table.column("currency")
    books = {}
    for first, last in _runs(table, ("channel", "currency")):
        place = channels[first].as_py(), currencies[first].as_py()
        books[place] = _book(table.slice(first, last - first), to_us(since))
    return PriceList(books=books, plain_since=since)


def customer_list_of(snapshot: Snapshot, bodies: Sequence[bytes]) -> CustomerList:
    """`bodies`: its parts. Raises Corrupt."""
    places: dict[str, int] = {}
    numbers: dict[Standing, int] = {}
    for ids, standings in _customers(snapshot, bodies):
        places.update(zip(ids, [numbers.setdefault(each, len(numbers)) for each in standings], strict=True))
    if len(places) != snapshot.rows:
        raise Corrupt(f"{len(places)} customers where the summary has {snapshot.rows}")
    return CustomerList(places=places, standings=list(numbers))


def check_part(part: Part, body: bytes) -> None:
    """Raises Corrupt for a body that is not the one published."""
    if len(body) != part.bytes or hashlib.sha256(body).hexdigest() != part.sha256:
        raise Corrupt(f"{part.key} is not what was published: {len(body)} bytes where the summary has {part.bytes}")


def _customers(snapshot: Snapshot, bodies: Sequence[bytes]) -> Iterator[tuple[list[str], list[Standing]]]:
    known: dict[tuple[str, str | None], Standing] = {}

    def standing(status: str, region: str | None) -> Standing:
        made = known.get((status, region))
        return made or known.setdefault((status, region), Standing(status == "active", region))

    for body in bodies:
        file = _opened(snapshot, body)
        for batch in file.iter_batches(batch_size=_TOGETHER):
            _no_nulls(snapshot, pa.Table.from_batches([batch]))
            ids, statuses, regions = (batch.column(name).to_pylist() for name in ("customer_id", "status", "region"))
            yield ids, list(map(standing, statuses, regions))


def _book(rows: pa.Table, since_us: int) -> Book:
    """`rows`: of one channel and currency, those of a SKU together."""
    runs = list(_runs(rows, ("sku",)))
    firsts = np.array([first for first, _ in runs] + [rows.num_rows])
    skus: list[str] = rows.column("sku").take(pa.array(firsts[:-1])).to_pylist()
    prices = rows.column("price").fill_null(ANY).to_numpy()
    starts, ends, tiers = (rows.column(name).to_numpy() for name in ("start_us", "end_us", "min_quantity"))
    promotions = pc.is_valid(rows.column("promotion")).to_numpy()
    # The one price that holds from `since_us` on for any quantity: a row of its own, or the others were over by then.
    holds = (starts <= since_us) & (ends == NEVER) & (tiers == 1) & ~promotions
    counted = np.add.reduceat(holds.astype(np.int64), firsts[:-1])
    rivals = np.add.reduceat(((ends > since_us) & ~promotions).astype(np.int64), firsts[:-1])
    which = np.maximum.reduceat(np.where(holds, np.arange(len(holds)), 0), firsts[:-1])
    is_plain = ((counted == 1) & (rivals == 1)).tolist()
    # One object a price, not one a SKU: a lookup then finds it in the processor's cache.
    shared: dict[int, int] = {}
    usual = [shared.setdefault(price, price) for price in prices[which].tolist()]
    return Book(
        plain={sku: price for sku, price, plain in zip(skus, usual, is_plain, strict=True) if plain},
        places={sku: place for place, sku in enumerate(skus)},
        firsts=_array(firsts),
        prices=_array(prices),
        starts_us=_array(starts),
        ends_us=_array(ends),
        tiers=_array(tiers),
        promotions=_array(promotions, "b"),
    )


def _runs(table: pa.Table, names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where each run of rows with the same values begins, and the next one. `table` is sorted by them, in one chunk."""
    if not table.num_rows:
        return
    changes = np.zeros(table.num_rows - 1, dtype=bool)
    for name in names:
        column = table.column(name)
        changes |= pc.not_equal(column.slice(1), column.slice(0, len(column) - 1)).to_numpy()
    cuts = [0, *(np.flatnonzero(changes) + 1).tolist(), table.num_rows]
    yield from pairwise(cuts)


def _table(snapshot: Snapshot, body: bytes) -> pa.Table:
    return _opened(snapshot, body).read()


def _opened(snapshot: Snapshot, body: bytes) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(pa.BufferReader(body))
    except pa.ArrowException as error:
        raise Corrupt(f"no Parquet: {str(error).partition(chr(10))[0]}") from error
    found: Mapping[str, pa.DataType] = {field.name: _plain_type(field.type) for field in file.schema_arrow}
    for field in schema_of(TABLES[snapshot.kind]):
        if found.get(field.name) != field.type:
            raise Corrupt(f"column {field.name} is {found.get(field.name, 'absent')}, not {field.type}")
    return file


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind


def _checked(snapshot: Snapshot, table: pa.Table) -> pa.Table:
    if table.num_rows != snapshot.rows or not snapshot.rows:
        raise Corrupt(f"{table.num_rows} rows where the summary has {snapshot.rows}")
    _no_nulls(snapshot, table)
    return table


def _no_nulls(snapshot: Snapshot, table: pa.Table) -> None:
    for column in TABLES[snapshot.kind].columns:
        if not column.nullable and table.column(column.name).null_count:
            raise Corrupt(f"column {column.name} has rows without a value")


def _array(values: "np.ndarray[Any, Any]", kind: str = "q") -> "array[int]":
    made = array(kind)
    made.frombytes(np.ascontiguousarray(values, dtype=np.int8 if kind == "b" else np.int64).tobytes())
    return made
