"""Migrations on a real database: forward, once, and on from wherever they were left."""

import dataclasses
import threading

import pytest

from consumers.warehouse.connection import Session
from consumers.warehouse.migrations import MIGRATIONS, migrate, pending, require_current
from consumers.warehouse.schema import Migration
from consumers.warehouse.testing import Corner, Cut, dying_at
from runtime.errors import ConfigError
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

NEXT = Migration(name="remarks", statements=("CREATE TABLE remarks (remark VARCHAR(64))",))


@pytest.fixture
def bare(stack, request):
    corner = Corner(f"bare_{abs(hash(request.node.nodeid)):x}")
    corner.make(stack.warehouse)
    return corner


def run(corner, stack, migrations=MIGRATIONS):
    said = []
    with corner(stack.warehouse) as session:
        migrate(session, ManualClock(), said.append, migrations)
    return said


def recorded(read, corner):
    return [name for _, name in sorted(read(corner, "number, name", "migrations"), key=lambda row: int(row[0]))]


def test_an_empty_database_gets_every_step_once(bare, stack, read):
    assert run(bare, stack) == [
        "1 tables: done",
        "2 sales_by_day: done",
        "3 hits: done",
        "4 ledger.hits: done",
        "5 commits.hits: done",
        "6 orders_without_checkout: done",
        "7 failed_checkouts: done",
        "8 revenue_at_risk: done",
        "9 orders.late: done",
        "10 orders.origin_attempt: done",
        "11 hits.origin_attempt: done",
        "12 letters.origin_attempt: done",
        "13 duplicates.origin_attempt: done",
        "14 conflicts.origin_attempt: done",
        "15 letters_open: done",
    ]
    assert run(bare, stack) == []
    assert recorded(read, bare) == [migration.name for migration in MIGRATIONS]
    assert read(bare, "*", "sales_by_day") == []


def test_a_later_release_goes_on_where_the_last_one_ended(bare, stack, read):
    run(bare, stack)
    assert run(bare, stack, (*MIGRATIONS, NEXT)) == [f"{len(MIGRATIONS) + 1} remarks: done"]
    assert read(bare, "remark", "remarks") == []


def test_what_is_missing_can_be_asked_without_changing_anything(bare, stack):
    for _ in range(2):
        with bare(stack.warehouse) as session:
            assert pending(session) == MIGRATIONS


def test_a_database_without_the_tables_asks_for_the_command(bare, stack):
    with bare(stack.warehouse) as session, pytest.raises(ConfigError, match="run `python -m consumers migrate`"):
        require_current(session)


def test_a_newer_database_is_refused(bare, stack):
    run(bare, stack, (*MIGRATIONS, NEXT))
    for refuse in (require_current, lambda session: migrate(session, ManualClock(), print)):
        with bare(stack.warehouse) as session, pytest.raises(ConfigError, match="'remarks' of a newer release"):
            refuse(session)


def test_a_database_that_took_other_steps_is_refused(bare, stack):
    run(bare, stack)
    other = dataclasses.replace(MIGRATIONS[1], statements=("SELECT 1",))
    with bare(stack.warehouse) as session, pytest.raises(ConfigError, match="another migration 'sales_by_day'"):
        require_current(session, (MIGRATIONS[0], other, *MIGRATIONS[2:]))


def test_a_step_that_the_database_refuses_leaves_nothing(bare, stack, read):
    broken = Migration(name="broken", statements=("CREATE TABLE half (a BIGINT)", "CREATE TABLE broken (a NOTYPE)"))
    with pytest.raises(ConfigError, match=f"migration {len(MIGRATIONS) + 1} broken"):
        run(bare, stack, (*MIGRATIONS, broken))
    assert recorded(read, bare) == [migration.name for migration in MIGRATIONS]
    assert run(bare, stack, (*MIGRATIONS, dataclasses.replace(broken, statements=broken.statements[:1]))) == [
        f"{len(MIGRATIONS) + 1} broken: done"
    ]


def test_a_crash_between_any_two_effects_is_made_good_by_the_next_run(stack, read):
    number = 0
    while True:
        corner = Corner(f"crash_{number}_{threading.get_native_id()}")
        corner.make(stack.warehouse)
        effect, names = dying_at(number, corner)
        try:
            with corner(stack.warehouse, effect=effect) as session:
                migrate(session, ManualClock(), lambda done: None)
        except Cut:
            run(corner, stack)
            assert recorded(read, corner) == [migration.name for migration in MIGRATIONS]
            number += 1
            continue
        break
    print(f"{number} effects of a migration, each survived")
    assert number == len(names) > 20


def test_two_at_once_take_each_step_once(bare, stack, read):
    meet = threading.Barrier(2)
    failed = []

    def one():
        meet.wait()
        try:
            run(bare, stack)
        except Exception as error:  # shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert recorded(read, bare) == [migration.name for migration in MIGRATIONS]


def test_a_session_that_was_closed_undoes_what_was_not_committed(bare, stack):
    session = bare(stack.warehouse)
    assert isinstance(session, Session)
    session.execute("make", "CREATE TABLE gone (a BIGINT)")
    session.close()
    with bare(stack.warehouse) as session:
        assert pending(session) == MIGRATIONS
        (row,) = session.query("count", "SELECT COUNT(*) AS n FROM svv_all_tables WHERE table_name = 'gone'")
    assert row["n"] == 0
