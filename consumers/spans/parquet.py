"""One Parquet object that grows: rows of one table and day."""

from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

from consumers.spans.columns import schema_of
from contract.tables import Kind, Table

_ROW_GROUP = 65_536  # rows: a few MiB each, which readers take whole
_FASTEST = 1  # zstd's level 1: on our rows level 3 takes half as much time again and saves nothing
# Hardly a value comes twice: a dictionary would be written beside the values, and given up.
_DISTINCT = frozenset(
    {"event_id", "content_hash", "order_id", "returns", "customer", "session", "letter_id", "request_id", "sequence"}
    | {"event_time", "arrived_at", "read_at", "total", "revenue", "amount", "extra", "detail"}
    | {"origin_offset", "origin_crc", "end_offset", "lines", "bytes", "crc_sum", "file_size"}
)
_UNSORTED = frozenset({"content_hash", "customer", "session", "extra", "detail"})  # nobody asks for a range of them


class ParquetPart:
    """Takes record batches, and compresses them a row group at a time."""

    def __init__(self, table: Table) -> None:
        self.rows = 0
        self._table = table
        self._sink = pa.BufferOutputStream()
        self._writer: pq.ParquetWriter | None = None  # from the first row group on
        self._open: list[pa.RecordBatch] = []  # of the next row group
        self._open_rows = 0
        self._open_bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self._open_bytes + int(self._sink.tell())

    def add(self, batch: pa.RecordBatch) -> None:
        """Append rows, at least one."""
        self.rows += batch.num_rows
        self._open.append(batch)
        self._open_rows += batch.num_rows
        self._open_bytes += batch.get_total_buffer_size()
        if self._open_rows >= _ROW_GROUP:
            self._write()

    def finish(self) -> bytes:
        """The object. Nothing can be added afterwards."""
        if self._open:
            self._write()
        assert self._writer, "no rows"
        self._writer.close()
        return self._sink.getvalue().to_pybytes()  # type: ignore[no-any-return]

    def _write(self) -> None:
        self._writer = self._writer or pq.ParquetWriter(
            self._sink,
            schema_of(self._table),
            compression="zstd",
            compression_level=_FASTEST,
            use_dictionary=_columns(self._table, but=_DISTINCT),
            write_statistics=_columns(self._table, but=_UNSORTED),
            store_schema=False,  # Parquet's own types say it all
        )
        self._writer.write_table(pa.Table.from_batches(self._open), row_group_size=2 * _ROW_GROUP)
        self._open, self._open_rows, self._open_bytes = [], 0, 0


@cache
def _columns(table: Table, but: frozenset[str]) -> list[str]:
    return [each.name for each in table.columns if each.name not in but and each.kind is not Kind.BOOLEAN]
