"""Why an event is refused: the closed list, each with what it means, what to do, and a line that is refused for it."""

from enum import StrEnum
from typing import Any, Literal, NamedTuple

import msgspec

from contract.money import LARGEST


class Example(NamedTuple):
    """A line that is refused."""

    line: bytes  # as the shop or the web server writes it, newline not counted
    stream: Literal["order", "access"] = "order"


# An order that nothing is wrong with, where the catalogue has its SKU at that price.
GOOD_ORDER: dict[str, Any] = {
    "type": "order",
    "schema_version": 1,
    "event_id": "e-1",
    "event_time": "2026-11-27T08:00:00.123Z",
    "order_id": "O-1",
    "session_id": "S-1",
    "kind": "sale",
    "customer_id": "C-1",
    "channel": "web",
    "region": "GB",
    "currency": "GBP",
    "lines": [{"sku": "85123A", "quantity": 6, "unit_price": 255}],
    "tax": 0,
    "shipping": 495,
    "total": 2025,
}


def _order(**changes: Any) -> Example:
    return Example(msgspec.json.encode({**GOOD_ORDER, **changes}))


def _line(**changes: Any) -> dict[str, Any]:
    return {**GOOD_ORDER["lines"][0], **changes}


class Reason(StrEnum):
    """A reason of a dead letter. The value is what the stores hold."""

    meaning: str
    advice: str
    example: Example | None  # None where no line is to blame, or none can be shown

    def __new__(cls, value: str, meaning: str, advice: str = "", example: Example | None = None) -> "Reason":
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning, member.advice, member.example = meaning, advice, example
        return member

    @property
    def about(self) -> str:
        """What it means and what to do, for an operator."""
        return f"{self.meaning} {self.advice}".rstrip()

    NOT_JSON = (
        "not_json",
        "The line is no JSON object.",
        "Append one JSON object a line to the spool.",
        Example(b"O-1;2026-11-27 08:00:00;85123A;6;2.55"),
    )
    NOT_ACCESS = (
        "not_access",
        "The line is no access log line.",
        "Log in combined format, or one JSON object a line; name no error log among the access logs.",
        Example(b"[Fri Nov 27 08:00:00 2026] [error] [client 192.0.2.7] File does not exist: favicon.ico", "access"),
    )
    NOT_UTF8 = (
        "not_utf8",
        "The line is not UTF-8.",
        "Encode the spool as UTF-8.",
        Example(msgspec.json.encode({**GOOD_ORDER, "channel": "CAFE"}).replace(b"CAFE", b"caf\xe9")),
    )
    OVERSIZE = (
        "oversize",
        "The line is longer than a stream record may be.",
        "It stays in the agent's `refused` file; split the order, or take out what is not part of it.",
    )
    RESERVED_FIELD = (
        "reserved_field",
        "The line brings an `_sp` of its own, or one that the agent did not write.",
        "Give the field another name: that one belongs to the agent.",
        _order(_sp="spring sale"),
    )
    UNKNOWN_TYPE = (
        "unknown_type",
        "The event's `type` is not one that this version reads.",
        "Write orders with `type` order; keep other events out of the spool.",
        _order(type="refund"),
    )
    UNKNOWN_VERSION = (
        "unknown_version",
        "The event's `schema_version` is newer than this version reads.",
        "Upgrade the consumers, then send the letters again.",
        _order(schema_version=2),
    )
    BAD_SHAPE = (
        "bad_shape",
        "A field is missing, of the wrong type, or out of its bounds; the detail names it.",
        "Validate against docs/order.schema.json in the shop. Often it is a time without its zone.",
        _order(event_time="2026-11-27T08:00:00.123"),
    )
    UNKNOWN_CURRENCY = (
        "unknown_currency",
        "The currency is no ISO 4217 code.",
        "Write three capitals, such as GBP.",
        _order(currency="gbp"),
    )
    MONEY_NOT_INTEGER = (
        "money_not_integer",
        "An amount is not a whole number of minor units (pence, cents).",
        "Multiply by the currency's units before writing: 2.55 GBP is 255.",
        _order(lines=[_line(unit_price=2.55)], shipping=4.95, total=20.25),
    )
    OUT_OF_RANGE = (
        "out_of_range",
        "An amount or quantity is larger than any sale.",
        "Look for a field that holds something else, such as a product's barcode.",
        _order(lines=[_line(quantity=LARGEST + 1)]),
    )
    NO_LINES = (
        "no_lines",
        "The order has no lines.",
        "Do not write an order before it has one.",
        _order(lines=[], total=495),
    )
    QUANTITY_NOT_POSITIVE = (
        "quantity_not_positive",
        "A quantity is not positive.",
        "Write a return as an order of its `kind`, with positive quantities.",
        _order(lines=[_line(), _line(sku="71053", quantity=-1, unit_price=339)], total=1686),
    )
    PRICE_NEGATIVE = (
        "price_negative",
        "A price, discount, tax or shipping amount is negative.",
        "Write what comes off a price as a positive `discount`; keep corrections of accounts out of the spool.",
        _order(lines=[_line(), _line(discount=-100)], total=3655),
    )
    WORTH_NOTHING = (
        "worth_nothing",
        "Every line is free: a stock movement, not a sale.",
        "Keep stock movements out of the spool.",
        _order(lines=[_line(unit_price=0)], total=495),
    )
    IMPLAUSIBLE_QUANTITY = (
        "implausible_quantity",
        "A line has more pieces than anybody buys.",
        "Look for a slip of the keyboard; if such orders are real, raise [rules] most_pieces.",
        _order(lines=[_line(quantity=80_995)], total=20_654_220),
    )
    FUTURE_TIME = (
        "future_time",
        "The event's time is after its arrival.",
        "Set the clock of the host that wrote it; [rules] clock_skew_s says how much is forgiven.",
        _order(event_time="2026-11-27T09:00:00.123Z"),
    )
    UNKNOWN_SKU = (
        "unknown_sku",
        "The catalogue has no such SKU.",
        "Publish the catalogue, or mend the order; letter case counts.",
        _order(lines=[_line(sku="85123a")]),
    )
    NO_PRICE = (
        "no_price",
        "The SKU had no price in the order's channel and currency at that time.",
        "Publish one, or mend the order.",
        _order(currency="EUR"),
    )
    STALE_PRICE = (
        "stale_price",
        "A price that was right once, and its grace period is over.",
        "Mend the shop's prices; a cart that stays open for longer needs a longer [rules] price_grace_s.",
        _order(lines=[_line(unit_price=295)], total=2265),
    )
    WRONG_PRICE = (
        "wrong_price",
        "A price that is neither the catalogue's for that time and quantity, nor a promotion's.",
        "Compare the shop's price with the published one; if the shop is right, publish the catalogue.",
        _order(lines=[_line(unit_price=510)], total=3555),
    )
    UNKNOWN_CUSTOMER = (
        "unknown_customer",
        "The list of customers has no such one.",
        "Publish it more often than customers order for the first time, or mend the order.",
        _order(customer_id="C-404"),
    )
    BLOCKED_CUSTOMER = (
        "blocked_customer",
        "The customer is blocked, and sold nothing.",
        "Find out how the shop took the order; unblock the customer and publish the list if it was right.",
        _order(customer_id="C-2"),
    )
    GUEST_NOT_ALLOWED = (
        "guest_not_allowed",
        "The channel does not sell to guests.",
        "Write the customer's id, or add the channel to [rules] guest_channels.",
        _order(customer_id=None, channel="trade"),
    )
    IMPLAUSIBLE_REGION = (
        "implausible_region",
        "The region is not the customer's own, or none that the shop sells to.",
        "Mend the region; [rules] regions and own_region say which are right.",
        _order(region="FR"),
    )
    WRONG_TOTAL = (
        "wrong_total",
        "Lines less discounts plus tax and shipping are not the total.",
        "Compute the total from what the order says, to the minor unit.",
        _order(total=2024),
    )
    REJECTED_BY_STORE = (
        "rejected_by_store",
        "The store refused the document; the detail has its error type.",
        "Look the error type up in OpenSearch's documentation; if its templates are old, restart live.",
    )

    @property
    def retryable(self) -> bool:
        """Whether it may pass by itself, once the reference data has moved on: worth sending again."""
        return self in _RETRYABLE


_RETRYABLE = frozenset({Reason.UNKNOWN_SKU, Reason.STALE_PRICE, Reason.UNKNOWN_CUSTOMER})
