"""A broker for tests, that can be killed."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from infra.local.home import Home
from infra.local.kafka import broker
from infra.local.parts import Part
from infra.local.ports import HOST
from infra.local.supervisor import Supervisor

_START_S = 90.0


class LocalBroker:
    """One broker as a child of this process, always on the same port and folder."""

    def __init__(self, part: Part, port: int) -> None:
        self.address = part.url
        self._part = part
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Returns when it takes connections: that monotonic time (s). Raises TimeoutError."""
        with (self._part.cwd / "broker.out").open("ab") as log:
            self._process = subprocess.Popen(self._part.command, stdout=log, stderr=log, cwd=self._part.cwd)
        end_s = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection((HOST, self._port), 0.2).close()
                return time.monotonic()
            except OSError:
                if time.monotonic() > end_s or self._process.poll() is not None:
                    raise TimeoutError(f"the broker does not start: see {self._part.cwd}/broker.out") from None
                time.sleep(0.02)

    def kill(self) -> None:
        """kill -9; it is gone on return."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def local_broker(root: Path, downloads: Path) -> Iterator[LocalBroker]:
    """Started; its jars come from `downloads`, or go there. Gone on leaving."""
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
        running = LocalBroker(part, ports[broker.NAME])
        try:
            running.start()
            yield running
        finally:
            running.kill()
