"""The agent's loop. The order of its lines is the guarantee that nothing is lost."""

import logging

from producers.agent.heartbeats import Heartbeats
from producers.agent.put import Sender
from producers.agent.spool import Spool
from producers.agent.state import State
from runtime.clock import Clock
from runtime.outage import Stop, Trouble

DISK_WAIT_S = 1.0  # an operator has to make room: no use in looking more often

_log = logging.getLogger(__name__)


class Agent:
    """Spool -> stream -> checkpoint -> heartbeat, one request in flight."""

    def __init__(
        self,
        *,
        spool: Spool,
        state: State,
        sender: Sender,
        heartbeats: Heartbeats,
        clock: Clock,
        poll_s: float,
        state_every_s: float,
    ) -> None:
        self._spool = spool
        self._state = state
        self._sender = sender
        self._heartbeats = heartbeats
        self._clock = clock
        self._poll_s = poll_s
        self._state_every_s = state_every_s
        self._saved_at = clock.monotonic()
        self._disk = Trouble("disk", clock)

    def run(self, stop: Stop, *, once: bool = False) -> bool:
        """Send what the spool holds and what comes, until `stop` is set; with `once`, until all is acknowledged.

        Returns whether every complete line that the last look found is acknowledged, with `once` every file's last
        heartbeat too, and the state says so on disk.
        Raises ConfigError where waiting will not help.
        """
        self._sender.wait_until_ready(stop)
        drained = False
        while not stop.is_set() and not (once and drained):
            try:
                drained = self._send_next(stop)
            except OSError as error:
                self._disk.goes_on(str(error))
                stop.wait(DISK_WAIT_S)
                continue
            self._disk.over()
            if drained and not once:
                stop.wait(self._poll_s)
        if not self._save_at_end():
            return False
        if once and drained:
            drained = self._heartbeats.end(stop)
        else:
            self._heartbeats.part()
        return self._save_at_end() and drained and not self._spool.unreadable

    def _send_next(self, stop: Stop) -> bool:
        """One batch, if there is any. Returns whether it was the last of what is there, and is acknowledged.

        Raises OSError, see Spool and State: nothing is lost by another call.
        """
        batch = self._spool.next_batch()
        if self._state.has_new_files:
            self._state.save()
        acknowledged = self._sender.send(batch.lines, stop)
        self._state.advance(batch.lines, acknowledged)
        self._heartbeats.beat()
        self._save_now_and_then()
        return not batch.is_full and all(acknowledged)

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
