"""A shopper's way through the pages, from the shelf to the spool."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from contract.order import Order, total_of

pytestmark = pytest.mark.unit

GUEST = {"customer_id": "", "region": "GB"}


class FullDisk:
    """A spool that takes nothing until it is mended."""

    def __init__(self):
        self.events, self.broken = [], True

    def append(self, event):
        if self.broken:
            raise OSError(28, "No space left on device")
        self.events.append(event)


def fill_cart(browser, **quantities):
    for sku, quantity in quantities.items():
        answer = browser.post("/cart/add", data={"sku": sku.replace("_", "-"), "quantity": str(quantity)})
        assert answer.status_code == 200


def test_a_sale_ends_in_the_spool_with_the_number_that_the_shopper_reads(browser, read, spooled):
    assert "Stoneware mug, speckled oat" in browser.get("/search?q=mug+oat").text
    assert read.text(browser.get("/product/KT-101").text, "price") == "£12.50"
    fill_cart(browser, KT_101=2, PP_415=1)
    form = browser.get("/checkout").text
    assert read.text(form, "total") == "£33.20"

    answer = browser.post("/checkout", data={"token": read.token(form), "customer_id": " C-77 ", "region": "IE"})

    (line,) = spooled()
    order = msgspec.json.decode(line, type=Order)
    assert answer.url.path == f"/thank-you/{order.order_id}"
    assert read.text(answer.text, "order-id") == order.order_id
    assert read.text(answer.text, "cart-count") == "0"
    assert order.event_id == read.token(form)
    assert order.event_time == datetime(2026, 11, 27, 8, tzinfo=UTC)
    assert b'"event_time":"2026-11-27T08:00:00.000Z"' in line
    assert (order.customer_id, order.region, order.channel, order.currency) == ("C-77", "IE", "web", "GBP")
    assert [(each.sku, each.quantity, each.unit_price) for each in order.lines] == [
        ("KT-101", 2, 1250),
        ("PP-415", 1, 325),
    ]
    assert (order.shipping, order.total, total_of(order)) == (495, 3320, 3320)
    assert order.session_id == browser.cookies["sid"]


def test_a_guest_needs_no_customer_number(browser, read, spooled):
    fill_cart(browser, TX_316=1)
    browser.post("/checkout", data={"token": read.token(browser.get("/checkout").text), **GUEST})
    order = msgspec.json.decode(spooled()[0], type=Order)
    assert order.customer_id is None
    assert order.shipping == 0  # over 50 pounds


def test_sending_the_same_form_twice_is_one_order(browser, read, spooled):
    fill_cart(browser, KT_101=1)
    cart = browser.cookies["cart"]
    form = {"token": read.token(browser.get("/checkout").text), **GUEST}
    first = browser.post("/checkout", data=form)
    browser.cookies.set(
        "cart", cart, domain="testserver.local", path="/"
    )  # a double click sends the cart of before the first answer
    second = browser.post("/checkout", data=form)
    assert read.text(second.text, "order-id") == read.text(first.text, "order-id")
    assert read.text(second.text, "cart-count") == "0"
    assert len(spooled()) == 1


def test_a_form_sent_again_does_not_empty_a_cart_filled_since(browser, read, spooled):
    fill_cart(browser, KT_101=1)
    form = {"token": read.token(browser.get("/checkout").text), **GUEST}
    browser.post("/checkout", data=form)
    fill_cart(browser, GD_501=3)
    again = browser.post("/checkout", data=form)
    assert read.text(again.text, "cart-count") == "3"
    assert len(spooled()) == 1


def test_a_form_sent_again_after_a_restart_keeps_its_identity_and_number(open_shop, read):
    spool = FullDisk()
    spool.broken = False
    for browser in (open_shop(spool), open_shop(spool)):  # two shops with nothing in common but the spool
        fill_cart(browser, KT_101=1)
        browser.post("/checkout", data={"token": "ab" * 16, **GUEST})
    first, second = spool.events
    assert (first["event_id"], first["order_id"]) == (second["event_id"], second["order_id"])


def test_without_a_spool_there_is_no_order_number_and_the_cart_is_kept(open_shop, read):
    spool = FullDisk()
    browser = open_shop(spool)
    fill_cart(browser, KT_101=1)
    form = {"token": read.token(browser.get("/checkout").text), **GUEST}

    answer = browser.post("/checkout", data=form)

    assert answer.status_code == 503
    assert read.text(answer.text, "closed")
    assert read.text(answer.text, "order-id") is None
    assert read.text(answer.text, "cart-count") == "1"
    assert read.token(answer.text) == form["token"]
    spool.broken = False
    assert read.text(browser.post("/checkout", data=form).text, "order-id") == spool.events[0]["order_id"]


def test_a_fault_of_ours_is_a_page_too_and_stands_in_the_access_log(open_shop, read, access_log):
    class Faulty:
        def append(self, event):
            raise RuntimeError("a fault that nobody foresaw")

    browser = open_shop(Faulty())
    fill_cart(browser, KT_101=1)
    answer = browser.post("/checkout", data={"token": "ab" * 16, **GUEST})
    assert answer.status_code == 500
    assert "nobody foresaw" not in answer.text
    assert read.text(answer.text, "cart-count") == "1"
    browser.__exit__(None)
    assert json.loads(access_log.read_bytes().splitlines()[-1])["status"] == 500


def test_an_order_is_shown_to_the_session_that_placed_it_only(browser, read):
    fill_cart(browser, KT_101=1)
    placed = browser.post("/checkout", data={"token": read.token(browser.get("/checkout").text), **GUEST})
    assert browser.get(placed.url.path).status_code == 200
    browser.cookies.clear()
    assert browser.get(placed.url.path).status_code == 404


def test_the_cart_can_be_changed_and_emptied(browser, read):
    fill_cart(browser, KT_101=2, KT_102=1)
    page = browser.post("/cart/change", data={"sku": "KT-101", "quantity": "5"}).text
    assert (read.text(page, "cart-count"), read.text(page, "total")) == ("6", "£75.00")
    for sku in ("KT-101", "KT-102"):
        page = browser.post("/cart/remove", data={"sku": sku}).text
    assert read.text(page, "cart-empty")
    assert browser.get("/checkout").url.path == "/cart"


def test_session_and_cart_cookies_are_out_of_reach_of_scripts_and_other_sites(browser):
    page = browser.get("/")
    cart = browser.post("/cart/add", data={"sku": "KT-101", "quantity": "1"}, follow_redirects=False)
    for cookie in (page.headers["set-cookie"], cart.headers["set-cookie"]):
        assert "httponly" in cookie.lower() and "samesite=lax" in cookie.lower()
        assert "secure" not in cookie.lower()
    browser.cookies.clear()
    assert "secure" in browser.get("https://testserver/").headers["set-cookie"].lower()
