import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumers.spans.columns import batches_of, schema_of
from consumers.spans.parquet import ParquetPart
from consumers.stages.testing import batch, encoded, judge, order
from contract import tables

pytestmark = pytest.mark.unit


def an_order_batch(rows: int) -> pa.RecordBatch:
    offered = batch([encoded(order(event_id=f"e-{n}", session_id=f"S-{n}"), offset=n) for n in range(1_024)])
    made = next(
        made for table, _, made in batches_of(each.row for each in judge().judge(offered)) if table is tables.ORDERS
    )
    return pa.Table.from_batches([made] * (rows // 1_024)).combine_chunks().to_batches()[0]


def test_row_groups_are_of_a_sensible_size_and_memory_shrinks_with_each() -> None:
    part = ParquetPart(tables.ORDERS)
    rows = an_order_batch(16_384)
    held = []
    for _ in range(11):
        part.add(rows)
        held.append(part.nbytes)
    assert part.rows == 11 * 16_384
    assert held[3] < held[0]  # a full row group is compressed
    file = pq.ParquetFile(io.BytesIO(part.finish()))
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sizes == [65_536, 65_536, 49_152]
    assert file.schema_arrow.equals(schema_of(tables.ORDERS))


def test_statistics_name_the_day_and_ids_have_no_dictionary() -> None:
    part = ParquetPart(tables.ORDERS)
    rows = an_order_batch(1_024)
    part.add(rows)
    group = pq.ParquetFile(io.BytesIO(part.finish())).metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    day = rows["event_date"][0].as_py()
    assert columns["event_date"].statistics.min == columns["event_date"].statistics.max == day
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert "RLE_DICTIONARY" in columns["channel"].encodings
    assert "RLE_DICTIONARY" not in columns["event_id"].encodings


def test_the_same_rows_make_the_same_bytes() -> None:
    bodies = set()
    for _ in range(2):
        part = ParquetPart(tables.ORDERS)
        part.add(an_order_batch(1_024))
        bodies.add(part.finish())
    assert len(bodies) == 1
