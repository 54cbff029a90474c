"""Which file is which: a file id outlives renames and restarts, and is never given to other content."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable
from typing import BinaryIO, Literal, NamedTuple

import msgspec

from producers.agent.globs import PACKED_SUFFIXES

HEAD_BYTES = 256  # more than two orders share: their ids and times come first

FileKey = tuple[int, int]  # (device, inode)
Signature = tuple[int, int]  # (size, time of the last change in ns): what changes with a compressed file


class Said(NamedTuple):
    """What the last heartbeat that the stream acknowledged said of a file, as far as it can change."""

    offset: int
    size: int
    final: bool


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the state holds of one file."""

    file_id: str
    kind: Literal["order", "access"] = "order"  # of its lines
    path: str  # where it was last seen; for people
    device: int
    inode: int
    offset: int = 0  # every byte before it is acknowledged by the stream
    acknowledged_lines: int = 0
    crc_sum: int | None = None  # of those lines' crc32; None: from a state that did not count, and not counted since
    head_bytes: int  # the first bytes of the file that `head` vouches for
    head: str  # their hash
    size: int = 0  # bytes in it when it was last read
    lines_end: int = -1  # where the last complete line in those bytes ends; -1: not seen yet, or gone before it was
    packed: tuple[int, int] | None = (
        None  # of a compressed file, found whole: its size and time (ns). All else: its text
    )
    is_over: bool = False  # replaced or truncated, or gone for long: kept until its last heartbeat is acknowledged
    said: Said | None = None

    @property
    def key(self) -> FileKey:
        return self.device, self.inode

    @property
    def is_read(self) -> bool:
        """Whether every complete line that was ever seen in it is acknowledged."""
        return self.offset == self.lines_end

    @property
    def has_moved(self) -> bool:
        """Whether more is acknowledged than its last heartbeat says."""
        return self.offset > (self.said.offset if self.said else 0)

    @property
    def is_settled(self) -> bool:
        """Whether its last heartbeat was final, and nothing has changed since."""
        said = self.said
        return (
            said is not None and said.final and self.is_read and said.offset == self.offset and said.size == self.size
        )

    def standing(self, *, is_finished: bool) -> Said | None:
        """What a heartbeat would say; None if nothing. `is_finished`: nobody expects more of the file.

        What is finished before it was read to its end is not final: lines are missing, and the account shall see it.
        """
        if self.crc_sum is None or not self.offset:
            return None
        return Said(self.offset, self.size, self.is_read and (is_finished or self.is_settled))


class Found(NamedTuple):
    """A file as a look at the folder shows it."""

    path: str
    key: FileKey
    size: int
    modified_ns: int
    is_named: bool = True  # asked for by a glob; else followed once, and renamed by rotation

    @property
    def is_packed(self) -> bool:
        """Whether its name says that it is compressed."""
        return self.path.endswith(PACKED_SUFFIXES)

    @property
    def signature(self) -> Signature:
        return self.size, self.modified_ns

    @property
    def printable(self) -> str:
        """The path as text that is surely UTF-8."""
        return os.fsencode(self.path).decode("utf-8", "replace")


def scan(folder: str, is_asked_for: Callable[[str], bool], is_followed: Callable[[FileKey], bool]) -> list[Found]:
    """The files in `folder` to be read. Raises OSError.

    Those whose names are asked for, and those that are followed already: rotation may take the name away.
    """
    device = os.stat(folder).st_dev  # noqa: PTH116 see look_at
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            is_named = is_asked_for(entry.name)
            if is_named or is_followed((device, entry.inode())):
                file = look_at(entry.path, is_named=is_named)
                if file is not None:
                    found.append(file)
    return found


def not_followed(folder: str, is_asked_for: Callable[[str], bool], is_followed: Callable[[FileKey], bool]) -> list[str]:
    """Names of the files in `folder` that `scan` passes over: perhaps a shop's, under a name that nobody reads.

    Hidden files are somebody's own business. Raises OSError.
    """
    device = os.stat(folder).st_dev  # noqa: PTH116 see look_at
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".")
            and not is_asked_for(entry.name)
            and not is_followed((device, entry.inode()))
            and look_at(entry.path)
        )


def look_at(path: str, *, is_named: bool = True) -> Found | None:
    """The regular file at `path`, if there is one. Raises OSError where that cannot be told."""
    try:
        status = os.stat(path)  # noqa: PTH116 a Path for each of a thousand files a second costs more than the look
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):  # gone, or a link that leads nowhere
            return None
        raise
    if not stat.S_ISREG(status.st_mode):
        return None
    return Found(path, (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns, is_named)


def key_of(file: BinaryIO) -> FileKey:
    """Of the file that is open, whatever its name leads to by now."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


def hash_of_head(head: bytes) -> str:
    """128 bits of SHA-256: names content without holding any."""
    return hashlib.sha256(head).hexdigest()[:32]


def is_same_file(record: FileRecord, size: int, head: bytes) -> bool:
    """Whether the file with this `size` and first bytes is the one in `record`, not truncated and not replaced."""
    return size >= record.offset and hash_of_head(head[: record.head_bytes]) == record.head


def new_file_id(instance: str, token: Callable[[], str]) -> str:
    """`instance` and a random part. `token` gives at least 64 random bits as hex."""
    return f"{re.sub('[^A-Za-z0-9._-]', '-', instance)[:64] or 'host'}-{token()}"
