"""`python -m infra.local account` beside a running pipeline: nothing that is missing goes unseen."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.local.home import PROJECT
from infra.local.testing import Pipeline
from producers.emit import Spool
from producers.storefront.shelf import SHIPPED

pytestmark = pytest.mark.integration

SKU = json.loads(SHIPPED.read_bytes().splitlines()[0])["sku"]


def account(pipeline: Pipeline) -> tuple[int, Any]:
    command = [sys.executable, "-m", "infra.local", "account", "--json", "--home", str(pipeline.home.root)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)


def an_order(number: int) -> dict[str, Any]:
    return {
        "type": "order",
        "schema_version": 1,
        "event_id": f"account-{number}",
        "event_time": datetime.now(UTC).isoformat(),
        "order_id": f"O-{number}",
        "kind": "sale",
        "customer_id": None,
        "channel": "web",
        "region": "GB",
        "currency": "GBP",
        "lines": [{"sku": SKU, "quantity": 1, "unit_price": 100}],
        "total": 100,
    }


def test_a_line_that_is_missing_anywhere_is_found_out(start_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = start_pipeline()
    with Spool(pipeline.spool) as spool:
        for number in range(20):
            spool.append(an_order(number))
    (file,) = pipeline.spool.iterdir()
    assert pipeline.settled(within_s=60).balances

    code, found = account(pipeline)
    assert (code, found["balances"], found["indexed"], found["unmatched"]) == (0, True, 20, [])

    pipeline.store.delete_by_query(index="orders-*", body={"query": {"ids": {"values": ["account-7"]}}})
    code, found = account(pipeline)
    assert (code, found["balances"], found["in_flight"]) == (1, False, 1)
    assert found["unmatched"] == [f"{file.name}: 20 lines emitted, 19 found"]

    pipeline.stack.stop_part("agent")
    with file.open("ab") as lines:
        lines.write(json.dumps(an_order(20)).encode() + b"\n")
    code, found = account(pipeline)
    assert (code, found["emitted"], found["acknowledged"], found["in_flight"]) == (1, 21, 20, 2)
    assert found["unmatched"] == [f"{file.name}: 21 lines emitted, 19 found"]
