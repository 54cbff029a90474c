"""The thread that listens to one subscription, and what it heard."""

import threading
from collections import deque
from collections.abc import Callable

from consumers.sources.kinesis.allowance import Allowance
from consumers.sources.kinesis.stream import Answer
from consumers.sources.kinesis.subscriptions import Subscription
from runtime.clock import Clock

_LAST_WORDS_S = 1.0  # that a thread whose subscription was closed may take
# Of one shard, before the thread stops to listen: two seconds of what it may send, or five minutes of nothing.
_AHEAD_BYTES, _AHEAD_ANSWERS = 4 << 20, 64


class Listener:
    """One subscription, its thread, and the answers that the reader has not taken yet."""

    def __init__(
        self,
        subscribe: Callable[[], Subscription],
        allowance: Allowance,
        clock: Clock,
        ring: Callable[[], None],
        *,
        name: str,
    ) -> None:
        self._subscribe = subscribe
        self._allowance = allowance
        self._clock = clock
        self._ring = ring
        self._changed = threading.Condition()
        self._answers: deque[Answer] = deque()
        self._waiting_bytes = 0
        self._listening_since_s: float | None = clock.monotonic()
        self._subscription: Subscription | None = None
        self._is_closed = False
        self.is_over = False
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def has_news(self) -> bool:
        return bool(self._answers) or self.is_over

    @property
    def _has_room(self) -> bool:
        return self._waiting_bytes < _AHEAD_BYTES and len(self._answers) < _AHEAD_ANSWERS

    def heard(self) -> list[Answer]:
        """All answers that came since the last call; their bytes stay taken from the allowance."""
        with self._changed:
            answers = list(self._answers)
            self._answers.clear()
            self._waiting_bytes = 0
            self._changed.notify_all()
            return answers

    def silent_s(self, now_s: float) -> float:
        """How long Kinesis has said nothing; 0 while it is us who do not listen."""
        since_s = self._listening_since_s
        return 0.0 if since_s is None else now_s - since_s

    def close(self) -> None:
        """The thread ends at once, unless it waits for a call to be answered: that times out."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            subscription = self._subscription
        self._allowance.wake()
        if subscription is not None:
            subscription.close()
        self._thread.join(_LAST_WORDS_S)
        with self._changed:
            self._allowance.give_back(self._waiting_bytes)
            self._answers.clear()
            self._waiting_bytes = 0

    def _run(self) -> None:
        try:
            self._listen()
        except Exception as error:  # the reader's, who takes it
            self.failure = error
        self.is_over = True
        self._ring()

    def _listen(self) -> None:
        subscription = self._subscribe()
        with self._changed:
            self._subscription = subscription
            if self._is_closed:
                subscription.close()
                return
        for answer in subscription:
            self._listening_since_s = None
            if not self._keep(answer):
                return
            self._ring()
            if answer.next_iterator is None:
                return  # the shard's end; or, without children, a place to subscribe from again
            self._listening_since_s = self._clock.monotonic()

    def _keep(self, answer: Answer) -> bool:
        """Put it where the reader finds it, once there is room. False once the subscription is closed."""
        if not self._allowance.take_when_free(answer.nbytes, lambda: self._is_closed):
            return False
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._has_room)
            if self._is_closed:
                self._allowance.give_back(answer.nbytes)
                return False
            self._answers.append(answer)
            self._waiting_bytes += answer.nbytes
            return True
