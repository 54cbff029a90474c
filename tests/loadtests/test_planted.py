"""Good orders, and lines that are refused for one reason each: judged by the pipeline's own stages."""

import random
import zlib

import pytest

from consumers.stages.facts import InForce
from consumers.stages.reference_testing import customer_list, price_list
from consumers.stages.testing import ARRIVED_AT, batch, judge
from contract.catalogue import products_from_ndjson
from contract.reference import Customer, Price
from contract.rows import LetterRow, OrderRow
from loadtests.sale.planted import SPOILERS, Goods, has_identity, spoilt
from producers.agent.pack import Origin, pack
from producers.emit.line import line_of
from producers.storefront.shelf import SHIPPED

pytestmark = pytest.mark.unit

PRODUCTS = products_from_ndjson(SHIPPED.read_bytes())
FACTS = InForce(
    prices=price_list([Price(sku=p.sku, currency="GBP", price=p.price) for p in PRODUCTS]),
    customers=customer_list(*(Customer(customer_id=f"C-{n}") for n in range(5_001))),
)


def an_order(seed):
    return Goods(PRODUCTS, random.Random(seed)).order(f"e-{seed}", ARRIVED_AT)


def judged(line):
    packed = pack(Origin("order", "i-1-abc", "shop/orders", "2026-11-27T08:00:00.200Z"), 0, line.removesuffix(b"\n"))
    (verdict,) = judge(facts=FACTS).judge(batch([packed.data]))
    return verdict.row


@pytest.mark.parametrize("reason", SPOILERS, ids=str)
def test_a_spoilt_line_is_refused_for_its_reason_first_and_can_be_found_again(reason):
    for seed in range(20):
        line = spoilt(an_order(seed), reason)
        row = judged(line)
        assert isinstance(row, LetterRow)
        assert row.reason == reason
        if has_identity(reason):
            assert row.letter_id == f"e-{seed}"
        text = line.removesuffix(b"\n")
        assert (row.origin.crc, row.origin.bytes) == (zlib.crc32(text), len(text))


def test_an_order_that_is_not_spoilt_is_accepted():
    rows = [judged(line_of(an_order(seed))) for seed in range(200)]
    assert all(isinstance(row, OrderRow) for row in rows)
    assert {row.customer is None for row in rows} == {True, False}


def test_a_hot_key_has_one_customer():
    goods = Goods(PRODUCTS, random.Random(1), customer_id="C-7")
    assert {goods.order(f"e-{n}", ARRIVED_AT)["customer_id"] for n in range(50)} == {"C-7"}
