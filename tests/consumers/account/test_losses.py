"""A small history in all three stores, by the consumers' own code; each loss planted in it is named in its place."""

import datetime as dt
import random
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec
import pytest

from consumers.account.explain import Window
from consumers.account.process import account_of_parts, parts_of
from consumers.account.report import Account, Gap, GapKind, Verdict
from consumers.account.settings import Accounting, AccountSettings
from consumers.cold import Buckets, ColdPath, Limits
from consumers.delivery import Batch, Shard
from consumers.keeper.store import HistoryStore
from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.store import LakeStore
from consumers.live import LivePath
from consumers.manifests import START, Manifest, manifest_key
from consumers.settings import Cold, Live
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.sink import OpenSearchSink
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.stream import KinesisStream
from consumers.sources.kinesis.table import DynamoDbLeaseTable
from consumers.spans.budget import Budget
from consumers.spans.chain import Chain
from consumers.spans.span import Author
from consumers.stages.judge import Judge
from consumers.stages.testing import access_judge, judge, order, stamp_of, stamped
from consumers.tally import Tally
from consumers.warehouse.connection import connect as to_warehouse
from consumers.warehouse.store import WarehouseStore
from contract.identity import event_id_of_line
from infra.local.endpoints import Endpoints
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.objects.s3 import S3Objects
from runtime.settings import Streams

pytestmark = pytest.mark.integration

NAMES = {  # stream, live and cold, by kind of file
    "order": ("account-losses", "account-live", "account-cold"),
    "access": ("account-access", "account-live-access", "account-cold-access"),
}


@dataclass
class File:
    """A spool file and what its agent does with it."""

    file_id: str
    lines: list[bytes]
    kind: Literal["order", "access"] = "order"
    skipped: Sequence[int] = ()  # lines that the agent passes over, and says nothing of
    swallowed: Sequence[int] = ()  # lines that the agent counts and the stream never gets
    final: bool = True
    is_named: bool = True
    offsets: list[int] = field(default_factory=list)

    def records(self) -> Iterator[bytes]:
        offset, sent = 0, []
        for number, line in enumerate(self.lines):
            self.offsets.append(offset)
            if number not in self.skipped:
                sent.append(line)
                if number not in self.swallowed:
                    yield record_of(line, self.kind, self.file_id, offset)
            offset += len(line) + 1
        if self.is_named:
            beat = {
                "type": "heartbeat",
                "kind": self.kind,
                "lines": len(sent),
                "bytes": sum(map(len, sent)),
                "crc_sum": sum(map(zlib.crc32, sent)),
                "size": offset,
                "final": self.final,
                "_sp": {
                    "k": "heartbeat",
                    "f": self.file_id,
                    "o": offset,
                    "n": 0,
                    "c": 0,
                    "h": f"shop-1/spool/{self.file_id}",
                    "t": dt.datetime.now(dt.UTC).isoformat(),
                },
            }
            yield msgspec.json.encode(beat)


def record_of(line: bytes, kind: Literal["order", "access"], file_id: str, offset: int) -> bytes:
    if line.startswith(b"{"):
        return stamped(line, kind=kind, file=file_id, offset=offset)
    return msgspec.json.encode({"_sp": stamp_of(line, kind=kind, file=file_id, offset=offset), "line": line.decode()})


def an_order(event_id: str, **changes: object) -> bytes:
    return msgspec.json.encode(order(event_id=event_id, **changes))


def orders(name: str, count: int = 4) -> list[bytes]:
    return [an_order(f"{name}-{number}") for number in range(count)]


def requests(name: str) -> list[bytes]:
    """Access lines, text and JSON."""
    text = '192.0.2.7 - - [27/Nov/2026:08:00:0{} +0000] "GET /{}/{} HTTP/1.1" 200 512 "-" "curl"'
    lines = [text.format(number, name, number).encode() for number in range(3)]
    return [*lines, msgspec.json.encode({"time": "2026-11-27T08:00:04Z", "path": f"/{name}/3", "status": 404})]


