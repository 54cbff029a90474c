"""What a question's answer has to be, in plain Python: slow, and plain to see. The translators are measured by it."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from contract.formula import Age, Condition, Count, Is, Known, OverRows, Ratio, Source, Sum
from contract.formula_fields import field_of
from contract.question import BUCKET, Every, Question, formula_of

Row = Mapping[str, Any]


def evaluate(question: Question, rows: Iterable[Row], now: dt.datetime) -> list[dict[str, Any]]:
    """The answer over these rows of the source's relation, by column name; groups in any order."""
    time = question.source.time
    wanted = [
        row
        for row in rows
        if (question.start is None or row[time] >= question.start)
        and (question.end is None or row[time] < question.end)
    ]
    zone = ZoneInfo(question.zone)
    grouped: dict[tuple[Any, ...], list[Row]] = {}
    for row in wanted:
        key = [row.get(name) for name in question.groups]
        if question.every:
            key.append(begin_of(row[time], question.every, zone))
        grouped.setdefault(tuple(key), []).append(row)
    names = [*question.groups, *([BUCKET] if question.every else [])]
    if not names:
        grouped.setdefault((), [])
    return [
        {
            **dict(zip(names, key, strict=True)),
            **{figure.name: value_of(formula_of(figure), same, now) for figure in question.figures},
        }
        for key, same in grouped.items()
    ]


def value_of(formula: OverRows, rows: Sequence[Row], now: dt.datetime) -> int | float | None:
    """The formula over rows; None where it is unknown."""
    if isinstance(formula, Ratio):
        top, bottom = value_of(formula.top, rows, now), value_of(formula.bottom, rows, now)
        return top / bottom if top is not None and bottom else None
    if isinstance(formula, Age):
        past = [row[formula.column] for row in rows if row[formula.column] and row[formula.column] <= now]
        return int(now.timestamp() // 1) - int(max(past).timestamp() // 1) if past else None
    met = [row for row in rows if all(meets(formula.source, row, each) for each in formula.where)]
    if isinstance(formula, Count):
        return len(met)
    values = [row[formula.column] for row in met if row.get(formula.column) is not None]
    return sum(values) if isinstance(formula, Sum) else len({*values})


def meets(source: Source, row: Row, condition: Condition) -> bool:
    """Whether the row meets the condition. A list is one text in the warehouse, joined by commas."""
    value = row.get(condition.column)
    if field_of(source.row, condition.column).is_list:
        elements = [each for each in (value or "").split(",") if each]
        return (
            any(each in condition.values for each in elements)
            if isinstance(condition, Is)
            else (bool(elements) is isinstance(condition, Known))
        )
    if isinstance(condition, Is):
        return value is not None and value in condition.values
    return (value is not None) is isinstance(condition, Known)


def begin_of(time: dt.datetime, every: Every, zone: ZoneInfo) -> dt.datetime:
    """When the bucket of a time began, in UTC."""
    local = time.astimezone(zone)
    if every is Every.MINUTE:
        return time.replace(second=0, microsecond=0)
    if every is Every.HOUR:
        return time.replace(second=0, microsecond=0) - dt.timedelta(minutes=local.minute)
    day = local.date()
    if every is Every.WEEK:
        day -= dt.timedelta(days=day.weekday())
    if every is Every.MONTH:
        day = day.replace(day=1)
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
