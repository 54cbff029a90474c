import pytest

from contract.reasons import Reason

pytestmark = pytest.mark.unit


def test_every_reason_says_what_it_means() -> None:
    assert all(reason.about.endswith(".") for reason in Reason)


def test_a_reason_is_stored_as_its_value() -> None:
    assert f"{Reason.UNKNOWN_SKU}" == "unknown_sku" == Reason("unknown_sku").value
