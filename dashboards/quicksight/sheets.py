"""The sheets: which question each answers, and by which visuals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dashboards.quicksight.visuals import DAILY, MONTHLY, WEEKLY, By, Pen, Visual

_HOUR, _SKU, _REGION, _CHANNEL, _DEVICE = (By(column=name) for name in ("hour", "sku", "region", "channel", "device"))
_TALLEST, _TALL, _LOW = 14, 11, 5  # rows of the grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Visuals side by side."""

    visuals: Sequence[Visual]
    height: int
    widths: Sequence[int] = ()  # of 36 columns; empty: alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet."""

    name: str
    title: str
    question: str
    rows: Sequence[Row]

    @property
    def visuals(self) -> list[Visual]:
        """In reading order."""
        return [visual for row in self.rows for visual in row.visuals]


def shop_sheets(currency: str) -> list[Sheet]:
    """What a reader of the whole shop sees."""
    return [each(Pen(sheet=name, currency=currency)) for name, each in {**_COMMON, **_SHOP}.items()]


def region_sheets(currency: str) -> list[Sheet]:
    """What a reader of some regions sees: all of it by row-level security, so without what has no region."""
    sheets = {"today": _today_of_regions, **{name: each for name, each in _COMMON.items() if name != "today"}}
    return [each(Pen(sheet=name, currency=currency)) for name, each in sheets.items()]


def _today(pen: Pen) -> Sheet:
    return _today_by(pen, "hours_", "usual_", "")


def _today_of_regions(pen: Pen) -> Sheet:
    return _today_by(pen, "region_hours_", "region_usual_", "region_")


def _today_by(pen: Pen, hour: str, usual: str, ratio: str) -> Sheet:
    kpis = [
        *(pen.kpi(name, period="today") for name in ("revenue", "sales", "order_value")),
        *(pen.kpi(ratio + name, period="today") for name in ("revenue_to_usual", "sales_to_usual")),
    ]
    return Sheet(
        name=pen.sheet,
        title="Today",
        question="How are sales today, and is that usual for this weekday and hour?",
        rows=[
            Row(visuals=kpis, height=_LOW, widths=(8, 7, 7, 7, 7)),
            Row(
                visuals=[
                    pen.combo(
                        "Revenue by hour, and usual", [f"{hour}revenue"], [f"{usual}revenue"], _HOUR, period="today"
                    ),
                    pen.combo("Orders by hour, and usual", [f"{hour}sales"], [f"{usual}sales"], _HOUR, period="today"),
                ],
                height=_TALLEST,
            ),
            Row(
                visuals=[
                    pen.table("Today by channel", ["revenue", "sales", "order_value"], _CHANNEL, period="today"),
                    pen.table("Today by country", ["revenue", "sales", "order_value"], _REGION, period="today"),
                ],
                height=_TALL,
            ),
        ],
    )


def _trends(pen: Pen) -> Sheet:
    return Sheet(
        name=pen.sheet,
        title="Trends",
        question="Where are sales going from week to week, and what is the season's part in it?",
        rows=[
            Row(visuals=[pen.combo("By week", ["revenue"], ["order_value"], WEEKLY, period="all")], height=_TALL),
            Row(
                visuals=[
                    pen.line(
                        "Season: revenue by month, year by year",
                        ["revenue"],
                        By(column="month"),
                        colour="year",
                        period="all",
                    ),
                    pen.heat("Orders by weekday and hour", "sales", "weekday", "hour", period="all"),
                ],
                height=_TALLEST,
            ),
            Row(
                visuals=[pen.pivot("Revenue by month and channel", "revenue", MONTHLY, "channel", period="all")],
                height=_TALL,
            ),
        ],
    )


def _products(pen: Pen) -> Sheet:
    return Sheet(
        name=pen.sheet,
        title="Products",
        question="What sells, what does it bring in, and what comes back?",
        rows=[
            Row(visuals=[pen.kpi(name) for name in ("product_revenue", "pieces", "products_sold")], height=_LOW),
            Row(
                visuals=[
                    pen.bar("Products by revenue", ["product_revenue"], _SKU, first=15),
                    pen.bar("Products by pieces", ["pieces"], _SKU, first=15),
                ],
                height=_TALLEST,
            ),
            Row(
                visuals=[pen.table("Every product", ["product_revenue", "pieces", "pieces_returned"], _SKU)],
                height=_TALLEST,
            ),
        ],
    )


