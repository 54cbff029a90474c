"""Which lines of which spool files are among the records of an object."""

import pyarrow as pa
import pyarrow.compute as pc

from consumers.manifests import FileStretch


class Stretches:
    """Grows by record batches that have the columns of an origin."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, int, int]] = {}  # file -> first offset, offset after the last line, lines

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the lines of these rows; those of foreign producers have no file."""
        offset = batch["origin_offset"]
        end = pc.add(pc.add(offset, batch["origin_bytes"]), 1)  # and its newline
        lines = pa.table({"file": batch["origin_file"], "offset": offset, "end": end})
        sums = lines.group_by("file", use_threads=False)
        for row in sums.aggregate([("offset", "min"), ("end", "max"), ("offset", "count")]).to_pylist():
            if row["file"] is not None:
                known = self._found.get(row["file"], (row["offset_min"], 0, 0))
                self._found[row["file"]] = (
                    min(known[0], row["offset_min"]),
                    max(known[1], row["end_max"]),
                    known[2] + row["offset_count"],
                )

    def all(self) -> list[FileStretch]:
        """By file id, in order."""
        return [
            FileStretch(file_id=file, first=first, end=end, lines=lines)
            for file, (first, end, lines) in sorted(self._found.items())
        ]
