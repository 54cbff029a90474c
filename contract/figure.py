"""One figure: what it means, what it is computed by, and when it calls somebody."""

from dataclasses import dataclass
from typing import Literal

from contract.formula import Formula, Metric, Source, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """When a figure calls somebody. The page that says what to do is docs/runbooks/, named as the alarm is."""

    when: Literal["above", "below"]
    threshold: float  # in the figure's unit
    minutes: int  # in a row: one bad minute calls nobody
    pages: bool  # wakes somebody; else it can wait for the morning
    missing_is_bad: bool = False  # no data at all is the trouble itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure. What is computed over rows is so in every store that has them; the rest CloudWatch measures."""

    name: str
    title: str
    meaning: str
    unit: Unit
    formula: Formula
    dimensions: tuple[str, ...] = ()  # columns by which it may be grouped, beside time
    per_currency: bool = False  # of amounts, though its unit is no money: like money, never across currencies
    better: Literal["higher", "lower", ""] = ""  # empty: neither
    target: float | None = None
    alarm: Alarm | None = None
    kind: Literal["sales", "web", "quality", "health"]

    @property
    def by_currency(self) -> bool:
        """Whether it means nothing unless it is grouped by currency."""
        return self.per_currency or self.unit is Unit.MONEY

    @property
    def source(self) -> Source | None:
        """The rows that it is computed over; None where CloudWatch measures it."""
        return None if isinstance(self.formula, Metric) else self.formula.source

    @property
    def in_warehouse(self) -> bool:
        """Whether the warehouse can compute it."""
        return self.source is not None

    @property
    def in_live(self) -> bool:
        """Whether OpenSearch can compute it: its source has an index."""
        return self.source is not None and bool(self.source.index)
