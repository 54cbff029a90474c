"""What a process has done, for its log: counts since the last look."""

import threading
from collections import Counter


class Tally:
    """Counts by name, from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._slowest_s = 0.0

    def add(self, name: str, count: int) -> None:
        with self._lock:
            self._counts[name] += count

    def delayed(self, seconds: float) -> None:
        """Note how long after its arrival at the stream a record was durable."""
        with self._lock:
            self._slowest_s = max(self._slowest_s, seconds)

    def take(self) -> tuple[Counter[str], float]:
        """Counts and the longest delay (s) since the last call."""
        with self._lock:
            taken = self._counts, self._slowest_s
            self._counts, self._slowest_s = Counter(), 0.0
            return taken
