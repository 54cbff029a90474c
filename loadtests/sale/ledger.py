"""What a sender has written, line by line: the proof's own record, which nothing of the pipeline has touched."""

import csv
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, NamedTuple

By = Literal["event", "order", "line"]

_LONGEST_LINE = 65_536  # bytes, with much to spare

COLUMNS = {
    "key": "VARCHAR",
    "via": "VARCHAR",
    "reason": "VARCHAR",
    "copies": "INTEGER",
    "due_us": "BIGINT",
    "sent_us": "BIGINT",
    "total": "BIGINT",
}


class Intended(NamedTuple):
    """One line, after it was written. Times are microseconds since the epoch."""

    key: str  # by which a store's row is found
    via: By  # what the key is: an event id, an order id, or crc32-bytes of a line that has no identity of its own
    reason: str  # for which it is to be refused; empty: it is to be accepted
    copies: int  # times that it was emitted
    due_us: int
    sent_us: int
    total: int | None = None  # of a sale, in minor units; None: its sender does not know, or it is to be refused


class Ledger:
    """One sender's file, and beside it one of its probes. Complete lines only, once `flush` returns."""

    def __init__(self, intended: Path, probes: Path, sender: str) -> None:
        self._lines = (intended / f"{sender}.csv").open("a", newline="", encoding="ascii")
        self._probed = (probes / f"{sender}.csv").open("a", newline="", encoding="ascii")
        self._write, self._probe = csv.writer(self._lines).writerow, csv.writer(self._probed).writerow

    def add(self, line: Intended, *, is_probe: bool = False) -> None:
        """Note a line that was written."""
        self._write(line)
        if is_probe:
            self._probe((line.key, line.due_us))

    def flush(self) -> None:
        """For those who read along."""
        self._lines.flush()
        self._probed.flush()

    def close(self) -> None:
        self._lines.close()
        self._probed.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Tail:
    """New lines of the CSV files of a folder, as they come; a line that is still being written waits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[Path, int] = {}

    def new(self) -> Iterator[list[str]]:
        """The rows since the last call."""
        for path in sorted(self._folder.glob("*.csv")):
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._offsets[path] = self._offsets.get(path, 0) + len(whole)
            yield from csv.reader(whole.decode("ascii").splitlines())


@contextmanager
def whole_lines(file: Path) -> Iterator[Path]:
    """The file, or, where its last line was cut off (kill -9, a full disk), a copy that ends with the line before."""
    with file.open("rb") as written:
        length = written.seek(0, 2)
        kept = _end_of_lines(written, length)
        if kept == length:
            yield file
            return
        written.seek(0)
        with tempfile.NamedTemporaryFile(suffix=".csv") as copy:
            shutil.copyfileobj(written, copy)
            copy.truncate(kept)
            copy.flush()
            yield Path(copy.name)


def _end_of_lines(file: BinaryIO, length: int) -> int:
    """Bytes up to the last newline and with it; a line is shorter than what is read."""
    start = max(0, length - _LONGEST_LINE)
    file.seek(start)
    return start + file.read().rfind(b"\n") + 1
