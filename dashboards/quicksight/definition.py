"""A whole definition: sheets with their layout, calculated fields, parameters and filters."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from contract.formula import Unit
from contract.question import formula_of
from dashboards.quicksight.datasets import DAY, SETS, TODAY, DataSet
from dashboards.quicksight.expression import by_currency, expression
from dashboards.quicksight.fields import FIELDS
from dashboards.quicksight.sheets import Row, Sheet
from dashboards.quicksight.visuals import CURRENCY, Json, Visual

FROM, TO = "From", "To"  # parameters: the first and the last day shown
COLUMNS = 36  # of QuickSight's grid


def definition(sheets: Sequence[Sheet], arns: Mapping[str, str], currency: str) -> Json:
    """For CreateAnalysis and CreateDashboard alike. `arns`: of data sets, by name."""
    used = _used(sheets)
    return {
        "DataSetIdentifierDeclarations": [{"Identifier": each.name, "DataSetArn": arns[each.name]} for each in used],
        "CalculatedFields": [field for each in used for field in _calculated(each, sheets)],
        "ParameterDeclarations": _parameters(currency),
        "FilterGroups": list(_filter_groups(sheets)),
        "Sheets": [_sheet(each) for each in sheets],
        "Options": {"WeekStart": "MONDAY"},
    }


def fields_in(node: Any) -> Iterable[tuple[str, str]]:
    """Data set and column of every field that JSON names, in order, some of them repeatedly."""
    if isinstance(node, dict):
        if {*node} == {"DataSetIdentifier", "ColumnName"}:
            yield node["DataSetIdentifier"], node["ColumnName"]
        for each in node.values():
            yield from fields_in(each)
    elif isinstance(node, list):
        for each in node:
            yield from fields_in(each)


def _used(sheets: Sequence[Sheet]) -> list[DataSet]:
    names = {visual.data_set.name for sheet in sheets for visual in sheet.visuals}
    return [each for each in SETS if each.name in names]


def _calculated(data_set: DataSet, sheets: Sequence[Sheet]) -> Iterable[Json]:
    shown = {field for sheet in sheets for visual in sheet.visuals for field in fields_in(visual.json)}
    for figure in FIELDS.values():
        if data_set.holds(figure) and (data_set.name, figure.title) in shown:
            text = expression(formula_of(figure))
            if figure.by_currency:
                text = by_currency(text, money=figure.unit is Unit.MONEY)
            yield {"DataSetIdentifier": data_set.name, "Name": figure.title, "Expression": text}


def _parameters(currency: str) -> list[Json]:
    def day(name: str, expression: str) -> Json:
        rolling = {"RollingDate": {"Expression": expression}}
        return {"DateTimeParameterDeclaration": {"Name": name, "TimeGranularity": "DAY", "DefaultValues": rolling}}

    chosen = {"ParameterValueType": "SINGLE_VALUED", "Name": CURRENCY, "DefaultValues": {"StaticValues": [currency]}}
    return [
        {"StringParameterDeclaration": chosen},
        day(FROM, "addDateTime(-29, 'DD', truncDate('DD', now()))"),
        day(TO, "truncDate('DD', now())"),
    ]


def _filter_groups(sheets: Sequence[Sheet]) -> Iterable[Json]:
    """A group for a data set and a condition; its scope are the visuals that say so."""
    for data_set in _used(sheets):

        def column(name: str, of: str = data_set.name) -> Json:
            return {"DataSetIdentifier": of, "ColumnName": name}

        if data_set.has_currency:
            same = {"MatchOperator": "EQUALS", "ParameterName": CURRENCY, "NullOption": "NON_NULLS_ONLY"}
            wanted = {"Column": column("currency"), "Configuration": {"CustomFilterConfiguration": same}}
            yield from _group(f"currency-{data_set.name}", "CategoryFilter", wanted, sheets, data_set, None)
        between: Json = {"Column": column(DAY), "NullOption": "NON_NULLS_ONLY", "TimeGranularity": "DAY"}
        between |= {"RangeMinimumValue": {"Parameter": FROM}, "RangeMaximumValue": {"Parameter": TO}}
        between |= {"IncludeMinimum": True, "IncludeMaximum": True}
        yield from _group(f"period-{data_set.name}", "TimeRangeFilter", between, sheets, data_set, "chosen")
        today = {"Column": column(TODAY), "MatchOperator": "EQUALS", "Value": 1.0, "NullOption": "NON_NULLS_ONLY"}
        yield from _group(f"today-{data_set.name}", "NumericEqualityFilter", today, sheets, data_set, "today")


def _group(
    name: str, kind: str, told: Json, sheets: Sequence[Sheet], data_set: DataSet, period: str | None
) -> Iterable[Json]:
    def meant(visual: Visual) -> bool:
        return visual.data_set == data_set and period in (None, visual.period)

    scopes = [
        {"SheetId": sheet.name, "Scope": "SELECTED_VISUALS", "VisualIds": ids}
        for sheet in sheets
        if (ids := [visual.id for visual in sheet.visuals if meant(visual)])
    ]
    if scopes:
        yield {
            "FilterGroupId": name.replace("_", "-"),
            "Filters": [{kind: {"FilterId": f"{name.replace('_', '-')}-1", **told}}],
            "ScopeConfiguration": {"SelectedSheets": {"SheetVisualScopingConfigurations": scopes}},
            "Status": "ENABLED",
            "CrossDataset": "SINGLE_DATASET",
        }


def _sheet(sheet: Sheet) -> Json:
    elements: list[Json] = [_element(f"{sheet.name}-question", "TEXT_BOX", 0, COLUMNS, 0, 2)]
    top = 2
    for row in sheet.rows:
        left = 0
        for visual, width in zip(row.visuals, _widths(row), strict=True):
            elements.append(_element(visual.id, "VISUAL", left, width, top, row.height))
            left += width
        top += row.height
    canvas = {"ScreenCanvasSizeOptions": {"ResizeOption": "FIXED", "OptimizedViewPortWidth": "1600px"}}
    return {
        "SheetId": sheet.name,
        "Name": sheet.title,
        "Description": sheet.question,
        "ContentType": "INTERACTIVE",
        "ParameterControls": _controls(sheet),
        "TextBoxes": [{"SheetTextBoxId": f"{sheet.name}-question", "Content": _text(sheet.question)}],
        "Visuals": [visual.json for visual in sheet.visuals],
        "Layouts": [{"Configuration": {"GridLayout": {"Elements": elements, "CanvasSizeOptions": canvas}}}],
    }


def _text(text: str) -> str:
    return f'<text-box><inline font-size="16px">{text}</inline></text-box>'


def _controls(sheet: Sheet) -> list[Json]:
    """Of the parameters that the sheet's visuals follow."""
    controls: list[Json] = []
    amounts = [visual.data_set.name for visual in sheet.visuals if visual.data_set.has_currency]
    if amounts:
        values = {"LinkToDataSetColumn": {"DataSetIdentifier": amounts[0], "ColumnName": "currency"}}
        told = {"ParameterControlId": f"{sheet.name}-currency", "Title": "Currency", "SourceParameterName": CURRENCY}
        controls.append({"Dropdown": {**told, "Type": "SINGLE_SELECT", "SelectableValues": values}})
    if any(visual.period == "chosen" for visual in sheet.visuals):
        for name in (FROM, TO):
            told = {"ParameterControlId": f"{sheet.name}-{name.lower()}", "Title": name, "SourceParameterName": name}
            controls.append({"DateTimePicker": {**told, "DisplayOptions": {"DateTimeFormat": "YYYY-MM-DD"}}})
    return controls


def _widths(row: Row) -> Sequence[int]:
    return row.widths or [COLUMNS // len(row.visuals)] * len(row.visuals)


def _element(element: str, kind: str, left: int, width: int, top: int, height: int) -> Json:
    across = {"ColumnIndex": left, "ColumnSpan": width}
    return {"ElementId": element, "ElementType": kind, **across, "RowIndex": top, "RowSpan": height}
