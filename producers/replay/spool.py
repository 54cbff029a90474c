"""The one spool file that a replay writes: append-only, and its own record of how far the replay has come."""

import fcntl
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.errors import ConfigError

_BLOCK = 1 << 20


class ReplaySpool:
    """A file of whole lines, open for one writer.

    A replay yields the same lines in the same order every time, so the count of whole lines in the file says where
    it goes on. A line that was cut off by a crash is completed rather than removed, because a file that only grows
    never looks truncated to the agent that tails it; a torn end that is no part of the next line is cut off.
    """

    def __init__(self, path: Path) -> None:
        """Opens or creates `path`. Raises ConfigError where that fails, or while another replay writes it."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise ConfigError(f"spool {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise ConfigError(f"spool {path}: another replay is writing it; wait for it or stop it") from error
        self.lines, self._torn = _held(path)

    def append(self, lines: Sequence[bytes]) -> None:
        """Write whole lines, each with its newline. Raises ConfigError when the disk refuses."""
        content = memoryview(b"".join(lines))
        if self._torn and lines[0].startswith(self._torn):
            content = content[len(self._torn) :]
        else:
            self._cut_torn()
        self._torn = b""
        try:
            while content:
                content = content[self._file.write(content) :]
        except OSError as error:
            raise ConfigError(f"spool {self.path}: {error.strerror}; mend that and run again to go on") from error
        self.lines += len(lines)

    def _cut_torn(self) -> None:
        if self._torn:
            self._file.truncate(self._file.seek(0, 2) - len(self._torn))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Closes the file, and with it the lock."""
        self._file.close()


def _held(path: Path) -> tuple[int, bytes]:
    """Whole lines in the file, and what stands after the last of them."""
    lines, torn = 0, b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            lines += block.count(b"\n")
            _, newline, rest = block.rpartition(b"\n")
            torn = rest if newline else torn + rest
    return lines, torn