class Road:
    """One stream, and the way from it to the three stores, a span at a time."""

    def __init__(self, world: "World", kind: str, judge: Judge) -> None:
        self.name, live, cold = NAMES[kind]
        self.world, self.application = world, cold
        self.kinesis = client("kinesis", world.stack.aws, attempts=5)
        self.kinesis.create_stream(StreamName=self.name, ShardCount=1)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=self.name, WaiterConfig={"Delay": 1})
        self.leases = DynamoDbLeaseTable(client("dynamodb", world.stack.aws), live)
        self.leases.ensure()
        self.manifests: list[Manifest] = []
        self.stream = KinesisStream(client("kinesis", world.stack.aws, attempts=5), self.name)
        (info,) = self.stream.shards()
        self.shard = Shard(stream=self.name, shard_id=info.shard_id)
        self.leases.create(Lease(shard_id=info.shard_id, checkpoint=TRIM_HORIZON))
        rng = random.Random(7)
        self.live = LivePath(
            self.shard, judge, OpenSearchSink(world.search, rng, lambda count: None), Tally(), world.clock
        )
        self.cold = ColdPath(
            self.shard,
            judge,
            Buckets(lake=world.lake, restricted=world.restricted),
            author=Author(cold, "worker"),
            limits=Limits(nbytes=1 << 20, records=10_000, parts=100, age_s=3600.0),
            budget=Budget(1 << 30),
            tally=Tally(),
            clock=world.clock,
            rng=rng,
        )
        self.cold.resume(None)
        self._iterator = self.stream.iterator(info.shard_id, TRIM_HORIZON)

    def emit(self, *files: File) -> None:
        for file in files:
            for record in file.records():
                self.kinesis.put_record(StreamName=self.name, Data=record, PartitionKey=file.file_id)

    def index(self) -> Batch:
        """Live takes what is there."""
        answer = self.stream.read(self._iterator, None)
        assert answer.next_iterator
        self._iterator = answer.next_iterator
        batch = Batch(shard=self.shard, records=answer.records)
        end = self.live.accept(batch)
        (lease,) = self.leases.read_all()
        self.leases.checkpoint(lease, Checkpoint.at(end))
        return batch

    def store(self, batch: Batch) -> Manifest:
        """Cold and the keeper take it too, as one span."""
        self.cold.accept(batch)
        self.cold.settle()
        end = self.manifests[-1].last if self.manifests else START
        (manifest,) = Chain(self.world.lake, self.application, self.shard.shard_id).after(end)
        for history in self.world.histories:
            history.take([manifest])
        self.manifests.append(manifest)
        return manifest

    def span(self, *files: File) -> Manifest:
        self.emit(*files)
        return self.store(self.index())


class World:
    """The three stores, filled from two streams."""

    def __init__(self, stack: Endpoints) -> None:
        self.stack = stack
        self.settings = AccountSettings(
            aws=stack.aws,
            streams=Streams(transactions=NAMES["order"][0], access=NAMES["access"][0]),
            opensearch=stack.opensearch,
            lake=stack.lake,
            warehouse=stack.warehouse,
            live=Live(application=NAMES["order"][1], access_application=NAMES["access"][1]),
            cold=Cold(application=NAMES["order"][2], access_application=NAMES["access"][2]),
            account=Accounting(quiet_s=0.001),
        )
        self.clock = SystemClock()
        # Rows of other tests, whose times are made up, lie outside.
        since = self.clock.now() - dt.timedelta(minutes=1)
        self.window = Window(since=since, until=since + dt.timedelta(hours=1))
        self.search = connect(stack.opensearch)
        ensure_templates(self.search, templates(refresh_ms=500, replicas="0-1"))
        s3 = client("s3", stack.aws)
        self.lake, self.restricted = S3Objects(s3, stack.lake.bucket), S3Objects(s3, stack.lake.restricted_bucket)
        self.histories: list[HistoryStore] = [
            LakeStore(LakeCatalogue(stack.aws), stack.lake),
            WarehouseStore(stack.warehouse, bucket=stack.lake.bucket, objects=self.lake, clock=self.clock),
        ]
        for history in self.histories:
            history.prepare()
        self.orders, self.access = Road(self, "order", judge()), Road(self, "access", access_judge())

    def account(self, *, thorough: bool = True) -> Account:
        parts = parts_of(self.settings, self.clock, random.Random(7), _Never())
        return account_of_parts(parts, self.window, self.settings.account, thorough=thorough)


class _Never:
    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float) -> bool:
        time.sleep(timeout)
        return False


@pytest.fixture(scope="module")
def world(stack: Endpoints) -> World:
    return World(stack)


