"""A rehearsal from end to end, a fault planted in the sender, a shop that stands still, and drills in short."""

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from contract.catalogue import products_from_ndjson
from infra.local.home import Home
from infra.local.supervisor import Supervisor
from infra.local.testing import DOWNLOADS, fast, local_pipeline
from loadtests.drills.command import hold_all
from loadtests.drills.table import DRILLS, SHORT, short
from loadtests.proof.prove import prove
from loadtests.proof.thresholds import thresholds
from loadtests.sale.ledger import Ledger
from loadtests.sale.load import Locust, command_of
from loadtests.sale.outlets import SpoolOutlet
from loadtests.sale.plan import Plan, RunFolder
from loadtests.sale.planted import Goods
from loadtests.sale.pump import Pump
from loadtests.sale.settings import settings_in
from loadtests.shapes import Knot, Shape
from producers.storefront.shelf import SHIPPED
from runtime.clock import SystemClock

pytestmark = pytest.mark.soak

ROOT = Path(__file__).parents[2]
LINES = 100_000
DROPPED = 71_828
FROZEN_S = 3.0


def loadtests(*arguments: str, home: Path) -> "subprocess.CompletedProcess[str]":
    environ = {
        **os.environ,
        "STOREPULSE_LOCAL_HOME": str(home),
        "STOREPULSE_LOCAL_DOWNLOADS": str(DOWNLOADS),
        "STOREPULSE_SETTINGS": str(home / "none.toml"),
    }
    command = [sys.executable, "-m", "loadtests", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.timeout(900)  # five times what it takes on free cores
def test_a_sale_day_is_rehearsed_and_proven_and_proven_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--seconds", "20", "--peak", "120", "--planted", "0.1", "--visits", "12", "--processes", "2"]
    done = loadtests("sale-day", *options, "--headless", "--run", str(run), "--json", home=tmp_path)
    assert done.stdout, done.stderr
    proof = json.loads(done.stdout)
    # How fast this machine is does not matter here: nothing may be lost on a slow one either.
    slow = ("p99 freshness", "caught up", "within a second of due", "visits were begun", "visits failed")
    assert [line for line in proof["broken"] if not any(word in line for word in slow)] == []
    assert {store["store"] for store in proof["stores"]} == {"opensearch", "lake", "warehouse"}
    for store in proof["stores"]:
        assert store["emitted"] > 100 and store["dead"] > 5, store
        assert store["missing"] == store["duplicated"] == store["misjudged"] == store["undetected"] == 0, store
        assert all(found == {planted: sum(found.values())} for planted, found in store["reasons"].items()), store
    assert proof["account"] == "balances"
    assert set(proof["freshness"]["stores"]) == {"board", "opensearch", "lake", "warehouse"}
    assert proof["agent"]["records"] > 0
    asked = {request["name"]: request for request in proof["requests"]}
    assert asked["/"]["requests"] > 3 and asked["order (from due)"]["requests"] > 100
    visits = json.loads((run / "visits.json").read_bytes())
    assert visits["due"] >= visits["begun"] > 0.9 * visits["due"]
    assert visits["failed"] < 0.1 * visits["begun"]
    page = (run / "report.html").read_text()
    assert page.count("<svg") == 5 and "http" not in re.sub(r"http://(www\.w3\.org|127\.0\.0\.1)\S*", "", page)

    again = loadtests("proof", str(run), "--json", home=tmp_path)
    assert again.stdout, again.stderr
    assert [store["missing"] for store in json.loads(again.stdout)["stores"]] == [0, 0, 0]
    assert json.loads(again.stdout)["stores"][0]["emitted"] == proof["stores"][0]["emitted"]


class LosingOutlet(SpoolOutlet):
    """A sender with a fault: one order in a hundred thousand is never written, and nobody is told."""

    sold = 0

    def sell(self, order):  # type: ignore[no-untyped-def]
        self.sold += 1
        if self.sold != DROPPED:
            super().sell(order)


@pytest.mark.timeout(900)  # five times what it takes on free cores
def test_one_line_in_a_hundred_thousand_that_the_sender_drops_is_found_by_its_identity(tmp_path: Path) -> None:
    with local_pipeline(tmp_path / "home") as pipeline:
        plan = Plan(
            run_id="r",
            seed=1,
            shape_name="all at once",
            orders=Shape(knots=(Knot(0.0, 1e6), Knot(LINES / 1e6, 1e6))),
            visits=None,
            settings_file=str(pipeline.home.settings_file),
        )
        folder = RunFolder(tmp_path / "run")
        folder.make(plan)
        rng, clock = random.Random(1), SystemClock()
        with Ledger(folder.intended, folder.probes, "one") as ledger:
            goods = Goods(products_from_ndjson(SHIPPED.read_bytes()), rng)
            outlet = LosingOutlet(pipeline.spool)
            pump = Pump("r", plan.orders, outlet, ledger, goods, clock, rng, planted=0, twice=0, probes_a_second=10)
            while not pump.is_over:
                pump.step()
            outlet.close()
        pipeline.drain()
        assert pipeline.settled(within_s=240).settled  # nobody but the proof can know
        proof = prove(folder, settings_in(plan.settings_file), thresholds())

    for store in proof.stores:
        assert (store.emitted, store.missing) == (LINES, 1), store
        assert [(fault.key, fault.verdict) for fault in store.faults] == [(f"r-{DROPPED - 1}", "missing")]
    assert sum("1 missing of 100,000 lines" in line for line in proof.broken) == 3


class Shop(ThreadingHTTPServer):
    """Answers at once, but for three seconds once."""

    daemon_threads = True
    freeze_from_s = float("inf")


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Shop)
        now = time.monotonic()
        until = self.server.freeze_from_s + FROZEN_S
        if self.server.freeze_from_s <= now < until:
            time.sleep(until - now)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_shop_that_stands_still_for_three_seconds_shows_in_the_95th_percentile(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("")
    with Shop(("127.0.0.1", 0), Page) as shop:
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        flat = Shape(knots=(Knot(0.0, 10.0), Knot(10.0, 10.0)))
        plan = Plan(
            run_id="r",
            seed=1,
            shape_name="flat",
            orders=flat,
            visits=flat,
            senders=0,
            viewers=0,
            analysts=0,
            settings_file=str(tmp_path / "settings.toml"),
            shop_url=f"http://127.0.0.1:{shop.server_port}",
        )
        folder = RunFolder(tmp_path / "run")
        folder.make(plan)
        command = command_of(Locust(web_port=None, master_port=0), folder, plan)
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as locust:
            shop.freeze_from_s = time.monotonic() + 9.0  # Locust has started, and its lead is over
            assert locust.wait(60) == 0
        shop.shutdown()

    (home,) = [each for each in json.loads(folder.requests.read_bytes()) if each["name"] == "/"]
    assert home["requests"] == pytest.approx(100, abs=3)  # those who were due meanwhile came as well
    assert home["p95"] > 1000 and home["max"] > 2500
    assert home["p50"] < 1000
    visits = json.loads(folder.visits.read_bytes())
    assert visits == {"due": 100, "begun": home["requests"], "failed": home["requests"]}  # its pages are empty


@pytest.mark.timeout(900)  # five times what it takes on free cores
def test_drills_in_short_lose_nothing(tmp_path: Path) -> None:
    settings = fast(tmp_path)
    with Supervisor(Home.of(settings.local), Console(stderr=True)) as stack:
        drills = [short(DRILLS[name]) for name in SHORT]
        held = list(hold_all(stack, settings, drills, tmp_path / "run", rate=50, seed=1))
    assert [outcome.name for outcome in held] == list(SHORT)
    for outcome in held:
        assert outcome.passed, outcome
        assert outcome.seen, outcome
    assert "OpenSearch cannot be reached" in held[0].seen["board"]
