"""What neither botocore nor CloudFormation's schema looks at: ids, columns, layout and QuickSight's own limits.

https://docs.aws.amazon.com/quicksight/latest/user/data-source-limits.html and .../working-with-visual-types have them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from dashboards.quicksight.definition import COLUMNS, fields_in
from dashboards.quicksight.resources import Resource
from dashboards.quicksight.visuals import Json

SHEETS, VISUALS, SQL_LETTERS, CALCULATED = 20, 75, 65_536, 500
_REFERENCE = re.compile(r"\{(\w+)\}")


def problems(made: Iterable[Resource]) -> list[str]:
    """Everything that QuickSight would refuse or not show, in words; empty if all is well."""
    resources = list(made)
    columns = {each.id: _columns(each) for each in resources if each.kind == "data-set"}
    found = [f"{name} twice" for name, times in Counter(each.name for each in resources).items() if times > 1]
    for each in resources:
        if each.kind == "data-set":
            found += [f"{each.name}: {text}" for text in _of_data_set(each, columns[each.id])]
        elif "Definition" in each.request:
            found += [f"{each.name}: {text}" for text in _of_definition(each.request["Definition"], columns)]
    return found


def _columns(data_set: Resource) -> list[str]:
    (table,) = data_set.request["PhysicalTableMap"].values()
    return [each["Name"] for each in table["CustomSql"]["Columns"]]


def _of_data_set(data_set: Resource, columns: list[str]) -> Iterator[str]:
    (table,) = data_set.request["PhysicalTableMap"].values()
    yield from (f"column {name} twice" for name in _twice(columns))
    if len(table["CustomSql"]["SqlQuery"]) > SQL_LETTERS:
        yield f"its SQL is longer than {SQL_LETTERS} letters"
    for (transform,) in (
        each.values() for each in data_set.request["LogicalTableMap"]["rows"].get("DataTransforms", [])
    ):
        if transform["ColumnName"] not in columns:
            yield f"a transform is of {transform['ColumnName']}, which its SQL lacks"
    for each in data_set.schedules:
        often = each["ScheduleFrequency"]["Interval"].startswith("MINUTE")
        if often and each["RefreshType"] != "INCREMENTAL_REFRESH":
            yield f"schedule {each['ScheduleId']}: more often than hourly is for incremental refreshes alone"
        if each["RefreshType"] == "INCREMENTAL_REFRESH" and not data_set.properties:
            yield f"schedule {each['ScheduleId']}: an incremental refresh needs a window"
    if data_set.properties:
        window = data_set.properties["RefreshConfiguration"]["IncrementalRefresh"]["LookbackWindow"]
        if window["ColumnName"] not in columns:
            yield f"its window is of {window['ColumnName']}, which its SQL lacks"


def _of_definition(definition: Json, columns: dict[str, list[str]]) -> Iterator[str]:
    known = {
        each["Identifier"]: columns.get(each["DataSetArn"].rpartition("/")[2])
        for each in definition["DataSetIdentifierDeclarations"]
    }
    yield from (f"data set {name} is not among what is deployed" for name, own in known.items() if own is None)
    calculated: dict[str, list[str]] = {}
    for each in definition["CalculatedFields"]:
        calculated.setdefault(each["DataSetIdentifier"], []).append(each["Name"])
    for name, fields in calculated.items():
        own = known.get(name) or []
        yield from (
            f"calculated field {field!r} twice in {name}" for field in _twice(field.lower() for field in fields)
        )
        hidden = {field.lower() for field in fields} & {column.lower() for column in own}
        yield from (f"calculated field {field!r} hides a column of {name}" for field in hidden)
    if len(definition["CalculatedFields"]) > CALCULATED:
        yield f"more than {CALCULATED} calculated fields"
    for each in definition["CalculatedFields"]:
        for column in _REFERENCE.findall(each["Expression"]):
            if column not in (known.get(each["DataSetIdentifier"]) or []):
                yield f"{each['Name']!r} is computed from {column}, which {each['DataSetIdentifier']} lacks"
    for data_set, column in dict.fromkeys(fields_in(definition)):
        if column not in (known.get(data_set) or []) and column not in calculated.get(data_set, []):
            yield f"a field is {column} of {data_set}, which has none"
    yield from _ids(definition)
    yield from _references(definition)
    for sheet in definition["Sheets"]:
        yield from (f"sheet {sheet['SheetId']}: {text}" for text in _of_sheet(sheet))
    if len(definition["Sheets"]) > SHEETS:
        yield f"more than {SHEETS} sheets"


def _ids(definition: Json) -> Iterator[str]:
    for key in ("SheetId", "VisualId", "FieldId", "FilterGroupId", "FilterId", "ParameterControlId", "SheetTextBoxId"):
        # What sorts, labels or scopes names an id that is given elsewhere.
        yield from (f"{key} {value!r} twice" for value in _twice(_given(definition, key)))


def _given(node: Any, key: str) -> Iterator[str]:
    if isinstance(node, dict):
        refers = {"Direction", "CustomLabel", "Scope"} & {*node} or {*node} == {"FieldId"}
        if key in node and not refers:
            yield node[key]
        for each in node.values():
            yield from _given(each, key)
    elif isinstance(node, list):
        for each in node:
            yield from _given(each, key)


def _references(definition: Json) -> Iterator[str]:
    visuals = {sheet["SheetId"]: {*_given(sheet["Visuals"], "VisualId")} for sheet in definition["Sheets"]}
    for group in definition["FilterGroups"]:
        for scope in group["ScopeConfiguration"]["SelectedSheets"]["SheetVisualScopingConfigurations"]:
            lost = {*scope["VisualIds"]} - visuals.get(scope["SheetId"], set())
            yield from (f"filter {group['FilterGroupId']} is for {name}, which is not there" for name in sorted(lost))
    declared = {told["Name"] for each in definition["ParameterDeclarations"] for told in each.values()}
    used = {*_values(definition, "SourceParameterName"), *_values(definition, "ParameterName")}
    used |= {*_values(definition["FilterGroups"], "Parameter")}
    yield from (f"parameter {name} is used and not declared" for name in sorted(used - declared))
    for sheet in definition["Sheets"]:
        for visual in sheet["Visuals"]:
            (told,) = visual.values()
            unknown = {*_values(told, "FieldId")} - {*_given(told["ChartConfiguration"]["FieldWells"], "FieldId")}
            yield from (f"{told['VisualId']} sorts or labels {name}, which it has not" for name in sorted(unknown))


def _values(node: Any, key: str) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get(key), str):
            yield node[key]
        for each in node.values():
            yield from _values(each, key)
    elif isinstance(node, list):
        for each in node:
            yield from _values(each, key)


def _of_sheet(sheet: Json) -> Iterator[str]:
    if len(sheet["Visuals"]) > VISUALS:
        yield f"more than {VISUALS} visuals"
    (layout,) = sheet["Layouts"]
    elements = layout["Configuration"]["GridLayout"]["Elements"]
    placed = [each["ElementId"] for each in elements]
    there = [*_given(sheet["Visuals"], "VisualId"), *(each["SheetTextBoxId"] for each in sheet["TextBoxes"])]
    yield from (f"{name} is placed twice" for name in _twice(placed))
    yield from (f"{name} has no place" for name in sorted({*there} - {*placed}))
    yield from (f"there is a place for {name}, which is not there" for name in sorted({*placed} - {*there}))
    taken: dict[tuple[int, int], str] = {}
    for each in elements:
        if each["ColumnIndex"] + each["ColumnSpan"] > COLUMNS:
            yield f"{each['ElementId']} ends past column {COLUMNS}"
        for row in range(each["RowIndex"], each["RowIndex"] + each["RowSpan"]):
            for column in range(each["ColumnIndex"], each["ColumnIndex"] + each["ColumnSpan"]):
                if (row, column) in taken and taken[row, column] != each["ElementId"]:
                    yield f"{each['ElementId']} lies over {taken[row, column]}"
                    return
                taken[row, column] = each["ElementId"]


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
