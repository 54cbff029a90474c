"""One thread a part: starts it, restarts it when it dies, stops it."""

import random
import signal
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import mirakuru

from infra.local.executor import Cancelled, Died, PartExecutor, executor_for
from infra.local.parts import Part
from infra.local.state import Condition, PartState, ProcessState, process_state
from runtime.backoff import full_jitter
from runtime.clock import Clock

MAX_DEATHS = 5
WITHIN_S = 60.0

_LOOK_S = 0.2  # how soon a death is seen
_BACKOFF_BASE_S = 0.5


class Deaths:
    """How often a part has died lately."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MAX_DEATHS)

    def record(self, now_s: float) -> int:
        """Note one more death; how many there were within the last minute, this one included."""
        self._times.append(now_s)
        return sum(now_s - time < WITHIN_S for time in self._times)


class Attendant(threading.Thread):
    """Attends one part for as long as the stack runs.

    The part's process is tied to this thread: it gets SIGTERM from the kernel if the thread ends first. `changed` is
    called after every change of condition, `say` with one line for the operator; both from this thread.
    """

    def __init__(
        self,
        part: Part,
        *,
        home: str,
        log: Path,
        changed: Callable[[], None],
        say: Callable[[str], None],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        super().__init__(name=part.name, daemon=True)
        self.part = part
        self.log = log
        self.condition: Condition = "starting"
        self.why = ""  # of the last death
        self.ready_after_s = 0.0
        self._home, self._changed, self._say, self._clock, self._rng = home, changed, say, clock, rng
        self._stopping = threading.Event()
        self._process: ProcessState | None = None
        self._restarts = 0
        self._was_ready = False

    @property
    def state(self) -> PartState:
        return PartState(
            name=self.part.name,
            condition=self.condition,
            process=self._process,
            restarts=self._restarts,
            url=self.part.url,
            log=str(self.log),
        )

    def ask_to_stop(self) -> None:
        """Begin to stop; `join` waits until the part has ended."""
        self._stopping.set()

    def run(self) -> None:
        try:
            self._attend()
        except OSError as error:  # its log or `state.json` cannot be written: the disk is full
            self.why = f"cannot be attended: {error}"
            self.condition = "failed"
            self._say(f"{self.part.name} {self.why}, given up")

    def _attend(self) -> None:
        deaths = Deaths()
        while self._lives_until_death():
            recent = deaths.record(self._clock.monotonic())
            if not self._was_ready:
                return self._now("failed")
            if recent >= MAX_DEATHS:
                self._say(
                    f"{self.part.name} died {recent} times within a minute ({self.why}), given up; log: {self.log}"
                )
                return self._now("failed")
            self._say(f"{self.part.name} died ({self.why}), restarting it; log: {self.log}")
            self._restarts += 1
            self._now("restarting")
            self._stopping.wait(full_jitter(recent, self._rng, base_s=_BACKOFF_BASE_S))
        self._now("stopped")

    def _lives_until_death(self) -> bool:
        """One life of the process. True: it died by itself, and `why` says how. False: it was asked to stop."""
        if self._stopping.is_set():
            return False
        with self.log.open("ab") as log:
            executor = executor_for(self.part, self._home, log, self._stopping, self._spawned)
            try:
                self._start(executor)
                return self._watch(executor)
            except Cancelled:
                return False
            except Died as death:
                self.why = _exit(death.exit_code)
            except mirakuru.TimeoutExpired:
                self.why = f"not ready within {self.part.start_s:.0f} s"
            except mirakuru.AlreadyRunning:
                self.why = "its port is in use"
            except OSError as error:
                self.why = f"cannot be started: {error}"
            finally:
                executor.end()
                self._process = None
        return True

    def _start(self, executor: PartExecutor) -> None:
        began = self._clock.monotonic()
        executor.start()
        self.ready_after_s = self._clock.monotonic() - began
        self._was_ready = True
        if self._restarts:
            self._say(f"{self.part.name} is ready again after {self.ready_after_s:.1f} s")
        self._now("ready")

    def _watch(self, executor: PartExecutor) -> bool:
        while not self._stopping.wait(_LOOK_S):
            process = executor.process
            assert process is not None
            exit_code = process.poll()
            if exit_code is not None:
                raise Died(exit_code)
        return False

    def _spawned(self, pid: int) -> None:
        if self._process is None or self._process.pid != pid:
            self._process = process_state(pid)
            self._changed()

    def _now(self, condition: Condition) -> None:
        self.condition = condition
        self._changed()


def _exit(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"exit code {code}, {signal.Signals(-code).name}"
