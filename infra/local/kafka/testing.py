"""A broker for tests, that can be killed."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from infra.local.home import Home
from infra.local.kafka import broker
from infra.local.state import read_state
from infra.local.supervisor import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalBroker:
    """One broker, which its attendant starts again when it dies."""

    address: str
    home: Home

    def kill(self) -> None:
        """kill -9. Raises KeyError when it is not running."""
        state = read_state(self.home)
        processes = [part.process for part in (state.parts if state else []) if part.name == broker.NAME]
        if not processes or processes[0] is None:
            raise KeyError(broker.NAME)
        os.kill(processes[0].pid, signal.SIGKILL)

    def is_there(self) -> bool:
        """Whether it takes connections."""
        host, port = self.address.split(":")
        try:
            socket.create_connection((host, int(port)), 0.2).close()
        except OSError:
            return False
        return True

    def wait_until(self, there: bool, *, within_s: float = 60.0) -> float:
        """The monotonic time (s) at which it was there, or gone. Raises TimeoutError."""
        end_s = time.monotonic() + within_s
        while self.is_there() is not there:
            if time.monotonic() > end_s:
                raise TimeoutError("the broker is not back" if there else "the broker is still there")
            time.sleep(0.02)
        return time.monotonic()


@contextmanager
def local_broker(root: Path, downloads: Path) -> Iterator[LocalBroker]:
    """Ready; its jars come from `downloads`, or go there. Stopped on leaving."""
    home = Home(root=root, downloads=downloads)
    with Supervisor(home, Console(quiet=True), stop=threading.Event()) as stack:
        ports = stack.ports_for([broker.NAME, broker.CONTROLLER])
        part = broker.broker(
            home,
            broker.install(home, stack.console, stack.stop),
            port=ports[broker.NAME],
            controller_port=ports[broker.CONTROLLER],
            java_options="-XX:TieredStopAtLevel=1",
        )
        stack.start([part])
        yield LocalBroker(address=part.url, home=home)
