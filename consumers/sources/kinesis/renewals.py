"""Renews many leases side by side, so that a write that hangs costs its own lease and no other."""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from consumers.sources.kinesis.tenure import Tenure


class Renewals:
    """Up to `most` threads, started as they are needed; more hanging writes than that stop all renewal.

    `keep` renews one lease and raises nothing that passes by itself; what it raises otherwise is kept as `error`.
    """

    def __init__(self, keep: Callable[[Tenure], None], *, most: int) -> None:
        self._keep = keep
        self._most = most
        self._waiting: deque[Tenure] = deque()
        self._under_way: set[Tenure] = set()  # those that wait too
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self.error: Exception | None = None

    def offer(self, due: Iterable[Tenure]) -> None:
        """Renew these soon; those whose renewal still hangs are left to it. Returns at once."""
        with self._changed:
            fresh = [tenure for tenure in due if tenure not in self._under_way]
            self._under_way.update(fresh)
            self._waiting.extend(fresh)
            for _ in range(min(len(self._waiting) - self._idle, self._most - len(self._threads))):
                thread = threading.Thread(target=self._run, name=f"renew {len(self._threads)}")
                self._threads.append(thread)
                thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Ends the threads, and waits for the writes that are under way."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (tenure := self._next()) is not None:
            try:
                self._keep(tenure)
            except Exception as error:  # nobody else would see it: the leases would run out one by one
                self.error = error
            with self._changed:
                self._under_way.discard(tenure)

    def _next(self) -> Tenure | None:
        with self._changed:
            self._idle += 1
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            self._idle -= 1
            return None if self._is_closed else self._waiting.popleft()
