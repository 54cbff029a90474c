"""Old snapshots go; rows, and what readers need, stay."""

import datetime as dt
import threading

import pytest

from consumers.delivery import LeaseLost
from consumers.lake.expiry import ExpiryDuty
from consumers.lake.testing import OwnLake, spans_of
from contract.tables import SPANNED
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
NEVER = threading.Event()


def expire(lake: OwnLake, now: dt.datetime, *, keep_h: float = 1.0) -> str:
    duty = ExpiryDuty(lake.unprepared(), keep_h=keep_h, clock=ManualClock(now))
    duty.prepare()
    duty.turn(lambda: None, NEVER)
    return duty.report()


def filled(lake: OwnLake, commits: int) -> None:
    store = lake.store()
    for span in spans_of(lake, commits):
        store.take([span])


def metadata_of(lake: OwnLake, table: str) -> list[str]:
    prefix = f"lake/{lake.settings.database}/{table}/metadata/"
    return [key for key in lake.objects.keys(prefix) if key.endswith(".avro")]


def test_all_but_the_newest_go_and_every_row_stays(lake: OwnLake) -> None:
    filled(lake, 5)
    before = lake.orders()
    assert expire(lake, LATER) == f"lake expiry: {4 * len(SPANNED)} snapshots"
    for table in SPANNED:
        stored = lake.unprepared().table(table.name)
        assert len(stored.snapshots()) == 1
        head = stored.current_snapshot()
        needed = {head.manifest_list, *(each.manifest_path for each in head.manifests(stored.io))} if head else set()
        assert {f"s3://{lake.settings.bucket}/{key}" for key in metadata_of(lake, table.name)} == needed
    assert lake.orders() == before
    assert len(before) == 10


def test_what_is_young_stays(lake: OwnLake) -> None:
    filled(lake, 4)
    third = sorted(each.timestamp_ms for each in lake.unprepared().table("account").snapshots())[2]
    now = dt.datetime.fromtimestamp(third / 1_000, dt.UTC) + dt.timedelta(hours=1)
    expire(lake, now)
    stored = lake.unprepared().table("account")
    assert len(stored.snapshots()) == 2
    for snapshot in stored.snapshots():
        assert stored.scan(snapshot_id=snapshot.snapshot_id).to_arrow().num_rows in (3, 4)
    assert expire(lake, now) == ""


def test_the_keeper_goes_on_after_it(lake: OwnLake) -> None:
    store = lake.store()
    spans = spans_of(lake, 4)
    for span in spans[:2]:
        store.take([span])
    expire(lake, LATER)
    store.take(spans[2:])
    expire(lake, LATER)
    assert store.taken() == {("cold", "s-0"): 4}
    assert set(lake.orders().values()) == {1}
    assert len(lake.orders()) == 8


def test_where_history_forks_no_object_goes(lake: OwnLake) -> None:
    filled(lake, 3)
    stored = lake.unprepared().table("orders")
    stored.manage_snapshots().rollback_to_snapshot(stored.snapshots()[0].snapshot_id).commit()
    before = metadata_of(lake, "orders")
    expire(lake, LATER)
    assert metadata_of(lake, "orders") == before
    assert len(lake.orders()) == 2


def test_it_ends_where_the_lease_is_lost(lake: OwnLake) -> None:
    filled(lake, 2)
    duty = ExpiryDuty(lake.unprepared(), keep_h=1.0, clock=ManualClock(LATER))

    def lost() -> None:
        raise LeaseLost("another keeper is at work")

    with pytest.raises(LeaseLost):
        duty.turn(lost, NEVER)
    assert len(lake.unprepared().table("orders").snapshots()) == 2
