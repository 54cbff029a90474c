"""A folder on the shop's own disk that takes orders."""

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from .file import SpoolFile
from .line import line_of

MAX_FILE_BYTES = 64 << 20  # small enough to copy or delete at once, large enough that a busy day makes few files
MAX_FILE_S = 3_600.0  # an hour's file can be deleted, or searched, without touching the one in use
FSYNC_EVERY_S = 1.0

_log = logging.getLogger(__name__)
_open_spools: "weakref.WeakSet[Spool]" = weakref.WeakSet()


class Spool:
    """Appends orders to a file of its own in `folder`, one JSON object a line, oldest first.

    Threads may share one; every process has a file of its own, also after a fork. An order is in the kernel's hands
    when `append` returns: it outlives this process. What a power cut may take is what `fsync` says:

    "always"    nothing: `append` returns once the order is on the disk; threads that wait together share an fsync
    "interval"  the orders of the last `fsync_every_s`
    "os"        those of about the last 30 s, as the kernel sees fit
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        max_file_bytes: int = MAX_FILE_BYTES,
        max_file_s: float = MAX_FILE_S,
        fsync: Literal["always", "interval", "os"] = "os",
        fsync_every_s: float = FSYNC_EVERY_S,
    ) -> None:
        """`folder` is made if it is missing.

        A file that would pass `max_file_bytes` or is older than `max_file_s` when an order comes is closed, and the
        next begun. Raises ValueError for a setting that makes no sense, OSError where the folder cannot be made.
        """
        for name, value in (("max_file_bytes", max_file_bytes), ("max_file_s", max_file_s)):
            if not value > 0:
                raise ValueError(f"{name}: must be above 0")
        if fsync not in ("always", "interval", "os"):
            raise ValueError("fsync: must be 'always', 'interval' or 'os'")
        if not 0 < fsync_every_s < threading.TIMEOUT_MAX:
            raise ValueError("fsync_every_s: must be above 0")
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._max_file_bytes = max_file_bytes
        self._max_file_s = max_file_s
        self._fsync = fsync
        self._fsync_every_s = fsync_every_s
        self._lock = threading.Lock()
        self._file: SpoolFile | None = None
        self._closed = False
        self._syncer: threading.Thread | None = None  # where fsync is "interval", from the first order on
        self._stop_syncer = threading.Event()
        _open_spools.add(self)

    def append(self, order: Mapping[str, Any]) -> None:
        """Write one order; on return its line is complete in the file.

        Raises ValueError, naming the field, for what can never be a valid order; OSError when the disk does not take
        it (full, read-only): the same call may then be made again. Where an fsync failed, both may reach the disk; they
        count once if the order has an `event_id`.
        """
        line = line_of(order)
        file: SpoolFile | None = None
        try:
            with self._lock:
                if self._closed:
                    raise RuntimeError(f"spool {self._folder}: closed; the order was not recorded")
                if self._fsync == "interval" and self._syncer is None:
                    self._syncer = self._started_syncer()
                file = self._file_for(len(line))
                file.append(line)
                number = file.lines
            if self._fsync == "always":
                file.sync(number)
        except OSError as error:
            why = f"order not recorded in the spool: {error.strerror}"
            raise OSError(error.errno, why, str(file.path if file else self._folder)) from error

    def close(self) -> None:
        """Close the file; called at exit by itself. Twice is once."""
        with self._lock:
            self._closed = True
            self._finish_file()
            syncer, self._syncer = self._syncer, None
        self._stop_syncer.set()
        if syncer is not None:
            syncer.join()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _file_for(self, more: int) -> SpoolFile:
        """The file that takes `more` bytes. Raises OSError."""
        file = self._file
        if file is not None and (
            file.is_spoilt
            or file.size + more > self._max_file_bytes
            or time.monotonic() - file.began_s >= self._max_file_s
            or file.is_deleted
        ):
            self._finish_file()
        if self._file is None:
            self._file = SpoolFile(self._folder, is_durable=self._fsync != "os")
        return self._file

    def _finish_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:  # whoever waits for it is told by `sync`
                _say_not_synced(file, error)

    def _started_syncer(self) -> threading.Thread:
        syncer = threading.Thread(target=self._sync_now_and_then, args=(self._stop_syncer,), daemon=True)
        syncer.start()
        return syncer

    def _sync_now_and_then(self, stop: threading.Event) -> None:
        while not stop.wait(self._fsync_every_s):
            file = self._file
            if file is not None and not file.is_spoilt:
                try:
                    file.sync(file.lines)
                except OSError as error:
                    _say_not_synced(file, error)

    def _leave_to_parent(self) -> None:
        # The child of a fork: the file stays the parent's, threads are gone, and locks may be held by one of them.
        self._lock = threading.Lock()
        self._stop_syncer = threading.Event()
        self._syncer = None
        file, self._file = self._file, None
        if file is not None:
            file.leave()


def _say_not_synced(file: SpoolFile, error: OSError) -> None:
    _log.error("%s: not on the disk: %s; a power cut may take its last orders", file.path, error.strerror)


def _close_all() -> None:
    for spool in list(_open_spools):
        spool.close()


def _leave_all_to_parent() -> None:
    for spool in list(_open_spools):
        spool._leave_to_parent()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)
