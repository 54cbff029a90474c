"""Reads one answer ahead while the path works on the last, in bounded memory."""

import threading
from enum import Enum, auto

from consumers.sources.kinesis.allowance import Allowance
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.intake import Intake
from consumers.sources.kinesis.stream import BYTES_PER_READ, Answer

_NO_ROOM_S = 0.1  # until memory is asked for again; paths take about that long for an answer


class _Ahead(Enum):
    """What the thread is at."""

    IDLE = auto()  # nothing was asked for, or it was taken
    WANTED = auto()  # asked for; not due yet, and the reader may still do it itself
    READING = auto()
    READ = auto()  # the outcome waits for the reader


class Prefetch:
    """Another intake, whose `take` runs in a thread while the reader is busy.

    Before each read the largest answer there is, is taken from the allowance; what it was smaller is given back, and
    the rest when the reader comes for the next one.
    """

    def __init__(self, intake: Intake, allowance: Allowance, *, name: str) -> None:
        self._intake = intake
        self._allowance = allowance
        self._name = name
        self._thread: threading.Thread | None = None  # from the first time on that the reader is busy
        self._changed = threading.Condition()
        self._state = _Ahead.IDLE
        self._outcome: Answer | Exception | None = None
        self._held_bytes = 0  # of the answer that the reader has
        self._waiting_bytes = 0  # of the outcome
        self._has_no_room = False
        self._is_closed = False

    def begin(self, start: Checkpoint) -> None:
        with self._changed:
            self._withdraw()
            self._drop()
            self._intake.begin(start)

    def take(self) -> Answer | None:
        with self._changed:
            self._withdraw()
            self._allowance.give_back(self._held_bytes)
            self._held_bytes = 0
            if self._state is _Ahead.READ:
                outcome, self._outcome, self._state = self._outcome, None, _Ahead.IDLE
                self._held_bytes, self._waiting_bytes = self._waiting_bytes, 0
                if isinstance(outcome, Exception):
                    raise outcome
                return outcome
            self._has_no_room = not self._allowance.take(BYTES_PER_READ)
            if self._has_no_room:
                return None
            answer, self._held_bytes = self._read()
            return answer

    def ahead(self) -> None:
        with self._changed:
            if self._state is _Ahead.IDLE and not self._is_closed:
                self._state = _Ahead.WANTED
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                    self._thread.start()
                self._changed.notify_all()

    def wait_s(self) -> float:
        if self._state is _Ahead.READ:
            return 0.0
        return max(self._intake.wait_s(), _NO_ROOM_S if self._has_no_room else 0.0)

    def close(self) -> None:
        """A read that is under way is waited for, as the reader would."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        with self._changed:
            self._drop()
            self._allowance.give_back(self._held_bytes)
            self._held_bytes = 0
        self._intake.close()

    def _withdraw(self) -> None:
        """What has not begun, the reader does itself; what has, is waited for. Called with the lock."""
        if self._state is _Ahead.WANTED:
            self._state = _Ahead.IDLE
        self._changed.wait_for(lambda: self._state is not _Ahead.READING)

    def _drop(self) -> None:
        self._allowance.give_back(self._waiting_bytes)
        self._outcome, self._waiting_bytes, self._state = None, 0, _Ahead.IDLE

    def _read(self) -> tuple[Answer | None, int]:
        """The answer and its bytes, for which the largest answer's were taken."""
        nbytes = 0
        try:
            answer = self._intake.take()
            nbytes = min(answer.nbytes, BYTES_PER_READ) if answer else 0
            return answer, nbytes
        finally:
            self._allowance.give_back(BYTES_PER_READ - nbytes)

    def _run(self) -> None:
        while self._await_turn():
            outcome: Answer | Exception | None
            try:
                outcome, nbytes = self._read()
            except Exception as error:  # the reader's, who takes it
                outcome, nbytes = error, 0
            with self._changed:
                self._outcome, self._waiting_bytes, self._state = outcome, nbytes, _Ahead.READ
                self._changed.notify_all()

    def _await_turn(self) -> bool:
        """Wait until a read is wanted, due and within the allowance. False at the end."""
        with self._changed:
            while not self._is_closed:
                if self._state is not _Ahead.WANTED:
                    self._changed.wait()
                elif wait_s := self._intake.wait_s():
                    self._changed.wait(wait_s)
                elif self._allowance.take(BYTES_PER_READ, ahead=True):
                    self._state = _Ahead.READING
                    return True
                else:
                    self._state = _Ahead.IDLE
            return False
