"""Each runbook of an alarm on our own processes, followed: the fault provoked, the metric beyond its threshold in what
processes publish, what the page looks at found as it says, mended as it says, and well again.

Minutes are seconds here: processes publish every second, and thresholds in seconds are a sixtieth of the list's.
"""

import datetime as dt
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from contract.figure import Figure
from contract.figures import figure
from contract.formula import Unit
from contract.health import measured
from infra.local.endpoints import Endpoints
from infra.local.home import PROJECT
from infra.local.state import read_state
from infra.local.testing import local_stack

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

RUNBOOKS = PROJECT / "docs" / "runbooks"
FAST = 60.0  # a minute is a second
FASTER = {"warehouse_backlog": 240.0}  # an hour is a quarter of a minute
SILENT_S = 4.0  # metrics that come every second are missing then
ENVIRON = {
    "STOREPULSE_METRICS_TO": "log",
    "STOREPULSE_METRICS_EVERY_S": "1",
    "STOREPULSE_COLD_SPAN_S": "1",
    "STOREPULSE_KEEPER_LAKE_CADENCE": "2",
    "STOREPULSE_KEEPER_WAREHOUSE_CADENCE": "2",
    "STOREPULSE_OPENSEARCH_TIMEOUT_S": "2",
    "STOREPULSE_WAREHOUSE_TIMEOUT_S": "5",
}
PROCESSES = {
    "agent": "python -m producers agent &",
    "live": "python -m consumers live &",
    "cold": "python -m consumers cold &",
    "keeper": "python -m consumers keeper &",
}


