"""The emit SDK: a shop appends its orders to a spool on its own disk, and the agent takes them from there.

    spool = Spool("/var/spool/shop")
    spool.append(order)  # a dict, see the order contract
    spool.close()

Standard library only; this folder may be copied into a shop as it is.
"""

import atexit
import json
import os
import secrets
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SUFFIX = ".ndjson"
MAX_FILE_BYTES = 64 << 20  # small enough to copy or delete at once, large enough that a busy day makes few files

_open_spools: "weakref.WeakSet[Spool]" = weakref.WeakSet()


class Spool:
    """Appends orders to a file of its own in `folder`, one JSON object a line, oldest first.

    Threads may share one; every process has a file of its own, also after a fork. An order is in the kernel's hands
    when `append` returns: it outlives this process, though not a power cut in the next seconds.
    """

    def __init__(self, folder: str | os.PathLike[str], *, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        """`folder` is made if it is missing. A file that would pass `max_file_bytes` is closed and the next begun."""
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._max_file_bytes = max_file_bytes
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._path = self._folder
        self._size = 0
        self._closed = False
        _open_spools.add(self)

    def append(self, order: Mapping[str, Any]) -> None:
        """Write one order; on return its line is complete in the file.

        Raises ValueError, naming the field, for what can never be a valid order; OSError when the disk does not take
        it (full, read-only): the order is then not recorded, and the same call may be made again.
        """
        line = _line_of(order)
        with self._lock:
            if self._closed:
                raise RuntimeError(f"spool {self._folder}: closed; the order was not recorded")
            try:
                self._write(line)
            except OSError as error:
                why = f"order not recorded in the spool: {error.strerror}"
                raise OSError(error.errno, why, str(self._path)) from error

    def close(self) -> None:
        """Close the file; called at exit by itself. Twice is once."""
        with self._lock:
            self._closed = True
            self._release()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        if self._fd is not None and (self._size + len(line) > self._max_file_bytes or self._is_deleted(self._fd)):
            self._release()
        if self._fd is None:
            self._fd = self._begin_file()
        written = 0
        try:
            while written < len(line):
                written += os.write(self._fd, line[written:])
        except OSError:
            if written:  # a torn line may only stand at a file's end: the next order begins a new file
                self._release()
            raise
        self._size += len(line)

    @staticmethod
    def _is_deleted(fd: int) -> bool:
        # By whoever tidies up old files, in a quiet shop also the one in use: nobody would read what is appended to it.
        return os.fstat(fd).st_nlink == 0

    def _begin_file(self) -> int:
        began = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._path = self._folder / f"{began}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._size = 0
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)

    def _release(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _leave_to_parent(self) -> None:
        # The child of a fork: the file stays the parent's, and the lock may be held by a thread that is not here.
        self._lock = threading.Lock()
        self._release()


def _line_of(order: Mapping[str, Any]) -> bytes:
    if not isinstance(order, dict):
        raise ValueError(f"order: must be a dict, not {type(order).__name__}")
    if "_sp" in order:
        raise ValueError("_sp: this name is reserved for the agent")
    order_id = order.get("order_id")
    if not isinstance(order_id, str) or not order_id:
        raise ValueError("order_id: must be a text that is not empty")
    fault = _fault(order)
    if fault is None:
        return _encode(order) + b"\n"
    field, why = _first_fault(order, fault)
    raise ValueError(f"{field}: {why}")


def _encode(value: Any) -> bytes:
    # Not ASCII-escaped: half a surrogate pair, which strict readers refuse, then fails here and not at the far end.
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _fault(value: Any) -> str | None:
    """Why `value` can never be JSON; None if it can."""
    try:
        _encode(value)
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no UTF-8"
    except RecursionError:
        return "is nested too deeply"
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def _first_fault(value: Any, why: str, field: str = "") -> tuple[str, str]:
    """The innermost field that is to blame, as `lines[0].unit_price`, and why; `value` has the fault `why`."""
    parts: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        parts = [(f"{field}.{key}" if field else str(key), part) for key, part in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(f"{field}[{number}]", part) for number, part in enumerate(value)]
    if "Circular" in why or "deeply" in why:
        parts = parts if not field else []  # the top-level field says enough, and going down would not end
    for name, part in parts:
        inner = _fault(part)
        if inner is not None:
            return _first_fault(part, inner, name)
    return field or "order", why


def _close_all() -> None:
    for spool in list(_open_spools):
        spool.close()


def _leave_all_to_parent() -> None:
    for spool in list(_open_spools):
        spool._leave_to_parent()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)
