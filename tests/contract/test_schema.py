"""The published schema is the contract's, and says what storefront developers rely on."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from consumers.stages.decode import decode
from consumers.stages.events import Event
from consumers.stages.testing import order
from contract.order import Line, Order
from contract.schema import order_schema, published
from producers.__main__ import producers

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(order_schema())
LINE = {"sku": "85123A", "quantity": 6, "unit_price": 255}


def test_the_file_is_up_to_date() -> None:
    current = (ROOT / "docs" / "order.schema.json").read_text()
    assert current == published(), "run `python -m producers schema > docs/order.schema.json`"


def test_the_command_prints_the_file() -> None:
    assert CliRunner().invoke(producers, ["schema"], catch_exceptions=False).stdout == published()


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(order_schema())


def test_every_field_of_the_contract_is_in_it_and_most_say_what_they_mean() -> None:
    schema = order_schema()
    assert schema["properties"].keys() == {*Order.__struct_fields__, "_sp"}
    assert schema["$defs"]["Line"]["properties"].keys() == set(Line.__struct_fields__)
    plain = {name for name, field in schema["properties"].items() if "description" not in field}
    assert plain == {"type", "kind"}


GOOD: list[dict[str, Any]] = [
    order(),
    order(kind="return", returns="O-0"),
    order(event_id=..., session_id=..., customer_id=..., region=..., tax=..., shipping=0, total=1530),
    order(event_id=None, session_id=None, customer_id=None, region=None),
    order(gift={"wrap": True}, lines=[{**LINE, "note": ["blue"], "discount": 5}], total=2020),
    order(customer_id="a\0", session_id="\0"),
    order(event_time="2026-11-27T08:00:00+01:00", total=2025.0),
]


@pytest.mark.parametrize("good", GOOD)
def test_good_orders_are_valid(good: dict[str, Any]) -> None:
    assert isinstance(decode(msgspec.json.encode(good)), Event)
    assert list(SCHEMA.iter_errors(good)) == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"_sp": None}, ["_sp"]),
        ({"_sp": {}}, ["_sp"]),
        ({"type": "access"}, ["type"]),
        ({"schema_version": 2}, ["schema_version"]),
        ({"schema_version": 0}, ["schema_version"]),
        ({"event_time": "2026-11-27T08:00:00"}, ["event_time"]),
        ({"order_id": ""}, ["order_id"]),
        ({"order_id": "x" * 257}, ["order_id"]),
        ({"order_id": "a\0"}, ["order_id"]),
        ({"kind": "refund"}, ["kind"]),
        ({"currency": "gbp"}, ["currency"]),
        ({"currency": "GBP\n"}, ["currency"]),
        ({"lines": []}, ["lines"]),
        ({"lines": [{**LINE, "quantity": 0}]}, ["lines", 0, "quantity"]),
        ({"lines": [{**LINE, "unit_price": 254.5}]}, ["lines", 0, "unit_price"]),
        ({"lines": [{**LINE, "discount": -1}]}, ["lines", 0, "discount"]),
        ({"tax": 0.5}, ["tax"]),
        ({"shipping": "495"}, ["shipping"]),
        ({"total": 9_000_000_000_001}, ["total"]),
        ({"total": True}, ["total"]),
        ({"order_id": ...}, []),
        ({"total": ...}, []),
    ],
)
def test_bad_orders_are_not(changes: dict[str, Any], where: list[str | int]) -> None:
    assert where in [list(error.absolute_path) for error in SCHEMA.iter_errors(order(**changes))]
