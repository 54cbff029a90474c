"""The page: one file that needs nothing else, neither a network nor a server."""

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from dashboards.preview.questions import parameters, question
from dashboards.preview.shown import drawn
from dashboards.quicksight.settings import QuickSightSettings
from dashboards.quicksight.theme import THEME
from dashboards.quicksight.visuals import Json
from runtime.errors import ConfigError

_HERE = Path(__file__).parent
_ECHARTS = _HERE.parent / "board/node_modules/echarts/dist/echarts.min.js"

Ask = Callable[[str], Sequence[Sequence[Any]]]


def page(
    name: str,
    definition: Json,
    ask: Ask,
    settings: QuickSightSettings,
    *,
    now: dt.datetime,
    chosen: Mapping[str, Any] | None = None,
) -> str:
    """HTML of every sheet, with the warehouse's rows. `chosen`: values of parameters instead of their defaults.

    Raises ConfigError where the charts' library is not installed; whatever `ask` raises.
    """
    values = parameters(definition, now.astimezone(settings.shop.zone()).date(), chosen or {})
    sheets = [_sheet(sheet, definition, ask, settings, values) for sheet in definition["Sheets"]]
    try:
        echarts = _ECHARTS.read_text()
    except OSError as error:
        raise ConfigError(f"the charts need {_ECHARTS}: run `make setup`") from error
    environment = Environment(loader=PackageLoader("dashboards.preview"), autoescape=True)
    return environment.get_template("preview.html").render(
        name=name,
        sheets=sheets,
        when=f"{now.astimezone(settings.shop.zone()):%A %-d %B %Y, %H:%M}",
        zone=settings.shop.time_zone,
        values=values,
        style=(_HERE / "static/preview.css").read_text(),
        script=(_HERE / "static/preview.js").read_text(),
        echarts=echarts,
        data=_embedded({"sheets": sheets, "colours": THEME["Configuration"]["DataColorPalette"]}),  # type: ignore[index]
    )


def _sheet(
    sheet: Json, definition: Json, ask: Ask, settings: QuickSightSettings, values: Mapping[str, Any]
) -> dict[str, Any]:
    (layout,) = sheet["Layouts"]
    places = {each["ElementId"]: each for each in layout["Configuration"]["GridLayout"]["Elements"]}
    visuals = []
    for visual in sheet["Visuals"]:
        asked = question(visual, definition, values, settings)
        told = drawn(visual, asked, ask(asked.text), values)
        visuals.append({**told, "at": places[told["id"]]})
    controls = [_control(each, values) for each in sheet["ParameterControls"]]
    return {
        "id": sheet["SheetId"],
        "name": sheet["Name"],
        "question": sheet["Description"],
        "controls": controls,
        "visuals": visuals,
    }


def _control(control: Json, values: Mapping[str, Any]) -> dict[str, str]:
    (told,) = control.values()
    return {"title": told["Title"], "value": str(values[told["SourceParameterName"]])}


def _embedded(value: Any) -> str:
    """JSON inside a script: no text of it ends the script."""
    return json.dumps(value, default=str).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
