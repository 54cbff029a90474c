"""Stage two: the rules that an order of the right shape must keep. Pure: the facts come in as arguments."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from consumers.stages.events import Fault
from contract.money import LARGEST, is_currency
from contract.order import SCHEMA_VERSION, Amount, Order, total_of
from contract.reasons import Reason

Skus = frozenset[str]  # of the catalogue; empty: no catalogue, and the rule that asks it is off

_MOST_UNITS = 2**53  # of an order: exact in a double too, as OpenSearch sums
_is_currency = lru_cache(maxsize=1_024)(is_currency)


class Rule(NamedTuple):
    """A reason, and where an order gives it: JSON paths, none from a good order."""

    reason: Reason
    broken_at: Callable[[Order, Skus], list[str]]


def faults_of(order: Order, skus: Skus) -> list[Fault]:
    """Every reason to refuse `order`, the decisive one first; empty for a good one.

    A newer version stands alone: this version's rules may not be its own.
    """
    if _is_plainly_good(order, skus):
        return []
    if order.schema_version > SCHEMA_VERSION:
        return [Fault(Reason.UNKNOWN_VERSION, ["$.schema_version"])]
    faults = [Fault(rule.reason, paths) for rule in RULES if (paths := rule.broken_at(order, skus))]
    if not any(fault.reason in _NO_SUM for fault in faults) and total_of(order) != order.total:
        faults.append(Fault(Reason.WRONG_TOTAL, ["$.total"]))
    return faults


def _is_plainly_good(order: Order, skus: Skus) -> bool:
    """Whether `order` breaks no rule, by one look at the ordinary case. False says nothing: ask the rules."""
    currency, year = order.currency, order.event_time.year
    if not (1 <= order.schema_version <= SCHEMA_VERSION and 2 <= year <= 9998):
        return False
    if len(currency) != 3 or not _is_currency(currency):  # the length first: what is remembered has to be short
        return False
    total, tax, shipping = order.total, order.tax, order.shipping
    if not (type(total) is type(tax) is type(shipping) is int and 0 <= tax <= LARGEST and 0 <= shipping <= LARGEST):
        return False
    goods, units, is_paid = 0, 0, False
    for line in order.lines:
        quantity, price, discount = line.quantity, line.unit_price, line.discount
        if not (type(price) is type(discount) is int and 0 <= price <= LARGEST and 0 <= discount <= LARGEST):
            return False
        if not 0 < quantity <= LARGEST or (skus and line.sku not in skus):
            return False
        goods += quantity * price - discount
        units += quantity
        is_paid = is_paid or price > 0
    return is_paid and units <= _MOST_UNITS and goods + tax + shipping == total and 0 <= total <= LARGEST


def _bad_shape(order: Order, _: Skus) -> list[str]:
    paths = [] if order.schema_version >= 1 else ["$.schema_version"]
    # One year from either end of the calendar, so that every time zone can express it.
    return paths if 2 <= order.event_time.year <= 9998 else [*paths, "$.event_time"]


def _no_lines(order: Order, _: Skus) -> list[str]:
    return [] if order.lines else ["$.lines"]


def _unknown_currency(order: Order, _: Skus) -> list[str]:
    return [] if is_currency(order.currency) else ["$.currency"]


def _money_not_integer(order: Order, _: Skus) -> list[str]:
    return _amounts_that(_is_broken, order)


def _out_of_range(order: Order, _: Skus) -> list[str]:
    paths = [f"$.lines[{i}].quantity" for i, line in enumerate(order.lines) if _is_too_large(line.quantity)]
    if not paths and sum(line.quantity for line in order.lines) > _MOST_UNITS:
        paths = ["$.lines"]
    return paths + _amounts_that(_is_too_large, order)


def _quantity_not_positive(order: Order, _: Skus) -> list[str]:
    return [f"$.lines[{i}].quantity" for i, line in enumerate(order.lines) if line.quantity <= 0]


def _price_negative(order: Order, _: Skus) -> list[str]:
    return _amounts_that(_is_negative, order)


def _worth_nothing(order: Order, _: Skus) -> list[str]:
    return ["$.lines"] if order.lines and not any(line.unit_price for line in order.lines) else []


def _unknown_sku(order: Order, skus: Skus) -> list[str]:
    return [f"$.lines[{i}].sku" for i, line in enumerate(order.lines) if line.sku not in skus] if skus else []


RULES = (
    Rule(Reason.BAD_SHAPE, _bad_shape),
    Rule(Reason.NO_LINES, _no_lines),
    Rule(Reason.UNKNOWN_CURRENCY, _unknown_currency),
    Rule(Reason.MONEY_NOT_INTEGER, _money_not_integer),
    Rule(Reason.OUT_OF_RANGE, _out_of_range),
    Rule(Reason.QUANTITY_NOT_POSITIVE, _quantity_not_positive),
    Rule(Reason.PRICE_NEGATIVE, _price_negative),
    Rule(Reason.WORTH_NOTHING, _worth_nothing),
    Rule(Reason.UNKNOWN_SKU, _unknown_sku),
)
# Fractions do not add up exactly, and numbers beyond all bounds not at all: nothing to say about their total.
_NO_SUM = (Reason.MONEY_NOT_INTEGER, Reason.OUT_OF_RANGE)


def _amounts_that(is_wrong: Callable[[Amount], bool], order: Order) -> list[str]:
    """Paths of the amounts of money for which `is_wrong` holds."""
    paths = [f"$.lines[{i}].unit_price" for i, line in enumerate(order.lines) if is_wrong(line.unit_price)]
    paths += [f"$.lines[{i}].discount" for i, line in enumerate(order.lines) if is_wrong(line.discount)]
    paths += [f"$.{name}" for name in ("tax", "shipping", "total") if is_wrong(getattr(order, name))]
    return paths


def _is_broken(amount: Amount) -> bool:
    return type(amount) is float and not amount.is_integer()


def _is_too_large(amount: Amount) -> bool:
    return not -LARGEST <= amount <= LARGEST


def _is_negative(amount: Amount) -> bool:
    return amount < 0
