"""Every figure that storepulse shows, once: board, QuickSight, OpenSearch Dashboards, CloudWatch and docs follow it.

A figure has one definition and it is here: change a formula, and all who show it follow. One module whatever its
length: it is a table, and read as one. Columns that the warehouse computes first are in `contract.derived`.
"""

from collections.abc import Iterator

from contract.derived import (
    FAILED_CHECKOUTS,
    FILES,
    LEDGER,
    PURCHASES,
    SETTLED_MINUTES,
    UNSEEN_ORDERS,
    WEEKS,
    hours,
    region_hours,
)
from contract.figure import Alarm as Alarm
from contract.figure import Figure as Figure
from contract.formula import Age, Count, Distinct, Is, Known, Ratio, Source, Sum, Unit, Unknown
from contract.health import HEALTH
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
    shared=("event_id", "event_date", "event_time", "kind", "channel", "region", "currency"),
)
# A document keeps a line's price without computing with it: nobody watches a product's revenue by the second.
AMOUNTS = Source(name="amounts", relation="lines", row=OrderLineRow, time="event_time", day="event_date")
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
# The keeper settles conflicts in the warehouse; the documents are those of the orders that count.
CONFLICTS = Source(name="conflicts", relation="conflicts", row=ConflictRow, time="arrived_at", day="event_date")


