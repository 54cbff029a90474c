"""One file of a spool: lines are appended by one process, and reach the disk together."""

import os
import secrets
import threading
import time
from pathlib import Path

SUFFIX = ".ndjson"

_sync_data = getattr(os, "fdatasync", os.fsync)  # the file's size counts as data; where there is none, fsync does more


class SpoolFile:
    """A new file in `folder`. Its owner appends under a lock of its own; `sync` may be called by any thread."""

    def __init__(self, folder: Path, *, is_durable: bool) -> None:
        """`is_durable`: what is written shall outlive a power cut once synced. Raises OSError."""
        began = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self.path = folder / f"{began}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self.began_s = time.monotonic()
        self.size = 0
        self.lines = 0  # complete ones
        self.is_spoilt = False  # ends in a torn line, or has failed to reach the disk: nothing may follow
        self._is_durable = is_durable
        self._synced = 0  # lines
        self._error: OSError | None = None
        self._lock = threading.Lock()
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        if is_durable:
            try:
                _sync_folder(folder)
            except OSError:
                os.close(self._fd)
                raise

    @property
    def is_deleted(self) -> bool:
        """By whoever tidies up old files, in a quiet shop also the one in use: nobody would read what is appended."""
        return os.fstat(self._fd).st_nlink == 0

    def append(self, line: bytes) -> None:
        """Complete on return. Raises OSError; if it then `is_spoilt`, a part of the line stands at its end."""
        written = 0
        try:
            while written < len(line):
                written += os.write(self._fd, line[written:])
        except OSError:
            self.is_spoilt = written > 0
            raise
        self.size += len(line)
        self.lines += 1

    def sync(self, lines: int) -> None:
        """The first `lines` are on the disk on return; one call serves all that waited for it. Raises OSError.

        After a failure it fails for good: the kernel may have dropped what it could not write, and forgets that it did.
        """
        with self._lock:
            if self._synced < lines:
                self._sync()

    def close(self) -> None:
        """Sync if it is durable, and close. Raises OSError where it was not synced; closed it is in any case."""
        with self._lock:
            try:
                if self._is_durable and self._synced < self.lines:
                    self._sync()
            finally:
                os.close(self._fd)

    def leave(self) -> None:
        """Close this process's descriptor: the file is its parent's."""
        os.close(self._fd)

    def _sync(self) -> None:
        if self._error is not None:
            raise self._error
        lines = self.lines  # others may append meanwhile
        try:
            _sync_data(self._fd)
        except OSError as error:
            self._error, self.is_spoilt = error, True
            raise
        self._synced = lines


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
