"""Every figure that storepulse shows, once: board, QuickSight, OpenSearch Dashboards, CloudWatch and docs follow it.

A figure has one definition and it is here: change a formula, and all who show it follow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from contract.formula import Age, Count, Distinct, Formula, Is, Known, Metric, Ratio, Source, Sum, Unit, Unknown
from contract.rows import ConflictRow, DuplicateRow, HitRow, LetterRow, LineRow, OrderLineRow, OrderRow

ORDERS = Source(name="orders", relation="orders", row=OrderRow, time="event_time", day="event_date", index="orders-*")
LINES = Source(
    name="lines",
    relation="lines",
    row=OrderLineRow,
    time="event_time",
    day="event_date",
    index="orders-*",
    document=OrderRow,
    within="lines",
    element=LineRow,
)
HITS = Source(name="hits", relation="hits", row=HitRow, time="event_time", day="event_date", index="hits-*")
LETTERS = Source(
    name="letters",
    relation="letters_open",
    row=LetterRow,
    time="arrived_at",
    day="read_on",
    index="letters-*",
    live_only=(Known("reason"), Unknown("mended_at")),
)
DUPLICATES = Source(
    name="duplicates", relation="duplicates", row=DuplicateRow, time="arrived_at", day="", index="duplicates"
)
CONFLICTS = Source(name="conflicts", relation="conflicts", row=ConflictRow, time="arrived_at", day="event_date")
SOURCES = (ORDERS, LINES, HITS, LETTERS, DUPLICATES, CONFLICTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """When a figure calls somebody. The page that says what to do is docs/runbooks/, named as the alarm is."""

    when: Literal["above", "below"]
    threshold: float  # in the figure's unit
    minutes: int  # in a row: one bad minute calls nobody
    pages: bool  # wakes somebody; else it can wait for the morning
    missing_is_bad: bool = False  # no data at all is the trouble itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure. What is computed over rows is so in every store that has them; the rest CloudWatch measures."""

    name: str
    title: str
    meaning: str
    unit: Unit
    formula: Formula
    dimensions: tuple[str, ...] = ()  # columns by which it may be grouped, beside time; money always is by currency
    better: Literal["higher", "lower", ""] = ""  # empty: neither
    target: float | None = None
    alarm: Alarm | None = None
    kind: Literal["sales", "web", "quality", "health"]


_BY_ORDER = ("currency", "region", "channel")
_SALE, _RETURN = Is("kind", ("sale",)), Is("kind", ("return",))
_PERSON = Is("is_bot", (False,))


def _page(*pages: str) -> Is:
    return Is("page", pages)


