"""Where a line came from, as its stamp says: whether that can be, and as the rows hold it."""

from contract.rows import Origin
from contract.stamp import Stamp

# Limits of the columns that a stamp ends in, and of the `_id` "file:offset" made of it (512 bytes in OpenSearch).
_LONGEST_FILE_ID = 128  # bytes
_LARGEST_OFFSET = 2**63 - 1
_MOST_ATTEMPTS = 1_000_000


def is_plausible(stamp: Stamp) -> bool:
    """Whether the columns can hold it."""
    file = stamp.f
    return (
        # Four bytes a character at most.
        (0 < len(file) <= _LONGEST_FILE_ID // 4 or 0 < len(file.encode()) <= _LONGEST_FILE_ID)
        and "\0" not in file
        and stamp.o >= 0
        and stamp.n >= 0
        and stamp.o + stamp.n < _LARGEST_OFFSET  # the offset after the line and its newline
        and 0 <= stamp.c < 2**32
        and 0 <= stamp.a <= _MOST_ATTEMPTS
    )


def origin_of(stamp: Stamp | None) -> Origin | None:
    """None for a foreign producer's record."""
    return None if stamp is None else Origin(file=stamp.f, offset=stamp.o, bytes=stamp.n, crc=stamp.c, attempt=stamp.a)
