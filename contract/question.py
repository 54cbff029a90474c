"""What is asked of figures: which ones, of what time, and by what. Each store answers the same question."""

import datetime as dt
from dataclasses import dataclass
from enum import Enum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contract.figure import Figure
from contract.formula import Metric, OverRows, Source

CURRENCY = "currency"
BUCKET = "started_at"  # column of an answer: when its bucket of time began


class Every(Enum):
    """Buckets of time. Days and longer ones begin at midnight of the zone, weeks on Monday."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Figures over the same rows. Money is always by currency, asked for or not.

    Raises ValueError for figures of different rows, one that is measured rather than computed, a dimension that a
    figure does not have or that is named twice, a bound without a time zone, and a zone that is none.
    """

    figures: tuple[Figure, ...]
    by: tuple[str, ...] = ()  # dimensions, and the source's day
    start: dt.datetime | None = None  # in; aware
    end: dt.datetime | None = None  # out; aware
    every: Every | None = None
    zone: str = "UTC"  # the shop's: IANA name

    def __post_init__(self) -> None:
        formulas = [formula_of(figure) for figure in self.figures]
        if len({(each.source.relation, each.source.time) for each in formulas}) != 1:
            raise ValueError(f"not computed over the same rows: {', '.join(each.name for each in self.figures)}")
        for figure in self.figures:
            for dimension in self.by:
                if dimension not in (*figure.dimensions, self.source.day, CURRENCY if figure.by_currency else ""):
                    raise ValueError(f"{figure.name} has no dimension {dimension!r}; it has {figure.dimensions}")
        if len({*self.by}) != len(self.by):
            raise ValueError(f"asked by the same dimension twice: {', '.join(self.by)}")
        if any(bound is not None and bound.utcoffset() is None for bound in (self.start, self.end)):
            raise ValueError("a period's bounds have a time zone")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{self.zone!r} is no IANA time zone such as Europe/London") from None

    @property
    def source(self) -> Source:
        """The rows."""
        return formula_of(self.figures[0]).source

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns by which an answer is grouped, its time apart."""
        added = [CURRENCY] if CURRENCY not in self.by and any(figure.by_currency for figure in self.figures) else []
        return (*added, *self.by)


def formula_of(figure: Figure) -> OverRows:
    """Raises ValueError for a figure that CloudWatch measures."""
    if isinstance(figure.formula, Metric):
        raise ValueError(f"{figure.name} is measured by CloudWatch: no store computes it")
    return figure.formula