def _regions(pen: Pen) -> Sheet:
    return Sheet(
        name=pen.sheet,
        title="Regions",
        question="Which countries buy, and how do they differ?",
        rows=[
            Row(
                visuals=[
                    pen.map("Revenue on the map", "revenue", "region"),
                    pen.bar("Countries by orders", ["sales"], _REGION, first=15),
                ],
                height=_TALLEST + 2,
                widths=(22, 14),
            ),
            Row(
                visuals=[
                    pen.table("Every country", ["revenue", "sales", "order_value", "return_rate", "customers"], _REGION)
                ],
                height=_TALLEST,
            ),
        ],
    )


def _customers(pen: Pen) -> Sheet:
    return Sheet(
        name=pen.sheet,
        title="Customers",
        question="Does the shop win customers, and do they come back?",
        rows=[
            Row(
                visuals=[
                    pen.kpi(name) for name in ("customers", "new_customers", "returning_customers", "guest_share")
                ],
                height=_LOW,
            ),
            Row(
                visuals=[
                    pen.bar("New and returning customers", ["new_customers", "returning_customers"], DAILY),
                    pen.bar("What they bring in", ["new_revenue", "returning_revenue"], DAILY),
                ],
                height=_TALLEST,
            ),
            Row(
                visuals=[
                    pen.table(
                        "By country",
                        ["new_customers", "returning_customers", "new_revenue", "returning_revenue"],
                        _REGION,
                    )
                ],
                height=_TALL,
            ),
        ],
    )


def _returns(pen: Pen) -> Sheet:
    return Sheet(
        name=pen.sheet,
        title="Returns",
        question="How much comes back, of what, and from where?",
        rows=[
            Row(visuals=[pen.kpi(name) for name in ("return_rate", "returns", "returned")], height=_LOW),
            Row(
                visuals=[
                    pen.combo("By day", ["returns"], ["return_rate"], DAILY),
                    pen.bar("Products that come back", ["pieces_returned"], _SKU, first=15),
                ],
                height=_TALLEST,
            ),
            Row(
                visuals=[pen.table("By country", ["returned", "returns", "return_rate"], _REGION)],
                height=_TALL,
            ),
        ],
    )


def _web(pen: Pen) -> Sheet:
    steps = ["visits", "visits_product", "visits_cart", "visits_checkout", "checkout_rate"]
    return Sheet(
        name=pen.sheet,
        title="Web funnel",
        question="How far do visits come, and where does the shop lose them?",
        rows=[
            Row(
                visuals=[
                    pen.kpi(name) for name in ("visits", "checkout_rate", "error_rate", "bot_share", "failed_checkouts")
                ],
                height=_LOW,
                widths=(8, 7, 7, 7, 7),
            ),
            Row(
                visuals=[
                    pen.funnel("From a visit to the checkout", "visits_at_step", "step"),
                    pen.combo("Visits by day, and how many check out", ["visits"], ["checkout_rate"], DAILY),
                ],
                height=_TALLEST,
                widths=(14, 22),
            ),
            Row(
                visuals=[
                    pen.table("By device", steps, _DEVICE),
                    pen.line("Errors' share by day", ["error_rate"], DAILY),
                ],
                height=_TALL,
                widths=(22, 14),
            ),
        ],
    )


def _quality(pen: Pen) -> Sheet:
    first = ("refused", "late_orders", "duplicates", "conflicts", "orders_without_checkout")
    fresh = ("missing", "emitted", "found")
    return Sheet(
        name=pen.sheet,
        title="Data quality",
        question="Can the other sheets be trusted: is every line accounted for, what was refused, how old is it?",
        rows=[
            Row(
                visuals=[
                    *(pen.kpi(name, period="all") for name in fresh),
                    *(pen.kpi(name, period="all") for name in ("warehouse_freshness", "warehouse_commit_age")),
                ],
                height=_LOW,
                widths=(6, 6, 6, 9, 9),
            ),
            Row(visuals=[pen.kpi(name) for name in first], height=_LOW, widths=(7, 7, 7, 7, 8)),
            Row(
                visuals=[
                    pen.bar("Letters by reason", ["refused"], By(column="reason"), first=15),
                    pen.line("Letters by day", ["refused"], DAILY, colour="event_type"),
                ],
                height=_TALLEST,
            ),
            Row(
                visuals=[
                    pen.table("The account", ["emitted", "found", "missing"], By(column="kind"), period="all"),
                    pen.table("Refused, by what it is", ["refused"], By(column="event_type")),
                ],
                height=8,
            ),
        ],
    )


_COMMON: dict[str, Callable[[Pen], Sheet]] = {
    "today": _today,
    "trends": _trends,
    "products": _products,
    "regions": _regions,
    "customers": _customers,
    "returns": _returns,
}
_SHOP: dict[str, Callable[[Pen], Sheet]] = {"web": _web, "quality": _quality}