@dataclass(slots=True)
class Page:
    """A runbook's sections, with their fenced blocks."""

    name: str
    sections: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # title -> (language, text)

    @classmethod
    def of(cls, watched: Figure) -> "Page":
        name = f"storepulse-{watched.name.replace('_', '-')}"
        page = cls(name)
        for section in re.split(r"^## ", (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            title, _, text = section.partition("\n")
            page.sections[title] = re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        return page

    def commands(self, title: str) -> list[str]:
        """What an operator types."""
        return [text for language, text in self.sections[title] if language == "sh"]

    def said(self, title: str) -> list[str]:
        """What the page says is found."""
        found = [text for language, text in self.sections[title] if language == "text"]
        return [line.strip() for text in found for line in text.splitlines() if line.strip()]


class Shop:
    """A stack with our processes beside it, started as the runbooks say."""

    def __init__(self, endpoints: Endpoints, logs: Path) -> None:
        self.endpoints = endpoints
        self.home = endpoints.home
        self.logs = logs
        bin_folder = Path(os.sys.executable).parent  # type: ignore[attr-defined]
        self.environ = {
            **os.environ,
            **ENVIRON,
            "STOREPULSE_SETTINGS": str(self.home.settings_file),
            "OPENSEARCH_URL": endpoints.opensearch.url,
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
        }
        self.shells: list[subprocess.Popen[bytes]] = []
        self.bad = threading.Event()
        self.done = threading.Event()
        self.serial = 0

    def type(self, command: str) -> str:
        """Run what an operator types; what goes on in the background writes to the log. Returns what was printed."""
        log = self.logs / "processes.log"
        if command.strip().endswith("&"):
            with log.open("ab") as out:
                shell = subprocess.Popen(
                    ["sh", "-c", f"exec {command.strip().removesuffix('&')}"],
                    cwd=PROJECT,
                    env=self.environ,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            self.shells.append(shell)
            return ""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=PROJECT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    def stop(self, name: str) -> None:
        """End one of our processes, as its service would be."""
        words = PROCESSES[name].split()[1:4]
        for shell in self.shells:
            if shell.poll() is None and psutil.Process(shell.pid).cmdline()[1:4] == words:
                shell.terminate()
                shell.wait(30)
                return
        raise KeyError(name)

    def suspended(self, part: str) -> list[int]:
        """The processes of a part of the stack."""
        state = read_state(self.home)
        assert state is not None
        (found,) = (each for each in state.parts if each.name == part)
        assert found.process is not None
        whole = psutil.Process(found.process.pid)
        return [whole.pid, *(child.pid for child in whole.children(recursive=True))]

    def metrics(self, watched: Figure, since: float) -> list[tuple[float, float]]:
        """(when, value) of a figure, from the lines that processes printed; in the figure's unit."""
        metric, found = measured(watched), []
        wanted = {key for key, _ in metric.dimensions}
        prefix = dict(metric.dimensions).get("Application", "").strip("{}")
        log = self.logs / "processes.log"
        for line in log.read_bytes().splitlines() if log.exists() else []:
            if not line.startswith(b'{"_aws"'):
                continue
            told = json.loads(line)
            (directive,) = told["_aws"]["CloudWatchMetrics"]
            at = told["_aws"]["Timestamp"] / 1000
            if directive["Namespace"] != metric.namespace or set(directive["Dimensions"][0]) != wanted or at < since:
                continue
            if prefix and not told["Application"].startswith(f"storepulse-{prefix}-"):
                continue
            if metric.name in told:
                values = told[metric.name]
                found.append((at, max(values) * metric.scale))
        return found

    def trade(self) -> None:
        """A few orders and requests a second until `done`; a third of the requests fail while `bad` is set."""
        spool = self.endpoints.spool
        spool.mkdir(parents=True, exist_ok=True)
        self.home.access_log.parent.mkdir(parents=True, exist_ok=True)
        while not self.done.wait(0.2):
            self.order("KT-101", spool / "shop.ndjson")
            with self.home.access_log.open("a") as log:
                status = 503 if self.bad.is_set() and self.serial % 3 == 0 else 200
                when = dt.datetime.now(dt.UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
                log.write(f'203.0.113.9 - - [{when}] "GET /product/1 HTTP/1.1" {status} 512 "-" "Mozilla/5.0"\n')

    def order(self, sku: str, file: Path) -> None:
        """One line; an SKU that is not sold is refused."""
        self.serial += 1
        told = {
            "type": "order",
            "schema_version": 1,
            "event_id": f"rb-{sku}-{self.serial}",
            "event_time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "order_id": f"O-{self.serial}",
            "kind": "sale",
            "channel": "web",
            "region": "GB",
            "currency": "GBP",
            "lines": [{"sku": sku, "quantity": 1, "unit_price": 1250}],
            "total": 1250,
        }
        with file.open("a") as lines:
            lines.write(json.dumps(told) + "\n")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    logs = tmp_path_factory.mktemp("logs")
    with local_stack(tmp_path_factory.mktemp("runbooks")) as endpoints:
        shop = Shop(endpoints, logs)
        trading = threading.Thread(target=shop.trade)
        trading.start()
        try:
            for command in PROCESSES.values():
                shop.type(command)
            yield shop
        finally:
            shop.done.set()
            trading.join()
            for shell in shop.shells:
                if shell.poll() is None:
                    shell.terminate()
            for shell in shop.shells:
                shell.wait(40)


def threshold(watched: Figure) -> float:
    """A minute is a second: what is in seconds is a sixtieth."""
    assert watched.alarm is not None
    return watched.alarm.threshold / (FASTER.get(watched.name, FAST) if watched.unit is Unit.SECONDS else 1)


def is_bad(shop: Shop, watched: Figure, since: float) -> bool:
    """The last value is beyond the threshold, or there is none and that is the trouble itself."""
    values = shop.metrics(watched, since)
    recent = [value for at, value in values if at > time.time() - SILENT_S]
    assert watched.alarm is not None
    if not recent:
        return watched.alarm.missing_is_bad and time.time() - since > SILENT_S
    return recent[-1] > threshold(watched)


def is_well(shop: Shop, watched: Figure, since: float) -> bool:
    recent = [value for at, value in shop.metrics(watched, since) if at > time.time() - SILENT_S]
    return bool(recent) and recent[-1] <= threshold(watched)


def until(holds: Callable[[], bool], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.5)
    return holds()


@contextmanager
def suspended(shop: Shop, part: str) -> Iterator[None]:
    """A part that hangs, as if it were away."""
    pids = shop.suspended(part)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def follow(shop: Shop, *names: str, within_s: float = 60.0) -> None:
    """See each alarm rise, then what its page looks at, and find what it says."""
    since = time.time()
    for name in names:
        watched = figure(name)
        assert until(lambda: is_bad(shop, watched, since), within_s), (name, shop.metrics(watched, since)[-3:])  # noqa: B023
        page = Page.of(watched)
        output = "".join(shop.type(command) for command in page.commands("Look"))
        assert page.said("Look"), name
        for said in page.said("Look"):
            assert said in output, (name, said, output)


def mend(shop: Shop, name: str) -> None:
    """As the page says."""
    for command in Page.of(figure(name)).commands("Mend"):
        shop.type(command)


def recovers(shop: Shop, *names: str, within_s: float = 90.0) -> None:
    since = time.time()
    for name in names:
        watched = figure(name)
        assert until(lambda: is_well(shop, watched, since), within_s), (name, shop.metrics(watched, since)[-3:])  # noqa: B023


OURS = [
    *("live_lag", "live_held", "cold_lag", "cold_held", "lake_backlog", "warehouse_backlog"),
    *("unsent_age", "quiet_orders", "quiet_hits", "error_rate", "refused"),
]


def test_each_page_was_followed(shop: Shop) -> None:
    recovers(shop, *OURS)

    shop.bad.set()
    for _ in range(150):
        shop.order("NO-SUCH-SKU", shop.endpoints.spool / "bad.ndjson")
    with suspended(shop, "opensearch"):
        follow(shop, "live_held")
    mend(shop, "live_held")
    follow(shop, "refused", "error_rate")
    shop.bad.clear()
    recovers(shop, "live_held")

    with suspended(shop, "redshift"):
        shop.stop("live")
        follow(shop, "live_lag", "quiet_orders", "quiet_hits", "warehouse_backlog")
    mend(shop, "live_lag")
    with suspended(shop, "kinesis"):
        follow(shop, "unsent_age")
    mend(shop, "unsent_age")
    with suspended(shop, "ministack"):
        follow(shop, "cold_held")
    mend(shop, "cold_held")
    recovers(shop, "live_lag", "quiet_orders", "quiet_hits", "warehouse_backlog", "unsent_age", "cold_held")

    for name in ("cold", "keeper", "agent"):
        shop.stop(name)
    follow(shop, "cold_lag", "lake_backlog")
    assert is_bad(shop, figure("unsent_age"), time.time() - SILENT_S - 1)
    mend(shop, "cold_lag")
    mend(shop, "lake_backlog")
    shop.type(PROCESSES["agent"])
    recovers(shop, *OURS)