FILES = {
    "document": File("document", orders("document")),
    "row": File("row", orders("row")),
    "torn": File("torn", orders("torn")),
    "twice": File("twice", orders("twice")),
    "content": File("content", orders("content")),
    "object": File("object", [*orders("object"), b'{"type":"order"}']),
    "raw": File("raw", orders("raw")),
    "manifest": File("manifest", orders("manifest")),
    "swallowed": File("swallowed", orders("swallowed"), swallowed=[2]),
    "skipped": File("skipped", orders("skipped"), skipped=[1]),
    "open": File("open", orders("open"), final=False),
    "unnamed": File("unnamed", orders("unnamed"), is_named=False),
    "hit-document": File("hit-document", requests("hit-document"), kind="access"),
    "hit-row": File("hit-row", requests("hit-row"), kind="access"),
    "hit-object": File("hit-object", requests("hit-object"), kind="access"),
    "hit-swallowed": File("hit-swallowed", requests("hit-swallowed"), kind="access", swallowed=[1]),
    "hit-skipped": File("hit-skipped", requests("hit-skipped"), kind="access", skipped=[0]),
    "mixed": File(
        "mixed", [an_order("mixed-0"), an_order("mixed-0", shipping=496, total=2026), b"no json", an_order("mixed-0")]
    ),
}


@pytest.fixture(scope="module")
def healthy(world: World) -> Account:
    """Before anything is lost."""
    world.orders.span(File("whole", orders("whole")), FILES["mixed"])
    world.access.span(File("hits", [*requests("hits"), b"no access line"], kind="access"))
    return world.account()


def test_a_history_without_losses_balances_to_the_line(healthy: Account) -> None:
    assert (healthy.verdict, healthy.settled, healthy.gaps, healthy.notes) == (Verdict.BALANCES, True, [], [])
    assert (healthy.files, healthy.emitted.lines) == (3, 13)
    assert [store.name for store in healthy.stores] == ["lake", "opensearch", "warehouse"]
    for store in healthy.stores:
        assert (store.orders, store.hits, store.duplicates, store.conflicts) == (5, 4, 2, 1), store
        assert store.refused == {"not_access": 1, "not_json": 1}
        assert (store.missing, store.in_flight, store.revenue) == (0, 0, {"GBP": 5 * 2025})
        assert store.compared == healthy.emitted


def identity(name: str, number: int) -> str:
    """Of an access line in the stores."""
    file = FILES[name]
    line = file.lines[number]
    return event_id_of_line(stamp_of(line, kind="access", file=name, offset=file.offsets[number]), line)


@dataclass
class Planted:
    account: Account
    keys: dict[str, str]

    def gaps(self, kind: GapKind, file_id: str | None = None) -> list[Gap]:
        return [gap for gap in self.account.gaps if gap.kind is kind and gap.file_id == file_id]


@pytest.fixture(scope="module")
def planted(world: World, healthy: Account) -> Planted:
    """Everything at once, each in a file of its own."""
    world.orders.span(*(FILES[name] for name in ("document", "row", "torn", "twice", "content")))
    objects = world.orders.span(FILES["object"])
    raw = world.orders.span(FILES["raw"])
    manifest = world.orders.span(FILES["manifest"])
    world.orders.span(*(FILES[name] for name in ("swallowed", "skipped", "open", "unnamed")))
    world.orders.span(File("last", orders("last")))
    world.access.span(FILES["hit-document"], FILES["hit-row"])
    hits = world.access.span(FILES["hit-object"])
    world.access.span(FILES["hit-swallowed"], FILES["hit-skipped"])
    keys = {
        "data": next(file.key for file in objects.data if file.table == "orders"),
        "letters": objects.letters[0].key,
        "raw": raw.raw[0].key,
        "manifest": manifest_key(world.orders.application, world.orders.shard.shard_id, manifest.previous),
        "hits": next(file.key for file in hits.data if file.table == "hits"),
    }
    world.lake.delete(keys["data"])
    world.lake.delete(keys["hits"])
    world.restricted.delete(keys["letters"])
    world.restricted.delete(keys["raw"])
    world.lake.delete(keys["manifest"])
    index = "orders-2026.11.27"
    world.search.delete(index=index, id="document-1")
    world.search.delete(index="hits-2026.11.27", id=identity("hit-document", 2))
    copy = world.search.get(index=index, id="twice-3")["_source"]
    world.search.index(index=index, id="twice-again", body={**copy, "event_id": "twice-again"})
    other = world.search.get(index=index, id="content-0")["_source"]
    world.search.index(index=index, id="content-0", body={**other, "origin": {**other["origin"], "crc": 7}})
    with to_warehouse(world.stack.warehouse) as session:
        assert session.execute("plant", "DELETE FROM orders WHERE event_id = ?", ["row-2"]) == 1
        assert session.execute("plant", "DELETE FROM lines WHERE event_id = ?", ["torn-1"]) == 1
        assert session.execute("plant", "DELETE FROM hits WHERE event_id = ?", [identity("hit-row", 3)]) == 1
        session.commit()
    return Planted(account=world.account(), keys=keys)


