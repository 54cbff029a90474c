"""`python -m consumers keeper` on real parts: both stores filled once, whoever dies."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumers.keeper.process import run_keeper
from consumers.keeper.settings import Keeper, KeeperSettings
from consumers.lake.testing import OwnLake, spans_of
from consumers.spans.chain import Chain
from consumers.warehouse.connection import connect
from infra.local.endpoints import Endpoints
from runtime.errors import ConfigError
from runtime.settings import Aws, Warehouse

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[3]
FAILOVER_S = 3.0
NOWHERE = Aws(endpoint="http://127.0.0.1:9", access_key_id="x", secret_access_key="y")


class _History:
    """A lake of its own, the shared warehouse, and chains that grow."""

    def __init__(self, stack: Endpoints, folder: Path) -> None:
        self.lake = OwnLake(stack.aws)
        self.warehouse = stack.warehouse
        self.name = uuid.uuid4().hex[:8]
        self.file = folder / "settings.toml"
        self._spans = {
            (application, shard): spans_of(self.lake, 30, shard_id=shard, application=application)
            for application, shard in (
                ("cold", f"{self.name}-0"),
                ("cold", f"{self.name}-1"),
                ("cold-access", f"{self.name}-2"),
            )
        }
        self.events: list[str] = []
        self.hits: list[str] = []
        self.write_settings()

    def write_settings(self, **keeper: object) -> None:
        tables = {
            "aws": self.lake.aws,
            "lake": self.lake.settings,
            "warehouse": self.warehouse,
            "keeper": {
                "applications": "cold,cold-access,cold-absent",
                "lake_cadence": "0.5",
                "warehouse_cadence": "0.5",
                "lease_table": f"keeper-{self.name}",
                "failover_s": FAILOVER_S,
                "report_s": 5.0,
                **keeper,
            },
        }
        lines = []
        for name, table in tables.items():
            values = table if isinstance(table, dict) else {key: getattr(table, key) for key in table.__slots__}  # type: ignore[attr-defined]
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        self.file.write_text("\n".join(lines))

    def append(self, count: int) -> None:
        """The next spans of each shard of transactions, and one of access."""
        for (application, shard), spans in self._spans.items():
            count = count if application == "cold" else 1
            for span in spans[:count]:
                Chain(self.lake.objects, application, shard).append(span)
                number = span.previous
                self.events += [f"{shard}-{number}-{n}" for n in range(2)]
                self.hits.append(f"H-{shard}-{number}")
            del spans[:count]

    def in_lake(self, table: str = "orders") -> Counter[str]:
        try:
            rows = self.lake.rows(f"SELECT event_id FROM {table}")
        except ConfigError:  # no table yet
            return Counter()
        return Counter(str(row["event_id"]) for row in rows)

    def in_warehouse(self, table: str = "orders") -> Counter[str]:
        with connect(self.warehouse) as session:
            sql = f"SELECT event_id FROM {table} WHERE event_id LIKE ?"
            rows = session.query("events", sql, [f"%{self.name}%"])
        return Counter(str(row["event_id"]) for row in rows)

    def is_whole(self) -> bool:
        """Whether both stores hold every event, once."""
        return all(
            self.in_lake(table) == Counter(events) and self.in_warehouse(table) == Counter(events)
            for table, events in (("orders", self.events), ("hits", self.hits))
        )


@pytest.fixture
def history(stack: Endpoints, tmp_path: Path) -> _History:
    return _History(stack, tmp_path)


Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def start(history: _History, tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def one() -> "subprocess.Popen[str]":
        log = tmp_path / f"keeper-{len(started)}.log"
        command = [sys.executable, "-m", "consumers", "keeper", "--settings", str(history.file)]
        with log.open("w") as out:
            started.append(subprocess.Popen(command, cwd=PROJECT, stderr=out, stdout=out, text=True))
        started[-1].log = log  # type: ignore[attr-defined]
        return started[-1]

    yield one
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(30)


def said(process: "subprocess.Popen[str]") -> str:
    return str(process.log.read_text())  # type: ignore[attr-defined]


def until(holds: Callable[[], bool], within_s: float = 60.0) -> bool:
    for _ in range(int(within_s * 5)):
        if holds():
            return True
        time.sleep(0.2)
    return False


def has_lease(process: "subprocess.Popen[str]") -> bool:
    return "took the keeper's lease" in said(process)


def test_both_stores_are_filled_and_a_clean_stop_hands_over_within_two_seconds(history: _History, start: Start) -> None:
    history.append(3)
    one = start()
    assert until(lambda: has_lease(one)), said(one)
    two = start()
    assert until(history.is_whole), said(one)
    assert until(lambda: "waiting" in said(two)), said(two)
    assert not has_lease(two)
    one.terminate()
    assert one.wait(30) == 0
    stopped_s = time.monotonic()
    assert until(lambda: has_lease(two), within_s=5)
    assert time.monotonic() - stopped_s < 2.0
    history.append(2)
    assert until(history.is_whole), said(two)
    two.terminate()
    assert two.wait(30) == 0
    assert "Traceback" not in said(one) + said(two)


def test_killed_at_any_moment_every_event_is_in_both_stores_once(history: _History, start: Start) -> None:
    rng = random.Random(7)
    for _ in range(4):
        keeper = start()
        assert until(lambda keeper=keeper: has_lease(keeper)), said(keeper)  # type: ignore[misc]
        history.append(4)
        time.sleep(rng.uniform(0.0, 2.5))
        keeper.kill()
        keeper.wait(30)
    last = start()
    assert until(history.is_whole), said(last)
    last.terminate()
    assert last.wait(30) == 0


def test_a_keeper_that_was_paused_for_longer_than_its_lease_does_no_harm(history: _History, start: Start) -> None:
    one = start()
    assert until(lambda: has_lease(one)), said(one)
    two = start()
    history.append(10)
    time.sleep(0.3)
    one.send_signal(signal.SIGSTOP)
    assert until(lambda: has_lease(two)), said(two)
    history.append(5)
    assert until(history.is_whole), said(two)
    history.append(5)
    one.send_signal(signal.SIGCONT)
    assert until(history.is_whole), said(two)
    for keeper in (one, two):
        keeper.terminate()
        assert keeper.wait(30) == 0
    assert history.is_whole()
    assert "Traceback" not in said(one) + said(two)


def test_a_warehouse_that_is_away_does_not_stop_the_lake(history: _History, start: Start) -> None:
    there = history.warehouse
    history.warehouse = Warehouse(host="127.0.0.1", port=9, tls=False)
    history.write_settings()
    history.append(2)
    keeper = start()
    assert until(lambda: history.in_lake() == Counter(history.events)), said(keeper)
    assert "WARNING runtime.outage warehouse" in said(keeper), said(keeper)
    keeper.terminate()
    assert keeper.wait(30) == 0
    history.warehouse = there
    history.write_settings()
    start()
    assert until(history.is_whole)


def test_services_that_stay_away_end_the_start_with_what_to_change() -> None:
    with pytest.raises(ConfigError, match=r"\[aws\] endpoint http://127.0.0.1:9"):
        run_keeper(KeeperSettings(aws=NOWHERE, keeper=Keeper(start_patience_s=1.0)), threading.Event())


@pytest.mark.parametrize(
    "keeper", [Keeper(lake_cadence="soon"), Keeper(warehouse_cadence="00-06:15"), Keeper(applications=" , ")]
)
def test_settings_that_cannot_be_are_refused_before_anything_is_asked_for(keeper: Keeper) -> None:
    with pytest.raises(ConfigError, match=r"\[keeper\]"):
        run_keeper(KeeperSettings(aws=NOWHERE, keeper=keeper), threading.Event())
