"""What the sheets show, by figure: the list's own, and what follows from it for a chart.

A step of the funnel, an hour beside what is usual in it: the same formulas over rows that one chart can draw.
"""

import dataclasses

import msgspec

from contract.figure import Figure
from contract.figures import FIGURES, HITS, HOURS, REGION_HOURS, figure
from contract.formula import Count, Distinct, Is, Ratio, Source, Sum
from contract.formula_sql import condition
from contract.question import formula_of

_STEPS = ("visits", "visits_product", "visits_cart", "visits_checkout")


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session that came to a step of the funnel on a day."""

    step: str
    event_date: str
    session: str
    device: str | None = None


def _step(place: int, name: str) -> str:
    of = figure(name)
    distinct = formula_of(of)
    if not isinstance(distinct, Distinct) or distinct.source != HITS:
        raise ValueError(f"{name} is no step of a funnel: it does not count different {HITS.name}")
    conditions = [f"{distinct.column} IS NOT NULL", *(condition(HITS, each) for each in distinct.where)]
    return (
        f"SELECT DISTINCT CAST('{place} {of.title}' AS VARCHAR(64)) AS step, event_date,"
        f" {distinct.column} AS session, device FROM {HITS.relation} WHERE {' AND '.join(conditions)}"
    )


STEPS = Source(
    name="steps",
    relation=f"({' UNION ALL '.join(_step(place, name) for place, name in enumerate(_STEPS, start=1))}) steps",
    row=StepRow,
    time="event_date",
    day="event_date",
)
AT_STEP = dataclasses.replace(
    figure("visits"),
    name="visits_at_step",
    title="Visits at a step",
    meaning="Visits that came to the step of the funnel.",
    formula=Distinct(source=STEPS, column="session"),
    dimensions=("step", "device"),
)


def _of_hours(name: str, title: str, hours: Source) -> Figure:
    """A figure as `hours` has it: the same formula, hour by hour."""
    return dataclasses.replace(
        figure(name),
        name=f"{hours.name}_{name}",
        title=title,
        formula=Sum(source=hours, column="amount", where=(Is("measure", (name,)),)),
        dimensions=("currency", "region") if hours is REGION_HOURS else ("currency",),
    )


def _of_regions(name: str, title: str) -> Figure:
    """A figure over hours, over hours of regions."""
    of = figure(name)
    formula = formula_of(of)
    if not isinstance(formula, Ratio):
        raise ValueError(f"{name} is no ratio")
    return dataclasses.replace(
        of,
        name=f"region_{name}",
        title=title,
        formula=Ratio(top=_moved(formula.top), bottom=_moved(formula.bottom)),
        dimensions=("currency", "region"),
    )


def _moved(part: Count | Sum | Distinct) -> Count | Sum | Distinct:
    return dataclasses.replace(part, source=REGION_HOURS)


FIELDS: dict[str, Figure] = {
    each.name: each
    for each in (
        *(each for each in FIGURES if each.in_warehouse),
        AT_STEP,
        _of_hours("revenue", "Revenue by the hour", HOURS),
        _of_hours("sales", "Orders by the hour", HOURS),
        _of_hours("revenue", "Revenue of regions by the hour", REGION_HOURS),
        _of_hours("sales", "Orders of regions by the hour", REGION_HOURS),
        _of_regions("revenue_to_usual", "Regions' revenue against usual"),
        _of_regions("sales_to_usual", "Regions' orders against usual"),
    )
}


def source_of(name: str) -> Source:
    """The rows of a field. Raises KeyError."""
    return formula_of(FIELDS[name]).source
