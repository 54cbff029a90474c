"""Locust itself against the shop as a process."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'[storefront]\nport = 0\nspool = "{tmp_path}/spool"\naccess_log = "{tmp_path}/log/access.log"\n'
    )
    command = [sys.executable, "-m", "producers", "storefront", "--settings", str(settings)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        address = re.search(r"http://\S+?(?=/ )", process.stdout.readline())
        assert address, "the shop did not say where it is"
        yield process, address[0]
    finally:
        process.kill()
        process.wait()


def test_shoppers_buy_without_a_failure_and_the_shop_stops_cleanly(shop, tmp_path):
    process, address = shop
    locust = [sys.executable, "-m", "locust", "-f", "loadtests/shopper.py", "--headless", "-H", address]
    options = ["-u", "4", "-r", "4", "-t", "5s", "--seed", "1", "--think-min", "0", "--think-max", "0.05"]
    done = subprocess.run(
        [*locust, *options, "--json", "--skip-log"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    counted = {entry["name"]: entry["num_requests"] for entry in json.loads(done.stdout)}
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0

    orders = [json.loads(line) for file in (tmp_path / "spool").iterdir() for line in file.read_bytes().splitlines()]
    # The last answers may not have reached shoppers who were told to go home.
    assert 10 <= counted["/checkout (order)"] <= len(orders) <= counted["/checkout (order)"] + 4
    assert len({order["order_id"] for order in orders}) == len(orders)
    requests = (tmp_path / "log/access.log").read_bytes().splitlines()
    assert len(requests) >= sum(counted.values())
    assert all(json.loads(line)["status"] < 400 for line in requests)
