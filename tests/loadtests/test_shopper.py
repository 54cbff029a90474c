"""What a shopper decides, and that the shop's real pages can be read."""

import random

import pytest
from starlette.testclient import TestClient

from loadtests.visit import (
    BUYS,
    CUSTOMERS,
    GUESTS,
    WORDS,
    departments_on,
    order_number_on,
    products_on,
    sku_on,
    token_on,
    visit_of,
)
from producers.storefront.app import storefront
from producers.storefront.shelf import SHIPPED, shelf_from
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


def visits(seed, count=4000):
    rng = random.Random(seed)
    return [visit_of(rng) for _ in range(count)]


def test_the_same_seed_makes_the_same_visits():
    assert visits(7, 50) == visits(7, 50) != visits(8, 50)


def test_visits_follow_the_documented_weights():
    found = visits(1)
    assert sum(visit.buys for visit in found) / len(found) == pytest.approx(BUYS, abs=0.03)
    assert sum(visit.customer_id is None for visit in found) / len(found) == pytest.approx(GUESTS, abs=0.03)
    assert {len(visit.quantities) for visit in found} == {1, 2, 3}
    customers = {int(visit.customer_id.removeprefix("C-")) for visit in found if visit.customer_id}
    assert min(customers) >= 1 and max(customers) <= CUSTOMERS


def test_nobody_buys_when_told_not_to():
    rng = random.Random(1)
    assert not any(visit_of(rng, buys=0).buys for _ in range(100))


def test_every_word_that_shoppers_look_for_finds_something():
    shelf = shelf_from(SHIPPED)
    assert [word for word in WORDS if not shelf.search(word)] == []


def test_a_shopper_finds_the_way_through_the_real_pages(tmp_path):
    ids = iter(f"{number:032x}" for number in range(100))
    orders = []

    class Orders:
        append = staticmethod(orders.append)

    app = storefront(
        shelf=shelf_from(SHIPPED),
        spool=Orders(),
        access_log=tmp_path / "access.log",
        clock=ManualClock(),
        new_id=lambda: next(ids),
    )
    with TestClient(app) as browser:
        home = browser.get("/").text
        assert len(products_on(home)) == 12
        offers = products_on(browser.get(departments_on(home)[0]).text)
        sku = sku_on(browser.get(offers[0]).text)
        browser.post("/cart/add", data={"sku": sku, "quantity": "2"})
        token = token_on(browser.get("/checkout").text)
        page = browser.post("/checkout", data={"token": token, "customer_id": "", "region": "GB"}).text
    assert order_number_on(page) == orders[0]["order_id"]


def test_a_page_without_what_is_looked_for_yields_nothing():
    assert (sku_on(""), token_on(""), order_number_on("<html>"), products_on("")) == (None, None, None, [])
