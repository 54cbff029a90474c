"""How many bytes of request bodies may be on their way in at once, over all connections."""

from collections import deque
from collections.abc import Callable

MOST_BODY_BYTES = 20 << 20  # a full PutRecords is 14 MiB of base64, plus keys and JSON
FREE_BYTES = 1 << 20  # bodies up to this need no grant
_TOGETHER_BYTES = 32 << 20


class BodyBudget:
    """Grants room to large bodies, first come first served: many uploads at once wait instead of filling memory."""

    def __init__(self, together_bytes: int = _TOGETHER_BYTES) -> None:
        self._free = together_bytes
        self._waiting: deque[Grant] = deque()

    def ask(self, size: int, granted: Callable[[], None]) -> "Grant":
        """Reserve `size` bytes, at most MOST_BODY_BYTES. Calls `granted` later if there is no room now."""
        grant = Grant(self, size, granted)
        self._waiting.append(grant)
        self._serve(asking=grant)
        return grant

    def give_back(self, grant: "Grant") -> None:
        if grant.held:
            grant.held = False
            self._free += grant.size
            self._serve()
        elif grant in self._waiting:
            self._waiting.remove(grant)
            self._serve()

    def _serve(self, asking: "Grant | None" = None) -> None:
        while self._waiting and self._waiting[0].size <= self._free:
            grant = self._waiting.popleft()
            self._free -= grant.size
            grant.held = True
            if grant is not asking:
                grant.granted()


class Grant:
    """One body's room; `held` once it has it."""

    __slots__ = ("_budget", "granted", "held", "size")

    def __init__(self, budget: BodyBudget, size: int, granted: Callable[[], None]) -> None:
        self._budget = budget
        self.size = size
        self.granted = granted
        self.held = False

    def release(self) -> None:
        """Give the room back, or stop waiting for it. Twice does no harm."""
        self._budget.give_back(self)
