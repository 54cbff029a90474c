"""Manifests into a real warehouse from a real bucket."""

import dataclasses
import datetime as dt
import threading

import msgspec
import pytest

from consumers.keeper.store import Discrepancy, Outrun
from consumers.manifests import padded
from consumers.warehouse.migrations import MIGRATIONS, migrate, migrations_of
from consumers.warehouse.schema import SCHEMA
from consumers.warehouse.testing import SpanWriter, heartbeat, hit, letter, lines_of, order
from contract.tables import LETTERS, ORDERS, VERSION, WAREHOUSE, Column, Kind
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

AT = dt.datetime(2026, 11, 27, 8, 0, 0, 123_456, tzinfo=dt.UTC)
DAY = AT.date()
PLACE = ("cold", "shardId-000000000000")


EVERYTHING_A_LINE_SAYS = {
    "request_id": "r" * 1_024,
    "host": "shop.example",
    "address": "2001:db8:1::",
    "session": "s" * 64,
    "identity_key_id": "k1",
    "method": "POST",
    "path": "/é" + "x" * 4_000,
    "protocol": "HTTP/1.1",
    "status": 599,
    "sent_bytes": 2**40,
    "duration_us": 0,
    "referrer": "https://example.com/",
    "agent": 'Mozilla/5.0 ("quoted", \\x16\\x03)',
    "extra": '{"upstream":"a,b"}',
}


def later(seconds):
    return AT + dt.timedelta(seconds=seconds)


def sold(*orders):
    return {"orders": orders, "lines": [line for row in orders for line in lines_of(row)]}


def an_order(number=1, *, at=AT, offset=None, **more):
    more = {"content": 2, "day": DAY, **more}
    return order(f"e{number}", arrived_at=at, line=("f1", 10 * number if offset is None else offset), **more)


def asked(number=1, *, at=AT, line=("f2", 10), **more):
    return hit(f"h{number}", day=DAY, arrived_at=at, line=line, **more)


@pytest.fixture
def spans(lake, request):
    return SpanWriter(lake, application=f"cold-{abs(hash(request.node.nodeid)):x}")


def test_a_store_asks_for_the_tables_first(new_store, new_corner, corner):
    new_store(corner).prepare()
    with pytest.raises(ConfigError, match="run `python -m consumers migrate`"):
        new_store(new_corner(migrations=MIGRATIONS[:1])).prepare()


def test_every_kind_of_row_arrives_as_it_was_written(new_store, corner, read, spans):
    text = "é 漢字 😀 \"quoted\" 'it''s', \\n \\N , | tab\t newline\n"
    full = an_order(
        returns="O-0",
        customer="c" * 64,
        session="s",
        identity_key_id="k1",
        region="GB",
        extra=f'{{"t":"{"x" * 60_000}"}}',
    )
    bare = an_order(2, order_id=text, kind="return", content=1, revenue=-100, units=-(2**40), day=dt.date(1999, 1, 1))
    refused = letter("l1", day=DAY, arrived_at=AT, line=None, detail=text, order_id="")
    beat = heartbeat("f1", 30, arrived_at=AT, final=True)
    whole = hit("h1", day=DAY, arrived_at=AT, line=("f2", 0), **EVERYTHING_A_LINE_SAYS)
    silent = hit("h2", day=dt.date(1999, 1, 1), arrived_at=AT, line=None, method=None, path=None, status=None)
    rows = {**sold(full, bare), "hits": [whole, silent], "letters": [refused], "account": [beat]}
    new_store(corner).take([spans.write(rows)])
    for table in (table for table in WAREHOUSE if table.name in rows):
        columns = [column.name for column in table.columns]
        wanted = sorted((tuple(row.get(name) for name in columns) for row in rows[table.name]), key=repr)
        assert read(corner, ", ".join(columns), table.name) == wanted


def test_what_is_taken_is_remembered_by_shard(new_store, corner, read, lake):
    first, second = SpanWriter(lake, application="mem"), SpanWriter(lake, application="mem", shard_id="s2")
    store = new_store(corner)
    assert store.taken() == {}
    store.take([])
    store.take([first.write(sold(an_order(1))), first.write(sold(an_order(2))), second.write({})])
    refused, asked = (
        letter("l1", day=DAY, arrived_at=AT, line=("f1", 9)),
        hit("h1", day=DAY, arrived_at=AT, line=("f2", 9)),
    )
    store.take([first.write({"letters": [refused], "hits": [asked]})])
    assert store.taken() == {("mem", "shardId-000000000000"): 3, ("mem", "s2"): 1}
    ledger = read(
        corner, "shard_id, previous, last, manifest, orders, lines, hits, letters, heartbeats, commit_id", "ledger"
    )
    assert [row[4:9] for row in ledger] == [(0, 0, 0, 0, 0), (1, 2, 0, 0, 0), (1, 2, 0, 0, 0), (0, 0, 1, 1, 0)]
    assert ledger[1][1:4] == ("0" * 64, f"{1:064d}", f"manifests/mem/shardId-000000000000/{'0' * 64}.json")
    commits = read(corner, "commit_id, manifests, orders, lines, hits, letters, committed_at", "commits")
    assert {row[9] for row in ledger} == {row[0] for row in commits}
    assert sorted(row[1:6] for row in commits) == [(1, 0, 0, 1, 1), (3, 2, 4, 0, 0)]


