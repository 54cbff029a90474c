"""Builders of single visuals, in the JSON that boto3 and CloudFormation share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from contract.formula import Unit
from contract.money import exponent
from dashboards.quicksight.datasets import DAY, DataSet, by_name, data_set_of
from dashboards.quicksight.fields import FIELDS

CURRENCY = "Currency"  # the parameter
Period = Literal["chosen", "today", "all"]
Json = dict[str, Any]
_NOTHING = {"NullValueFormatConfiguration": {"NullString": "-"}}
_THOUSANDS = {"SeparatorConfiguration": {"ThousandsSeparator": {"Symbol": "COMMA", "Visibility": "VISIBLE"}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visual:
    """One visual: its JSON, the only data set that it is of, and which time it shows."""

    json: Json
    data_set: DataSet
    period: Period

    @property
    def id(self) -> str:
        """Unique in its dashboard."""
        return str(next(iter(self.json.values()))["VisualId"])


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """A dimension. `every` of a date."""

    column: str
    every: Literal["DAY", "WEEK", "MONTH", ""] = ""


DAILY, WEEKLY, MONTHLY = (By(column=DAY, every=every) for every in ("DAY", "WEEK", "MONTH"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """Writes the visuals of one sheet: ids are unique by sheet and figure."""

    sheet: str
    currency: str  # the shop's, for digits after the point

    def kpi(self, figure: str, *, period: Period = "chosen") -> Visual:
        """One number."""
        values = {"Values": [self._measure("kpi", figure, 0)]}
        # Without a trend or a target there is nothing to compare with.
        options = {"PrimaryValueDisplayType": "ACTUAL", "Sparkline": {"Visibility": "HIDDEN", "Type": "LINE"}}
        chart = {"FieldWells": values, "KPIOptions": options}
        return self._visual("KPIVisual", "kpi", [figure], FIELDS[figure].title, chart, period)

    def line(
        self, title: str, figures: Sequence[str], by: By, *, colour: str = "", period: Period = "chosen"
    ) -> Visual:
        """Figures along an axis; `colour`: a line for each value of a column."""
        visual = f"line-{by.column}"
        wells = {
            "Category": [self._dimension(visual, figures, by, "x")],
            "Values": [self._measure(visual, name, place, figures) for place, name in enumerate(figures)],
            "Colors": [self._dimension(visual, figures, By(column=colour), "c")] if colour else [],
        }
        chart = {"Type": "LINE", "FieldWells": {"LineChartAggregatedFieldWells": wells}}
        chart["SortConfiguration"] = {"CategorySort": [_sort(wells["Category"][0], "ASC")]}
        return self._visual("LineChartVisual", visual, figures, title, chart, period)

    def bar(
        self, title: str, figures: Sequence[str], by: By, *, first: int = 0, colour: str = "", period: Period = "chosen"
    ) -> Visual:
        """Bars; `first`: only so many, the largest first, lying. Else in the order of the axis."""
        visual = f"bar-{by.column}"
        wells = {
            "Category": [self._dimension(visual, figures, by, "x")],
            "Values": [self._measure(visual, name, place, figures) for place, name in enumerate(figures)],
            "Colors": [self._dimension(visual, figures, By(column=colour), "c")] if colour else [],
        }
        chart: Json = {"FieldWells": {"BarChartAggregatedFieldWells": wells}}
        chart["Orientation"] = "HORIZONTAL" if first else "VERTICAL"
        chart["BarsArrangement"] = "STACKED" if colour or len(figures) > 1 else "CLUSTERED"
        ordered = _sort(wells["Values"][0], "DESC") if first else _sort(wells["Category"][0], "ASC")
        limit = {"CategoryItemsLimit": {"ItemsLimit": first, "OtherCategories": "EXCLUDE"}} if first else {}
        chart["SortConfiguration"] = {"CategorySort": [ordered], **limit}
        return self._visual("BarChartVisual", visual, figures, title, chart, period)

    def combo(
        self, title: str, bars: Sequence[str], lines: Sequence[str], by: By, *, period: Period = "chosen"
    ) -> Visual:
        """Bars and lines over the same axis."""
        visual, every = f"combo-{by.column}", [*bars, *lines]
        wells = {
            "Category": [self._dimension(visual, every, by, "x")],
            "BarValues": [self._measure(visual, name, place, every) for place, name in enumerate(bars)],
            "LineValues": [self._measure(visual, name, place + len(bars), every) for place, name in enumerate(lines)],
        }
        chart = {"FieldWells": {"ComboChartAggregatedFieldWells": wells}, "BarsArrangement": "CLUSTERED"}
        chart["SortConfiguration"] = {"CategorySort": [_sort(wells["Category"][0], "ASC")]}
        return self._visual("ComboChartVisual", visual, every, title, chart, period)

    def heat(self, title: str, figure: str, rows: str, columns: str, *, period: Period = "chosen") -> Visual:
        """A figure by two dimensions, as shades."""
        wells = {
            "Rows": [self._dimension("heat", [figure], By(column=rows), "r")],
            "Columns": [self._dimension("heat", [figure], By(column=columns), "x")],
            "Values": [self._measure("heat", figure, 0)],
        }
        sort = {
            "HeatMapRowSort": [_sort(wells["Rows"][0], "ASC")],
            "HeatMapColumnSort": [_sort(wells["Columns"][0], "ASC")],
        }
        chart = {"FieldWells": {"HeatMapAggregatedFieldWells": wells}, "SortConfiguration": sort}
        return self._visual("HeatMapVisual", "heat", [figure], title, chart, period)

    def pivot(self, title: str, figure: str, rows: By, columns: str, *, period: Period = "chosen") -> Visual:
        """A figure by two dimensions, as numbers."""
        wells = {
            "Rows": [self._dimension("pivot", [figure], rows, "r")],
            "Columns": [self._dimension("pivot", [figure], By(column=columns), "x")],
            "Values": [self._measure("pivot", figure, 0)],
        }
        chart = {"FieldWells": {"PivotTableAggregatedFieldWells": wells}}
        return self._visual("PivotTableVisual", "pivot", [figure], title, chart, period)

    def table(self, title: str, figures: Sequence[str], by: By, *, period: Period = "chosen") -> Visual:
        """Figures by a dimension, largest first."""
        visual = f"table-{by.column}"
        wells = {
            "GroupBy": [self._dimension(visual, figures, by, "x")],
            "Values": [self._measure(visual, name, place, figures) for place, name in enumerate(figures)],
        }
        headings = [
            {"FieldId": self._id(visual, figures, "x"), "CustomLabel": heading_of(by.column)},
            *({"FieldId": each["NumericalMeasureField"]["FieldId"]} for each in wells["Values"]),
        ]
        chart = {
            "FieldWells": {"TableAggregatedFieldWells": wells},
            "FieldOptions": {"SelectedFieldOptions": headings},
            "SortConfiguration": {"RowSort": [_sort(wells["Values"][0], "DESC")]},
        }
        return self._visual("TableVisual", visual, figures, title, chart, period)

    def map(self, title: str, figure: str, column: str, *, period: Period = "chosen") -> Visual:
        """Countries, shaded."""
        wells = {
            "Geospatial": [self._dimension("map", [figure], By(column=column), "x")],
            "Values": [self._measure("map", figure, 0)],
        }
        chart = {"FieldWells": {"FilledMapAggregatedFieldWells": wells}}
        return self._visual("FilledMapVisual", "map", [figure], title, chart, period)

    def funnel(self, title: str, figure: str, column: str, *, period: Period = "chosen") -> Visual:
        """A figure at each step."""
        wells = {
            "Category": [self._dimension("funnel", [figure], By(column=column), "x")],
            "Values": [self._measure("funnel", figure, 0)],
        }
        chart = {
            "FieldWells": {"FunnelChartAggregatedFieldWells": wells},
            "SortConfiguration": {"CategorySort": [_sort(wells["Category"][0], "ASC")]},
        }
        return self._visual("FunnelChartVisual", "funnel", [figure], title, chart, period)

    def _visual(self, kind: str, name: str, figures: Sequence[str], title: str, chart: Json, period: Period) -> Visual:
        used = {data_set_of(each).name for each in figures}
        if len(used) != 1:
            raise ValueError(f"{title!r} is of several data sets, {sorted(used)}: a visual has one")
        meanings = " ".join(f"{FIELDS[each].title}: {FIELDS[each].meaning}" for each in figures)
        (data_set,) = used
        body = {
            "VisualId": self._id(name, figures, ""),
            "Title": {"Visibility": "VISIBLE", "FormatText": _title(title, figures)},
            "Subtitle": {"Visibility": "HIDDEN"},
            "ChartConfiguration": chart,
            "VisualContentAltText": meanings[:1024],
        }
        return Visual(json={kind: body}, data_set=by_name()[data_set], period=period)

    def _measure(self, visual: str, figure: str, place: int, figures: Sequence[str] = ()) -> Json:
        column = {"DataSetIdentifier": data_set_of(figure).name, "ColumnName": FIELDS[figure].title}
        shown = {"FormatConfiguration": {"FormatConfiguration": self._format(figure)}}
        field_id = self._id(visual, figures or [figure], f"v{place}")
        return {"NumericalMeasureField": {"FieldId": field_id, "Column": column, **shown}}

    def _dimension(self, visual: str, figures: Sequence[str], by: By, place: str) -> Json:
        column = {"DataSetIdentifier": data_set_of(figures[0]).name, "ColumnName": by.column}
        field = {"FieldId": self._id(visual, figures, place), "Column": column}
        if by.every:
            shown = {"DateTimeFormat": "MMM YYYY" if by.every == "MONTH" else "D MMM YYYY"}
            return {"DateDimensionField": {**field, "DateGranularity": by.every, "FormatConfiguration": shown}}
        return {"CategoricalDimensionField": field}

    def _format(self, figure: str) -> Json:
        unit = FIELDS[figure].unit
        digits = exponent(self.currency) if unit is Unit.MONEY else 1 if unit in (Unit.SHARE, Unit.PERCENT) else 0
        told = {"DecimalPlacesConfiguration": {"DecimalPlaces": digits}, **_THOUSANDS, **_NOTHING}
        if unit is Unit.SHARE:
            return {"PercentageDisplayFormatConfiguration": told}
        suffix = {"Suffix": " s"} if unit is Unit.SECONDS else {}
        return {"NumberDisplayFormatConfiguration": {**told, **suffix, "NumberScale": "NONE"}}

    def _id(self, visual: str, figures: Sequence[str], place: str) -> str:
        # By the first figure alone: a sheet has one visual of a kind and axis for it.
        return "-".join(filter(None, (self.sheet, visual, figures[0], place))).replace("_", "-")


def heading_of(column: str) -> str:
    """A column's name for people."""
    return {DAY: "Day", "sku": "Product", "kind": "Lines of", "region": "Country"}.get(
        column, column.replace("_", " ").capitalize()
    )


def _title(title: str, figures: Sequence[str]) -> Json:
    if not any(FIELDS[each].by_currency for each in figures):
        return {"PlainText": title}
    return {"RichText": f"<visual-title>{title}, <parameter>${{{CURRENCY}}}</parameter></visual-title>"}


def _sort(field: Json, direction: str) -> Json:
    (told,) = field.values()
    return {"FieldSort": {"FieldId": told["FieldId"], "Direction": direction}}
