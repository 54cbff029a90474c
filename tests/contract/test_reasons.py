from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from consumers.__main__ import consumers
from consumers.stages.facts import InForce
from consumers.stages.reference_testing import customer_list, price_list
from consumers.stages.rules import Rules, thresholds_of
from consumers.stages.testing import access_judge, batch, judge
from contract.reasons import GOOD_ORDER, Example, Reason
from contract.reasons_page import page
from contract.reference import Customer, Price
from contract.rows import LetterRow, OrderRow
from producers.agent.pack import Origin, pack

pytestmark = pytest.mark.unit

# A shop with one price list, two customers, and a channel that knows its buyers.
FACTS = InForce(
    prices=price_list(
        [
            Price(sku="85123A", currency="GBP", price=255, valid_from=datetime(2026, 11, 1, tzinfo=UTC)),
            Price(sku="85123A", currency="GBP", price=295, valid_to=datetime(2026, 11, 1, tzinfo=UTC)),
            Price(sku="71053", currency="GBP", price=339),
        ]
    ),
    customers=customer_list(
        Customer(customer_id="C-1", region="GB"), Customer(customer_id="C-2", region="GB", status="blocked")
    ),
    thresholds=thresholds_of(Rules(guest_channels="web")),
)

ROOT = Path(__file__).parents[2]
# What no line gives by itself, and who does.
GIVEN_BY = {Reason.OVERSIZE: "the agent, of a line that no record can hold", Reason.REJECTED_BY_STORE: "the live store"}
SHOWN = [reason for reason in Reason if reason not in GIVEN_BY]


def judged(example: Example) -> object:
    """The row of a line that the agent has read."""
    origin = Origin(example.stream, "i-1-abc", "shop/orders", "2026-11-27T08:00:00.200Z")
    packed = pack(origin, 0, example.line)
    assert packed is not None
    by = judge(facts=FACTS) if example.stream == "order" else access_judge()
    (verdict,) = by.judge(batch([packed.data]))
    return verdict.row


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_what_it_means_and_what_to_do(reason: Reason) -> None:
    assert reason.meaning.endswith(".")
    assert reason.advice.endswith(".")
    assert reason.about == f"{reason.meaning} {reason.advice}"


@pytest.mark.parametrize("reason", SHOWN)
def test_the_example_of_a_reason_is_refused_for_it_and_nothing_else(reason: Reason) -> None:
    assert reason.example is not None
    row = judged(reason.example)
    assert isinstance(row, LetterRow)
    assert row.reason == reason
    assert row.reasons == [reason]


def test_the_order_that_the_examples_are_made_of_is_good() -> None:
    assert isinstance(judged(Example(msgspec.json.encode(GOOD_ORDER))), OrderRow)


def test_reasons_without_an_example_are_those_that_no_line_gives() -> None:
    assert {reason for reason in Reason if reason.example is None} == GIVEN_BY.keys()


def test_a_reason_is_stored_as_its_value() -> None:
    assert f"{Reason.UNKNOWN_SKU}" == "unknown_sku" == Reason("unknown_sku").value


def test_the_page_is_up_to_date() -> None:
    current = (ROOT / "docs" / "reasons.md").read_text()
    assert current == page(), "run `python -m consumers reasons > docs/reasons.md`"


def test_the_command_prints_the_page() -> None:
    assert CliRunner().invoke(consumers, ["reasons"], catch_exceptions=False).stdout == page()
