"""What is asked of a store for a proof."""

import datetime as dt

import pytest

from loadtests.proof.holdings import Span, in_opensearch, in_warehouse

pytestmark = pytest.mark.unit

EIGHT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
ROW = {"event_id": "e", "order_id": "O-e", "origin_crc": 7, "origin_bytes": 9, "reason": "", "total": 5, "revenue": 5}


class Session:
    """A warehouse whose orders arrived within two minutes of a day, and that has nothing else."""

    def __init__(self):
        self.asked = []

    def query(self, name, text, parameters):
        self.asked.append(text)
        is_orders = " FROM orders " in text
        if name == "ends":
            ends = (EIGHT, EIGHT + dt.timedelta(minutes=2)) if is_orders else (None, None)
            return [dict(zip(("oldest", "newest"), ends, strict=True))]
        return [ROW] if parameters[0] <= EIGHT + dt.timedelta(minutes=2) < parameters[1] else []

    def rollback(self):
        pass


def test_a_day_later_the_warehouse_is_asked_for_the_minutes_alone_in_which_something_arrived():
    session = Session()
    rows = list(in_warehouse(session, Span(EIGHT - dt.timedelta(hours=1), EIGHT + dt.timedelta(days=1))))
    assert [(row.kind, row.event_id, row.line, row.total, row.revenue) for row in rows] == [("order", "e", "7-9", 5, 5)]
    assert len(session.asked) == 3 + 9  # the last one holds the very last arrival


class Search:
    """An OpenSearch with one order."""

    indices = type("Indices", (), {"refresh": staticmethod(lambda **_: None)})

    def __init__(self):
        self.bodies = []

    def search(self, *, index, body, params):
        self.bodies.append(body)
        order = {"event_id": "e", "order_id": "O-e", "total": 5, "revenue": 5, "origin": {"crc": 7, "bytes": 9}}
        return {"hits": {"hits": [{"_source": order}] if index == "orders-*" else []}, "_scroll_id": "s"}

    def scroll(self, **_):
        return {"hits": {"hits": []}}

    def clear_scroll(self, **_):
        pass


def test_what_an_order_is_worth_is_read_with_it_and_letters_of_web_logs_are_nobodys():
    search = Search()
    (row,) = in_opensearch(search, Span(EIGHT, EIGHT + dt.timedelta(days=1)))
    assert (row.total, row.revenue, row.line) == (5, 5, "7-9")
    assert {"total", "revenue"} <= set(search.bodies[0]["_source"])
    assert {"term": {"event_type": "access"}} in search.bodies[1]["query"]["bool"]["must_not"]
