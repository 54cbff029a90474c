"""What an operator sees while a drill goes on, and where: logs, statuses, the board."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec

from infra.local.viewer import viewing
from loadtests.proof.samples import Sample
from runtime.errors import ConfigError

_SAID = re.compile(r" (?:WARNING|ERROR|CRITICAL) (\S+ .*)")
_MOST = 160  # letters of a sentence


class _Snapshot(msgspec.Struct):
    trouble: list[str]


class Witness:
    """Remembers the first thing that each place said after it began to look."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Forget what was said until now."""
        with self._lock:
            self._sizes = {log: log.stat().st_size for log in self._logs.glob("*.log")}
            self._board: str | None = None
            self._since_us = time.time_ns() // 1000

    def board_shows(self, snapshot: bytes) -> None:
        """A snapshot of the board."""
        trouble = msgspec.json.decode(snapshot, type=_Snapshot).trouble
        with self._lock:
            if trouble and self._board is None:
                self._board = trouble[0]

    def seen(self, samples: Sequence[Sample], restarted: dict[str, int]) -> dict[str, str]:
        """By place: each process's log, the statuses, the board, the supervisor."""
        found = {f"{name} log": line for name, line in self._from_logs()}
        if self._board:
            found["board"] = self._board
        for sample in samples:
            if sample.at_us < self._since_us:
                continue
            for name, lag in sample.lag.items():
                if lag.wrong:
                    found.setdefault(f"consumers status ({name.removeprefix('storepulse-')})", lag.wrong[0])
            for sent in sample.agent.values():
                if sent.troubles:
                    found.setdefault("producers status", sent.troubles[-1])
        for name, times in restarted.items():
            if times:
                found["supervisor"] = f"{name} died, restarted"
        return {place: " ".join(text.split())[:_MOST] for place, text in found.items()}

    def _from_logs(self) -> Iterator[tuple[str, str]]:
        for log in sorted(self._logs.glob("*.log")):
            with log.open("rb") as file:
                # A part that was stopped and started begins its log anew.
                before = self._sizes.get(log, 0)
                file.seek(before if before <= log.stat().st_size else 0)
                for line in file:
                    said = _SAID.search(line.decode(errors="replace"))
                    if said:
                        yield log.stem, said[1]
                        break


@contextmanager
def witnessed(logs: Path, board_url: str) -> Iterator[Witness]:
    """Look until the context is left; a board that is away is not seen."""
    witness = Witness(logs)
    with ExitStack() as watched:
        with suppress(ConfigError):
            watched.enter_context(viewing(board_url, witness.board_shows))
        yield witness
