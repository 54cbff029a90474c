"""What the manifests of a shard say is in the lake, read back and checked."""

import hashlib
import io
from typing import Any

import pyarrow.parquet as pq

from consumers.manifests import START, DataFile, Manifest, RawFile
from consumers.spans.chain import Chain
from consumers.spans.columns import schema_of
from consumers.spans.raw import RawRecord, read_raw
from contract.tables import SPANNED
from runtime.objects import Objects

TABLES = {table.name: table for table in SPANNED}


class Chained:
    """Everything that one shard's chain makes count. Only what is asked for is read."""

    def __init__(self, lake: Objects, restricted: Objects, application: str, shard_id: str) -> None:
        self._lake = lake
        self._restricted = restricted
        self._chain = Chain(lake, application, shard_id)

    @property
    def manifests(self) -> list[Manifest]:
        """In chain order."""
        return list(self._chain.after(START))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Rows of `table`, by column."""
        files = [file for manifest in self.manifests for file in manifest.data if file.table == table]
        return [row for file in files for row in self._read(file)]

    def originals(self) -> list[RawRecord]:
        """Every record, as it came."""
        return [record for manifest in self.manifests for file in manifest.raw for record in self._raw(file)]

    def letters(self) -> list[RawRecord]:
        """The refused records, with their reasons."""
        return [record for manifest in self.manifests for file in manifest.letters for record in self._raw(file)]

    def check(self) -> None:
        """Every object is what its manifest says, and its records orders, hits, letters or heartbeats."""
        for manifest in self.manifests:
            for file in manifest.data:
                assert len(self._read(file)) == file.rows > 0
            rows = sum(manifest.rows(name) for name in ("orders", "hits", "letters", "account"))
            originals = [record for file in manifest.raw for record in self._raw(file)]
            letters = [record for file in manifest.letters for record in self._raw(file)]
            assert rows == len(originals) == manifest.records > 0
            assert len(letters) == manifest.rows("letters")
            assert all(record.reasons for record in letters)
            positions = [record.position for record in originals]
            assert positions == sorted(set(positions))
            assert manifest.previous < positions[0].sequence <= positions[-1].sequence == manifest.last
            arrivals = [record.arrived_at for record in originals]
            assert (min(arrivals), max(arrivals)) == (manifest.first_arrived_at, manifest.last_arrived_at)

    def _read(self, file: DataFile) -> list[dict[str, Any]]:
        """Rows of one object, after a look at its schema, its statistics, its size and its hash."""
        body = _checked(self._lake.get(file.key), file)
        parquet = pq.ParquetFile(io.BytesIO(body))
        table = TABLES[file.table]
        assert parquet.schema_arrow.equals(schema_of(table)), parquet.schema_arrow
        column = parquet.schema_arrow.names.index(table.day)
        for group in range(parquet.num_row_groups):
            statistics = parquet.metadata.row_group(group).column(column).statistics
            assert statistics.min == statistics.max == file.day
        rows: list[dict[str, Any]] = parquet.read().to_pylist()
        return rows

    def _raw(self, file: RawFile) -> list[RawRecord]:
        records = list(read_raw(_checked(self._restricted.get(file.key), file)))
        assert len(records) == file.records
        return records


def _checked(body: bytes, file: DataFile | RawFile) -> bytes:
    assert (len(body), hashlib.sha256(body).hexdigest()) == (file.bytes, file.sha256)
    return body