def test_no_manifest_object_is_left_in_the_bucket(new_store, corner, spans, lake):
    new_store(corner, new_id=lambda: "tidy").take([spans.write(sold(an_order()))])
    assert not list(lake.keys("copy/tidy/"))


def test_the_same_lines_again_leave_nothing(new_store, corner, read, spans):
    store = new_store(corner)
    rows = {
        **sold(an_order(1), order("foreign", day=DAY, arrived_at=AT, line=None)),
        "hits": [asked(1), asked(2, line=None)],
        "letters": [letter("l1", day=DAY, arrived_at=AT, line=("f1", 90))],
        "account": [heartbeat("f1", 30, arrived_at=AT)],
    }
    again = {
        **sold(
            an_order(1, at=later(60)), an_order(1, at=later(61)), order("foreign", day=DAY, arrived_at=AT, line=None)
        ),
        "hits": [asked(1, at=later(60)), asked(1, at=later(61)), asked(2, line=None)],
        "letters": [letter("l1", day=DAY, arrived_at=later(60), line=("f1", 90))],
        "account": [
            heartbeat("f1", 30, arrived_at=later(86_400 * 20), read_at=AT),
            heartbeat("f1", 30, arrived_at=AT, final=True),
        ],
    }
    store.take([spans.write(rows)])
    store.take([spans.write(again)])
    assert read(corner, "event_id, arrived_at", "orders") == [("e1", AT), ("foreign", AT)]
    assert len(read(corner, "event_id", "lines")) == 3
    assert read(corner, "file_id, final, arrived_at", "account") == [("f1", False, AT), ("f1", True, AT)]
    assert read(corner, "event_id, arrived_at", "hits") == [("h1", AT), ("h2", AT)]
    assert read(corner, "event_id", "duplicates") == []
    assert sorted(read(corner, "redelivered, orders, hits, heartbeats", "commits")) == [(0, 2, 2, 1), (8, 0, 0, 1)]


def test_a_heartbeat_that_repeats_itself_is_kept_for_its_agent_lives(new_store, corner, read, spans):
    store = new_store(corner)
    beats = [heartbeat("f1", 30, arrived_at=later(60 * n)) for n in range(3)]
    store.take([spans.write({"account": beats[:2]})])
    again = heartbeat("f1", 30, arrived_at=later(999), read_at=beats[1]["read_at"])
    store.take([spans.write({"account": [again, again, beats[2]]})])
    assert read(corner, "read_at, arrived_at", "account") == [(later(60 * n), later(60 * n)) for n in range(3)]


def test_rows_that_nothing_takes_stop_the_commit(new_store, corner, lake):
    other = dataclasses.replace(LETTERS, name="other")
    schema = dataclasses.replace(SCHEMA, tables=(*WAREHOUSE, other))
    manifest = SpanWriter(lake, application="other", schema=schema).write(
        {"other": [letter("l1", day=DAY, arrived_at=AT, line=None)]}
    )
    with pytest.raises(Discrepancy, match="nothing takes the rows of other"):
        new_store(corner, schema=schema).take([manifest])


def test_a_line_that_was_a_letters_duplicate_and_is_accepted_later_keeps_its_one_row(new_store, corner, read, spans):
    store = new_store(corner)
    refused = [letter("e1", day=DAY, arrived_at=later(n), line=("f1", 100 + n)) for n in (1, 2)]
    store.take([spans.write({**sold(an_order(1)), "letters": refused})])
    store.take([spans.write(sold(an_order(1, at=later(3), offset=102, content=3)))])
    assert read(corner, "event_id, conflict, origin_offset", "duplicates") == [("e1", False, 102)]
    assert read(corner, "event_id", "conflicts") == []
    assert sorted(read(corner, "orders, letters, duplicates, redelivered", "commits")) == [(0, 0, 0, 1), (1, 1, 1, 0)]


