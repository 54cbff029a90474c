"""Stage two: the rules that an order of the right shape must keep. Pure: the facts come in as arguments."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property, lru_cache
from typing import NamedTuple

from consumers.stages.customers import fault_of_customer, is_implausible_region
from consumers.stages.events import Fault
from consumers.stages.facts import InForce
from consumers.stages.prices import ANY, fault_of_price, to_us
from contract.money import LARGEST, is_currency
from contract.order import SCHEMA_VERSION, Amount, Order, total_of
from contract.reasons import Reason

_MOST_UNITS = 2**53  # of an order: exact in a double too, as OpenSearch sums
_is_currency = lru_cache(maxsize=1_024)(is_currency)


class Case:
    """An order, and what it is judged by."""

    def __init__(self, order: Order, facts: InForce, arrived_at: datetime) -> None:
        self.order = order
        self.facts = facts
        self.arrived_at = arrived_at  # aware UTC

    @cached_property
    def price_faults(self) -> list[Reason | None]:
        """What is wrong with the SKU or the price of each line. Nothing is said of a price that is none."""
        order, prices = self.order, self.facts.prices
        if prices is None:
            return []
        at_us, lenience, is_return = to_us(order.event_time), self.facts.thresholds.lenience, order.kind == "return"
        faults: list[Reason | None] = []
        for line in order.lines:
            offers = prices.offers(line.sku, order.channel, order.currency)
            if not offers and not prices.knows(line.sku):
                faults.append(Reason.UNKNOWN_SKU)
            elif not _is_amount(line.unit_price) or line.quantity <= 0 or not is_currency(order.currency):
                faults.append(None)
            else:
                faults.append(fault_of_price(line, offers, is_return=is_return, at_us=at_us, lenience=lenience))
        return faults

    @cached_property
    def customer_fault(self) -> Reason | None:
        """What is wrong with who buys."""
        return fault_of_customer(self.order, self.facts.customers, self.facts.thresholds.welcome)


class Rule(NamedTuple):
    """A reason, and where an order gives it: JSON paths, none from a good order."""

    reason: Reason
    broken_at: Callable[[Case], list[str]]


def faults_of(order: Order, facts: InForce, arrived_at: datetime) -> list[Fault]:
    """Every reason to refuse `order`, the decisive one first; empty for a good one.

    A newer version stands alone: this version's rules may not be its own.
    """
    if _is_plainly_good(order, facts, arrived_at):
        return []
    if order.schema_version > SCHEMA_VERSION:
        return [Fault(Reason.UNKNOWN_VERSION, ["$.schema_version"])]
    case = Case(order, facts, arrived_at)
    faults = [Fault(rule.reason, paths) for rule in RULES if (paths := rule.broken_at(case))]
    if not any(fault.reason in _NO_SUM for fault in faults) and total_of(order) != order.total:
        faults.append(Fault(Reason.WRONG_TOTAL, ["$.total"]))
    return faults


def _is_plainly_good(order: Order, facts: InForce, arrived_at: datetime) -> bool:
    """Whether `order` breaks no rule, by one look at the ordinary case. False says nothing: ask the rules.

    The ordinary case: a customer of good standing, or a guest; in time; every line at the one price that its SKU has
    for any quantity. Promotions, tiers, changes of price and late orders are left to the rules.
    """
    time, currency, prices, most = order.event_time, order.currency, facts.prices, facts.thresholds.most_pieces
    if not (1 <= order.schema_version <= SCHEMA_VERSION and 2 <= time.year <= 9998 and time <= arrived_at):
        return False
    listed = None
    if prices is not None:
        channels = prices.plain.get(currency)
        if channels is None or time < prices.plain_since:
            return False
        listed = channels.get(order.channel)
        if listed is None:  # a channel with prices of its own has an entry, be it an empty one
            listed = channels.get("")
        if listed is None:
            return False
    elif len(currency) != 3 or not _is_currency(currency):  # the length first: what is remembered has to be short
        return False
    customer, customers, welcome = order.customer_id, facts.customers, facts.thresholds.welcome
    if customer is None or customers is None or welcome.regions:
        if fault_of_customer(order, customers, welcome) or is_implausible_region(order, customers, welcome):
            return False
    else:
        place = customers.places.get(customer)
        if place is None:
            return False
        is_active, own = customers.standings[place]
        if not is_active or (own is not None and own != order.region):
            return False
    lines, goods = order.lines, 0
    for line in lines:
        quantity, price, discount = line.quantity, line.unit_price, line.discount
        if listed is None or (usual := listed.get(line.sku)) == ANY:
            if not 0 <= price <= LARGEST:
                return False
        elif usual != price:
            return False
        if type(price) is not int or not 0 < quantity <= most:
            return False
        goods += quantity * price
        if discount:
            if type(discount) is not int or not 0 <= discount <= LARGEST:
                return False
            goods -= discount
    tax, shipping, total = order.tax, order.shipping, order.total
    if not (type(total) is type(tax) is type(shipping) is int and 0 <= tax <= LARGEST and 0 <= shipping <= LARGEST):
        return False
    # Goods for more than their discounts: not all of them are free.
    return 0 < goods == total - tax - shipping and total <= LARGEST and len(lines) * most <= _MOST_UNITS


def _bad_shape(case: Case) -> list[str]:
    order = case.order
    paths = [] if order.schema_version >= 1 else ["$.schema_version"]
    # One year from either end of the calendar, so that every time zone can express it.
    return paths if 2 <= order.event_time.year <= 9998 else [*paths, "$.event_time"]


def _no_lines(case: Case) -> list[str]:
    return [] if case.order.lines else ["$.lines"]


def _unknown_currency(case: Case) -> list[str]:
    return [] if is_currency(case.order.currency) else ["$.currency"]


def _money_not_integer(case: Case) -> list[str]:
    return _amounts_that(_is_broken, case.order)


def _out_of_range(case: Case) -> list[str]:
    order = case.order
    paths = [f"$.lines[{i}].quantity" for i, line in enumerate(order.lines) if _is_too_large(line.quantity)]
    if not paths and sum(line.quantity for line in order.lines) > _MOST_UNITS:
        paths = ["$.lines"]
    return paths + _amounts_that(_is_too_large, order)


def _quantity_not_positive(case: Case) -> list[str]:
    return [f"$.lines[{i}].quantity" for i, line in enumerate(case.order.lines) if line.quantity <= 0]


def _price_negative(case: Case) -> list[str]:
    return _amounts_that(_is_negative, case.order)


def _worth_nothing(case: Case) -> list[str]:
    order = case.order
    return ["$.lines"] if order.lines and not any(line.unit_price for line in order.lines) else []


def _implausible_quantity(case: Case) -> list[str]:
    most = case.facts.thresholds.most_pieces
    return [f"$.lines[{i}].quantity" for i, line in enumerate(case.order.lines) if most < line.quantity <= LARGEST]


def _future_time(case: Case) -> list[str]:
    is_ahead = case.order.event_time - case.arrived_at > case.facts.thresholds.skew
    return ["$.event_time"] if is_ahead else []


def _lines_that(reason: Reason, field: str) -> Callable[[Case], list[str]]:
    """The lines whose price has this fault."""
    return lambda case: [f"$.lines[{i}].{field}" for i, fault in enumerate(case.price_faults) if fault is reason]


def _customer_that(reason: Reason) -> Callable[[Case], list[str]]:
    return lambda case: ["$.customer_id"] if case.customer_fault is reason else []


def _implausible_region(case: Case) -> list[str]:
    facts = case.facts
    return ["$.region"] if is_implausible_region(case.order, facts.customers, facts.thresholds.welcome) else []


RULES = (
    Rule(Reason.BAD_SHAPE, _bad_shape),
    Rule(Reason.NO_LINES, _no_lines),
    Rule(Reason.UNKNOWN_CURRENCY, _unknown_currency),
    Rule(Reason.MONEY_NOT_INTEGER, _money_not_integer),
    Rule(Reason.OUT_OF_RANGE, _out_of_range),
    Rule(Reason.QUANTITY_NOT_POSITIVE, _quantity_not_positive),
    Rule(Reason.PRICE_NEGATIVE, _price_negative),
    Rule(Reason.WORTH_NOTHING, _worth_nothing),
    Rule(Reason.IMPLAUSIBLE_QUANTITY, _implausible_quantity),
    Rule(Reason.FUTURE_TIME, _future_time),
    Rule(Reason.UNKNOWN_SKU, _lines_that(Reason.UNKNOWN_SKU, "sku")),
    Rule(Reason.NO_PRICE, _lines_that(Reason.NO_PRICE, "unit_price")),
    Rule(Reason.STALE_PRICE, _lines_that(Reason.STALE_PRICE, "unit_price")),
    Rule(Reason.WRONG_PRICE, _lines_that(Reason.WRONG_PRICE, "unit_price")),
    Rule(Reason.GUEST_NOT_ALLOWED, _customer_that(Reason.GUEST_NOT_ALLOWED)),
    Rule(Reason.UNKNOWN_CUSTOMER, _customer_that(Reason.UNKNOWN_CUSTOMER)),
    Rule(Reason.BLOCKED_CUSTOMER, _customer_that(Reason.BLOCKED_CUSTOMER)),
    Rule(Reason.IMPLAUSIBLE_REGION, _implausible_region),
)
# Fractions do not add up exactly, and numbers beyond all bounds not at all: nothing to say about their total.
_NO_SUM = (Reason.MONEY_NOT_INTEGER, Reason.OUT_OF_RANGE)


def _amounts_that(is_wrong: Callable[[Amount], bool], order: Order) -> list[str]:
    """Paths of the amounts of money for which `is_wrong` holds."""
    paths = [f"$.lines[{i}].unit_price" for i, line in enumerate(order.lines) if is_wrong(line.unit_price)]
    paths += [f"$.lines[{i}].discount" for i, line in enumerate(order.lines) if is_wrong(line.discount)]
    paths += [f"$.{name}" for name in ("tax", "shipping", "total") if is_wrong(getattr(order, name))]
    return paths


def _is_amount(amount: Amount) -> bool:
    return not (_is_broken(amount) or _is_too_large(amount) or _is_negative(amount))


def _is_broken(amount: Amount) -> bool:
    return type(amount) is float and not amount.is_integer()


def _is_too_large(amount: Amount) -> bool:
    return not -LARGEST <= amount <= LARGEST


def _is_negative(amount: Amount) -> bool:
    return amount < 0
