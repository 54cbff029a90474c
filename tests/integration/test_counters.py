"""The line that the demo shows while it runs."""

import json
from pathlib import Path

import msgspec
import pytest

from infra.local.counters import Counters, Metadata
from infra.local.endpoints import Endpoints, endpoints_of
from infra.local.home import Home
from infra.local.settings import Local, LocalSettings
from runtime.settings import Lake

pytestmark = pytest.mark.integration


def test_stores_that_do_not_answer_are_said_to_be_unknown(tmp_path: Path) -> None:
    nowhere = endpoints_of(Home.of(Local(home=str(tmp_path))), {}, LocalSettings(), password="")

    counters = Counters(nowhere)

    assert counters.line() == "sent 0 · live ? · refused ? · lake ? · warehouse ?"
    counters.close()


def test_a_lake_that_nobody_has_made_is_empty(stack: Endpoints, tmp_path: Path) -> None:
    settings = LocalSettings(lake=Lake(database="nobody-has-made-it"))
    urls = {"ministack": stack.aws.endpoint, "opensearch": stack.opensearch.url}
    counters = Counters(endpoints_of(Home.of(Local(home=str(tmp_path))), urls, settings, password=""))

    assert "· lake 0 ·" in counters.line()
    counters.close()


def test_the_lake_is_counted_by_its_current_snapshot() -> None:
    snapshots = [
        {"snapshot-id": n, "summary": {"operation": "append", "total-records": str(n * 10)}} for n in (1, 2, 3)
    ]
    text = json.dumps({"format-version": 2, "current-snapshot-id": 2, "snapshots": snapshots})

    assert msgspec.json.decode(text, type=Metadata).rows == 20
    assert msgspec.json.decode("{}", type=Metadata).rows == 0
