from collections import Counter

import pytest

from consumers.stages.facts import InForce
from consumers.stages.reference_testing import any_price
from consumers.stages.testing import batch, judge
from contract.rows import LetterRow, OrderRow
from loadtests.bench.orders import ORDER_BYTES, SKUS, orders

pytestmark = pytest.mark.unit


def test_the_load_is_what_it_says() -> None:
    load = list(orders(2_000, wrong_totals=20, unknown_skus=30))
    rows = [each.row for each in judge(facts=InForce(prices=any_price(*SKUS))).judge(batch(load))]
    reasons = Counter(row.reasons[0] for row in rows if isinstance(row, LetterRow) and len(row.reasons) == 1)
    assert reasons == {"wrong_total": 20, "unknown_sku": 30}
    accepted = [row for row in rows if isinstance(row, OrderRow)]
    assert len(accepted) == len({row.event_id for row in accepted}) == 1_950
    assert {row.origin.bytes for row in accepted if row.origin} == {ORDER_BYTES}
    assert len({(row.origin.file, row.origin.offset) for row in accepted if row.origin}) == 1_950


def test_the_load_is_the_same_each_time() -> None:
    assert list(orders(50, wrong_totals=5, unknown_skus=5)) == list(orders(50, wrong_totals=5, unknown_skus=5))