REVENUE = Figure(
    name="revenue",
    title="Revenue",
    meaning="What accepted orders come to, tax and shipping included; returns subtract.",
    unit=Unit.MONEY,
    formula=Sum(source=ORDERS, column="revenue"),
    dimensions=_BY_ORDER,
    better="higher",
    kind="sales",
)
SALES = Figure(
    name="sales",
    title="Orders",
    meaning="Accepted orders that sell something; returns are not among them.",
    unit=Unit.COUNT,
    formula=Count(source=ORDERS, where=(_SALE,)),
    dimensions=_BY_ORDER,
    better="higher",
    kind="sales",
)
UNITS = Figure(
    name="units",
    title="Units",
    meaning="Pieces sold; returned ones subtract.",
    unit=Unit.COUNT,
    formula=Sum(source=ORDERS, column="units"),
    dimensions=_BY_ORDER,
    better="higher",
    kind="sales",
)
ORDER_VALUE = Figure(
    name="order_value",
    title="Average order value",
    meaning="Revenue of sales by their number.",
    unit=Unit.MONEY,
    formula=Ratio(
        top=Sum(source=ORDERS, column="revenue", where=(_SALE,)), bottom=Count(source=ORDERS, where=(_SALE,))
    ),
    dimensions=_BY_ORDER,
    better="higher",
    kind="sales",
)
RETURNS = Figure(
    name="returns",
    title="Returns",
    meaning="Accepted returns.",
    unit=Unit.COUNT,
    formula=Count(source=ORDERS, where=(_RETURN,)),
    dimensions=_BY_ORDER,
    better="lower",
    kind="sales",
)
RETURNED = Figure(
    name="returned",
    title="Returned",
    meaning="What returns come to: a negative amount.",
    unit=Unit.MONEY,
    formula=Sum(source=ORDERS, column="revenue", where=(_RETURN,)),
    dimensions=_BY_ORDER,
    better="higher",
    kind="sales",
)
RETURN_RATE = Figure(
    name="return_rate",
    title="Return rate",
    meaning="Returns by sales of the same period, whenever what is returned was bought.",
    unit=Unit.SHARE,
    formula=Ratio(top=RETURNS.formula, bottom=SALES.formula),  # type: ignore[arg-type]
    dimensions=_BY_ORDER,
    better="lower",
    kind="sales",
)
CUSTOMERS = Figure(
    name="customers",
    title="Customers",
    meaning="Different known customers that bought; guests are not counted.",
    unit=Unit.COUNT,
    formula=Distinct(source=ORDERS, column="customer", where=(_SALE,)),
    dimensions=_BY_ORDER,
    better="higher",
    kind="sales",
)
GUEST_SHARE = Figure(
    name="guest_share",
    title="Guests' share",
    meaning="Sales to guests by all sales.",
    unit=Unit.SHARE,
    formula=Ratio(
        top=Count(source=ORDERS, where=(_SALE, Unknown("customer"))), bottom=Count(source=ORDERS, where=(_SALE,))
    ),
    dimensions=_BY_ORDER,
    kind="sales",
)
LATE_ORDERS = Figure(
    name="late_orders",
    title="Late orders",
    meaning="Accepted orders that arrived later after their time than the rules allow.",
    unit=Unit.COUNT,
    formula=Count(source=ORDERS, where=(Is("late", (True,)),)),
    dimensions=_BY_ORDER,
    better="lower",
    target=0,
    kind="quality",
)
PIECES = Figure(
    name="pieces",
    title="Pieces sold",
    meaning="Pieces of a product in sales; returns do not count against them.",
    unit=Unit.COUNT,
    formula=Sum(source=LINES, column="quantity", where=(_SALE,)),
    dimensions=("sku", "region", "channel"),
    better="higher",
    kind="sales",
)
PRODUCTS_SOLD = Figure(
    name="products_sold",
    title="Products sold",
    meaning="Different products in sales.",
    unit=Unit.COUNT,
    formula=Distinct(source=LINES, column="sku", where=(_SALE,)),
    dimensions=("region", "channel"),
    better="higher",
    kind="sales",
)

_VISITS = Distinct(source=HITS, column="session", where=(_PERSON,))
_BY_HIT = ("device", "browser", "os")
VISITS = Figure(
    name="visits",
    title="Visits",
    meaning="Different sessions of people; crawlers and programs are left out by their own word.",
    unit=Unit.COUNT,
    formula=_VISITS,
    dimensions=_BY_HIT,
    better="higher",
    kind="web",
)


def _step(name: str, title: str, meaning: str, *pages: str) -> Figure:
    """A step of the funnel."""
    return Figure(
        name=name,
        title=title,
        meaning=meaning,
        unit=Unit.COUNT,
        formula=Distinct(source=HITS, column="session", where=(_PERSON, _page(*pages))),
        dimensions=_BY_HIT,
        better="higher",
        kind="web",
    )


SAW_PRODUCT = _step("visits_product", "Saw a product", "Visits that opened a product's page.", "product")
SAW_CART = _step("visits_cart", "Filled a cart", "Visits that opened the cart.", "cart")
SAW_CHECKOUT = _step("visits_checkout", "Checked out", "Visits that came to the checkout.", "checkout")
CHECKOUT_RATE = Figure(
    name="checkout_rate",
    title="Checkout rate",
    meaning="Visits that came to the checkout by all visits.",
    unit=Unit.SHARE,
    formula=Ratio(top=Distinct(source=HITS, column="session", where=(_PERSON, _page("checkout"))), bottom=_VISITS),
    dimensions=_BY_HIT,
    better="higher",
    kind="web",
)
REQUESTS = Figure(
    name="requests",
    title="Requests",
    meaning="Lines of the web servers' access logs.",
    unit=Unit.COUNT,
    formula=Count(source=HITS),
    dimensions=("page", "status_class", "device"),
    kind="web",
)
ERROR_RATE = Figure(
    name="error_rate",
    title="Errors' share",
    meaning="Requests that the shop answered with 5xx by all requests.",
    unit=Unit.SHARE,
    formula=Ratio(top=Count(source=HITS, where=(Is("status_class", ("5xx",)),)), bottom=Count(source=HITS)),
    dimensions=("page",),
    better="lower",
    target=0.001,
    alarm=Alarm(when="above", threshold=0.05, minutes=2, pages=True),
    kind="web",
)
BOT_SHARE = Figure(
    name="bot_share",
    title="Bots' share",
    meaning="Requests of crawlers and programs by all requests.",
    unit=Unit.SHARE,
    formula=Ratio(top=Count(source=HITS, where=(Is("is_bot", (True,)),)), bottom=Count(source=HITS)),
    kind="web",
)

