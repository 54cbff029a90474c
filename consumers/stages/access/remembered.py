"""What a pure function said, kept for the next time it is asked the same."""

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

LONGEST_KEY = 512  # characters


class Remembered(dict[K, V]):
    """`remembered[key]` is `read(key)`. Bounded: at so many entries it forgets all and begins anew.

    A key that is known costs a look into a dict and no call: a tenth of `functools.lru_cache` behind a check of length,
    several times a line. Safe to use from several threads, since `read` is pure.
    """

    __slots__ = ("_entries", "_read")

    def __init__(self, read: Callable[[K], V], entries: int) -> None:
        super().__init__()
        self._read = read
        self._entries = entries

    def __missing__(self, key: K) -> V:
        value = self._read(key)
        # A client chooses its agent and its path, and may choose them long: what it sends is read, not kept.
        if not isinstance(key, str) or len(key) <= LONGEST_KEY:
            if len(self) >= self._entries:
                self.clear()
            self[key] = value
        return value
