"""The function: live's own stages and letters, an answer that is durable, and a line of metrics of every invocation."""

import base64
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import Backpressure, Refused, Row, Sink
from consumers.lambda_process import Function, respond, start
from consumers.settings import LambdaSettings
from consumers.sinks.testing import FakeSink
from consumers.sources.lambda_.events import BadEvent, delivery_of
from consumers.sources.lambda_.metrics import METRICS, NAMESPACE, Report
from consumers.sources.lambda_.settings import LambdaSourceSettings
from consumers.sources.lambda_.testing import ARRIVED_AT, FakeContext, FakeMapping, event_of
from consumers.stages.documents import document_of
from consumers.stages.testing import access_judge, encoded, enveloped, heartbeat, judge, order
from contract.kpl.aggregate import UserRecord, aggregated
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import OpenSearch, load
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

JUDGES = {"transactions": judge(), "access": access_judge()}


def function(
    sink: Sink,
    *,
    clock: ManualClock | None = None,
    prepare: Callable[[], None] = lambda: None,
    look: Callable[[], None] = lambda: None,
    run_records: int = 2,
    on_duplicates: list[Callable[[int], None]] | None = None,
) -> Function:
    clock = clock or ManualClock(ARRIVED_AT)
    settings = LambdaSettings(
        opensearch=OpenSearch(timeout_s=20.0), function=LambdaSourceSettings(run_records=run_records)
    )

    def open_sink(heard: Callable[[int], None]) -> Sink:
        if on_duplicates is not None:
            on_duplicates.append(heard)
        return sink

    return Function(settings, JUDGES, open_sink, prepare, look, clock, wait=clock.advance, rng=random.Random(1))


def ask(to: Function, event: object, *, clock: ManualClock | None = None, timeout_s: float = 60.0) -> Any:
    clock = clock or ManualClock(ARRIVED_AT)
    return to.answer(event, FakeContext(clock, timeout_s), Report(clock))


def orders(*event_ids: str) -> list[bytes]:
    return [encoded(order(event_id=event_id), offset=n) for n, event_id in enumerate(event_ids)]


def packed(contents: Sequence[bytes]) -> bytes:
    return aggregated([UserRecord("a", content) for content in contents])


def failures(*sequences: int) -> Any:
    return {"batchItemFailures": [{"itemIdentifier": str(sequence)} for sequence in sequences]}


def test_the_store_is_prepared_then_rows_and_letters_are_written_and_only_then_answered() -> None:
    log: list[str] = []
    sink = FakeSink(is_poison=lambda row: row.row_id == "e-2" and row.index.startswith("orders"), log=log)
    made = function(sink, prepare=lambda: log.append("prepare"))
    for _ in range(2):
        log.append(f"answered {ask(made, event_of([packed(orders('e-1', 'e-2')), *orders('e-3')]))}")
    written = ["write e-1 e-2", "write e-2", "write e-3", f"answered {failures()}"]
    assert log == ["prepare", *written, *written]
    assert [index for index, _ in sink.rows].count("letters-2026.11.27") == 1


def test_a_store_that_is_away_fails_the_first_sequence_and_is_prepared_later() -> None:
    troubles: list[Exception] = [Outage("OpenSearch: away")] * 1_000

    def prepare() -> None:
        if troubles:
            raise troubles.pop()

    sink, clock = FakeSink(), ManualClock(ARRIVED_AT)
    made, event = function(sink, clock=clock, prepare=prepare), event_of(orders("e-1", "e-2"), first=7)
    assert ask(made, event, clock=clock) == failures(7)
    assert not sink.rows
    troubles.clear()
    assert ask(made, event, clock=clock) == failures()
    assert len(sink.rows) == 2


def test_each_stream_has_the_judge_of_its_records() -> None:
    sink = FakeSink()
    line = b'192.0.2.7 - - [27/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"'
    assert ask(function(sink), event_of([enveloped(line, kind="access")], stream="access")) == failures()
    assert ask(function(sink), event_of(orders("e-1"), stream="transactions")) == failures()
    assert [index for index, _ in sink.rows] == ["hits-2026.11.27", "orders-2026.11.27"]


def test_a_stream_that_is_not_set_is_for_the_operator() -> None:
    with pytest.raises(ConfigError, match="stream other is none of access, transactions"):
        ask(function(FakeSink()), event_of(orders("e-1"), stream="other"))


def test_a_timeout_that_one_answer_of_the_store_may_outlast_is_for_the_operator() -> None:
    with pytest.raises(ConfigError, match="STOREPULSE_OPENSEARCH_TIMEOUT_S"):
        ask(function(FakeSink()), event_of(orders("e-1")), timeout_s=20.0)


