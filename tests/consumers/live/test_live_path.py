import datetime as dt
from collections.abc import Collection, Sequence

import msgspec
import pytest

from consumers.delivery import Backpressure, Batch, Position, Refused, Row
from consumers.live import LivePath
from consumers.sinks.testing import FakeSink
from consumers.sources.testing import ScriptedPath
from consumers.stages.facts import Fixed
from consumers.stages.judge import Judge, Judged
from consumers.stages.orders import OrderJudge
from consumers.stages.testing import (
    ARRIVED_AT,
    FACTS,
    SHARD,
    access_judge,
    batch,
    encoded,
    heartbeat,
    judge,
    order,
    stamped,
)
from consumers.tally import Tally
from consumers.testing import PathConformance
from contract.rows import LetterRow
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


def live_path(sink: FakeSink, *, by: Judge | None = None, tally: Tally | None = None) -> LivePath:
    clock = ManualClock(ARRIVED_AT + dt.timedelta(seconds=2))
    return LivePath(SHARD, by or judge(), sink, tally or Tally(), clock)


def orders(*event_ids: str) -> Batch:
    return batch([encoded(order(event_id=event_id), offset=n) for n, event_id in enumerate(event_ids)])


class _LoggingJudge(OrderJudge):
    def __init__(self, log: list[str]) -> None:
        super().__init__(Fixed(facts=FACTS), judge()._shop)
        self._log = log

    def judge(self, batch: Batch) -> list[Judged]:
        self._log.append(f"judge {len(batch.records)}")
        return super().judge(batch)


def test_a_batch_is_judged_then_written_then_its_letters_and_only_then_answered() -> None:
    log: list[str] = []
    sink = FakeSink(is_poison=lambda row: row.row_id == "e-2" and row.index.startswith("orders"), log=log)
    path = live_path(sink, by=_LoggingJudge(log))
    log.append(f"durable {path.accept(orders('e-1', 'e-2', 'e-3'))}")
    assert log == [
        "judge 3",
        "write e-1 e-2 e-3",
        "write e-2",
        "durable Position(sequence=3, sub_sequence=0)",
    ]


def test_a_store_that_is_away_gets_no_position_out_of_the_path() -> None:
    path = live_path(FakeSink(trouble=1))
    with pytest.raises(Backpressure):
        path.accept(orders("e-1"))
    assert path.settle() is None


def test_a_store_that_goes_away_between_rows_and_letters_gets_no_position_either() -> None:
    class LettersFail(FakeSink):
        def write(self, rows: Sequence[Row]) -> Sequence[Refused]:
            if rows[0].index.startswith("letters"):
                raise Backpressure(1.0, "away")
            return super().write(rows)

    path = live_path(LettersFail(is_poison=lambda row: True))
    with pytest.raises(Backpressure):
        path.accept(orders("e-1"))
    assert path.settle() is None


def test_a_refused_document_becomes_a_letter_with_the_stores_error_type() -> None:
    sink = FakeSink(is_poison=lambda row: row.index.startswith("orders"))
    assert live_path(sink).accept(orders("e-1")) == Position(1)
    (row,) = sink.rows.values()
    letter = msgspec.json.decode(row.document, type=LetterRow)
    assert (letter.letter_id, letter.order_id, letter.reason) == ("e-1", "O-1", "rejected_by_store")
    assert letter.detail == "rejected_by_store: poison"
    assert letter.origin is not None
    assert letter.sequence == "1"


def test_a_store_that_refuses_letters_holds_the_batch_back() -> None:
    path = live_path(FakeSink(is_poison=lambda row: True))
    for content in (b"no json", encoded(order())):
        with pytest.raises(Backpressure, match="templates"):
            path.accept(batch([content]))
    assert path.settle() is None


def test_every_record_is_counted_once() -> None:
    tally = Tally()
    sink = FakeSink(is_poison=lambda row: row.row_id == "e-2" and row.index.startswith("orders"))
    contents = [encoded(order(event_id=f"e-{n}"), offset=n) for n in range(4)]
    live_path(sink, tally=tally).accept(batch([*contents, b"no json"]))
    counts, slowest_s = tally.take()
    assert counts == {"accepted": 3, "refused": 2}
    assert slowest_s == 2.0
    assert tally.take() == ({}, 0.0)


def test_a_heartbeat_is_taken_and_leaves_nothing_in_the_store() -> None:
    tally, sink = Tally(), FakeSink()
    contents = [msgspec.json.encode(heartbeat()), encoded(order()), msgspec.json.encode(heartbeat(lines="x"))]
    assert live_path(sink, tally=tally).accept(batch(contents)) == Position(3)
    assert [index for index, _ in sink.rows] == ["orders-2026.11.27", "letters-2026.11.27"]
    assert tally.take()[0] == {"accepted": 1, "refused": 1}


def test_a_document_that_is_refused_beside_a_heartbeat_becomes_the_right_letter() -> None:
    sink = FakeSink(is_poison=lambda row: row.index.startswith("orders"))
    contents = [msgspec.json.encode(heartbeat()), encoded(order(event_id="e-7"), offset=7)]
    live_path(sink).accept(batch(contents))
    (row,) = sink.rows.values()
    assert (row.row_id, row.origin) == ("e-7", ("i-1-abc", 7))


def test_a_hit_that_is_refused_becomes_a_letter_of_its_line() -> None:
    sink, line = FakeSink(is_poison=lambda row: row.index.startswith("hits")), b'{"time":"2026-11-27T08:00:00Z"}'
    contents = [stamped(line, kind="access", offset=n) for n in (0, 40)]
    assert live_path(sink, by=access_judge()).accept(batch(contents)) == Position(2)
    letters = [msgspec.json.decode(row.document, type=LetterRow) for row in sink.rows.values()]
    assert [(letter.event_type, letter.reason) for letter in letters] == [("access", "rejected_by_store")] * 2
    assert [letter.origin.offset for letter in letters if letter.origin] == [0, 40]
    assert len({letter.letter_id for letter in letters}) == 2


class _LiveEffects:
    def __init__(self) -> None:
        self.sink = FakeSink()
        self.path = live_path(self.sink)

    def identities(self) -> Collection[str]:
        return [row_id for _, row_id in self.sink.rows]

    def trouble_once(self) -> None:
        self.sink.trouble = 1


class TestLivePath(PathConformance):
    @pytest.fixture
    def effects(self) -> _LiveEffects:
        return _LiveEffects()


class _ScriptedEffects:
    def __init__(self) -> None:
        self._trouble: dict[bytes, list[Exception]] = {}
        self.path = ScriptedPath(trouble=self._trouble)

    def identities(self) -> Collection[str]:
        return {f"e-{record.position.sequence}" for record in self.path.taken}

    def trouble_once(self) -> None:
        self._trouble[encoded(order(event_id="e-1"), offset=1)] = [Backpressure(0.25, "the store is away")]


class TestScriptedPath(PathConformance):
    @pytest.fixture
    def effects(self) -> _ScriptedEffects:
        return _ScriptedEffects()
