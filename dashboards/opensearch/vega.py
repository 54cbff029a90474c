"""Visualisations in Vega-Lite, for what Dashboards' own aggregations cannot say: ratios, ages, elements, money.

The search is `contract.formula_search`'s; an expression reads the figure out of its answer, amounts in whole units.
"""

from typing import Any

from contract import formula_search
from contract.figure import Figure
from contract.formula import Age, Ratio, Unit
from contract.formula_fields import field_of
from contract.formula_search import Part
from contract.money import EXPONENTS, USUAL_EXPONENT
from contract.question import CURRENCY, Question, formula_of
from dashboards.opensearch.patterns import pattern_id
from dashboards.opensearch.saved import Json, Reference, Saved, text
from dashboards.opensearch.shapes import View

MOST_GROUPS = 10
_CURRENCIES = 50
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_TIME, _BY, _SPLIT = "time", "by", "split"


def visualisation(view: View) -> Saved:
    """The saved object."""
    state = {"title": view.title, "type": "vega", "aggs": [], "params": {"spec": text(spec(view))}}
    attributes = {
        "title": view.title,
        "description": view.figure.meaning,
        "visState": text(state),
        "uiStateJSON": "{}",
        "version": 1,
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": text({"query": {"query": "", "language": "kuery"}, "filter": []})
        },
    }
    # Nothing in it refers to the pattern: it is named so that an import without it is refused.
    source = formula_of(view.figure).source
    needed = Reference(name="storepulse.index", type="index-pattern", id=pattern_id(source.index))
    return Saved(id=view.id, type="visualization", attributes=attributes, references=[needed])


def spec(view: View) -> Json:
    """The Vega-Lite specification."""
    source = formula_of(view.figure).source
    rows, transform = _rows(view)
    transform += [{"calculate": _value(view), "as": "value"}]
    return {
        "$schema": _SCHEMA,
        "title": view.figure.title,
        "data": {"url": {"index": source.index, "body": search(view)}, "format": {"property": rows}},
        "transform": transform,
        **_drawn(view),
    }


def search(view: View) -> Json:
    """What OpenSearch is asked; what stands between % Dashboards fills in: its time, and what is filtered by."""
    figure, source = view.figure, formula_of(view.figure).source
    asked = formula_search.body(Question(figures=(figure,), by=(view.by,) if _is_element(view) else ()))
    aggregations = asked["aggs"]
    if "groups" in aggregations:  # by currency: as terms, which a histogram can hold
        aggregations = aggregations["groups"]["aggs"]
    if figure.by_currency:
        terms = {"terms": {"field": field_of(source.document or source.row, CURRENCY).path, "size": _CURRENCIES}}
        aggregations = {_SPLIT: {**terms, "aggs": aggregations}}
    if view.shape == "time":
        # No range that is kept takes steps of weeks, which are no fixed interval.
        histogram = {"field": source.time, "fixed_interval": {"%autointerval%": True}, "min_doc_count": 0}
        aggregations = {_TIME: {"date_histogram": histogram, "aggs": aggregations}}
    elif view.shape == "by" and not _is_element(view):
        path = field_of(source.document or source.row, view.by).path
        terms = {"terms": {"field": path, "size": MOST_GROUPS, "missing": "none"}}
        aggregations = {_BY: {**terms, "aggs": aggregations}}
    bounds = {"range": {source.time: {"%timefilter%": True}}}
    filters = ["%dashboard_context-filter_clause%", bounds, *asked["query"]["bool"]["filter"]]
    query = {
        "must": ["%dashboard_context-must_clause%"],
        "filter": filters,
        "must_not": ["%dashboard_context-must_not_clause%"],
    }
    return {"size": 0, "track_total_hits": False, "query": {"bool": query}, "aggs": aggregations}


def _is_element(view: View) -> bool:
    """Whether the dimension is a column of elements, such as products."""
    source = formula_of(view.figure).source
    return bool(view.by and source.element and view.by in source.element.__struct_fields__)


