"""Sequence numbers: 56 decimal digits that begin with 49, as AWS's do, so that text order is number order.

49 | 13 digits: when the shard was made, ms | 12 digits: the shard's number | 29 digits: a counter.
A child shard is made after its parent, so its numbers are greater than its parent's.
"""

DIGITS = 56
_COUNTER_DIGITS = 29
_JUMP = 1_000_000  # far more than one request can write (500)


def prefix(created_ms: int, shard_number: int) -> str:
    """What all numbers of one shard begin with: 27 digits."""
    return f"49{created_ms:013d}{shard_number:012d}"


def number(head: str, counter: int) -> str:
    """The sequence number of a shard (`head` from `prefix`) at a counter."""
    return f"{head}{counter:029d}"


def counter(sequence: str) -> int:
    """The counter inside a sequence number."""
    return int(sequence[-_COUNTER_DIGITS:])


def resumed(last: str | None, now_ms: int) -> int:
    """The counter that a shard goes on with when its log is opened; `last` is the last whole record, if any.

    Never one that was given out before, nor one of a record that was cut off as torn: the counter follows the wall
    clock in microseconds, and jumps over more than any unfinished write could hold should the clock have gone back.
    """
    floor = 0 if last is None else counter(last) + _JUMP
    return max(floor, now_ms * 1000)