_BY_ORDER = ("currency", "region", "channel")
_SALE, _RETURN = Is("kind", ("sale",)), Is("kind", ("return",))
_NEW, _RETURNING = Is("is_new", (True,)), Is("is_new", (False,))
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
PIECES_RETURNED = Figure(
    name="pieces_returned",
    title="Pieces returned",
    meaning="Pieces of a product in returns.",
    unit=Unit.COUNT,
    formula=Sum(source=LINES, column="quantity", where=(_RETURN,)),
    dimensions=("sku", "region", "channel"),
    better="lower",
    kind="sales",
)
PRODUCT_REVENUE = Figure(
    name="product_revenue",
    title="Revenue of products",
    meaning="What a product's lines come to, discounts taken off, without tax and shipping; returns subtract.",
    unit=Unit.MONEY,
    formula=Sum(source=AMOUNTS, column="amount"),
    dimensions=("currency", "sku", "region", "channel"),
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

NEW_CUSTOMERS = Figure(
    name="new_customers",
    title="New customers",
    meaning=(
        "Different customers that bought on the day of their first purchase. A rotation of the identity key makes"
        " everybody new once: see docs/privacy.md."
    ),
    unit=Unit.COUNT,
    formula=Distinct(source=PURCHASES, column="customer", where=(_NEW,)),
    dimensions=_BY_ORDER,
    better="higher",
    kind="sales",
)
RETURNING_CUSTOMERS = Figure(
    name="returning_customers",
    title="Returning customers",
    meaning=(
        "Different customers that bought on a later day than that of their first purchase. In a period of several days"
        " one may be new and returning."
    ),
    unit=Unit.COUNT,
    formula=Distinct(source=PURCHASES, column="customer", where=(_RETURNING,)),
    dimensions=_BY_ORDER,
    better="higher",
    kind="sales",
)
NEW_REVENUE = Figure(
    name="new_revenue",
    title="Revenue of new customers",
    meaning="What sales to customers come to on the day of their first purchase.",
    unit=Unit.MONEY,
    formula=Sum(source=PURCHASES, column="revenue", where=(_NEW,)),
    dimensions=_BY_ORDER,
    better="higher",
    kind="sales",
)
RETURNING_REVENUE = Figure(
    name="returning_revenue",
    title="Revenue of returning customers",
    meaning="What sales to customers come to on later days than that of their first purchase.",
    unit=Unit.MONEY,
    formula=Sum(source=PURCHASES, column="revenue", where=(_RETURNING,)),
    dimensions=_BY_ORDER,
    better="higher",
    kind="sales",
)

_USUAL = (
    f"The median of the same hour and weekday in the {WEEKS} weeks before, by the shop's clock, added up over hours."
)
_REGIONS = " Medians of regions do not add up to the shop's."
HOURS = hours(REVENUE.formula, SALES.formula)  # type: ignore[arg-type]
REGION_HOURS = region_hours(REVENUE.formula, SALES.formula)  # type: ignore[arg-type]
_OF_REVENUE, _OF_SALES = Is("measure", ("revenue",)), Is("measure", ("sales",))
_COMPARABLE = (Is("is_over", (True,)), Known("usual"))
USUAL_REVENUE = Figure(
    name="usual_revenue",
    title="Usual revenue",
    meaning=_USUAL,
    unit=Unit.MONEY,
    formula=Sum(source=HOURS, column="usual", where=(_OF_REVENUE,)),
    dimensions=("currency",),
    kind="sales",
)
USUAL_SALES = Figure(
    name="usual_sales",
    title="Usual orders",
    meaning=_USUAL,
    unit=Unit.COUNT,
    formula=Sum(source=HOURS, column="usual", where=(_OF_SALES,)),
    dimensions=("currency",),
    kind="sales",
)
REVENUE_TO_USUAL = Figure(
    name="revenue_to_usual",
    title="Revenue against usual",
    meaning="Revenue by usual revenue, of hours that are over: 1 is as usual.",
    unit=Unit.SHARE,
    formula=Ratio(
        top=Sum(source=HOURS, column="amount", where=(_OF_REVENUE, *_COMPARABLE)),
        bottom=Sum(source=HOURS, column="usual", where=(_OF_REVENUE, *_COMPARABLE)),
    ),
    dimensions=("currency",),
    per_currency=True,
    better="higher",
    target=1,
    kind="sales",
)
SALES_TO_USUAL = Figure(
    name="sales_to_usual",
    title="Orders against usual",
    meaning="Orders by usual orders, of hours that are over: 1 is as usual.",
    unit=Unit.SHARE,
    formula=Ratio(
        top=Sum(source=HOURS, column="amount", where=(_OF_SALES, *_COMPARABLE)),
        bottom=Sum(source=HOURS, column="usual", where=(_OF_SALES, *_COMPARABLE)),
    ),
    dimensions=("currency",),
    better="higher",
    target=1,
    kind="sales",
)
REGION_USUAL_REVENUE = Figure(
    name="region_usual_revenue",
    title="Usual revenue of regions",
    meaning=_USUAL + _REGIONS,
    unit=Unit.MONEY,
    formula=Sum(source=REGION_HOURS, column="usual", where=(_OF_REVENUE,)),
    dimensions=("currency", "region"),
    kind="sales",
)
REGION_USUAL_SALES = Figure(
    name="region_usual_sales",
    title="Usual orders of regions",
    meaning=_USUAL + _REGIONS,
    unit=Unit.COUNT,
    formula=Sum(source=REGION_HOURS, column="usual", where=(_OF_SALES,)),
    dimensions=("currency", "region"),
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
FAILED_CHECKOUTS_FOUND = Figure(
    name="failed_checkouts",
    title="Failed checkouts",
    meaning=(
        "Sessions a day whose checkout was answered with 5xx and that bought nothing within a day: see docs/access.md."
    ),
    unit=Unit.COUNT,
    formula=Count(source=FAILED_CHECKOUTS),
    dimensions=("browser", "device"),
    better="lower",
    target=0,
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
UNSEEN_ORDERS_FOUND = Figure(
    name="orders_without_checkout",
    title="Orders without a checkout",
    meaning="Sales that no request led to, on days with an access log: see docs/access.md.",
    unit=Unit.COUNT,
    formula=Count(source=UNSEEN_ORDERS),
    dimensions=_BY_ORDER,
    better="lower",
    target=0,
    kind="quality",
)
EMITTED = Figure(
    name="emitted",
    title="Lines emitted",
    meaning=(
        "Lines of spools and access logs up to each file's last heartbeat, those of the last"
        f" {SETTLED_MINUTES} minutes that the warehouse has taken left out."
    ),
    unit=Unit.COUNT,
    formula=Sum(source=FILES, column="emitted"),
    dimensions=("kind",),
    kind="quality",
)
FOUND = Figure(
    name="found",
    title="Lines found",
    meaning="Orders, requests, letters and duplicates in the warehouse of the lines emitted.",
    unit=Unit.COUNT,
    formula=Sum(source=FILES, column="found"),
    dimensions=("kind",),
    kind="quality",
)
MISSING = Figure(
    name="missing",
    title="Lines missing",
    meaning=(
        "Lines emitted less lines found: lost, or behind by more than"
        f" {SETTLED_MINUTES} minutes. `python -m consumers account` says which, and where."
    ),
    unit=Unit.COUNT,
    formula=Sum(source=FILES, column="missing"),
    dimensions=("kind",),
    better="lower",
    target=0,
    kind="quality",
)
WAREHOUSE_FRESH = Figure(
    name="warehouse_freshness",
    title="Freshness of the warehouse",
    meaning="Since the arrival of the newest record that the warehouse has taken. At rest it is as old as the data.",
    unit=Unit.SECONDS,
    formula=Age(source=LEDGER, column="last_arrived_at"),
    better="lower",
    kind="quality",
)
WAREHOUSE_COMMITTED = Figure(
    name="warehouse_commit_age",
    title="Since the warehouse's last load",
    meaning="Since the newest commit of the keeper to the warehouse; its cadence is a setting by hour of day.",
    unit=Unit.SECONDS,
    formula=Age(source=LEDGER, column="committed_at"),
    better="lower",
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
    NEW_CUSTOMERS,
    RETURNING_CUSTOMERS,
    NEW_REVENUE,
    RETURNING_REVENUE,
    USUAL_REVENUE,
    USUAL_SALES,
    REVENUE_TO_USUAL,
    SALES_TO_USUAL,
    REGION_USUAL_REVENUE,
    REGION_USUAL_SALES,
    PIECES,
    PIECES_RETURNED,
    PRODUCT_REVENUE,
    PRODUCTS_SOLD,
    VISITS,
    SAW_PRODUCT,
    SAW_CART,
    SAW_CHECKOUT,
    CHECKOUT_RATE,
    REQUESTS,
    ERROR_RATE,
    BOT_SHARE,
    FAILED_CHECKOUTS_FOUND,
    REFUSED,
    LATE_ORDERS,
    DUPLICATES_FOUND,
    CONFLICTS_FOUND,
    UNSEEN_ORDERS_FOUND,
    EMITTED,
    FOUND,
    MISSING,
    WAREHOUSE_FRESH,
    WAREHOUSE_COMMITTED,
    QUIET_ORDERS,
    QUIET_HITS,
    *HEALTH,
)


def figure(name: str) -> Figure:
    """Raises KeyError."""
    return {each.name: each for each in FIGURES}[name]


def alarms() -> Iterator[Figure]:
    """The figures that call somebody."""
    return (each for each in FIGURES if each.alarm)
