"""Threads on a simulated clock: one runs until it waits, and time moves on when all of them wait.

Each is a greenlet, so that the code under test is the real one, with its loops, locks and waits; only what it finds
under the name `threading` is this module's. Nothing here is left to chance: the same calls make the same history.
"""

import heapq
import importlib
import pkgutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from greenlet import getcurrent, greenlet

_SHORTEST_S = 0.001  # a wait of no time: without it a loop could stop the clock
_package = __name__.rpartition(".simulation.")[0]


class Killed(BaseException):
    """kill -9: raised wherever a thread of the process waits, and by everything that it still tries to call."""


class Process:
    """Threads that are paused and killed together."""

    def __init__(self) -> None:
        self.is_alive = True
        self.paused_until_s = 0.0
        self.threads: list[Thread] = []


class Scheduler:
    """The clock, and who runs next."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._hub = getcurrent()
        self._due: list[tuple[float, int, Thread, int]] = []  # when, order of asking, who, its ticket
        self._asked = 0

    def run(self, until_s: float) -> None:
        """Let time pass."""
        due = self._due
        while due and due[0][0] <= until_s:
            at_s, _, thread, ticket = heapq.heappop(due)
            if ticket != thread.ticket or not thread.process.is_alive:
                continue
            self.now_s = max(self.now_s, at_s)
            if thread.process.paused_until_s > self.now_s:
                self._push(thread.process.paused_until_s, thread, ticket)
            else:
                thread.ticket += 1
                thread.greenlet.switch()
        self.now_s = max(self.now_s, until_s)

    def kill(self, process: Process) -> None:
        """Nothing of it runs on, but for the `finally` blocks, and those reach nothing."""
        process.is_alive = False
        for thread in process.threads:
            if thread.greenlet:  # started and not at its end
                thread.greenlet.throw(Killed)
        process.threads.clear()

    def wake(self, thread: "Thread", at_s: float) -> None:
        """Run `thread` at that time, unless something wakes it before."""
        self._push(at_s, thread, thread.ticket)

    def wait(self) -> None:
        """Of the running thread: until somebody wakes it."""
        check_alive()
        self._hub.switch()

    def sleep(self, seconds: float) -> None:
        """Of the running thread."""
        check_alive()
        self.wake(current(), self.now_s + max(_SHORTEST_S, seconds))
        self._hub.switch()

    def _push(self, at_s: float, thread: "Thread", ticket: int) -> None:
        self._asked += 1
        heapq.heappush(self._due, (at_s, self._asked, thread, ticket))


_running: Scheduler | None = None


def scheduler() -> Scheduler:
    """The one of the simulation that runs."""
    assert _running is not None, "no simulation runs"
    return _running


def current() -> "Thread":
    """The thread that runs."""
    thread: Thread = getcurrent().thread
    return thread


def check_alive() -> None:
    """Raises Killed in a thread of a dead process."""
    if not current().process.is_alive:
        raise Killed


class _Greenlet(greenlet):  # type: ignore[misc]
    thread: "Thread"


class Thread:
    """As threading.Thread, in the process of the thread that makes it."""

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
        process: Process | None = None,
    ) -> None:
        self.name = name
        self.ticket = 0  # grows with each wake: an older one is void
        self.process: Process = process or current().process
        self.error: BaseException | None = None  # what ended it
        self.shard_id: str | None = None  # of the reader that it runs
        self.step_began_s: float | None = None  # of that reader
        self._target, self._args, self._kwargs = target, args, kwargs or {}
        self._over = Event()
        self.greenlet = _Greenlet(self._run, scheduler()._hub)
        self.greenlet.thread = self

    def start(self) -> None:
        self.process.threads.append(self)
        scheduler().wake(self, scheduler().now_s)

    def is_alive(self) -> bool:
        return self in self.process.threads

    def join(self, timeout: float | None = None) -> None:
        self._over.wait(timeout)

    def _run(self) -> None:
        try:
            assert self._target is not None
            self._target(*self._args, **self._kwargs)
        except Killed:
            return
        except Exception as error:
            self.error = error
        self.process.threads.remove(self)
        self._over.set()


class Event:
    """As threading.Event. May be set from outside of the simulation's threads."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[Thread] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for thread in waiting:
            scheduler().wake(thread, scheduler().now_s)

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        check_alive()
        if self._is_set:
            return True
        thread = current()
        self._waiting.append(thread)
        if timeout is None:
            scheduler().wait()
        else:
            scheduler().sleep(timeout)
        if thread in self._waiting:
            self._waiting.remove(thread)
        return self._is_set


class Lock:
    """As threading.Lock and RLock: who waits for it lets the others run."""

    def __init__(self) -> None:
        self._holder: greenlet | None = None
        self._depth = 0
        self._waiting: list[Thread] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = getcurrent()
        while self._holder not in (None, me):
            if not blocking:
                return False
            self._waiting.append(current())
            scheduler().wait()
        self._holder = me
        self._depth += 1
        return True

    def release(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._holder = None
            waiting, self._waiting = self._waiting, []
            for thread in waiting:
                scheduler().wake(thread, scheduler().now_s)

    def locked(self) -> bool:
        return self._holder is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class Condition:
    """As threading.Condition."""

    def __init__(self, lock: Lock | None = None) -> None:
        self._lock = lock or Lock()
        self._waiting: list[Event] = []
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        notified = Event()
        self._waiting.append(notified)
        self._lock.release()
        try:
            return notified.wait(timeout)
        finally:
            if notified in self._waiting:
                self._waiting.remove(notified)
            self._lock.acquire()

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        end_s = None if timeout is None else scheduler().now_s + timeout
        while not (result := predicate()):
            left_s = None if end_s is None else end_s - scheduler().now_s
            if left_s is not None and left_s <= 0:
                break
            self.wait(left_s)
        return result

    def notify(self, n: int = 1) -> None:
        woken, self._waiting = self._waiting[:n], self._waiting[n:]
        for event in woken:
            event.set()

    def notify_all(self) -> None:
        self.notify(len(self._waiting))


class _Threading:
    """What the simulated modules find under the name `threading`."""

    Thread = Thread
    Event = Event
    Lock = Lock
    RLock = Lock
    Condition = Condition

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


@contextmanager
def simulated_threads() -> Iterator[Scheduler]:
    """All modules of the Kinesis source start their threads in a simulation, which ends with the context."""
    global _running
    assert _running is None, "one simulation at a time"
    for found in pkgutil.iter_modules(importlib.import_module(_package).__path__):
        if not found.ispkg:
            importlib.import_module(f"{_package}.{found.name}")
    modules = [
        module
        for name, module in sys.modules.items()
        if name.startswith(f"{_package}.") and getattr(module, "threading", None) is threading and name != __name__
    ]
    _running = Scheduler()
    stand_in = _Threading()
    try:
        for module in modules:
            vars(module)["threading"] = stand_in
        yield _running
    finally:
        _running = None
        for module in modules:
            vars(module)["threading"] = threading
