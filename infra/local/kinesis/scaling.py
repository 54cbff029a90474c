"""Which splits and merges lead from one set of shards to another. Ranges are of hash keys, both ends included."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

HASH_KEYS = 1 << 128  # hash keys are 0 to this - 1: the MD5 of a partition key as a number
_SLACK = 1 << 20  # boundaries that differ by a millionth of a shard are the same one

Range = tuple[int, int]


class Step(NamedTuple):
    """One parent and two children, or two parents and one child."""

    parents: tuple[Range, ...]
    children: tuple[Range, ...]


def uniform(ranges: Sequence[Range], target: int) -> Iterator[Step]:
    """To `target` shards of equal size: split at the new boundaries, then merge what lies between two of them.

    In: `ranges`, all of them without a hole, in order. Doubling takes splits alone and halving merges alone; anything
    between makes shards that are merged away at once (API reference, UpdateShardCount: "short-lived shards").
    """
    starts = _starts([start for start, _ in ranges], target)
    pieces: list[Range] = []
    for piece in ranges:
        inside = [start for start in starts if piece[0] < start <= piece[1]]
        yield from _split(piece, inside)
        pieces += _between([piece[0], *inside], piece[1])
    for start, end in _between(starts, HASH_KEYS - 1):
        yield from _merge([piece for piece in pieces if start <= piece[0] <= end])


def doubled(ranges: Sequence[Range]) -> Iterator[Step]:
    """Every shard split in its middle."""
    for start, end in ranges:
        yield from _split((start, end), [(start + end + 1) // 2])


def halved(ranges: Sequence[Range]) -> Iterator[Step]:
    """Neighbours merged, two and two; an odd one at the end stays."""
    for at in range(0, len(ranges) - 1, 2):
        yield from _merge(ranges[at : at + 2])


def _starts(old: list[int], target: int) -> list[int]:
    """Where the shards of equal size begin; where an old one begins almost there, that is where."""
    slack = HASH_KEYS // target // _SLACK
    found = []
    for number in range(target):
        start = number * (HASH_KEYS // target)
        at = bisect_left(old, start)
        nearest = min(old[max(0, at - 1) : at + 1], key=lambda begin: abs(begin - start))
        found.append(nearest if abs(nearest - start) <= slack else start)
    return found


def _between(starts: Sequence[int], end: int) -> list[Range]:
    return [(start, following - 1) for start, following in pairwise([*starts, end + 1])]


def _split(piece: Range, inside: list[int]) -> Iterator[Step]:
    """Halves first, so that no shard has more ancestors than it needs."""
    if inside:
        at = len(inside) // 2
        low, high = (piece[0], inside[at] - 1), (inside[at], piece[1])
        yield Step((piece,), (low, high))
        yield from _split(low, inside[:at])
        yield from _split(high, inside[at + 1 :])


def _merge(pieces: Sequence[Range]) -> Iterator[Step]:
    whole = pieces[0]
    for piece in pieces[1:]:
        yield Step((whole, piece), ((whole[0], piece[1]),))
        whole = whole[0], piece[1]
