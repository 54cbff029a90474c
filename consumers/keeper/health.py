"""The duties that say each minute how things are: figures with alarms, as metrics of the account.

The budget a minute: one or two _msearch, one list an application and one small read a shard that the lake's bucket
knows, and two calls to CloudWatch; docs/metrics.md states it. The warehouse is never asked: a question would wake it.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from opensearchpy import OpenSearch

from consumers.keeper.backlog import Chains
from consumers.keeper.commit import CommitDuty
from consumers.manifests import START
from consumers.sinks.opensearch.trouble import naming_outages
from contract import figures, formula_search
from contract.figure import Figure
from contract.formula import Age, Count
from contract.health import LAKE_BACKLOG, WAREHOUSE_BACKLOG
from contract.question import Question, formula_of
from runtime.clock import Clock
from runtime.metrics import Sample, Sink, metrics_of
from runtime.outage import Outage, Stop

SEARCHED = tuple(figure for figure in figures.alarms() if figure.in_live)
HEALTH_METRICS = metrics_of((*SEARCHED, LAKE_BACKLOG, WAREHOUSE_BACKLOG))

_SETTLED = dt.timedelta(seconds=10)  # what happened before that can be found, or lags and has an alarm for it
_MINUTE = dt.timedelta(minutes=1)
_NEAR = dt.timedelta(hours=1)  # in which an age is looked for: all documents of it are read
_FAR = dt.timedelta(days=1)  # where the last hour has none: then there are few

Values = dict[str, float]


class Asked(Protocol):
    """What computes figures over rows."""

    def values(self, now: dt.datetime) -> Values:
        """By name, without those that are unknown. Raises Outage, ConfigError."""
        ...


class Live:
    """Figures that OpenSearch computes: ages as of now, everything else over a minute that is over."""

    def __init__(self, client: OpenSearch, asked: Sequence[Figure] = SEARCHED) -> None:
        self._client = client
        self._asked = asked

    def values(self, now: dt.datetime) -> Values:
        found = self._ask([_question(figure, now, _NEAR) for figure in self._asked], now)
        farther = [each for each in self._asked if isinstance(each.formula, Age) and each.name not in found]
        if farther:
            found |= self._ask([_question(figure, now, _FAR) for figure in farther], now)
        return found

    def _ask(self, questions: Sequence[Question], now: dt.datetime) -> Values:
        lines: list[dict[str, Any]] = []
        for question in questions:
            where = {"index": question.source.index, "ignore_unavailable": True, "allow_no_indices": True}
            lines += [where, formula_search.body(question, now=now)]
        with naming_outages():
            answers = self._client.msearch(body=lines)["responses"]
        found: Values = {}
        for question, answer in zip(questions, answers, strict=True):
            if answer.get("status") != 200 or answer["_shards"]["failed"]:
                raise Outage("OpenSearch: it cannot search all of its shards")
            (figure,) = question.figures
            rows = formula_search.read(question, answer.get("aggregations", {}), now=now)
            value = rows[0][figure.name] if rows else (0 if isinstance(figure.formula, Count) else None)
            if value is not None:
                found[figure.name] = float(value)
        return found


class Waiting:
    """How long what lies in the lake's bucket has waited for each store."""

    def __init__(self, chains: Chains, applications: Sequence[str], taking: Sequence[CommitDuty]) -> None:
        self._chains = chains
        self._applications = applications
        self._taking = taking

    def values(self, now: dt.datetime) -> Values:
        """Of the stores that have said what they hold."""
        places = [(each, shard) for each in self._applications for shard in self._chains.shards(each)]
        found: Values = {}
        for duty in self._taking:
            taken = duty.taken
            if taken is None:
                continue
            heads = (next(iter(self._chains.after(place, taken.get(place, START))), None) for place in places)
            arrived = [head.first_arrived_at for head in heads if head is not None]
            found[f"{duty.name}_backlog"] = max(0.0, (now - min(arrived)).total_seconds()) if arrived else 0.0
        return found


class HealthDuty:
    """Says what one store is asked. One duty a store: where it is away its figures are missing, and no other's."""

    def __init__(self, name: str, asked: Asked, sink: Sink, clock: Clock) -> None:
        self.name = name
        self._asked = asked
        self._sink = sink
        self._clock = clock

    def prepare(self) -> None:
        """Nothing."""

    def turn(self, check: Callable[[], None], stop: Stop) -> None:
        values = self._asked.values(self._clock.now())
        check()
        self._sink.put([Sample({}, {name: [value] for name, value in values.items()})], self._clock.now())

    def report(self) -> str:
        """Metrics say it."""
        return ""


def _question(figure: Figure, now: dt.datetime, back: dt.timedelta) -> Question:
    if isinstance(formula_of(figure), Age):
        return Question(figures=(figure,), start=now - back)
    return Question(figures=(figure,), start=now - _SETTLED - _MINUTE, end=now - _SETTLED)
