import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contract.catalogue import Product
from contract.order import Order, total_of
from contract.schema import order_schema
from producers.storefront.basket import LARGEST_COOKIE, AskAgain, Basket, basket_from_cookie, quantity_from
from producers.storefront.checkout import Buyer, order_id_of, order_of, sums_of
from producers.storefront.shelf import shelf_of
from runtime.testing import ManualClock

import msgspec  # isort: skip

pytestmark = pytest.mark.unit

skus = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
lines = st.dictionaries(skus, st.integers(1, 99), min_size=1, max_size=8)
prices = st.integers(1, 1_000_000)


@given(lines)
def test_a_cart_comes_back_from_its_cookie_as_it_was(wanted):
    basket = Basket()
    for sku, quantity in wanted.items():
        basket = basket.added(sku, quantity)
    cookie = basket.to_cookie()
    assert basket_from_cookie(cookie, wanted.keys()) == basket
    assert list(basket.lines.items()) == list(wanted.items())
    assert cookie.isascii() and not set(cookie) & set(' ",;\\')


@given(st.text(max_size=200))
def test_any_cookie_is_read_as_some_legal_cart(cookie):
    basket = basket_from_cookie(cookie, {"A", "B"})
    assert all(sku in {"A", "B"} and 1 <= quantity <= 99 for sku, quantity in basket.lines.items())


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 99)), max_size=30))
def test_no_product_ever_passes_99_pieces(additions):
    basket = Basket()
    for sku, quantity in additions:
        held = basket.lines.get(sku, 0)
        try:
            basket = basket.added(sku, quantity)
        except AskAgain:
            assert held + quantity > 99
        assert basket.lines.get(sku, 0) == held + quantity or held + quantity > 99


@given(st.text(max_size=12))
def test_a_quantity_is_a_whole_number_from_1_to_99_or_asked_for_again(text):
    try:
        quantity = quantity_from(text)
    except AskAgain as problem:
        assert problem.field == "quantity"
    else:
        assert 1 <= quantity <= 99 and int(text) == quantity


def test_a_cart_stops_growing_before_its_cookie_is_cut_off():
    basket, number = Basket(), 0
    with pytest.raises(AskAgain, match="full"):
        while True:
            number += 1
            basket = basket.added(f"LONG-{number:060}", 1)
    assert len(basket.to_cookie()) <= LARGEST_COOKIE
    assert number > 40


@given(st.dictionaries(skus, st.tuples(prices, st.integers(1, 99)), min_size=1, max_size=8))
def test_every_order_decodes_strictly_and_adds_up(bought):
    shelf = shelf_of(
        [Product(sku=sku, name=sku, price=price, currency="GBP") for sku, (price, _) in bought.items()], source="test"
    )
    basket = Basket(lines={sku: quantity for sku, (_, quantity) in bought.items()})
    buyer = Buyer(token="0f" * 16, customer_id=None, region="GB")
    event = order_of(basket, shelf, buyer, session_id="1" * 32, now=ManualClock().now())

    order = msgspec.json.decode(msgspec.json.encode(event), type=Order)

    assert Draft202012Validator(order_schema()).is_valid(event) == all("\0" not in sku for sku in bought)
    goods = sum(price * quantity for price, quantity in bought.values())
    assert order.total == total_of(order) == sums_of(basket, shelf).total
    assert order.shipping == (495 if goods < 5000 else 0)
    assert (order.event_id, order.order_id) == (buyer.token, order_id_of(buyer.token))


def test_order_numbers_are_short_and_do_not_give_the_token_away():
    assert order_id_of("0f" * 16) == order_id_of("0f" * 16)
    assert len({order_id_of(f"{number:032x}") for number in range(10_000)}) == 10_000
    assert len(order_id_of("0f" * 16)) == 14
