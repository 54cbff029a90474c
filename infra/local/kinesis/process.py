"""The server as a child process, for tests and benchmarks."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_STOP_S = 10.0


class ServerProcess:
    """A server over `data`, on a free port unless one is given. A context manager: it ends with the block."""

    def __init__(
        self, data: Path, *options: str, port: int = 0, before_start: Callable[[], None] | None = None
    ) -> None:
        """Returns when it answers. Raises RuntimeError with its last words if it does not start.

        `before_start` runs in the child first (resource limits).
        """
        command = [sys.executable, "-m", "infra.local.kinesis", "--port", str(port), "--data", str(data), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT, preexec_fn=before_start)
        assert self._process.stdout
        said = self._process.stdout.readline()
        found = re.search(r"(https?)://127\.0\.0\.1:(\d+)", said)
        if not found:
            raise RuntimeError(f"the server ended with {self._process.wait()} {said!r}")
        self._scheme, self.port = found[1], int(found[2])

    def __enter__(self) -> "ServerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()
        if self._process.stdout:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it by a signal; the exit code. Raises subprocess.TimeoutExpired (and kills) if it takes too long."""
        self._process.send_signal(number)
        try:
            return self._process.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()