def _rows(view: View) -> tuple[str, list[Json]]:
    """Where the rows are in the answer, and what makes one of each group."""
    if _is_element(view):
        ((name, _),) = formula_search.parts_of(view.figure.name, formula_of(view.figure))
        return f"aggregations.{name}.inside.inside.elements.buckets", [{"calculate": "datum.key", "as": "group"}]
    bucket = {"number": "", "time": _TIME, "by": _BY}[view.shape]
    if not view.figure.by_currency:
        group = "datum.key" if view.shape == "by" else "''"
        return f"aggregations.{bucket}.buckets" if bucket else "aggregations", [{"calculate": group, "as": "group"}]
    if not bucket:
        return f"aggregations.{_SPLIT}.buckets", [{"calculate": "datum.key", "as": "group"}]
    flat: list[Json] = [{"calculate": f"datum.{_SPLIT}.buckets", "as": "currencies"}]
    flat += [{"flatten": ["currencies"], "as": ["currency"]}, {"filter": "isValid(datum.currency)"}]
    group = "datum.currency.key" if view.shape == "time" else "datum.key + ' ' + datum.currency.key"
    return f"aggregations.{bucket}.buckets", [*flat, {"calculate": group, "as": "group"}]


def _value(view: View) -> str:
    """The figure of a row, as an expression of Vega; null where it is unknown."""
    figure, formula = view.figure, formula_of(view.figure)
    row = "datum.currency" if figure.by_currency and view.shape != "number" else "datum"
    parts = [_part(row, name, part, _is_element(view)) for name, part in formula_search.parts_of(figure.name, formula)]
    value = parts[0]
    if isinstance(formula, Ratio):
        value = f"({parts[1]} ? {parts[0]} / {parts[1]} : null)"
    if isinstance(formula, Age):
        value = f"({value} === null ? null : round((now() - {value}) / 1000))"
    return f"{value} / {_whole(row)}" if figure.unit is Unit.MONEY else value


def _part(row: str, name: str, part: Part, is_element: bool) -> str:
    keys = (() if is_element else (name,)) + formula_search.value_path(part, by_element=is_element)
    return row + "".join(f"['{key}']" for key in keys)


def _whole(row: str) -> str:
    """Minor units of one whole unit of the row's currency."""
    known: dict[str, int] = {}
    for code, digits in sorted(EXPONENTS.items()):
        known[code] = 10**digits
    return f"({text(known)}[{row}.key] || {10**USUAL_EXPONENT})"


def _drawn(view: View) -> Json:
    format_ = _format(view.figure)
    value: dict[str, Any] = {"field": "value", "type": "quantitative", "title": view.figure.title}
    if view.shape == "number":
        shown = f"(isValid(datum.value) ? format(datum.value, '{format_}') : 'unknown') + ' ' + datum.group"
        return {
            "layer": [{"mark": {"type": "text", "fontSize": 36}, "transform": [{"calculate": shown, "as": "text"}]}],
            "encoding": {
                "text": {"field": "text", "type": "nominal"},
                "y": {"field": "group", "type": "nominal", "axis": None},
            },
        }
    group = {"field": "group", "type": "nominal", "title": view.by or None}
    if view.shape == "time":
        time = {"field": "key", "type": "temporal", "title": None}
        return {
            "mark": {"type": "line", "point": True},
            "encoding": {"x": time, "y": {**value, "axis": {"format": format_}}, "color": {**group, "title": None}},
        }
    first = [
        {"window": [{"op": "row_number", "as": "place"}], "sort": [{"field": "value", "order": "descending"}]},
        {"filter": f"datum.place <= {MOST_GROUPS}"},
    ]
    return {
        "layer": [{"mark": "bar", "transform": first}],
        "encoding": {"x": {**value, "axis": {"format": format_}}, "y": {**group, "sort": "-x"}},
    }


def _format(figure: Figure) -> str:
    """As d3 formats numbers."""
    return {Unit.SHARE: ".1%", Unit.MONEY: ",.2f", Unit.COUNT: ",.0f"}.get(figure.unit, ",.1f")