def test_an_event_without_records_is_done() -> None:
    assert ask(function(FakeSink()), {"Records": []}) == failures()


class _Flaky(FakeSink):
    """Meets trouble before a write, or half way through one, as the script says."""

    def __init__(self, script: Sequence[str]) -> None:
        super().__init__(is_poison=lambda row: "poison" in row.row_id and not row.index.startswith("letters"))
        self._script = list(script)

    def write(self, rows: Sequence[Row]) -> Sequence[Refused]:
        trouble = self._script.pop() if self._script else ""
        if trouble == "before":
            raise Backpressure(100.0, "away")
        if trouble == "half way":
            super().write(rows[: len(rows) // 2])
            raise Backpressure(100.0, "away")
        return super().write(rows)


KINDS = {
    "order": lambda n: encoded(order(event_id=f"e-{n}"), offset=n),
    "poison": lambda n: encoded(order(event_id=f"poison-{n}"), offset=n),
    "refused": lambda n: encoded(order(event_id=f"e-{n}", total=1), offset=n),
    "foreign": lambda n: msgspec.json.encode(order(event_id=...)),
    "no json": lambda n: enveloped(b"no json", offset=n),
    "heartbeat": lambda n: msgspec.json.encode(heartbeat()),
}


@given(
    st.lists(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4), min_size=1, max_size=6),
    st.lists(st.sampled_from(["", "", "before", "half way"]), max_size=20),
    st.lists(st.booleans(), max_size=6),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_nothing_is_passed_that_is_not_stored_and_in_the_end_all_is_once(
    shape: list[list[str]], script: list[str], unheard: list[bool], batch_size: int, run_records: int
) -> None:
    """`unheard`: the function did its work, but its answer did not reach the service."""
    numbers = iter(range(100))
    made = [[KINDS[kind](next(numbers)) for kind in kinds] for kinds in shape]
    contents = [users[0] if len(users) == 1 else packed(users) for users in made]
    expected = stored_of(contents)
    sink, mapping = _Flaky(script), FakeMapping(contents, batch_size=batch_size)
    clock = ManualClock(ARRIVED_AT)
    by = function(sink, clock=clock, run_records=run_records)
    while (event := mapping.next_event()) is not None:
        answer = ask(by, event, clock=clock)
        if unheard and unheard.pop():
            continue
        mapping.answered(event, answer)
        assert stored_of(contents[: mapping.checkpoint]) <= sink.rows.keys()
    assert sink.rows.keys() == expected


def stored_of(contents: Sequence[bytes]) -> set[tuple[str, str]]:
    """Place and identity of all that the live store is to hold of these records."""
    delivery = delivery_of(event_of(contents))
    rows = [document_of(judged, 14) for judged in judge().judge(delivery.batch)] if delivery else []
    return {
        ("letters-2026.11.27" if "poison" in row.row_id else row.index, row.row_id) for row in rows if row is not None
    }


def responded(event: object, by: Function | Exception, *, clock: ManualClock | None = None) -> dict[str, Any]:
    """The metrics of an invocation, whether or not it raised."""
    said: list[str] = []
    clock = clock or ManualClock(ARRIVED_AT)

    def started() -> Function:
        if isinstance(by, Exception):
            raise by
        return by

    try:
        respond(event, FakeContext(clock), started, said.append, clock)
    except Exception as error:
        assert said, error
    (line,) = said
    assert "\n" not in line
    document: dict[str, Any] = json.loads(line)
    return document


def test_an_invocation_says_what_it_did_as_metrics_of_its_stream() -> None:
    heard: list[Callable[[int], None]] = []

    class Doubled(FakeSink):
        def write(self, rows: Sequence[Row]) -> Sequence[Refused]:
            heard[-1](1)
            return super().write(rows)

    clock = ManualClock(ARRIVED_AT)
    clock.advance(1.5)
    event = event_of([*orders("e-1", "e-2"), b"no json"])
    document = responded(event, function(Doubled(), clock=clock, on_duplicates=heard, run_records=9), clock=clock)
    values = {name: document[name] for name in (metric.name for metric in METRICS)}
    assert values == {
        "Accepted": 2, "Refused": 1, "Duplicates": 1, "Unfinished": 0, "ArrivalToStored": 1500, "CriticalErrors": 0,
    }  # fmt: skip
    assert document["Stream"] == "transactions"
    assert document["_aws"] == {
        "Timestamp": int(clock.now().timestamp() * 1000),
        "CloudWatchMetrics": [
            {
                "Namespace": NAMESPACE,
                "Dimensions": [["Stream"]],
                "Metrics": [{"Name": metric.name, "Unit": metric.unit} for metric in METRICS],
            }
        ],
    }


def test_what_is_unfinished_says_why() -> None:
    clock = ManualClock(ARRIVED_AT)
    document = responded(event_of(orders("e-1")), function(FakeSink(trouble=1_000), clock=clock), clock=clock)
    assert (document["Unfinished"], document["CriticalErrors"]) == (1, 0)
    assert document["why"] == "the store is away"


def test_a_bad_event_is_a_critical_error_of_no_known_stream() -> None:
    document = responded({"Records": [{"body": "secret"}]}, function(FakeSink()))
    assert (document["CriticalErrors"], document["Stream"], document["error"]) == (1, "unknown", "BadEvent")
    assert "secret" not in json.dumps(document)


def test_settings_that_are_wrong_say_what_to_change() -> None:
    document = responded(event_of(orders("e-1")), ConfigError("[identity] key is not set"))
    assert (document["CriticalErrors"], document["error"]) == (1, "ConfigError")
    assert document["why"] == "[identity] key is not set"


def test_an_error_that_is_not_ours_is_told_by_its_kind_alone() -> None:
    class Broken(FakeSink):
        def write(self, rows: Sequence[Row]) -> Sequence[Refused]:
            raise ValueError("secret")

    document = responded(event_of(orders("e-1")), function(Broken()))
    assert (document["CriticalErrors"], document["error"], document["Stream"]) == (1, "ValueError", "transactions")
    assert "secret" not in json.dumps(document)


@pytest.mark.parametrize("error", [BadEvent("no event"), ConfigError("no key"), ValueError("bug")])
def test_what_is_wrong_with_all_of_it_is_raised(error: Exception) -> None:
    def started() -> Function:
        raise error

    with pytest.raises(type(error)):
        respond(event_of([b"x"]), FakeContext(ManualClock()), started, lambda _: None, ManualClock())


def test_metrics_keep_to_the_format() -> None:
    """Its limits: names of at most 1,024 printable ASCII characters, 100 metrics, no clash with the dimension."""
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names) <= 100
    assert all(name.isascii() and name.isalnum() and len(name) <= 1_024 for name in names)
    assert not {"Stream", "_aws", "error", "why"} & set(names)


def test_settings_come_from_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "identity.key"
    key.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(b"s" * 32).decode()}))
    (tmp_path / ".storepulse").mkdir()
    (tmp_path / ".storepulse" / "settings.toml").write_text("[opensearch]\nnonsense = 1\n")
    monkeypatch.chdir(tmp_path)
    environ = {
        "STOREPULSE_SETTINGS": str(tmp_path / ".storepulse" / "settings.toml"),
        "STOREPULSE_IDENTITY_KEY": str(key),
        "STOREPULSE_OPENSEARCH_URL": "http://127.0.0.1:9",
        "STOREPULSE_STREAMS_TRANSACTIONS": "mine",
        "STOREPULSE_STREAMS_ACCESS": "",
        "STOREPULSE_FUNCTION_PATIENCE_S": "0.01",
        "PATH": "/bin",
    }
    made = start(environ)
    clock = ManualClock()
    with pytest.raises(ConfigError, match="is none of mine"):
        made.answer(event_of([b"x"], stream="access"), FakeContext(clock), Report(clock))
    assert made.answer(event_of([b"x"], stream="mine"), FakeContext(clock), Report(clock)) == failures(1)


def test_a_setting_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match="STOREPULSE_FUNCTION_PATIENCE"):
        load(LambdaSettings, file=Path("/dev/null"), environ={"STOREPULSE_FUNCTION_PATIENCE": "1"})


def test_the_documents_list_of_metrics_is_the_codes() -> None:
    document = (Path(__file__).parents[4] / "docs" / "lambda.md").read_text()
    _, _, table = document.partition("| metric | unit | |\n|---|---|---|\n")
    listed = table.partition("\n\n")[0].splitlines()
    assert listed == [f"| {metric.name} | {metric.unit} | {metric.about} |" for metric in METRICS]
    assert f"`{NAMESPACE}`" in document


def test_the_documents_list_of_settings_has_the_functions_own() -> None:
    document = (Path(__file__).parents[4] / "docs" / "lambda.md").read_text()
    assert all(f"STOREPULSE_FUNCTION_{name.upper()}" in document for name in LambdaSourceSettings.__dataclass_fields__)
