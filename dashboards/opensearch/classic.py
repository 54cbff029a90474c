"""Visualisations by Dashboards' own aggregations, which people can go on with in its editor.

They say a count, a sum or a count of different values, under conditions on documents. What is a ratio, is of elements
of a document, or is an amount by currency, Vega says: see `vega`.
"""

from collections.abc import Callable, Mapping

from contract import formula_search
from contract.formula import Count, Distinct, OverRows, Source, Sum
from contract.formula_fields import field_of
from contract.question import Question, formula_of
from dashboards.opensearch.patterns import pattern_id
from dashboards.opensearch.saved import Json, Reference, Saved, text
from dashboards.opensearch.shapes import Shape, View

MOST_GROUPS = 10
_SEARCH = "kibanaSavedObjectMeta.searchSourceJSON"
_TYPES = {"number": "metric", "time": "line", "by": "horizontal_bar"}


def can_say(view: View) -> bool:
    """Whether this is the way to show it."""
    formula = formula_of(view.figure)
    return isinstance(formula, Count | Sum | Distinct) and not view.figure.by_currency and not formula.source.within


def visualisation(view: View) -> Saved:
    """The saved object of a view that `can_say` takes."""
    formula = formula_of(view.figure)
    source = formula.source
    filters = conditions(view)
    referred = [f"{_SEARCH}.index", *(f"{_SEARCH}.filter[{number}].meta.index" for number in range(len(filters)))]
    search = {
        "query": {"query": "", "language": "kuery"},
        "filter": [_filter(each, name) for each, name in zip(filters, referred[1:], strict=True)],
        "indexRefName": referred[0],
    }
    state = {
        "title": view.title,
        "type": _TYPES[view.shape],
        "params": _PARAMS[view.shape](view.figure.title),
        "aggs": [_metric(formula, view.figure.title), *_buckets(view, source)],
    }
    attributes = {
        "title": view.title,
        "description": view.figure.meaning,
        "visState": text(state),
        "uiStateJSON": "{}",
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": text(search)},
    }
    referred_to = [Reference(name=name, type="index-pattern", id=pattern_id(source.index)) for name in referred]
    return Saved(id=view.id, type="visualization", attributes=attributes, references=referred_to)


def conditions(view: View) -> list[Json]:
    """What documents must meet: queries, all of them."""
    formula = formula_of(view.figure)
    if not isinstance(formula, Count | Sum | Distinct):
        raise ValueError(f"{view.figure.name} is no count, sum or count of different values")
    own = formula_search.body(Question(figures=(view.figure,)))["query"]["bool"]["filter"]
    return [*own, *formula_search.filters(formula, inside=False)]


def _filter(query: Json, index: str) -> Json:
    meta = {"alias": None, "disabled": False, "negate": False, "type": "custom", "key": "query", "value": text(query)}
    return {"$state": {"store": "appState"}, "meta": {**meta, "indexRefName": index}, "query": query}


def _metric(formula: OverRows, label: str) -> Json:
    params: Json = {"customLabel": label}
    kind = "count"
    if isinstance(formula, Sum | Distinct):
        ((kind, own),) = formula_search.metric(formula).items()
        params["field"] = own.pop("field")
        if own:  # Dashboards adds it to what it asks
            params["json"] = text(own)
    return {"id": "1", "enabled": True, "type": kind, "schema": "metric", "params": params}


def _buckets(view: View, source: Source) -> list[Json]:
    if view.shape == "number":
        return []
    if view.shape == "time":
        params: Json = {
            "field": source.time,
            "interval": "auto",
            "useNormalizedOpenSearchInterval": True,
            "drop_partials": False,
            "min_doc_count": 1,
            "extended_bounds": {},
        }
        return [{"id": "2", "enabled": True, "type": "date_histogram", "schema": "segment", "params": params}]
    params = {
        "field": field_of(source.document or source.row, view.by).path,
        "orderBy": "1",
        "order": "desc",
        "size": MOST_GROUPS,
        "otherBucket": False,
        "missingBucket": True,
        "missingBucketLabel": "none",
        "customLabel": view.by,
    }
    return [{"id": "2", "enabled": True, "type": "terms", "schema": "segment", "params": params}]


def _number(label: str) -> Json:
    metric = {
        "percentageMode": False,
        "useRanges": False,
        "colorSchema": "Green to Red",
        "metricColorMode": "None",
        "colorsRange": [{"from": 0, "to": 10000}],
        "labels": {"show": True},
        "invertColors": False,
        "style": {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 36},
    }
    return {"addTooltip": True, "addLegend": False, "type": "metric", "metric": metric}


def _chart(kind: str, label: str) -> Json:
    """`kind`: line or histogram; the latter lies on its side."""
    lying = kind == "histogram"
    series = {
        "show": True,
        "type": kind,
        "mode": "normal",
        "data": {"id": "1", "label": label},
        "valueAxis": "ValueAxis-1",
        "drawLinesBetweenPoints": True,
        "showCircles": True,
    }
    axis = {"show": True, "labels": {"show": True, "filter": False, "truncate": 100}, "style": {}}
    category = {**axis, "id": "CategoryAxis-1", "type": "category", "position": "left" if lying else "bottom"}
    value = {**axis, "id": "ValueAxis-1", "name": "LeftAxis-1", "type": "value"}
    return {
        "type": kind,
        "grid": {"categoryLines": False},
        "categoryAxes": [{**category, "scale": {"type": "linear"}, "title": {}}],
        "valueAxes": [
            {
                **value,
                "position": "bottom" if lying else "left",
                "scale": {"type": "linear", "mode": "normal"},
                "title": {"text": label},
            }
        ],
        "seriesParams": [series],
        "addTooltip": True,
        "addLegend": False,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
    }


_PARAMS: Mapping[Shape, Callable[[str], Json]] = {
    "number": _number,
    "time": lambda label: _chart("line", label),
    "by": lambda label: _chart("histogram", label),
}