def test_a_letter_that_is_accepted_when_it_is_sent_again_stays_as_history_and_is_open_no_more(
    new_store, corner, read, spans
):
    store = new_store(corner)
    refused = [letter(f"e{n}", day=DAY, arrived_at=AT, line=("f1", n)) for n in (1, 2)]
    store.take([spans.write({"letters": refused})])
    assert read(corner, "letter_id", "letters_open") == [("e1",), ("e2",)]
    again = an_order(1, offset=1, origin_attempt=1)
    for _ in range(2):
        store.take([spans.write({**sold(again), "letters": refused})])
        assert read(corner, "letter_id", "letters_open") == [("e2",)]
        assert read(corner, "letter_id", "letters") == [("e1",), ("e2",)]
        assert read(corner, "event_id, origin_attempt", "orders") == [("e1", 1)]
        assert read(corner, "event_id", "duplicates") == []


def test_a_second_line_is_a_duplicate_and_other_content_a_conflict(new_store, corner, read, spans):
    store = new_store(corner)
    store.take([spans.write(sold(an_order(1)))])
    store.take(
        [
            spans.write(sold(an_order(1, at=later(1), offset=500))),
            spans.write(sold(an_order(1, at=later(2), offset=600, content=3, revenue=999))),
            spans.write(sold(an_order(2, at=later(9), content=1), an_order(2, at=later(8), offset=700, content=3))),
        ]
    )
    assert read(corner, "event_id, content_hash, origin_offset", "orders") == [
        ("e1", "content-2", 10),
        ("e2", "content-3", 700),
    ]
    assert read(corner, "event_id, line_number, content_hash", "lines") == [
        *(("e1", number, "content-2") for number in (1, 2)),
        *(("e2", number, "content-3") for number in (1, 2, 3)),
    ]
    assert read(corner, "event_id, conflict, arrived_at, origin_file, origin_offset, origin_crc", "duplicates") == [
        ("e1", False, later(1), "f1", 500, 5),
        ("e1", True, later(2), "f1", 600, 5),
        ("e2", True, later(9), "f1", 20, 5),
    ]
    assert read(corner, "event_id, event_date, kept_content_hash, content_hash, revenue, currency", "conflicts") == [
        ("e1", DAY, "content-2", "content-3", 999, "GBP"),
        ("e2", DAY, "content-3", "content-1", 100, "GBP"),
    ]


def test_a_second_line_of_a_hit_is_a_duplicate_and_never_a_conflict(new_store, corner, read, spans):
    store = new_store(corner)
    store.take([spans.write({"hits": [asked(1, path="/")]})])
    again = [asked(1, at=later(n), line=("f2", 100 + n), path="/other") for n in (1, 2)]
    store.take([spans.write({"hits": again}), spans.write({"hits": [*again, asked(2, line=("f2", 200))]})])
    assert read(corner, "event_id, path", "hits") == [("h1", "/"), ("h2", "/")]
    columns = "event_id, conflict, arrived_at, origin_file, origin_offset, origin_bytes, origin_crc"
    assert read(corner, columns, "duplicates") == [("h1", False, later(n), "f2", 100 + n, 9, 5) for n in (1, 2)]
    assert read(corner, "event_id", "conflicts") == []
    assert sorted(read(corner, "hits, duplicates, conflicts, redelivered", "commits")) == [(1, 0, 0, 0), (1, 2, 0, 2)]


def test_a_hit_and_an_order_of_one_identity_are_two_events(new_store, corner, read, spans):
    request = hit("e1", day=DAY, arrived_at=later(1), line=("f2", 0))
    new_store(corner).take([spans.write({**sold(an_order(1)), "hits": [request]})])
    assert read(corner, "event_id", "orders") == read(corner, "event_id", "hits") == [("e1",)]
    assert read(corner, "event_id", "duplicates") == []


def test_an_event_of_another_day_is_another_event(new_store, corner, read, spans):
    orders = [an_order(1), an_order(1, offset=500, day=DAY - dt.timedelta(days=400))]
    new_store(corner).take([spans.write(sold(*orders))])
    assert len(read(corner, "event_id", "orders")) == 2
    assert read(corner, "event_id", "duplicates") == []


def test_a_zombie_changes_nothing(new_store, corner, read, spans):
    first, second = spans.write(sold(an_order(1))), spans.write(sold(an_order(2)))
    zombie = new_store(corner)
    new_store(corner).take([first, second])
    for late in ([first], [first, second], [second]):
        with pytest.raises(Outrun):
            zombie.take(late)
    assert len(read(corner, "event_id", "orders")) == len(read(corner, "previous", "ledger")) == 2


