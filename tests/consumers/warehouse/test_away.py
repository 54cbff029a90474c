"""A warehouse that is killed under a commit."""

import datetime as dt
import signal
import tempfile
from pathlib import Path

import pytest

from consumers.warehouse.migrate import migrate_warehouse
from consumers.warehouse.migrations import MIGRATIONS
from consumers.warehouse.store import WarehouseStore
from consumers.warehouse.testing import SpanWriter, lines_of, order
from infra.local.redshift.process import FrontProcess
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Warehouse
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

AT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
STORE = "storepulse"
TO_DO = [f"warehouse: {number} {step.name}: done" for number, step in enumerate(MIGRATIONS, start=1)]


@pytest.fixture
def start(stack):
    """Starts the warehouse, the same one each time."""
    aws = stack.aws

    def begin(port=0):
        front = FrontProcess(
            Path(folder) / "redshift",
            port=port,
            database=STORE,
            user=STORE,
            s3_endpoint=aws.endpoint,
            region=aws.region,
            access_key_id=aws.access_key_id,
            secret_access_key=aws.secret_access_key,
        )
        running.append(front)
        return front

    running = []
    # Not in pytest's own folder, which the next run of pytest closes to PostgreSQL's user.
    with tempfile.TemporaryDirectory(prefix="warehouse-") as folder:
        yield begin
        for front in running:
            front.__exit__()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_warehouse_that_goes_away_is_an_outage_and_takes_the_commit_when_it_is_back(start, lake, number):
    front = start()
    settings = Warehouse(port=front.port, password=front.password, tls=False, timeout_s=5.0)
    migrate_warehouse(settings, print)
    row = order("e1", day=AT.date(), arrived_at=AT, line=("f", 0))
    manifest = SpanWriter(lake, application=f"away-{number}").write({"orders": [row], "lines": lines_of(row)})

    def end(name):
        if name == "add lines":
            front.stop(number)

    def store(**more):
        return WarehouseStore(settings, bucket=lake.bucket, objects=lake, clock=ManualClock(), **more)

    with pytest.raises(Outage, match=f"Redshift at 127.0.0.1:{front.port}: "):
        store(effect=end).take([manifest])
    for request in (store().taken, store().prepare, lambda: store().take([manifest])):
        with pytest.raises(Outage, match="Connection refused"):
            request()

    start(front.port)
    assert store().taken() == {}
    store().take([manifest])
    assert store().taken() == {(f"away-{number}", "shardId-000000000000"): 1}


def test_it_says_what_it_does_and_what_it_would_do(start):
    front = start()
    settings = Warehouse(port=front.port, password=front.password, tls=False)
    said = []
    migrate_warehouse(settings, said.append, dry_run=True)
    assert said[0] == "warehouse: tables: to do"
    assert said[1].startswith("  CREATE TABLE orders (")
    for wanted in (TO_DO, ["warehouse: up to date"]):
        said.clear()
        migrate_warehouse(settings, said.append)
        assert said == wanted


def test_encryption_that_is_not_there_is_the_operators_to_mend(start):
    front = start()
    with pytest.raises(ConfigError, match=r"\[warehouse\] tls"):
        migrate_warehouse(Warehouse(port=front.port, password=front.password), print)
