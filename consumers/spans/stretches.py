"""Which lines of which spool files are among the records of an object."""

import numpy as np
import pyarrow as pa

from consumers.manifests import FileStretch


class Stretches:
    """Grows by record batches that have the columns of an origin."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, int, int]] = {}  # file -> first offset, offset after the last line, lines

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the lines of these rows; those of foreign producers have no file."""
        if batch["origin_file"].null_count:
            batch = batch.filter(batch["origin_file"].is_valid())
        if not batch.num_rows:
            return
        files = batch["origin_file"].dictionary_encode()
        codes = files.indices.to_numpy()
        by_file = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[by_file], prepend=-1))
        offsets = batch["origin_offset"].to_numpy()
        ends = offsets + batch["origin_bytes"].to_numpy() + 1  # and the newline
        stretches = zip(
            files.dictionary.to_pylist(),
            np.minimum.reduceat(offsets[by_file], starts).tolist(),
            np.maximum.reduceat(ends[by_file], starts).tolist(),
            np.diff(starts, append=len(codes)).tolist(),
            strict=True,
        )
        for file, first, end, lines in stretches:
            known = self._found.get(file, (first, end, 0))
            self._found[file] = min(known[0], first), max(known[1], end), known[2] + lines

    def all(self) -> list[FileStretch]:
        """By file id, in order."""
        return [
            FileStretch(file_id=file, first=first, end=end, lines=lines)
            for file, (first, end, lines) in sorted(self._found.items())
        ]
