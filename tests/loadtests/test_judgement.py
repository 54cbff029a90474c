"""November 2011 of a real shop, judged by what the days before have taught."""

import datetime as dt
from pathlib import Path

import pytest

from infra.local.home import PROJECT
from loadtests.judgement.planted import ERRORS
from loadtests.judgement.verdicts import Judgement, judge_month, sentences

EXPORT = PROJECT.parent / "shared" / "data" / "online_retail" / "online_retail_2010_2011.parquet"
FIRST, LAST = dt.date(2011, 11, 1), dt.date(2011, 11, 30)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not EXPORT.is_file(), reason=f"the Online Retail export is not here: {EXPORT}"),
]


@pytest.fixture(scope="module")
def november() -> Judgement:
    return judge_month(Path(EXPORT), FIRST, LAST)


def test_the_month_is_all_there(november: Judgement) -> None:
    assert (november.orders["account"], november.orders["guest"]) == (3_086, 376)
    assert november.lines["account"] == 64_545


def test_fewer_than_one_in_a_hundred_customer_lines_is_refused_for_its_price(november: Judgement) -> None:
    assert 0 < november.price_lines["account"] < november.lines["account"] / 100


def test_every_planted_error_is_caught(november: Judgement) -> None:
    assert set(november.planted) == set(ERRORS)
    assert all(count >= 200 for count in november.planted.values()), november.planted
    assert november.caught == november.planted


def test_most_refusals_are_of_customers_whom_nobody_has_published_yet(november: Judgement) -> None:
    ((reason, _),) = november.reasons["account"].most_common(1)
    assert reason == "unknown_customer"
    assert "unknown_customer" in sentences(november)
