"""All saved objects: index patterns, a visualisation a view, and a dashboard a kind of figures."""

from collections.abc import Iterator, Mapping, Sequence

from contract import figures
from contract.figure import Figure
from dashboards.opensearch import classic, vega
from dashboards.opensearch.patterns import pattern, sources
from dashboards.opensearch.saved import PREFIX, Json, Reference, Saved, text
from dashboards.opensearch.shapes import Shape, View, views

COLUMNS = 48  # of Dashboards' grid
_SIZES: Mapping[Shape, tuple[int, int]] = {"number": (12, 8), "time": (24, 12), "by": (24, 14)}
_PANEL_VERSION = "7.9.3"

# Kinds of figures by dashboard; its id, title and the time that it opens with.
_DASHBOARDS: Sequence[tuple[str, str, tuple[str, ...], str]] = (
    ("sales", "Sales", ("sales",), "now-24h"),
    ("web", "Web funnel", ("web",), "now-24h"),
    ("quality", "Data quality", ("quality", "health"), "now-24h"),
)


def saved_objects() -> list[Saved]:
    """What each needs comes before it."""
    dashboards = [_dashboard(*each) for each in _DASHBOARDS]
    return [*map(pattern, sources()), *(visualisation(view) for view in all_views()), *dashboards]


def all_views() -> list[View]:
    """Of every figure that live has."""
    return [view for figure in figures.FIGURES if figure.in_live for view in views(figure)]


def visualisation(view: View) -> Saved:
    """Classic where that can say it."""
    return classic.visualisation(view) if classic.can_say(view) else vega.visualisation(view)


def _dashboard(name: str, title: str, kinds: tuple[str, ...], since: str) -> Saved:
    shown = [view for figure in figures.FIGURES if figure.in_live and figure.kind in kinds for view in views(figure)]
    panels = list(_panels(shown))
    references = [
        Reference(name=f"panel_{number}", type="visualization", id=view.id)
        for number, view in enumerate(sorted(shown, key=_place))
    ]
    attributes = {
        "title": f"storepulse: {title}",
        "description": _about([figure for figure in figures.FIGURES if figure.in_live and figure.kind in kinds]),
        "panelsJSON": text(panels),
        "optionsJSON": text({"hidePanelTitles": False, "useMargins": True}),
        "timeRestore": True,
        "timeFrom": since,
        "timeTo": "now",
        "refreshInterval": {"pause": False, "value": 10_000},
        "version": 1,
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": text({"query": {"query": "", "language": "kuery"}, "filter": []})
        },
    }
    return Saved(id=PREFIX + "dashboard-" + name, type="dashboard", attributes=attributes, references=references)


def _place(view: View) -> int:
    """Numbers first, then courses, then parts."""
    return list(_SIZES).index(view.shape)


def _panels(shown: Sequence[View]) -> Iterator[Json]:
    x = y = high = number = 0
    shape: Shape | None = None
    for number, view in enumerate(sorted(shown, key=_place)):
        width, height = _SIZES[view.shape]
        if view.shape != shape or x + width > COLUMNS:
            x, y, high, shape = 0, y + high, 0, view.shape
        grid = {"x": x, "y": y, "w": width, "h": height, "i": str(number)}
        x, high = x + width, max(high, height)
        yield {
            "version": _PANEL_VERSION,
            "type": "visualization",
            "gridData": grid,
            "panelIndex": str(number),
            "embeddableConfig": {},
            "title": view.title.removeprefix("storepulse: "),
            "panelRefName": f"panel_{number}",
        }


def _about(shown: Sequence[Figure]) -> str:
    return "Generated from the list of figures: " + ", ".join(figure.title for figure in shown)
