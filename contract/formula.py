"""What a figure is computed by: a small algebra over rows, which each store and each tool says in its own words.

Translators: `contract.formula_sql` for the warehouse, `contract.formula_search` for the live documents, and one in each
tool of `dashboards`. A formula that a tool cannot say is an error there, never another figure under the same name.
"""

from dataclasses import dataclass
from enum import Enum

import msgspec


@dataclass(frozen=True, slots=True)
class Is:
    """The column has one of `values`; for a list of text, one of its elements has."""

    column: str
    values: tuple[str | int | bool, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """The column is not null."""

    column: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The column is null."""

    column: str


Condition = Is | Known | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows that figures are computed over: in the warehouse a relation, in OpenSearch documents.

    `document` and `within`: where rows are elements of one of the document's fields; what `element` lacks of their
    columns and the document has for them is `shared`. `live_only`: what a document must meet beside, where the relation
    says it by itself.
    """

    name: str
    relation: str  # a table or view of the warehouse
    row: type[msgspec.Struct]  # the relation's columns
    time: str  # UTC, by which a period is cut
    day: str  # in the shop's time zone where the rows have such a day
    index: str = ""  # pattern of the indices; empty: live has none of this
    document: type[msgspec.Struct] | None = None  # None: the documents are the rows
    within: str = ""
    element: type[msgspec.Struct] | None = None
    shared: tuple[str, ...] = ()
    live_only: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many rows meet all of `where`."""

    source: Source
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A column added up over the rows that meet all of `where`."""

    source: Source
    column: str
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """How many different values a column has among the rows that meet all of `where`; null is none.

    OpenSearch answers within about 1 % where there are more than 40,000 of them.
    """

    source: Source
    column: str
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One figure of a source by another of the same; unknown where the latter is 0."""

    top: Count | Sum | Distinct
    bottom: Count | Sum | Distinct

    def __post_init__(self) -> None:
        if self.top.source != self.bottom.source:
            raise ValueError("both parts of a ratio are computed over the same rows")

    @property
    def source(self) -> Source:
        """Of both."""
        return self.top.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """Seconds of the clock from the newest time in a column until now; times in the future are left out."""

    source: Source
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What CloudWatch has: a process's own or AWS's. `dimensions` as templates, filled in where it is deployed."""

    namespace: str
    name: str
    statistic: str  # Sum, Maximum, p95, ...
    dimensions: tuple[tuple[str, str], ...] = ()
    scale: float = 1.0  # the figure's unit by CloudWatch's: 0.001 makes seconds of its milliseconds
    minus: str = ""  # a metric of the same dimensions that is taken away: what is wanted less what runs
    period_s: int = 60  # longer where CloudWatch has it more seldom


OverRows = Count | Sum | Distinct | Ratio | Age
Formula = OverRows | Metric


class Unit(Enum):
    """What a figure's number says."""

    MONEY = "minor units of its currency"  # always by currency: never added across
    COUNT = "count"
    SHARE = "share"  # 0 to 1
    SECONDS = "s"
    BYTES = "bytes"
    PERCENT = "%"
    HOURS = "RPU-hours"
