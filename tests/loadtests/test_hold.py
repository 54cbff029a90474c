"""Holding a rate, on the real parts."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from infra.local.home import Home
from infra.local.pipeline import HURRIED
from infra.local.stack import PARTS
from infra.local.supervisor import Supervisor
from infra.local.testing import fast
from loadtests.hold import as_json, hold, print_held

pytestmark = pytest.mark.integration


def test_every_order_is_written_on_time_found_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = fast(tmp_path)
    with Supervisor(Home.of(settings.local), Console(stderr=True)) as stack:
        held = hold(stack, settings, rate=40, seconds=4, warm_s=1, history=HURRIED)

    assert held.is_whole
    assert [store.orders for store in held.account.stores] == [160] * 3
    assert held.achieved == pytest.approx(40, rel=0.2)
    assert (held.probes, held.unseen) == (30, 0)
    for waits in (held.found_s, held.shown_s, held.lake_s, held.warehouse_s):
        assert 0 < waits["p50"] <= waits["p95"] <= waits["p99"] <= waits["max"]
    used = {process.name: process for process in held.processes}
    assert used.keys() == {*PARTS, "agent", "live", "cold", "keeper", "board"}
    assert all(process.pss_mib > 5 and process.cpu_percent >= 0 for process in used.values())
    assert json.loads(as_json(held))["shown_s"] == held.shown_s
    print_held(held, Console())
    assert "the account balances to the line" in capsys.readouterr().out