def place(name: str, number: int) -> tuple[int, int]:
    file = FILES[name]
    return file.offsets[number], file.offsets[number] + len(file.lines[number]) + 1


def test_the_verdict_is_that_it_does_not_balance(planted: Planted) -> None:
    assert planted.account.verdict is Verdict.DOES_NOT_BALANCE
    assert not planted.account.settled
    assert planted.account.notes == []


def test_a_lost_document_is_named(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.LINES, "document")
    assert (gap.store, gap.path) == ("opensearch", "shop-1/spool/document")
    (line,) = gap.lines
    assert (line.trouble, line.id, (line.offset, line.end)) == ("missing", "document-1", place("document", 1))
    assert line.held_by == ["raw", "lake", "warehouse"]


def test_a_lost_row_of_the_warehouse_is_named_with_the_objects_that_have_it(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.LINES, "row")
    (line,) = gap.lines
    assert (gap.store, line.trouble, line.id) == ("warehouse", "missing", "row-2")
    assert (line.offset, line.end) == place("row", 2)
    assert line.manifest
    assert any(key.startswith("data/orders/") for key in line.objects)


def test_a_lost_order_line_of_the_warehouse_is_named(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.TORN, "torn")
    (line,) = gap.lines
    assert (gap.store, gap.path, line.id) == ("warehouse", "shop-1/spool/torn", "torn-1")
    assert (line.offset, line.end) == place("torn", 1)


def test_a_lost_document_of_a_hit_is_named(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.LINES, "hit-document")
    (line,) = gap.lines
    assert (gap.store, gap.path) == ("opensearch", "shop-1/spool/hit-document")
    assert (line.trouble, line.id) == ("missing", identity("hit-document", 2))
    assert (line.offset, line.end) == place("hit-document", 2)
    assert line.held_by == ["raw", "lake", "warehouse"]


def test_a_lost_row_of_a_hit_is_named_with_the_objects_that_have_it(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.LINES, "hit-row")
    (line,) = gap.lines
    assert (gap.store, line.trouble, line.id) == ("warehouse", "missing", identity("hit-row", 3))
    assert (line.offset, line.end) == place("hit-row", 3)
    assert any(key.startswith("data/hits/") for key in line.objects)


def test_a_lost_object_of_hits_is_named_and_so_are_its_lines(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.LINES, "hit-object")
    assert gap.store == "lake"
    assert [(line.trouble, line.id) for line in gap.lines] == [
        ("missing", identity("hit-object", number)) for number in range(4)
    ]
    assert {key for line in gap.lines for key in line.objects} == {planted.keys["hits"]}


def test_an_access_line_that_never_reached_the_stream_is_named_in_every_store(planted: Planted) -> None:
    gaps = planted.gaps(GapKind.LINES, "hit-swallowed")
    assert sorted(str(gap.store) for gap in gaps) == ["lake", "opensearch", "warehouse"]
    for gap in gaps:
        (line,) = gap.lines
        assert (line.trouble, (line.offset, line.end)) == ("never_reached", place("hit-swallowed", 1))


def test_an_access_line_that_the_agent_passed_over_is_a_hole_of_the_source(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.SKIPPED, "hit-skipped")
    (line,) = gap.lines
    assert (line.offset, line.end) == place("hit-skipped", 0)


def test_a_line_found_twice_is_named(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.LINES, "twice")
    (line,) = gap.lines
    assert (gap.store, line.trouble, line.offset) == ("opensearch", "twice", place("twice", 3)[0])


