"""How many bytes of answers all shards of a process may hold: read, and not yet accepted by their paths."""

import threading
from collections.abc import Callable


class Allowance:
    """Shared by the intakes of a process; safe from any thread. Counts what the stream's records carry.

    What is alone may be larger than the limit, or it would wait for ever.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._most_bytes = 0
        self._room = threading.Condition()

    @property
    def held_bytes(self) -> int:
        """Of all shards."""
        return self._held_bytes

    @property
    def most_bytes(self) -> int:
        """The largest that `held_bytes` ever was."""
        return self._most_bytes

    def take(self, nbytes: int, *, ahead: bool = False) -> bool:
        """Hold so many bytes, or False. Reading `ahead` takes half of the limit at most: who has nothing goes first."""
        with self._room:
            limit_bytes = self._limit_bytes // 2 if ahead else self._limit_bytes
            if self._held_bytes and self._held_bytes + nbytes > limit_bytes:
                return False
            self._held_bytes += nbytes
            self._most_bytes = max(self._most_bytes, self._held_bytes)
            return True

    def take_when_free(self, nbytes: int, is_over: Callable[[], bool]) -> bool:
        """Wait until so many bytes are held; False, and none are, once `is_over`, which `wake` makes it look at."""
        with self._room:
            while not is_over():
                if self.take(nbytes):
                    return True
                self._room.wait()
            return False

    def give_back(self, nbytes: int) -> None:
        """They are accepted, or dropped."""
        with self._room:
            self._held_bytes -= nbytes
            self._room.notify_all()

    def wake(self) -> None:
        """Make everybody who waits look again."""
        with self._room:
            self._room.notify_all()
