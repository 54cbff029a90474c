"""Answers as a page shows them: labelled, ordered, and written as the definition's formats say."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.preview.questions import Question, Well
from dashboards.quicksight.visuals import Json, heading_of

_TAG = re.compile(r"<[^>]*>")
_ORDINAL = re.compile(r"\d+ (?=\D)")  # that a text is sorted by
UNKNOWN = "unknown"


def title_of(visual: Json, values: Mapping[str, Any]) -> str:
    """A visual's title, its parameters filled in."""
    (told,) = visual.values()
    text = told["Title"]["FormatText"]
    plain = text.get("PlainText") or _TAG.sub("", text["RichText"])
    for name, value in values.items():
        plain = plain.replace(f"${{{name}}}", str(value))
    return plain


def written(value: float | int | None, well: Well) -> str:
    """A measure for a reader."""
    ((kind, told),) = (well.format or {}).items()
    if value is None:
        return str(told["NullValueFormatConfiguration"]["NullString"])
    digits = told["DecimalPlacesConfiguration"]["DecimalPlaces"]
    if kind == "PercentageDisplayFormatConfiguration":
        return f"{value * 100:,.{digits}f} %"
    return f"{value:,.{digits}f}{told.get('Suffix', '')}"


def label(value: Any, well: Well) -> str:
    """A dimension's value for a reader."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, dt.date | dt.datetime):
        return f"{value:%b %Y}" if well.granularity == "MONTH" else f"{value.day} {value:%b %Y}"
    text = str(value)
    return _ORDINAL.sub("", text, count=1) if well.column in {"month", "weekday", "step"} else text


def ordered(visual: Json, question: Question, rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """As the visual sorts them, and no more of them than it shows."""
    (told,) = visual.values()
    chart = told["ChartConfiguration"]
    places = {well.field_id: place for place, well in enumerate(question.wells)}
    found = list(rows)
    dimensions = [place for place, well in enumerate(question.wells) if well.figure is None]
    found.sort(key=lambda row: [_key(row[place]) for place in dimensions])
    for sort in reversed(_sorts(chart.get("SortConfiguration", {}))):  # the first one decides
        found.sort(key=lambda row: _key(row[places[sort["FieldId"]]]), reverse=sort["Direction"] == "DESC")
    limit = chart.get("SortConfiguration", {}).get("CategoryItemsLimit", {}).get("ItemsLimit")
    return found[:limit] if limit else found


def drawn(visual: Json, question: Question, rows: Sequence[Sequence[Any]], values: Mapping[str, Any]) -> Json:
    """All that the page needs of one visual."""
    ((kind, told),) = visual.items()
    return {
        "id": told["VisualId"],
        "kind": kind.removesuffix("Visual"),
        "title": title_of(visual, values),
        "meaning": told["VisualContentAltText"],
        "lying": told["ChartConfiguration"].get("Orientation") == "HORIZONTAL",
        "stacked": told["ChartConfiguration"].get("BarsArrangement") == "STACKED",
        "wells": [
            {
                "role": well.role,
                "label": _heading(well),
                "measure": well.figure is not None,
                "place": well.column == "region",
                "share": "PercentageDisplayFormatConfiguration" in (well.format or {}),
            }
            for well in question.wells
        ],
        "rows": [
            [
                {"value": _plain(value), "text": written(value, well)} if well.figure else {"text": label(value, well)}
                for value, well in zip(row, question.wells, strict=True)
            ]
            for row in ordered(visual, question, rows)
        ],
    }


def _heading(well: Well) -> str:
    if well.figure:
        return well.figure.title
    return well.granularity.capitalize() or heading_of(well.column)


def _sorts(told: Json) -> list[Json]:
    return [each["FieldSort"] for name, sorts in told.items() if name.endswith("Sort") for each in sorts]


def _key(value: Any) -> tuple[bool, Any]:
    """Nulls before all else, so that they end up last where the largest come first."""
    return (value is not None, value if value is not None else 0)


def _plain(value: Any) -> float | int | None:
    return None if value is None else float(value)
