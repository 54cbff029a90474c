"""How much memory all open spans of a process may take together."""

import threading
from weakref import WeakKeyDictionary


class Budget:
    """Shared by all shards of a process. A holder that is gone holds nothing."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def hold(self, holder: object, nbytes: int) -> None:
        """Say how much `holder` has in memory now."""
        with self._lock:
            self._held[holder] = nbytes

    @property
    def held_bytes(self) -> int:
        """Of all holders."""
        with self._lock:
            return sum(self._held.values())

    @property
    def is_exceeded(self) -> bool:
        """Whether whoever can should end its span now."""
        return self.held_bytes > self._limit_bytes
