"""What the keeper says each minute: figures with alarms, and how long history waits for lake and warehouse."""

import datetime as dt
import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from opensearchpy import OpenSearch

from consumers.keeper.commit import CommitDuty
from consumers.keeper.health import HEALTH_METRICS, SEARCHED, HealthDuty, Live, Waiting
from consumers.keeper.portions import Limits
from consumers.keeper.testing import MemoryChains, MemoryHistory
from contract import figures
from contract.figures import ERROR_RATE, HITS, QUIET_HITS, REFUSED
from contract.formula import Count, Is, Ratio
from contract.health import OURS, measured
from runtime.metrics import LogSink
from runtime.outage import Outage
from runtime.testing import ManualClock

NEVER = threading.Event()
PLACES = [("live", "s-0"), ("live", "s-1")]


def held() -> None:
    """The lease is ours."""


def duty_of(chains: MemoryChains, store: MemoryHistory, clock: ManualClock) -> CommitDuty:
    limits = Limits(manifests=10, bytes=10_000, of_shard=5)
    return CommitDuty(store=store, chains=chains, applications=["live"], limits=limits, clock=clock)


@pytest.mark.unit
def test_history_waits_since_the_oldest_record_that_is_not_taken() -> None:
    clock, chains, store = ManualClock(), MemoryChains(), MemoryHistory()
    duty = duty_of(chains, store, clock)
    waiting = Waiting(chains, ["live"], [duty])
    for place in PLACES:
        chains.grow(place, 2)
    assert waiting.values(clock.now()) == {}  # nobody has said yet what the store holds
    store.trouble = [Outage("away")]
    with pytest.raises(Outage):
        duty.turn(held, NEVER)
    clock.advance(40)
    assert waiting.values(clock.now()) == {"memory_backlog": 40.0}
    duty.turn(held, NEVER)
    assert waiting.values(clock.now()) == {"memory_backlog": 0.0}
    chains.grow(PLACES[1], 1)
    assert waiting.values(clock.now()) == {"memory_backlog": 40.0}


@pytest.mark.unit
def test_each_minute_is_one_line_and_one_stores_outage_says_nothing_wrong() -> None:
    class Known:
        def __init__(self) -> None:
            self.answers: list[dict[str, float] | Outage] = [{"refused": 3.0}, Outage("away"), {}]

        def values(self, now: dt.datetime) -> dict[str, float]:
            answer = self.answers.pop(0)
            if isinstance(answer, Outage):
                raise answer
            return answer

    lines: list[str] = []
    clock = ManualClock()
    duty = HealthDuty("health", Known(), LogSink(lines.append, OURS, HEALTH_METRICS), clock)
    duty.turn(held, NEVER)
    with pytest.raises(Outage):
        duty.turn(held, NEVER)
    duty.turn(held, NEVER)
    (line,) = (json.loads(each) for each in lines)
    assert line["refused"] == [3.0]
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": OURS,
        "Dimensions": [[]],
        "Metrics": [{"Name": "refused", "Unit": "Count"}],
    }


@pytest.mark.unit
def test_every_figure_with_an_alarm_that_live_computes_is_published() -> None:
    published = {metric.name for metric in HEALTH_METRICS}
    for figure in figures.alarms():
        if figure.in_live:
            assert figure.name in published
            assert measured(figure).namespace == OURS and measured(figure).name == figure.name


NOW = dt.datetime(2005, 6, 7, 8, 30, tzinfo=dt.UTC)  # nobody else's documents are of this year


@pytest.fixture(scope="module")
def hits(stack: Any) -> Any:
    client = OpenSearch([stack.opensearch.url], timeout=60)
    index = f"hits-2005.06.07-{uuid.uuid4().hex[:6]}"
    kinds = {"event_time": {"type": "date"}, "status_class": {"type": "keyword"}, "page": {"type": "keyword"}}
    client.indices.create(index=index, body={"mappings": {"properties": kinds}})
    ages = [20.0, 30.0, 40.0, 65.0, 75.0, 5.0]  # the last two are not of the minute
    for number, age in enumerate(ages):
        at = (NOW - dt.timedelta(seconds=age)).isoformat()
        hit = {"event_time": at, "status_class": "5xx" if number == 0 else "2xx", "page": "cart"}
        client.index(index=index, id=str(number), body=hit, params={"refresh": "true"})
    yield client
    client.indices.delete(index=index)
    client.close()


def values(client: Any, *asked: Any) -> dict[str, float]:
    return Live(client, asked).values(NOW)


@pytest.mark.integration
def test_rates_are_of_a_settled_minute_and_ages_as_of_now(hits: Any) -> None:
    assert values(hits, ERROR_RATE, QUIET_HITS, REFUSED) == {"error_rate": 0.25, "quiet_hits": 5.0, "refused": 0.0}
    later = NOW + dt.timedelta(hours=5)
    found = Live(hits, [ERROR_RATE, QUIET_HITS]).values(later)
    assert found == {"quiet_hits": 5 * 3600 + 5.0}  # no request: no share of them
    assert Live(hits, [QUIET_HITS]).values(NOW + dt.timedelta(days=2)) == {}


@pytest.mark.integration
def test_a_formula_that_changes_is_followed(hits: Any) -> None:
    carts = Count(source=HITS, where=(Is("page", ("cart",)),))
    other = replace(ERROR_RATE, formula=Ratio(top=carts, bottom=Count(source=HITS)))
    assert values(hits, other) == {"error_rate": 1.0}


@pytest.mark.integration
def test_a_store_that_is_away_is_an_outage() -> None:
    away = OpenSearch(["http://127.0.0.1:9"], max_retries=0)
    asked: Sequence[Any] = SEARCHED
    with pytest.raises(Outage, match="OpenSearch"):
        Live(away, asked).values(NOW)