def test_a_gap_in_the_chain_is_never_jumped(new_store, corner, spans):
    spans.write({})
    with pytest.raises(Outrun, match="goes on from 1"):
        new_store(corner).take([spans.write({})])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda file: {"rows": file.rows + 1}, "orders: rows copied: 1, in the manifests: 2"),
        (lambda file: {"key": file.key + "x"}, "copy stage_orders"),
        (lambda file: {"bytes": file.bytes + 1}, "copy stage_orders"),
    ],
    ids=["rows", "absent", "length"],
)
def test_files_that_are_not_what_the_manifest_says_stop_the_commit(new_store, corner, read, spans, lake, wrong, why):
    manifest = spans.write(sold(an_order(1)))
    (orders, lines) = manifest.data
    broken = msgspec.structs.replace(manifest, data=[msgspec.structs.replace(orders, **wrong(orders)), lines])
    store = new_store(corner, new_id=lambda: "broken")
    with pytest.raises(Discrepancy, match=why):
        store.take([broken])
    assert store.taken() == {}
    assert read(corner, "event_id", "orders") == []
    assert not list(lake.keys("copy/broken/"))
    store.take([manifest])


def test_an_order_without_its_lines_stops_the_commit(new_store, corner, spans):
    rows = sold(an_order(1), an_order(2))
    with pytest.raises(Discrepancy, match="lines: rows added: 3, in the orders added: 4"):
        new_store(corner).take([spans.write({**rows, "lines": rows["lines"][1:]})])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda file: {"rows": file.rows + 1}, "hits: rows copied: 1, in the manifests: 2"),
        (lambda file: {"key": file.key + "x"}, "copy stage_hits"),
        (lambda file: {"bytes": file.bytes + 1}, "copy stage_hits"),
    ],
    ids=["rows", "absent", "length"],
)
def test_hits_that_are_not_what_the_manifest_says_keep_the_whole_span_out(new_store, corner, read, spans, wrong, why):
    manifest = spans.write({**sold(an_order(1)), "hits": [asked(1)]})
    *others, hits = manifest.data
    broken = msgspec.structs.replace(manifest, data=[*others, msgspec.structs.replace(hits, **wrong(hits))])
    store = new_store(corner)
    with pytest.raises(Discrepancy, match=why):
        store.take([broken])
    assert store.taken() == {}
    assert read(corner, "event_id", "orders") == read(corner, "event_id", "hits") == []
    store.take([manifest])
    assert read(corner, "event_id", "hits") == [("h1",)]


@pytest.mark.parametrize("text", ["x" * 1_025, "é" * 513], ids=["letters", "bytes"])
def test_a_text_longer_than_the_contract_stops_the_commit_and_names_the_object(new_store, corner, spans, text):
    manifest = spans.write(sold(an_order(1, order_id=text)))
    with pytest.raises(Discrepancy, match="copy stage_orders") as caught:
        new_store(corner).take([manifest])
    assert manifest.data[0].key in str(caught.value)


def test_a_warehouse_from_before_there_were_hits_takes_them_once_it_is_migrated(
    new_store, new_corner, read, spans, stack
):
    corner = new_corner(migrations=MIGRATIONS[:2])
    first, second, third = (
        spans.write(sold(an_order(1))),
        spans.write(sold(an_order(2))),
        spans.write({**sold(an_order(1, at=later(60))), "hits": [asked(1), asked(2, line=("f2", 20))]}),
    )
    taken_before(corner, stack, first)
    store = new_store(corner)
    with pytest.raises(
        ConfigError, match=r"lacks hits, ledger\.hits, commits\.hits, .*; run `python -m consumers migrate`"
    ):
        store.prepare()
    with corner(stack.warehouse) as session:
        migrate(session, ManualClock(), lambda done: None)
    store.prepare()
    assert store.taken() == {(first.application, first.shard_id): first.last}
    store.take([second, third])
    assert read(corner, "event_id", "orders") == [("e1",), ("e2",)]
    assert read(corner, "event_id", "hits") == [("h1",), ("h2",)]
    assert sorted(read(corner, "orders, hits", "ledger"), key=repr) == [(1, 0), (1, 2), (1, None)]
    assert sorted(read(corner, "orders, hits, redelivered", "commits"), key=repr) == [(1, 2, 1), (1, None, 0)]
    assert read(corner, "orders, revenue", "sales_by_day") == [(2, 400)]


