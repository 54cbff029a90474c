"""A year of a real shop through the whole pipeline, and kill -9 of every process of ours while it flows.

Afterwards three stores say what the file says: orders, units and revenue by day, country and SKU, to the penny.
"""

import random
import subprocess
import sys
from collections import Counter, deque
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rich.console import Console

from contract.catalogue import products_from_ndjson
from infra.local.counters import Counters
from infra.local.home import PROJECT
from infra.local.sold import Sold
from infra.local.testing import Pipeline, local_pipeline
from producers.replay.mapping import load_mapping
from producers.replay.testing import Expected, accepted_rows, expected
from runtime.clock import SystemClock

pytestmark = pytest.mark.soak

EXPORT = PROJECT.parent / "shared" / "data" / "online_retail" / "online_retail_2010_2011.parquet"
MAPPING = "online-retail"
INVOICES, LINES = 25_900, 541_909

VICTIMS = ("agent", "live", "cold", "keeper", "kinesis", "redshift")
SEED = 20101201
ORDERS_A_SECOND = 110  # four minutes: some fifty kills
KILL_EVERY_S = (1.0, 8.0)
# A successor waits 10 s for the lease of who was killed: in what is left it has to get something done, to be killed in
# the middle of that. (And a part that dies five times within a minute is given up, whoever killed it.)
SPARED_S = 25.0
SETTLED_WITHIN_S = 300.0

_console = Console(stderr=True, highlight=False, soft_wrap=True)


def producers(*words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "producers", *words], cwd=PROJECT, stdout=subprocess.DEVNULL)


def catalogue(home: Path) -> None:
    assert producers("reference", str(EXPORT), "--mapping", MAPPING, "--out", str(home)).wait() == 0
    publish = ("--at-once", "--settings", str(home / "settings.toml"))
    for kind, *options in (("catalogue", "--unpriced"), ("customers",)):
        assert producers("reference", "publish", kind, str(home / f"{kind}.ndjson"), *options, *publish).wait() == 0


def file_of(pipeline: Pipeline) -> tuple[Expected, Sold]:
    """What the export comes to, worked out from its rows alone."""
    mapping = load_mapping(MAPPING)
    products = products_from_ndjson((pipeline.home.root / "catalogue.ndjson").read_bytes())
    account = expected(EXPORT, mapping, products)
    rows = accepted_rows(EXPORT, mapping, account).rename({"amount": "revenue"}).with_columns(orders=1)
    invoices = rows.group_by("invoice", "day", "region").agg(pl.col("units", "revenue").sum(), orders=1)
    return account, Sold.of(invoices, rows)


class Killer:
    """kill -9 of a part at a time, whichever chance picks among those that are ready."""

    def __init__(self, pipeline: Pipeline, rng: random.Random) -> None:
        self.killed: Counter[str] = Counter()
        self._pipeline = pipeline
        self._rng = rng
        self._spared: deque[tuple[float, str]] = deque()

    def strike(self, now_s: float) -> str | None:
        """Kill one; None when none may be killed now."""
        while self._spared and now_s - self._spared[0][0] > SPARED_S:
            self._spared.popleft()
        spared = {name for _, name in self._spared}
        ready = [n for n in VICTIMS if n not in spared and self._pipeline.part(n).condition == "ready"]
        if not ready:
            return None
        name = self._rng.choice(ready)
        self._pipeline.kill(name)
        self._spared.append((now_s, name))
        self.killed[name] += 1
        return name


def kill_while_it_flows(pipeline: Pipeline, replay: "subprocess.Popen[bytes]") -> Counter[str]:
    """Until the replay has written its last order. Returns how often each part was killed."""
    rng, clock = random.Random(SEED), SystemClock()
    killer, start_s = Killer(pipeline, rng), clock.monotonic()
    with closing(Counters(pipeline.endpoints)) as counters:
        while replay.poll() is None:
            pipeline.stack.wait(rng.uniform(*KILL_EVERY_S))
            now_s = clock.monotonic()
            name = killer.strike(now_s)
            _console.print(f"{now_s - start_s:4.0f} s  killed {name or 'nobody':9} {counters.line()}")
    assert replay.returncode == 0
    return killer.killed


@pytest.mark.timeout(1500)
@pytest.mark.skipif(not EXPORT.is_file(), reason=f"the Online Retail export is not here: {EXPORT}")
def test_three_stores_agree_with_the_file_whatever_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREPULSE_RULES_OWN_REGION", "false")  # some of these customers live in two countries
    with local_pipeline(tmp_path / "home", before_live=catalogue) as pipeline:
        spool = str(pipeline.spool)
        replay = producers(
            "replay", str(EXPORT), "--mapping", MAPPING, "--spool", spool, "--rate", str(ORDERS_A_SECOND)
        )
        try:
            killed = kill_while_it_flows(pipeline, replay)
        finally:
            replay.kill()
            replay.wait()
        _console.print(f"killed {killed.total()} times: {dict(killed)}; waiting until every line is accounted for")
        pipeline.drain()
        account = pipeline.settled(within_s=SETTLED_WITHIN_S)
        _console.print("reading the stores")
        stores = pipeline.sold()
        file, wanted = file_of(pipeline)

    assert set(killed) == set(VICTIMS)
    assert account.settled, account
    assert (account.emitted.lines, file.lines) == (INVOICES, LINES)
    for store in account.stores:
        assert store.orders + len(file.refused) == INVOICES, store
        assert sum(store.refused.values()) == len(file.refused), store
    for name, sold in stores.items():
        for keys in (["day"], ["region"], ["sku"], ["day", "region"], ["day", "region", "sku"]):
            _console.print(f"{name} by {', '.join(keys)}: {sold.by(*keys).height} groups")
            assert_frame_equal(sold.by(*keys), wanted.by(*keys))
