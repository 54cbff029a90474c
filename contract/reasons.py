"""Why an event is refused: the closed list, each with what it means and what to do about it."""

from enum import StrEnum


class Reason(StrEnum):
    """A reason of a dead letter. The value is what the stores hold; `about` is the operator's sentence."""

    about: str

    def __new__(cls, value: str, about: str) -> "Reason":
        member = str.__new__(cls, value)
        member._value_ = value
        member.about = about
        return member

    NOT_JSON = "not_json", "The line is no JSON object. Append one JSON object a line to the spool."
    NOT_ACCESS = "not_access", "The line is no access log line. Log in combined format, or one JSON object a line."
    NOT_UTF8 = "not_utf8", "The line is not UTF-8. Encode the spool as UTF-8."
    OVERSIZE = "oversize", "The line is longer than a stream record may be; it stays in the agent's `refused` file."
    RESERVED_FIELD = "reserved_field", "The line brings an `_sp` of its own. That name belongs to the agent."
    UNKNOWN_TYPE = "unknown_type", "The event's `type` is not one that this version reads."
    UNKNOWN_VERSION = "unknown_version", "The event's `schema_version` is newer than this version reads: upgrade."
    BAD_SHAPE = "bad_shape", "A field is missing or of the wrong type; the detail names it."
    UNKNOWN_CURRENCY = "unknown_currency", "The currency is no ISO 4217 code."
    MONEY_NOT_INTEGER = "money_not_integer", "An amount is not a whole number of minor units (pence, cents)."
    OUT_OF_RANGE = "out_of_range", "An amount or quantity is larger than any sale."
    NO_LINES = "no_lines", "The order has no lines."
    QUANTITY_NOT_POSITIVE = "quantity_not_positive", "A quantity is not positive. Returns carry positive quantities."
    PRICE_NEGATIVE = "price_negative", "A price, discount, tax or shipping amount is negative."
    WORTH_NOTHING = "worth_nothing", "Every line is free: a stock movement, not a sale."
    IMPLAUSIBLE_QUANTITY = "implausible_quantity", "A line has more pieces than anybody buys; see [rules] most_pieces."
    FUTURE_TIME = "future_time", "The event's time is after its arrival: set the clock of the host that wrote it."
    UNKNOWN_SKU = "unknown_sku", "The catalogue has no such SKU. Publish the catalogue, or mend the order."
    NO_PRICE = (
        "no_price",
        "The SKU had no price in the order's channel and currency then. Publish one, or mend the order.",
    )
    STALE_PRICE = "stale_price", "A price that was right once, and its grace period is over. Mend the shop's prices."
    WRONG_PRICE = (
        "wrong_price",
        "A price that is neither the catalogue's for that time and quantity, nor a promotion's.",
    )
    UNKNOWN_CUSTOMER = "unknown_customer", "The list of customers has no such one. Publish it, or mend the order."
    BLOCKED_CUSTOMER = "blocked_customer", "The customer is blocked, and sold nothing."
    GUEST_NOT_ALLOWED = "guest_not_allowed", "The channel does not sell to guests; see [rules] guest_channels."
    IMPLAUSIBLE_REGION = "implausible_region", "The region is not the customer's own, or none that the shop sells to."
    WRONG_TOTAL = "wrong_total", "Lines less discounts plus tax and shipping are not the total."
    REJECTED_BY_STORE = "rejected_by_store", "The store refused the document; the detail has its error type."

    @property
    def retryable(self) -> bool:
        """Whether it may pass by itself, once the reference data has moved on: worth sending again."""
        return self in _RETRYABLE


_RETRYABLE = frozenset({Reason.UNKNOWN_SKU, Reason.STALE_PRICE, Reason.UNKNOWN_CUSTOMER})
