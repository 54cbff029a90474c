"""A visual of a definition as a statement for the warehouse: its wells are what is selected, its filters the rows."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contract.figure import Figure
from contract.formula import Unit
from contract.formula_sql import expression, literal
from contract.question import formula_of
from dashboards.quicksight.datasets import as_rows, by_name
from dashboards.quicksight.expression import MINOR_UNITS
from dashboards.quicksight.fields import FIELDS
from dashboards.quicksight.settings import QuickSightSettings
from dashboards.quicksight.visuals import Json

_ROLLING = re.compile(r"(?:addDateTime\((-?\d+), 'DD', )?truncDate\('DD', now\(\)\)\)?")
_DIMENSIONS = ("DateDimensionField", "CategoricalDimensionField")


@dataclass(frozen=True, slots=True, kw_only=True)
class Well:
    """A field of a visual. `role`: the name of the well that it is in, such as Category or LineValues."""

    role: str
    field_id: str
    data_set: str
    column: str
    granularity: str = ""
    format: Json | None = None  # of a measure
    figure: Figure | None = None  # of a measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one visual asks. Columns of its answer are c0, c1, ... in the order of `wells`."""

    wells: Sequence[Well]
    text: str


def parameters(definition: Json, today: dt.date, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name: what is chosen, else the defaults. Raises ValueError for a default of another form."""
    found: dict[str, Any] = {}
    for declared in definition["ParameterDeclarations"]:
        (told,) = declared.values()
        defaults = told["DefaultValues"]
        if "RollingDate" in defaults:
            rolling = _ROLLING.fullmatch(defaults["RollingDate"]["Expression"])
            if not rolling:
                raise ValueError(f"{told['Name']} rolls by an expression that the preview does not read")
            found[told["Name"]] = today + dt.timedelta(days=int(rolling[1] or 0))
        else:
            (found[told["Name"]],) = defaults["StaticValues"]
    return found | {name: value for name, value in chosen.items() if value is not None}


def question(visual: Json, definition: Json, values: Mapping[str, Any], settings: QuickSightSettings) -> Question:
    """Raises ValueError for a visual or filter of a kind that the preview does not know."""
    (told,) = visual.values()
    wells = list(_wells(told["ChartConfiguration"]["FieldWells"], "", settings))
    (data_set,) = {by_name()[well.data_set].name for well in wells}
    columns = [f"{_column(well)} AS c{place}" for place, well in enumerate(wells)]
    where = [text for each in _filters(definition, told["VisualId"]) for text in _conditions(each, values)]
    groups = [str(place + 1) for place, well in enumerate(wells) if well.figure is None]
    text = f"SELECT {', '.join(columns)} FROM {as_rows(by_name()[data_set], settings)} shown"
    text += f" WHERE {' AND '.join(where)}" if where else ""
    text += f" GROUP BY {', '.join(groups)}" if groups else ""
    return Question(wells=wells, text=text)


def _wells(node: Any, role: str, settings: QuickSightSettings) -> Iterator[Well]:
    for name, value in node.items():
        if name.endswith("FieldWells"):
            yield from _wells(value, role, settings)
            continue
        for field in value:
            ((kind, told),) = field.items()
            column = told["Column"]
            common = {"role": name, "field_id": told["FieldId"], "data_set": column["DataSetIdentifier"]}
            if kind == "NumericalMeasureField":
                shown = told["FormatConfiguration"]["FormatConfiguration"]
                figure = _figure(column["DataSetIdentifier"], column["ColumnName"])
                yield Well(**common, column=column["ColumnName"], format=shown, figure=figure)
            elif kind in _DIMENSIONS:
                yield Well(**common, column=column["ColumnName"], granularity=told.get("DateGranularity", ""))
            else:
                raise ValueError(f"the preview does not know a {kind}")


def _figure(data_set: str, title: str) -> Figure:
    for each in FIELDS.values():
        if each.title == title and by_name()[data_set].holds(each):
            return each
    raise ValueError(f"no figure is called {title!r}")


def _column(well: Well) -> str:
    if well.figure is None:
        return f"DATE_TRUNC('{well.granularity.lower()}', {well.column})" if well.granularity else well.column
    text = expression(formula_of(well.figure))
    if not well.figure.by_currency:
        return text
    whole = f"CAST({text} AS DOUBLE PRECISION) / MAX({MINOR_UNITS})" if well.figure.unit is Unit.MONEY else text
    return f"CASE WHEN COUNT(DISTINCT currency) = 1 THEN {whole} END"


def _filters(definition: Json, visual: str) -> Iterator[Json]:
    for group in definition["FilterGroups"]:
        scopes = group["ScopeConfiguration"]["SelectedSheets"]["SheetVisualScopingConfigurations"]
        if group["Status"] == "ENABLED" and any(visual in scope["VisualIds"] for scope in scopes):
            yield from group["Filters"]


def _conditions(each: Json, values: Mapping[str, Any]) -> Iterator[str]:
    ((kind, told),) = each.items()
    column = told["Column"]["ColumnName"]
    if kind == "CategoryFilter":
        wanted = values[told["Configuration"]["CustomFilterConfiguration"]["ParameterName"]]
        yield f"{column} = {literal(str(wanted))}"
    elif kind == "NumericEqualityFilter":
        yield f"{column} = {int(told['Value'])}"
    elif kind == "TimeRangeFilter":
        first, last = (values[told[name]["Parameter"]] for name in ("RangeMinimumValue", "RangeMaximumValue"))
        yield f"{column} >= DATE {literal(first.isoformat())}"
        yield f"{column} <= DATE {literal(last.isoformat())}"
    else:
        raise ValueError(f"the preview does not know a {kind}")
