"""Where orders and the access log disagree about a checkout: money at risk, found by session or order number.

Views for warehouse and lake alike, in SQL that Redshift, DuckDB and Athena read. An order and a request belong together
by the order's number, which the page after the checkout has in its path, or by the session of the shop's cookie, which
both have as the same keyed hash. Hashes of two keys differ: in the hours around a change of the key a session's orders
and requests miss each other, and only order numbers join. A visit without a cookie joins no order: see `session_kind`.

What arrives late is missing until it is there. Ask for days, and not for the last minutes: `event_date` is a column of
each view.
"""

from collections.abc import Mapping

# Around an order: its checkout is logged when it was answered, and a form may stand open for a while before.
_NEAR = "INTERVAL '1' HOUR"
# An answer takes so long that its order may be older than its line in the log.
_ANSWERING = "INTERVAL '1' MINUTE"
# A shopper who was turned away may come back; after that it is another purchase.
_COMING_BACK = "INTERVAL '1' DAY"


def checkout_views(orders: str, hits: str) -> Mapping[str, str]:
    """The text of each view over these two tables, which have one row an event, in the order they can be created.

    `orders_without_checkout`: sales that no request led to, as far as the log tells: written past the shop, or by a
    host whose log is missing. Days without any request are left out, as are returns, which have no checkout.
    `failed_checkouts`: one row a session and day whose checkout was answered with 5xx and that bought nothing from then
    on; for a visit without a cookie it is unknown what it bought, and it is listed. Bots are left out.
    `revenue_at_risk`: failed checkouts a day, and what so many sales brought in on that day: a row a currency, in its
    minor units, each the part that sales in that currency had. On a day without sales both are null: nothing to go by.
    """
    return {
        "orders_without_checkout": _orders_without_checkout(orders, hits),
        "failed_checkouts": _failed_checkouts(orders, hits),
        "revenue_at_risk": _revenue_at_risk(orders),
    }


def _orders_without_checkout(orders: str, hits: str) -> str:
    return (
        "SELECT o.event_date, o.event_time, o.order_id, o.session, o.channel, o.region, o.currency, o.revenue"
        f" FROM {orders} o"
        f" JOIN (SELECT DISTINCT event_date FROM {hits}) logged ON logged.event_date = o.event_date"
        f" LEFT JOIN {hits} named ON named.order_id = o.order_id"
        f" LEFT JOIN {hits} visited ON visited.session = o.session AND visited.page = 'checkout'"
        f" AND visited.event_time BETWEEN o.event_time - {_NEAR} AND o.event_time + {_NEAR}"
        " WHERE o.kind = 'sale' AND named.event_id IS NULL AND visited.event_id IS NULL"
    )


def _failed_checkouts(orders: str, hits: str) -> str:
    return (
        "SELECT h.event_date, COALESCE(h.session, h.event_id) AS session, MAX(h.session_kind) AS session_kind,"
        " MIN(h.event_time) AS first_at, MAX(h.event_time) AS last_at, COUNT(DISTINCT h.event_id) AS failures,"
        " MAX(h.status) AS status, MAX(h.order_id) AS order_id, MAX(h.browser) AS browser, MAX(h.device) AS device"
        f" FROM {hits} h"
        f" LEFT JOIN {orders} named ON named.order_id = h.order_id"
        f" LEFT JOIN {orders} bought ON bought.session = h.session AND bought.kind = 'sale'"
        f" AND bought.event_time BETWEEN h.event_time - {_ANSWERING} AND h.event_time + {_COMING_BACK}"
        " WHERE h.page = 'checkout' AND h.status BETWEEN 500 AND 599 AND NOT h.is_bot"
        " AND named.event_id IS NULL AND bought.event_id IS NULL"
        " GROUP BY h.event_date, COALESCE(h.session, h.event_id)"
    )


def _revenue_at_risk(orders: str) -> str:
    return (
        "SELECT failed.event_date, sold.currency, failed.checkouts,"
        " CAST(FLOOR(failed.checkouts * sold.revenue / overall.sales) AS BIGINT) AS revenue_at_risk"
        " FROM (SELECT event_date, COUNT(*) AS checkouts FROM failed_checkouts GROUP BY event_date) failed"
        " LEFT JOIN (SELECT event_date, currency, SUM(revenue) AS revenue"
        f" FROM {orders} WHERE kind = 'sale' GROUP BY event_date, currency) sold"
        " ON sold.event_date = failed.event_date"
        " LEFT JOIN (SELECT event_date, COUNT(*) AS sales"
        f" FROM {orders} WHERE kind = 'sale' GROUP BY event_date) overall"
        " ON overall.event_date = failed.event_date"
    )