REFUSED = Figure(
    name="refused",
    title="Refused",
    meaning="Dead letters that were not mended since, by the decisive reason.",
    unit=Unit.COUNT,
    formula=Count(source=LETTERS),
    dimensions=("reason", "event_type"),
    better="lower",
    target=0,
    alarm=Alarm(when="above", threshold=100, minutes=5, pages=False),  # a minute's
    kind="quality",
)
DUPLICATES_FOUND = Figure(
    name="duplicates",
    title="Duplicates",
    meaning="Second lines with a known identity: the shop emitted twice.",
    unit=Unit.COUNT,
    formula=Count(source=DUPLICATES),
    better="lower",
    target=0,
    kind="quality",
)
CONFLICTS_FOUND = Figure(
    name="conflicts",
    title="Conflicts",
    meaning="Second orders with a known identity and other content: refused, the first one counts.",
    unit=Unit.COUNT,
    formula=Count(source=CONFLICTS),
    dimensions=("currency",),
    better="lower",
    target=0,
    kind="quality",
)
QUIET_ORDERS = Figure(
    name="quiet_orders",
    title="Since the last order",
    meaning="Since the newest accepted order was placed. The data stopped, or sales did.",
    unit=Unit.SECONDS,
    formula=Age(source=ORDERS, column="event_time"),
    better="lower",
    target=2.0,
    alarm=Alarm(when="above", threshold=600, minutes=2, pages=True, missing_is_bad=True),
    kind="health",
)
QUIET_HITS = Figure(
    name="quiet_hits",
    title="Since the last request",
    meaning="Since the newest request that a web server logged. A shop that is open always has some.",
    unit=Unit.SECONDS,
    formula=Age(source=HITS, column="event_time"),
    better="lower",
    target=2.0,
    alarm=Alarm(when="above", threshold=300, minutes=2, pages=True, missing_is_bad=True),
    kind="health",
)
LAG = Figure(
    name="live_lag",
    title="Lag of live",
    meaning="How far live is behind the tip of its streams.",
    unit=Unit.SECONDS,
    formula=Metric(
        namespace="Storepulse/Fleet", name="Lag", statistic="Maximum", dimensions=(("Application", "live"),)
    ),
    better="lower",
    target=2.0,
    alarm=Alarm(when="above", threshold=60, minutes=3, pages=True, missing_is_bad=True),
    kind="health",
)

FIGURES: tuple[Figure, ...] = (
    REVENUE,
    SALES,
    UNITS,
    ORDER_VALUE,
    RETURNS,
    RETURNED,
    RETURN_RATE,
    CUSTOMERS,
    GUEST_SHARE,
    PIECES,
    PRODUCTS_SOLD,
    VISITS,
    SAW_PRODUCT,
    SAW_CART,
    SAW_CHECKOUT,
    CHECKOUT_RATE,
    REQUESTS,
    ERROR_RATE,
    BOT_SHARE,
    REFUSED,
    LATE_ORDERS,
    DUPLICATES_FOUND,
    CONFLICTS_FOUND,
    QUIET_ORDERS,
    QUIET_HITS,
    LAG,
)


def figure(name: str) -> Figure:
    """Raises KeyError."""
    return {each.name: each for each in FIGURES}[name]


def alarms() -> Iterator[Figure]:
    """The figures that call somebody."""
    return (each for each in FIGURES if each.alarm)
