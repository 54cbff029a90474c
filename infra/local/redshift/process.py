"""The front as a child process, for tests and benchmarks."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redshift_connector import connect
from redshift_connector.core import Connection

_ROOT = Path(__file__).resolve().parents[3]
_STOP_S = 20.0  # PostgreSQL writes a checkpoint
PASSWORD = "Correct-Horse-1"


class FrontProcess:
    """A front over `data`, on a free port unless one is given. A context manager: it ends with the block."""

    def __init__(
        self,
        data: Path,
        *options: str,
        port: int = 0,
        database: str = "dev",
        user: str = "admin",
        password: str = PASSWORD,
        s3_endpoint: str = "http://127.0.0.1:9",  # where nothing is
        region: str = "eu-west-2",
        access_key_id: str = "000000000000",
        secret_access_key: str = "unused",
        before_start: Callable[[], None] | None = None,
    ) -> None:
        """Returns when it answers. Raises RuntimeError if it does not start; why is on stderr.

        `before_start` runs in the child first (resource limits).
        """
        self.database, self.user, self.password = database, user, password
        data.mkdir(parents=True, exist_ok=True)
        password_file = data / "password"
        password_file.write_text(password + "\n")
        password_file.chmod(0o600)
        command = [sys.executable, "-m", "infra.local.redshift", "--port", str(port), "--data", str(data)]
        command += ["--database", database, "--user", user, "--password-file", str(password_file), "--region", region]
        command += ["--s3-endpoint", s3_endpoint, "--access-key-id", access_key_id, *options]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env={**os.environ, "REDSHIFT_S3_SECRET_ACCESS_KEY": secret_access_key},
            preexec_fn=before_start,
        )
        assert self._process.stdout
        said = self._process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", said)
        if not found:
            raise RuntimeError(f"the front ended with {self._process.wait()} {said!r}")
        self.port = int(found[1])

    def __enter__(self) -> "FrontProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()
        if self._process.stdout:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def connect(self, **options: Any) -> Connection:
        """A connection of Amazon's driver, as the first user unless `options` say otherwise."""
        told = {"user": self.user, "password": self.password, "database": self.database, "ssl": False}
        return connect(host="127.0.0.1", port=self.port, **{**told, **options})

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it by a signal; the exit code. Raises subprocess.TimeoutExpired (and kills) if it takes too long."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended; the exit code. Raises subprocess.TimeoutExpired (and kills) if it takes too long."""
        try:
            return self._process.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()