def taken_before(corner, stack, manifest):
    """What a release without hits leaves of one manifest of one order."""
    row = an_order(1)
    of_ledger = {
        "application": manifest.application,
        "shard_id": manifest.shard_id,
        "previous": padded(manifest.previous),
        "last": padded(manifest.last),
        "manifest": "manifests/1",
        "records": 1,
        **dict.fromkeys(("first_arrived_at", "last_arrived_at", "committed_at"), AT),
        "commit_id": "c1",
    }
    counts = {"orders": 1, "lines": 2, "letters": 0, "heartbeats": 0}
    rows = [("orders", row), *(("lines", line) for line in lines_of(row)), ("ledger", {**of_ledger, **counts})]
    done = {"commit_id": "c1", "committed_at": AT, "manifests": 1, **counts}
    rows.append(("commits", {**done, "duplicates": 0, "conflicts": 0, "redelivered": 0}))
    with corner(stack.warehouse) as session:
        for table, values in rows:
            marks = ", ".join("?" for _ in values)
            sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
            session.execute("take as before", sql, list(values.values()))
        session.commit()


def test_a_column_that_came_later_goes_all_the_way(new_store, new_corner, read, lake, stack):
    tier = Column(name="tier", kind=Kind.TEXT, nullable=True, longest=64, since=VERSION + 1)
    wider = dataclasses.replace(ORDERS, columns=(*ORDERS.columns[:5], tier, *ORDERS.columns[5:]))
    schema = dataclasses.replace(SCHEMA, tables=(wider, *WAREHOUSE[1:]), version=VERSION + 1)
    migrations = migrations_of(schema)
    corner, spans = new_corner(), SpanWriter(lake, application="wider", schema=schema)
    new_store(corner).take([spans.write(sold(an_order(1)), version=VERSION)])

    store = new_store(corner, schema=schema, migrations=migrations)
    with pytest.raises(ConfigError, match=r"lacks orders\.tier; run `python -m consumers migrate`"):
        store.prepare()
    with corner(stack.warehouse) as session:
        migrate(session, ManualClock(), lambda done: None, migrations)
    store.prepare()
    older, newer = sold(an_order(2)), sold(an_order(3, tier="gold"), an_order(1, offset=500))
    store.take([spans.write(older, version=VERSION), spans.write(newer, version=VERSION + 1)])

    wanted = [("e1", "web", None), ("e2", "web", None), ("e3", "web", "gold")]
    assert read(corner, "event_id, channel, tier", "orders") == wanted
    assert len(read(corner, "event_id", "duplicates")) == 1
    with pytest.raises(ConfigError, match="newer release"):
        new_store(corner).prepare()


def test_a_manifest_of_a_newer_release_is_left_to_it(new_store, corner, spans):
    with pytest.raises(ConfigError, match="newer release"):
        new_store(corner).take([spans.write({}, version=VERSION + 1)])


def test_stores_that_race_take_each_manifest_once(new_store, corner, read, lake):
    spans = SpanWriter(lake, application="race")
    manifests = [spans.write(sold(an_order(number))) for number in range(12)]
    outrun, failed = [], []
    meet = threading.Barrier(3)

    def keep():
        store = new_store(corner.again())
        meet.wait()
        try:
            while left := [m for m in manifests if m.previous >= store.taken().get(("race", PLACE[1]), 0)]:
                try:
                    store.take(left[:2])
                except Outrun as error:
                    outrun.append(error)
        except Exception as error:  # shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=keep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    print(f"outrun {len(outrun)} times")
    assert len(read(corner, "event_id", "orders")) == len(read(corner, "previous", "ledger")) == 12
    assert sum(taken for (taken,) in read(corner, "manifests", "commits")) == 12


def test_a_keeper_that_hangs_with_the_lock_is_an_outage_for_the_next(new_store, corner, spans, stack):
    manifest = spans.write(sold(an_order()))
    impatient = dataclasses.replace(stack.warehouse, longest_statement_s=0.3)

    with corner(stack.warehouse) as frozen:
        frozen.execute("lock", "LOCK ledger")
        with pytest.raises(Outage, match="statement timeout"):
            new_store(corner, settings=impatient).take([manifest])
    new_store(corner, settings=impatient).take([manifest])


def test_a_wrong_password_is_the_operators_to_mend(new_store, corner, stack):
    wrong = dataclasses.replace(stack.warehouse, password="hush")
    with pytest.raises(ConfigError, match=r"\[warehouse\] user or password") as caught:
        new_store(corner, settings=wrong).taken()
    assert "hush" not in str(caught.value)


def test_a_wrong_database_is_the_operators_to_mend(new_store, corner, stack):
    with pytest.raises(ConfigError, match=r"\[warehouse\] database"):
        new_store(corner, settings=dataclasses.replace(stack.warehouse, database="elsewhere")).taken()
