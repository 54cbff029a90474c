"""docs/figures.md, and the same for machines, made of the list of figures itself."""

import re
from typing import Any

import msgspec

from contract import figures, formula_search
from contract.figure import Alarm, Figure
from contract.formula import Metric, OverRows, Source, Unit
from contract.formula_sql import expression

_HEAD = """\
# Figures

Every figure has one definition, in `contract/figures.py`: the board, QuickSight, OpenSearch Dashboards, CloudWatch and
this page are made of it. *Warehouse* says what it is in Redshift, *live* what it is over the documents in OpenSearch;
both come to the same over the same rows, which a test shows for each figure and each dimension. Counts of different
values are exact in the warehouse; live's are off by about 1 % where there are more than 40,000 of them.

Money is in minor units of its currency and always by currency. Periods are cut by a row's own time, days in the shop's
time zone.

`python -m dashboards figures [--json]` prints this page.
"""
_CLAUSES = re.compile(r" (FROM|CROSS JOIN|LEFT JOIN|JOIN|WHERE|GROUP BY|UNION ALL) ")
_KINDS = {"sales": "Sales", "web": "Web", "quality": "Data quality", "health": "Health"}
_BETTER = {"higher": "more is better", "lower": "less is better", "": ""}


def page() -> str:
    """The page, as Markdown."""
    parts = [_HEAD]
    for kind, title in _KINDS.items():
        own = [each for each in figures.FIGURES if each.kind == kind]
        parts += [f"## {title}\n", *map(_section, own)] if own else []
    derived = {each.source.name: each.source for each in figures.FIGURES if each.source and _is_derived(each.source)}
    parts += [
        "## Rows that the warehouse derives\n\n`{zone}` is the shop's time zone.\n",
        *map(_rows, derived.values()),
    ]
    return "\n".join(parts)


def document() -> dict[str, Any]:
    """The list as JSON: fields may be added, none changes its meaning."""
    return {"version": 1, "figures": [_entry(figure) for figure in figures.FIGURES]}


def _section(figure: Figure) -> str:
    unit = figure.unit.value + (", always by currency" if figure.by_currency else "")
    head = [f"**{figure.title}**", unit, _BETTER[figure.better]]
    target = [] if figure.target is None else [f"target {_number(figure.target)}"]
    lines = [f"### {figure.name}\n", ", ".join([*filter(None, head), *target]) + f".\n\n{figure.meaning}\n"]
    if figure.dimensions:
        lines.append(f"- by {', '.join(figure.dimensions)}")
    lines += [f"- {where}" for where in _places(figure)]
    if figure.alarm:
        lines.append(f"- alarm {_alarm(figure.alarm, figure.unit)}")
    return "\n".join(lines) + "\n"


def _places(figure: Figure) -> list[str]:
    formula = figure.formula
    if isinstance(formula, Metric):
        own = "".join(f", {name} = {value}" for name, value in formula.dimensions)
        return [f"CloudWatch: {formula.statistic} of `{formula.namespace}` `{formula.name}`{own}"]
    places = [f"warehouse: `{expression(formula)}` of `{_name(formula.source)}`"]
    live = (
        f"`{_json(_live(figure.name, formula))}` of `{formula.source.index}`" if figure.in_live else "no such documents"
    )
    return [*places, f"live: {live}"]


def _live(name: str, formula: OverRows) -> dict[str, Any]:
    own = {"filter": conditions} if (conditions := formula_search.of_source(formula.source)) else {}
    return {**own, "aggs": formula_search.measures(name, formula)}


def _rows(source: Source) -> str:
    text = _CLAUSES.sub(r"\n\1 ", source.relation)
    return f"### {source.name}\n\n```sql\n{text}\n```\n"


def _is_derived(source: Source) -> bool:
    return source.relation.startswith("(")


def _name(source: Source) -> str:
    return source.name if _is_derived(source) else source.relation


def _alarm(alarm: Alarm, unit: Unit) -> str:
    missing = ", or there is no data" if alarm.missing_is_bad else ""
    reaction = "pages somebody" if alarm.pages else "waits for the morning"
    number = (
        f"{_number(alarm.threshold)} {unit.value}" if unit in (Unit.SECONDS, Unit.PERCENT) else _number(alarm.threshold)
    )
    return f"when {alarm.when} {number} for {alarm.minutes} minutes{missing}; {reaction}"


def _number(value: float) -> str:
    return f"{value:g}"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _entry(figure: Figure) -> dict[str, Any]:
    formula = figure.formula
    entry: dict[str, Any] = {
        "name": figure.name,
        "title": figure.title,
        "meaning": figure.meaning,
        "kind": figure.kind,
        "unit": figure.unit.value,
        "dimensions": list(figure.dimensions),
        "by_currency": figure.by_currency,
        "better": figure.better,
        "target": figure.target,
        "alarm": None,
        "warehouse": None,
        "live": None,
        "cloudwatch": None,
    }
    if figure.alarm:
        alarm = figure.alarm
        entry["alarm"] = {name: getattr(alarm, name) for name in alarm.__dataclass_fields__}
    if isinstance(formula, Metric):
        entry["cloudwatch"] = {
            "namespace": formula.namespace,
            "name": formula.name,
            "statistic": formula.statistic,
            "dimensions": dict(formula.dimensions),
        }
        return entry
    entry["warehouse"] = {
        "relation": formula.source.relation,
        "time": formula.source.time,
        "day": formula.source.day,
        "expression": expression(formula),
    }
    if figure.in_live:
        entry["live"] = {"index": formula.source.index, "time": formula.source.time, **_live(figure.name, formula)}
    return entry
