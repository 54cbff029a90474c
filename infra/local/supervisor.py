"""Starts parts, keeps them running, and leaves nothing behind."""

import os
import random
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import click
from rich.console import Console

from infra.local import ports
from infra.local.attendant import Attendant
from infra.local.home import Home
from infra.local.leftovers import end_leftovers
from infra.local.parts import Part
from infra.local.state import State, process_state, write_state
from runtime.clock import Clock, SystemClock
from runtime.errors import ConfigError

_LOOK_S = 0.05
_TAIL_LINES = 8


class Supervisor:
    """A stack on one folder, as a context: leaving it stops every part, last started first.

    `stop` is what the operator's signals set. Parts started by one call of `start` form a wave: they start together,
    and stop together before the waves that came earlier.
    """

    def __init__(
        self, home: Home, console: Console, *, stop: threading.Event | None = None, clock: Clock | None = None
    ) -> None:
        self.home = home
        self.console = console
        self.stop = stop or threading.Event()
        self._rng = random.Random()
        self._ports: set[int] = set()  # given out
        self._clock = clock or SystemClock()
        self._waves: list[list[Attendant]] = []
        self._writing = threading.Lock()
        self._open = ExitStack()

    def __enter__(self) -> "Supervisor":
        """Raises ConfigError when the folder cannot be written, or when another stack runs on it."""
        self.home.make()
        self._open.enter_context(self.home.held())
        try:
            ended = end_leftovers(self.home)
            if ended:
                self.say(f"ended {ended} processes that an earlier stack had left behind")
            self._write_state()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._open:
            while self._waves:
                _stop_all(self._waves[-1])
                self._waves.pop()
            self.home.state_file.unlink(missing_ok=True)

    @property
    def given_up(self) -> list[str]:
        """Names of the parts that died too often."""
        return [attendant.part.name for attendant in self._attendants if attendant.condition == "failed"]

    def start(self, parts: Sequence[Part]) -> None:
        """Start `parts` together and wait until all are ready.

        Raises ConfigError when one of them dies or is not ready in time, click.Abort when `stop` is set. The parts
        that did start run on until the context is left.
        """
        wave = [self._attendant(part) for part in parts]
        self._waves.append(wave)
        for attendant in wave:
            attendant.start()
        waiting = list(wave)
        while waiting:
            if self.stop.wait(_LOOK_S):
                raise click.Abort
            for attendant in list(waiting):
                if attendant.condition == "failed":
                    raise self._failure(attendant)
                if attendant.condition == "ready":
                    waiting.remove(attendant)
                    self.say(f"{attendant.part.name} ready in {attendant.ready_after_s:.1f} s")

    def add(self, part: Part) -> None:
        """`start` for one part."""
        self.start([part])

    def stop_part(self, name: str) -> Part:
        """Stop one part and wait until it has ended. Returns it, for `add`. Raises KeyError when none has that name."""
        for wave in self._waves:
            for attendant in wave:
                if attendant.part.name == name:
                    _stop_all([attendant])
                    wave.remove(attendant)
                    self._write_state()
                    return attendant.part
        raise KeyError(name)

    def ports_for(self, names: Sequence[str], wanted: Mapping[str, int] | None = None) -> dict[str, int]:
        """A port for each of `names`, see `ports.choose`; none is given out twice.

        The same ones as last time on this folder where they are free, so that what was not stopped with the stack
        finds it again.
        """
        rng = random.Random(f"{self.home.root}: {' '.join(names)}")
        chosen = ports.choose(names, wanted or {}, rng, taken=self._ports)
        self._ports.update(chosen.values())
        return chosen

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until `stop` is set (True) or the time is over (False)."""
        return self.stop.wait(timeout_s)

    def say(self, line: str) -> None:
        """One line for the operator; dropped once nobody can read it, because the terminal has gone."""
        try:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        except OSError:
            self.console.quiet = True

    @property
    def _attendants(self) -> list[Attendant]:
        return [attendant for wave in self._waves for attendant in wave]

    def _attendant(self, part: Part) -> Attendant:
        log = self.home.log_of(part.name)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        return Attendant(
            part,
            home=str(self.home.root),
            log=log,
            changed=self._write_state,
            say=self.say,
            clock=self._clock,
            rng=self._rng,
        )

    def _failure(self, attendant: Attendant) -> ConfigError:
        lines = _tail(attendant.log)
        for line in lines:
            self.say(f"  {line}")
        last = f"; its last words: {lines[-1]}" if lines else ""
        return ConfigError(f"{attendant.part.name} did not start ({attendant.why}); log: {attendant.log}{last}")

    def _write_state(self) -> None:
        with self._writing:
            me = process_state(os.getpid())
            assert me is not None
            write_state(self.home, State(supervisor=me, parts=[a.state for a in self._attendants]))


def _stop_all(attendants: Sequence[Attendant]) -> None:
    for attendant in attendants:
        attendant.ask_to_stop()
    for attendant in attendants:
        if attendant.ident is not None:
            attendant.join()


def _tail(log: Path) -> list[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
    except FileNotFoundError:
        return []
