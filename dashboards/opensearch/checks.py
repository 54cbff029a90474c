"""What a file of saved objects has to be: no server is at hand that would say so."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dashboards.opensearch.objects import COLUMNS
from dashboards.opensearch.saved import MIGRATION, Json, by_key

_TEXTS = {"visualization": ("visState", "uiStateJSON"), "dashboard": ("panelsJSON", "optionsJSON")}


def faults(objects: Sequence[Json]) -> list[str]:
    """What is wrong, one sentence a fault; nothing if all is well."""
    known = by_key(objects)
    found = [] if len(known) == len(objects) else ["two objects have the same type and id"]
    for each in objects:
        found += [f"{each['type']} {each['id']}: {fault}" for fault in _faults(each, known)]
    return found


def _faults(each: Json, known: Mapping[tuple[str, str], Json]) -> Iterator[str]:
    kind, attributes = each["type"], each["attributes"]
    if each.get("migrationVersion") != {kind: MIGRATION.get(kind)}:
        yield f"its version is {each.get('migrationVersion')}"
    for reference in each["references"]:
        if (reference["type"], reference["id"]) not in known:
            yield f"it needs {reference['type']} {reference['id']}, which is not there"
    texts = {name: attributes.get(name, "") for name in _TEXTS.get(kind, ())}
    if kind in _TEXTS:
        texts["searchSourceJSON"] = attributes.get("kibanaSavedObjectMeta", {}).get("searchSourceJSON", "")
    decoded: dict[str, Any] = {}
    for name, content in texts.items():
        try:
            decoded[name] = msgspec.json.decode(content)
        except (msgspec.DecodeError, TypeError):
            yield f"its {name} is no JSON"
            return
    names = {reference["name"] for reference in each["references"]}
    yield from (f"{name} is no reference of its" for name in sorted(_referred(decoded) - names))
    if kind == "dashboard":
        yield from _panel_faults(decoded["panelsJSON"])
    if kind == "visualization":
        yield from _field_faults(decoded["visState"], decoded["searchSourceJSON"], each, known)


def _referred(value: Any) -> set[str]:
    """Names of references anywhere in it."""
    if isinstance(value, dict):
        own = {text for key, text in value.items() if key in ("indexRefName", "panelRefName")}
        return own.union(*map(_referred, value.values()))
    return set().union(*map(_referred, value)) if isinstance(value, list) else set()


def _panel_faults(panels: Sequence[Json]) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        grid, name = panel["gridData"], panel["panelIndex"]
        if grid["i"] != name:
            yield f"panel {name} calls itself {grid['i']}"
        if grid["x"] < 0 or grid["x"] + grid["w"] > COLUMNS:
            yield f"panel {name} is wider than the grid"
        cells = [(grid["x"] + dx, grid["y"] + dy) for dx in range(grid["w"]) for dy in range(grid["h"])]
        over = {taken[cell] for cell in cells if cell in taken}
        yield from (f"panel {name} lies over panel {other}" for other in sorted(over))
        taken |= dict.fromkeys(cells, name)


def _field_faults(state: Json, search: Json, each: Json, known: Mapping[tuple[str, str], Json]) -> Iterator[str]:
    """Fields that the index pattern does not have, or that cannot be used so."""
    patterns = [
        known[key]
        for reference in each["references"]
        if (key := (reference["type"], reference["id"])) in known and reference["type"] == "index-pattern"
    ]
    if not patterns:
        yield "it names no index pattern"
        return
    fields = {field["name"]: field for field in msgspec.json.decode(patterns[0]["attributes"]["fields"])}
    computed, found = set(_named(state["aggs"], "field")), set()
    if state["type"] == "vega":
        url = msgspec.json.decode(state["params"]["spec"])["data"]["url"]
        if url["index"] != patterns[0]["attributes"]["title"]:
            yield f"it asks {url['index']}"
        computed |= set(_named(url["body"]["aggs"], "field"))
        found |= set(_queried(url["body"]))
    found |= set(_queried(search))
    for path in sorted(computed | found):
        if path not in fields:
            yield f"{patterns[0]['attributes']['title']} has no field {path}"
        elif path in computed and not fields[path]["aggregatable"]:
            yield f"OpenSearch does not compute with {path}"


def _named(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key == name and isinstance(each, str):
                yield each
            yield from _named(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _named(each, name)


def _queried(value: Any) -> Iterator[str]:
    """Fields of terms, ranges and existence."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "exists" and isinstance(each, dict) and "field" in each:
                yield each["field"]
            elif key in ("term", "terms", "range") and isinstance(each, dict) and "field" not in each:
                yield from (path for path in each if path not in ("boost", "size"))
            yield from _queried(each)
    elif isinstance(value, list):
        for each in value:
            yield from _queried(each)
