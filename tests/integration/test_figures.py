"""Every figure of the list over one replay, in Redshift and in OpenSearch: the same by each dimension and in all time.

The replay is written as live and cold write it. Plain Python says what the figures are, and DuckDB what the warehouse
makes of its own rows; a figure that live cannot have is one whose source has no index.
"""

import datetime as dt
import random
import uuid
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from opensearchpy import OpenSearch

from consumers.delivery import Batch, Position, Record
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.sink import OpenSearchSink
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.spans.columns import batches_of
from consumers.stages.documents import document_of
from consumers.stages.judge import Judged
from consumers.stages.testing import FACTS, SHARD, access_judge, judge, order, stamp_of
from consumers.warehouse.connection import Session
from consumers.warehouse.migrations import migrate
from consumers.warehouse.store import WarehouseStore
from consumers.warehouse.testing import Corner, SpanWriter, heartbeat
from consumers.warehouse.testing_duckdb import DuckWarehouse
from contract import formula_search, formula_sql
from contract.figure import Figure
from contract.figures import DUPLICATES, FIGURES, HITS, LETTERS, LINES, ORDERS
from contract.formula import Age, Source
from contract.formula_fields import Field, fields_of
from contract.formula_strategies import questions as any_questions
from contract.formula_strategies import values_of
from contract.formula_testing import evaluate
from contract.question import Every, Question
from contract.rows import HitRow, LetterRow, OrderRow
from contract.tables import WAREHOUSE
from infra.local.endpoints import Endpoints
from runtime.aws import client
from runtime.objects.s3 import S3Objects
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

ZONE = "Europe/London"
# The clock went back on the second day. Nobody else's test has documents of this year.
START = dt.datetime(2003, 10, 25, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
END = START + 3 * DAY
# What is usual follows in the weeks after; the ledger is of the day on which a test's spans are.
WHEN: Mapping[str, Mapping[str, Any]] = {
    **{name: {"start": START, "end": END + 57 * DAY} for name in ("hours", "region_hours")},
    "ledger": {"start": None, "end": None},
}
NOW = END - dt.timedelta(hours=1, seconds=17)  # some orders are in the future
LOADED = dt.datetime(2026, 11, 27, 9, tzinfo=dt.UTC)
AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1"
    " Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
]
PATHS = ["/search", "/product/1", "/cart", "/cart/add", "/checkout", "/", "/thank-you/O-7"]
SKUS = ["85123A", "71053", "DOT'S", "Ω-1"]
EXAMPLES = 40  # of any formula; each asks the store
NO_PRICES = replace(FACTS, prices=None)  # every SKU is good


def event(rng: random.Random, number: int, *, days_later: int = 0) -> dict[str, Any]:
    at = START + days_later * DAY + dt.timedelta(seconds=rng.uniform(0, 3 * 24 * 3600))
    lines = [
        {"sku": rng.choice(SKUS), "quantity": rng.randint(1, 9), "unit_price": rng.choice([255, 339, 5]), "discount": 0}
        for _ in range(rng.randint(1, 4))
    ]
    kind = rng.choice(["sale"] * 5 + ["return"])
    total = sum(line["quantity"] * line["unit_price"] for line in lines) + 495  # type: ignore[operator]
    return order(
        event_id=f"e-{number}",
        event_time=at.isoformat(),
        order_id=f"O-{number}",
        session_id=f"S-{rng.randrange(60)}",
        kind=kind,
        returns=f"O-{number - 1}" if kind == "return" else None,
        customer_id=rng.choice([None, *(f"C-{n}" for n in range(25))]),
        channel=rng.choice(["web", "app"]),
        region=rng.choice(["GB", "DE", "FR"]),
        currency=rng.choice(["GBP", "GBP", "EUR", "JPY"]),
        lines=lines,
        tax=0,
        shipping=495,
        total=total,
    )


def request(rng: random.Random) -> dict[str, Any]:
    at = START + dt.timedelta(seconds=rng.uniform(0, 3 * 24 * 3600))
    return {
        "time": at.isoformat(),
        "method": "GET",
        "path": rng.choice(PATHS),
        "status": rng.choice([200, 200, 200, 303, 404, 500, 503]),
        "session": rng.choice(["", *(f"S-{n}" for n in range(60))]),
        "address": f"192.0.2.{rng.randrange(250)}",
        "agent": rng.choice(AGENTS),
    }


