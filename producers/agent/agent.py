"""The agent's loop. The order of its lines is the guarantee that nothing is lost."""

import logging

from producers.agent.heartbeats import Heartbeats
from producers.agent.meter import Meter
from producers.agent.put import Sender
from producers.agent.spool import Spool
from producers.agent.state import State
from runtime.clock import Clock
from runtime.outage import Stop, Trouble

DISK_WAIT_S = 1.0  # an operator has to make room: no use in looking more often

_log = logging.getLogger(__name__)


class Drain:
    """A wish that all there is be sent, with its answer. Asked by one thread, answered by another."""

    def __init__(self) -> None:
        self._asked: str | None = None
        self.answer: tuple[str, bool] | None = None  # the wish, and whether it came true

    def ask(self, wish: str) -> None:
        """`wish`: any text that was not used before."""
        self._asked = wish

    def open(self) -> str | None:
        """The wish that is not answered yet."""
        return self._asked if self.answer is None or self.answer[0] != self._asked else None


class Agent:
    """Files of one kind -> stream -> checkpoint -> heartbeat, one batch at a time."""

    def __init__(
        self,
        *,
        spool: Spool,
        state: State,
        sender: Sender,
        heartbeats: Heartbeats,
        meter: Meter,
        drain: Drain,
        clock: Clock,
        poll_s: float,
        state_every_s: float,
    ) -> None:
        self._spool = spool
        self._state = state
        self._sender = sender
        self._heartbeats = heartbeats
        self._meter = meter
        self._drain = drain
        self._clock = clock
        self._poll_s = poll_s
        self._state_every_s = state_every_s
        self._saved_at = clock.monotonic()
        self._disk = Trouble("disk", clock)

    def run(self, stop: Stop, *, once: bool = False) -> bool:
        """Send what the files hold and what comes, until `stop` is set; with `once`, until all is acknowledged.

        Returns whether every complete line that the last look found is acknowledged, with `once` every file's last
        heartbeat too, and the state says so on disk.
        A wish in `drain` is answered in the same sense as soon as it is true, or cannot become true; then it goes on.
        Raises ConfigError where waiting will not help.
        """
        self._sender.wait_until_ready(stop)
        if not stop.is_set():
            self._meter.ready()
        drained = False
        while not stop.is_set() and not (once and drained):
            wish = self._drain.open()
            try:
                drained = self._send_next(stop, thorough=wish is not None)
            except OSError as error:
                self._disk.goes_on(str(error))
                stop.wait(DISK_WAIT_S)
                continue
            self._disk.over()
            if drained and wish is not None:
                self._drain.answer = wish, self._end(stop)
            if drained and not once:
                stop.wait(self._poll_s)
        if once and drained:
            return self._end(stop)
        if not self._save_at_end():
            return False
        self._heartbeats.part()
        return self._save_at_end() and drained and not self._spool.unreadable

    def _end(self, stop: Stop) -> bool:
        """Say of every file that it is done with, as far as anybody knows now. Returns whether all is well."""
        said = self._save_at_end() and self._heartbeats.end(stop)
        return self._save_at_end() and said and not self._spool.unreadable

    def _send_next(self, stop: Stop, *, thorough: bool = False) -> bool:
        """One batch, if there is any. Returns whether it was the last of what is there, and is acknowledged.

        Raises OSError, see Spool and State: nothing is lost by another call.
        """
        batch = self._spool.next_batch(thorough=thorough)
        self._meter.took(batch.lines, self._spool.unreadable)
        if self._state.has_new_files:
            self._state.save()
        acknowledged = self._sender.send(batch.lines, stop)
        self._meter.acknowledged(*self._state.advance(batch.lines, acknowledged))
        self._heartbeats.beat()
        self._save_now_and_then()
        is_last = not batch.is_full and all(acknowledged)
        if is_last:
            self._meter.caught_up()
        return is_last

    def _save_now_and_then(self) -> None:
        now = self._clock.monotonic()
        if self._state.changed and now - self._saved_at >= self._state_every_s:
            self._state.save()
            self._saved_at = now

    def _save_at_end(self) -> bool:
        try:
            if self._state.changed:
                self._state.save()
        except OSError as error:
            _log.error("state not saved: %s; the last lines will be sent again", error)
            return False
        return True
