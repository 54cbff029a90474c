"""The file of saved objects, held against our own rules, and against what live writes."""

import copy
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from consumers.sinks.opensearch.mappings import templates
from contract import figures
from contract.figures import SALES
from contract.formula import Count, Is
from dashboards.opensearch import patterns
from dashboards.opensearch.checks import faults
from dashboards.opensearch.objects import all_views, saved_objects
from dashboards.opensearch.saved import Json, ndjson, read_ndjson

pytestmark = pytest.mark.unit


def objects() -> list[Json]:
    return read_ndjson(ndjson(saved_objects()))


def find(kind: str, name: str, among: list[Json]) -> Json:
    (found,) = (each for each in among if each["type"] == kind and each["id"] == f"storepulse-{name}")
    return found


def test_nothing_is_wrong_and_every_figure_of_live_is_there() -> None:
    found = objects()
    assert faults(found) == []
    ids = {each["id"] for each in found}
    for figure in figures.FIGURES:
        assert (f"storepulse-{figure.name}-number".replace("_", "-") in ids) == figure.in_live
    assert {each["id"] for each in found if each["type"] == "dashboard"} == {
        f"storepulse-dashboard-{name}" for name in ("sales", "web", "quality")
    }
    shown = {ref["id"] for each in found if each["type"] == "dashboard" for ref in each["references"]}
    assert shown == {view.id for view in all_views()}


def test_the_same_list_makes_the_same_file() -> None:
    assert ndjson(saved_objects()) == ndjson(saved_objects())


def test_the_fields_are_those_of_the_index_templates() -> None:
    for name, template in templates(refresh_ms=500, replicas="0-1").items():
        index = template["index_patterns"][0]
        mapped = dict(flat("", template["template"]["mappings"]["properties"]))
        mine = {field["name"]: field for field in patterns.fields(index) if not field["name"].startswith("_")}
        assert mine.keys() == mapped.keys(), name
        for path, mapping in mapped.items():
            assert mine[path]["esTypes"] == [mapping["type"]], path
            assert mine[path]["searchable"] == mapping.get("index", True), path
            assert mine[path]["aggregatable"] == mapping.get("doc_values", True), path
            assert mine[path].get("subType") == ({"nested": {"path": "lines"}} if path[:6] == "lines." else None)


def flat(prefix: str, properties: Json) -> Any:
    for name, mapping in properties.items():
        if "properties" in mapping:
            yield from flat(f"{prefix}{name}.", mapping["properties"])
        else:
            yield prefix + name, mapping


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda o: o.remove(find("visualization", "sales-number", o)), "needs visualization storepulse-sales-number"),
        (lambda o: o.remove(find("index-pattern", "index-hits", o)), "needs index-pattern storepulse-index-hits"),
        (lambda o: o.append(o[0]), "the same type and id"),
        (lambda o: o[0].update(migrationVersion={}), "its version is"),
        (lambda o: o[-1]["attributes"].update(panelsJSON="["), "panelsJSON is no JSON"),
        (lambda o: o[-1]["references"].clear(), "is no reference of its"),
    ],
)
def test_what_is_wrong_is_said(spoil: Any, fault: str) -> None:
    found = copy.deepcopy(objects())
    spoil(found)
    assert fault in "\n".join(faults(found))


def test_panels_that_lie_over_each_other_are_found() -> None:
    found = objects()
    dashboard = find("dashboard", "dashboard-sales", found)
    panels = msgspec.json.decode(dashboard["attributes"]["panelsJSON"])
    panels[1]["gridData"]["x"] = 0
    panels[2]["gridData"]["w"] = 40
    dashboard["attributes"]["panelsJSON"] = msgspec.json.encode(panels).decode()
    said = "\n".join(faults(found))
    assert "panel 1 lies over panel 0" in said and "panel 2 is wider than the grid" in said


def test_a_field_that_no_document_has_is_found() -> None:
    found = objects()
    pattern = find("index-pattern", "index-orders", found)
    fields = [
        field
        for field in msgspec.json.decode(pattern["attributes"]["fields"])
        if field["name"] not in ("kind", "units")
    ]
    pattern["attributes"]["fields"] = msgspec.json.encode(fields).decode()
    said = "\n".join(faults(found))
    assert "visualization storepulse-sales-number: orders-* has no field kind" in said
    assert "visualization storepulse-units-number: orders-* has no field units" in said


def test_a_formula_that_changes_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {each["id"]: each for each in objects()}
    other = replace(SALES, formula=Count(source=figures.ORDERS, where=(Is("kind", ("return",)),)))
    monkeypatch.setattr(figures, "FIGURES", tuple(other if each is SALES else each for each in figures.FIGURES))
    changed = {each["id"] for each in objects() if each != before[each["id"]]}
    assert changed == {"storepulse-sales-number", "storepulse-sales-time"}