class Spool:
    """Lines of one file, as records."""

    def __init__(self, file: str, kind: Any) -> None:
        self._file, self._kind, self._offset = file, kind, 0

    def record(self, said: Mapping[str, Any] | bytes, *, at: int | None = None, attempt: int = 0) -> bytes:
        """The next line, or the line at offset `at` once more."""
        line = said if isinstance(said, bytes) else msgspec.json.encode(said)
        offset = self._offset if at is None else at
        if at is None:
            self._offset += len(line) + 1
        stamp = msgspec.structs.replace(
            stamp_of(line, kind=self._kind, file=self._file, offset=offset), a=attempt, t="2003-10-27T08:00:00Z"
        )
        assert stamp.c == zlib.crc32(line)
        if isinstance(said, bytes):
            return msgspec.json.encode({"_sp": stamp, "line": said.decode()})
        return msgspec.json.encode({**said, "_sp": stamp})

    @property
    def offset(self) -> int:
        return self._offset


def arriving(records: Sequence[bytes], at: dt.datetime, first: int) -> Batch:
    return Batch(
        shard=SHARD,
        records=[Record(Position(first + n), at + dt.timedelta(seconds=n), data) for n, data in enumerate(records)],
    )


def replay() -> list[Judged]:
    """All verdicts in the order of arrival: good and late orders, returns, guests, duplicates, a conflict, letters and
    one that was mended; requests of people and bots."""
    rng = random.Random(2003)
    orders, hits = Spool("i-1-orders", "order"), Spool("i-1-hits", "access")
    arrival = START + dt.timedelta(hours=30)
    events = [event(rng, number) for number in range(260)]
    events += [event(rng, 300 + number, days_later=7) for number in range(60)]
    unpriced = event(rng, 900) | {
        "lines": [{"sku": "new", "quantity": 2, "unit_price": 100}],
        "shipping": 0,
        "total": 200,
    }
    place = orders.offset
    first = [orders.record(unpriced)]
    lost = orders.record({**unpriced, "event_id": "e-901"})  # is refused, and never sent again
    wrong = [orders.record({**event(rng, 910 + n), "total": 1}) for n in range(3)]
    refused = judge(facts=FACTS).judge(arriving([*first, lost, *wrong, orders.record(b"no order")], arrival, 1))
    records = [orders.record(each) for each in events]
    again = [orders.record(each) for each in events[:4]]  # the shop emitted twice
    changed = [orders.record({**events[5], "shipping": 500, "total": events[5]["total"] + 5})]
    mended = orders.record(unpriced, at=place, attempt=1)
    delivered_twice = records[7:9]
    accepted = judge(facts=NO_PRICES).judge(
        arriving([*records, *again, *changed, mended, *delivered_twice], arrival + dt.timedelta(hours=1), 1_000)
    )
    asked = [hits.record(request(rng)) for _ in range(300)]
    seen = access_judge().judge(arriving([*asked, *asked[:2], hits.record(b"no request")], arrival, 2_000))
    return [*refused, *accepted, *seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What holds the replay, and the way to ask."""

    client: OpenSearch
    session: Session
    duck: DuckWarehouse

    def in_warehouse(self, question: Question, now: dt.datetime) -> list[dict[str, Any]]:
        asked = formula_sql.query(question, now=now)
        return formula_sql.read(self.session.query("figures", asked.text, asked.parameters), question)

    def in_duckdb(self, question: Question, now: dt.datetime) -> list[dict[str, Any]]:
        return formula_sql.read(self.duck.ask(formula_sql.query(question, now=now)), question)

    def in_opensearch(self, question: Question, now: dt.datetime) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        after: Mapping[str, Any] | None = None
        while True:
            body = formula_search.body(question, after=after, now=now)
            answer = self.client.search(index=question.source.index, body=body)
            rows += formula_search.read(question, answer, now=now)
            after = formula_search.next_page(question, answer)
            if after is None:
                return rows


@pytest.fixture(scope="module")
def verdicts() -> list[Judged]:
    return replay()


@pytest.fixture(scope="module")
def counted(verdicts: list[Judged]) -> Mapping[str, list[dict[str, Any]]]:
    """What counts, by table."""
    return rows_by_source(verdicts)


@pytest.fixture(scope="module")
def stores(stack: Endpoints, verdicts: list[Judged]) -> Iterator[Stores]:
    search = connect(stack.opensearch)
    ensure_templates(search, templates(refresh_ms=500, replicas="0-1"))
    documents = [document for each in verdicts if (document := document_of(each, 1))]
    assert not OpenSearchSink(search, random.Random(7), lambda count: None).write(documents)
    search.indices.refresh(index="*")
    corner = Corner(f"figures_{uuid.uuid4().hex[:12]}")
    corner.make(stack.warehouse)
    with corner(stack.warehouse) as session:
        migrate(session, ManualClock(), lambda done: None)
    load(stack, corner, verdicts)
    duck = DuckWarehouse()
    with corner(stack.warehouse) as session:
        for table in WAREHOUSE:
            duck.copy(table, session.query("read", f"SELECT * FROM {table.name}"))
        for view in ("letters_open", "failed_checkouts", "orders_without_checkout"):
            duck.copy_rows(view, session.query("read", f"SELECT * FROM {view}"))
        yield Stores(client=search, session=session, duck=duck)
    ours = {"query": {"range": {"arrived_at": {"gte": START.isoformat(), "lt": (END + 30 * DAY).isoformat()}}}}
    for index in {*(document.index for document in documents), "duplicates"}:
        if index[-1].isdigit():
            search.indices.delete(index=index)
        else:  # others' documents are there too
            search.delete_by_query(index=index, body=ours, refresh=True)
    search.close()


def load(stack: Endpoints, corner: Corner, verdicts: list[Judged]) -> None:
    """As cold and keeper do: Parquet in a bucket, then COPY."""
    s3 = client("s3", stack.aws)
    name = f"figures-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": stack.aws.region})
    objects = S3Objects(s3, name)
    tables: dict[str, list[dict[str, Any]]] = {}
    for table, _, rows in batches_of(each.row for each in verdicts):
        tables.setdefault(table.name, []).extend(rows.to_pylist())
    store = WarehouseStore(stack.warehouse, bucket=name, objects=objects, clock=ManualClock(), connect=corner)
    files = {
        (row["origin_file"], row["origin_offset"]) for rows in tables.values() for row in rows if "origin_file" in row
    }
    tables["account"] = [
        beat(name, kind, files, lost) for name, kind, lost in (("i-1-orders", "order", 0), ("i-1-hits", "access", 2))
    ]
    store.take([SpanWriter(objects).write(tables)])


def beat(name: str, kind: str, places: Collection[tuple[str, int]], lost: int) -> dict[str, Any]:
    """What the agent says of a file of these lines and so many more, which no store has."""
    said = heartbeat(name, 1 + max(offset for file, offset in places if file == name), arrived_at=START + DAY)
    return said | {"kind": kind, "lines": lost + sum(file == name for file, _ in places)}


def sources() -> list[tuple[Source, tuple[Figure, ...]]]:
    """The figures that are computed, by what they are computed over."""
    computed = [(figure.source, figure) for figure in FIGURES if figure.source]
    names = dict.fromkeys(source.name for source, _ in computed)
    ordered = sorted(computed, key=lambda each: [*names].index(each[0].name))
    return [
        (same[0][0], tuple(figure for _, figure in same))
        for _, each in groupby(ordered, key=lambda each: each[0].name)
        if (same := list(each))
    ]


def questions(source: Source, figures: tuple[Figure, ...]) -> Iterator[Question]:
    """In all; by time; by each dimension; by all of them."""
    bounds = {**WHEN.get(source.name, {"start": START, "end": END}), "zone": ZONE}
    yield Question(figures=figures, **bounds)
    if any(isinstance(figure.formula, Age) for figure in figures):
        figures = tuple(figure for figure in figures if not isinstance(figure.formula, Age))
        if not figures:
            return
    for every in Every if source.name == "orders" else [Every.HOUR, Every.WEEK]:
        yield Question(figures=figures, every=every, **bounds)
    dimensions = dict.fromkeys(name for figure in figures for name in figure.dimensions)
    for name in [*dimensions, *([source.day] if source.day else [])]:
        having = tuple(figure for figure in figures if name in (*figure.dimensions, source.day))
        yield Question(figures=having, by=(name,), **bounds)
        if source.index:
            yield Question(figures=having, by=(name,), every=Every.DAY, **bounds)
    for figure in figures:
        yield Question(figures=(figure,), by=figure.dimensions, **bounds)


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[list[tuple[str, Any]]]:
    return sorted((sorted(row.items()) for row in rows), key=repr)


def rows_by_source(verdicts: list[Judged]) -> dict[str, list[dict[str, Any]]]:
    """What counts, by the laws alone: the first of each identity, and letters that were not mended."""
    first: dict[tuple[type, str], Any] = {}
    second: dict[tuple[str, int], Any] = {}
    mended = {
        (row.origin.file, row.origin.offset) for row in (each.row for each in verdicts) if _is_accepted_again(row)
    }
    for row in (each.row for each in verdicts):
        identity = type(row), row.letter_id if isinstance(row, LetterRow) else row.event_id
        known = first.setdefault(identity, row)
        if known is not row and (known.origin.file, known.origin.offset) != (row.origin.file, row.origin.offset):
            second[row.origin.file, row.origin.offset] = {"arrived_at": row.arrived_at, "event_id": identity[1]}
    letters = [
        row
        for row in first.values()
        if isinstance(row, LetterRow) and (row.origin.file, row.origin.offset) not in mended
    ]
    kept = [row for row in first.values() if not isinstance(row, LetterRow)]
    found: dict[str, list[dict[str, Any]]] = {"duplicates": list(second.values())}
    for table, _, rows in batches_of([*kept, *letters]):
        found.setdefault(table.name, []).extend(rows.to_pylist())
    return found


def _is_accepted_again(row: Any) -> bool:
    return isinstance(row, OrderRow | HitRow) and row.origin is not None and row.origin.attempt > 0


def test_the_replay_has_all_that_figures_tell_apart(
    stores: Stores, counted: Mapping[str, list[dict[str, Any]]]
) -> None:
    rows = counted
    assert len(rows["orders"]) == 321
    assert {row["kind"] for row in rows["orders"]} == {"sale", "return"}
    assert {row["late"] for row in rows["orders"]} == {None, True}
    assert len({row["currency"] for row in rows["orders"]}) == 3
    assert any(row["customer"] is None for row in rows["orders"])
    assert len({row["reason"] for row in rows["letters"]}) >= 3
    assert len(rows["duplicates"]) == 5
    text = "SELECT (SELECT COUNT(*) FROM conflicts) AS conflicts, (SELECT COUNT(*) FROM letters) AS letters"
    counts = stores.session.query("count", text)
    assert counts == [{"conflicts": 1, "letters": len(rows["letters"]) + 1}]


@pytest.mark.parametrize(
    ("source", "figures"), sources(), ids=lambda each: each.name if isinstance(each, Source) else ""
)
def test_stores_agree_on_every_figure(
    stores: Stores, counted: Mapping[str, list[dict[str, Any]]], source: Source, figures: tuple[Figure, ...]
) -> None:
    now = LOADED if source.name == "ledger" else NOW
    for question in questions(source, figures):
        warehouse = in_order(stores.in_warehouse(question, now))
        assert warehouse == in_order(stores.in_duckdb(question, now)), question
        if source.index:
            live = in_order(stores.in_opensearch(question, NOW))
            assert warehouse == live, question
            expected = evaluate(question, counted[source.name], NOW)
            assert warehouse == in_order(expected), question


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_documents_answer_what_any_formula_means(
    stores: Stores, counted: Mapping[str, list[dict[str, Any]]], data: st.DataObject
) -> None:
    """Whatever live can compute, over what is really there."""
    source = data.draw(st.sampled_from([ORDERS, LINES, HITS, LETTERS, DUPLICATES]))
    rows = counted[source.name]
    there = {name: sorted({row[name] for row in rows} - {None}) for name in rows[0]}
    fields = [field for field in searched_of(source) if field.name in there]
    conditioned = {
        name: st.sampled_from(there[name])
        for name in values_of([field for field in fields if not field.is_list and field.searched])
        if there[name]
    }
    times = st.datetimes(START.replace(tzinfo=None), END.replace(tzinfo=None), timezones=st.just(dt.UTC))
    question = data.draw(
        any_questions(source, fields, conditioned, times.map(lambda time: time.replace(microsecond=0)))
    )
    question = replace(question, start=question.start or START, end=question.end or END)
    try:
        formula_search.body(question)
    except ValueError:
        reject()
    assert in_order(stores.in_opensearch(question, NOW)) == in_order(evaluate(question, rows, NOW))


def searched_of(source: Source) -> list[Field]:
    """Columns that live computes with."""
    fields = fields_of(source.element or source.row), fields_of(source.document or source.row)
    known = fields_of(source.row)
    return [field for name, field in {**fields[1], **fields[0]}.items() if field.summed and name in known]


@pytest.mark.parametrize(
    ("source", "figures"), sources(), ids=lambda each: each.name if isinstance(each, Source) else ""
)
def test_the_replay_moves_every_figure(stores: Stores, source: Source, figures: tuple[Figure, ...]) -> None:
    now = LOADED if source.name == "ledger" else NOW
    rows = stores.in_warehouse(next(questions(source, figures)), now)
    assert [figure.name for figure in figures if not any(row[figure.name] for row in rows)] == []


def test_what_live_cannot_have_is_said_so_and_refused() -> None:
    alone = [figure for figure in FIGURES if figure.in_warehouse and not figure.in_live]
    assert {figure.source.name for figure in alone if figure.source} >= {"conflicts", "amounts", "hours", "files"}
    for figure in alone:
        with pytest.raises(ValueError, match="live has no"):
            formula_search.body(Question(figures=(figure,)))
