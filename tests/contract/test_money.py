from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.money import display, exponent, is_currency, to_minor

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("currency", "digits"), [("GBP", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("EUR", 2)])
def test_a_currency_has_its_own_exponent(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("2.55", "GBP", "255"), ("0.001", "GBP", "0.1"), ("1200", "JPY", "1200"), ("1.234", "KWD", "1234")],
)
def test_whole_units_become_minor_units_exactly(amount: str, currency: str, minor: str) -> None:
    assert to_minor(Decimal(amount), currency) == Decimal(minor)


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(123456, "GBP", "1,234.56"), (-5, "GBP", "-0.05"), (1200, "JPY", "1,200"), (0, "KWD", "0.000")],
)
def test_minor_units_are_shown_with_their_point(minor: int, currency: str, shown: str) -> None:
    assert display(minor, currency) == shown


@given(st.integers(-(10**15), 10**15), st.sampled_from(["GBP", "JPY", "KWD", "CLF"]))
def test_showing_and_reading_back_loses_nothing(minor: int, currency: str) -> None:
    assert to_minor(Decimal(display(minor, currency).replace(",", "")), currency) == minor


@pytest.mark.parametrize("code", ["", "gbp", "GB", "GBPS", "G1P", "ÄÖÜ", "GB "])
def test_what_is_not_three_capitals_is_no_currency(code: str) -> None:
    assert not is_currency(code)