def test_a_line_with_another_checksum_is_named(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.LINES, "content")
    assert "not the same ones" in gap.text
    (line,) = gap.lines
    assert (gap.store, line.trouble, line.id) == ("opensearch", "other_content", "content-0")


def test_a_lost_data_object_is_named_and_so_are_its_lines(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.LINES, "object")
    assert gap.store == "lake"
    assert [(line.trouble, line.id) for line in gap.lines] == [("missing", f"object-{n}") for n in range(4)]
    assert {key for line in gap.lines for key in line.objects} == {planted.keys["data"]}


def test_every_lost_object_is_named_by_its_key_and_no_other(planted: Planted) -> None:
    assert {gap.key for gap in planted.account.gaps if gap.kind is GapKind.OBJECT} == set(planted.keys.values())


def test_a_line_that_never_reached_the_stream_is_named_in_every_store(planted: Planted) -> None:
    gaps = planted.gaps(GapKind.LINES, "swallowed")
    assert sorted(str(gap.store) for gap in gaps) == ["lake", "opensearch", "warehouse"]
    for gap in gaps:
        (line,) = gap.lines
        assert (line.trouble, (line.offset, line.end)) == ("never_reached", place("swallowed", 2))


def test_a_line_that_the_agent_passed_over_is_a_hole_of_the_source(planted: Planted) -> None:
    (gap,) = planted.gaps(GapKind.SKIPPED, "skipped")
    (line,) = gap.lines
    assert (line.offset, line.end) == place("skipped", 1)
    assert not planted.gaps(GapKind.LINES, "skipped")


def test_a_file_that_is_not_final_is_open(planted: Planted) -> None:
    assert [(file.file_id, file.gap) for file in planted.account.open] == [("open", True)]
    assert len(planted.gaps(GapKind.OPEN, "open")) == 1


def test_rows_of_a_file_that_no_heartbeat_names_are_named(planted: Planted) -> None:
    gaps = planted.gaps(GapKind.UNNAMED, "unnamed")
    assert sorted(str(gap.store) for gap in gaps) == ["lake", "opensearch", "warehouse"]


def test_nothing_else_is_said_to_be_wrong(planted: Planted) -> None:
    ours = {"document", "row", "torn", "twice", "content", "object", "swallowed", "skipped", "open", "unnamed"}
    ours |= {name for name in FILES if name.startswith("hit-")}
    assert {gap.file_id for gap in planted.account.gaps if gap.kind is not GapKind.OBJECT} == ours


def test_what_a_store_has_not_taken_is_in_flight(world: World, planted: Planted) -> None:
    world.orders.emit(File("late", orders("late")))
    batch = world.orders.index()
    late = world.account(thorough=False)
    in_flight = {store.name: store.in_flight for store in late.stores}
    # No table holds the heartbeat yet: nobody knows of the file.
    assert in_flight == {"lake": 0, "opensearch": 0, "warehouse": 0}
    assert late.files == planted.account.files
    assert all(store.behind for store in late.stores if store.name != "opensearch")

    world.orders.store(batch)
    world.orders.emit(File("later", orders("later")))
    world.orders.cold.accept(batch := world.orders.index())
    world.orders.cold.settle()
    manifest = next(
        Chain(world.lake, world.orders.application, world.orders.shard.shard_id).after(world.orders.manifests[-1].last)
    )
    world.histories[0].take([manifest])  # the lake is ahead of the warehouse
    between = {store.name: store for store in world.account(thorough=False).stores}
    assert {name: store.in_flight for name, store in between.items()} == {"lake": 0, "opensearch": 0, "warehouse": 4}
    assert list(between["warehouse"].behind) == [world.orders.shard.shard_id]
    world.histories[1].take([manifest])
    assert [store.in_flight for store in world.account(thorough=False).stores] == [0, 0, 0]
    assert len(batch.records) == 5


def test_a_store_that_is_away_does_not_hide_the_others(world: World, healthy: Account) -> None:
    settings = replace(
        world.settings, opensearch=replace(world.settings.opensearch, url="http://127.0.0.1:9", timeout_s=1.0)
    )
    parts = parts_of(settings, world.clock, random.Random(7), _Never())
    account = account_of_parts(parts, world.window, settings.account, thorough=False)
    trouble = {store.name: store.trouble for store in account.stores}
    assert trouble["lake"] is None
    assert trouble["warehouse"] is None
    assert "OpenSearch" in str(trouble["opensearch"])
