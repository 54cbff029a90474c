"""Reference data as a shop hands it over: a file of one JSON object a line, checked whole before it is published."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from contract.money import is_currency
from contract.reference import Customer, Kind, Price, Rate
from runtime.errors import ConfigError

Entry = Price | Customer | Rate

_TYPES: dict[Kind, type[Entry]] = {"catalogue": Price, "customers": Customer, "rates": Rate}
_EVER, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def read_entries(file: Path, kind: Kind) -> list[Any]:
    """The entries of `file`, in its order; fields that the contract does not name are left out.

    Raises ConfigError, with the line, for the first one that is none, that contradicts another, or says nothing.
    """
    decode = msgspec.json.Decoder(_TYPES[kind]).decode
    entries = []
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entries.append(decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: line {number} is none of {kind}: {error}") from error
    check(entries, kind, source=str(file))
    return entries


def check(entries: Sequence[Any], kind: Kind, *, source: str) -> None:
    """Raises ConfigError, which names `source`, for no entries at all and for the first that cannot be judged by."""
    if not entries:  # half written: taken as it is, it would refuse every order
        raise ConfigError(f"{source}: it is empty, and that is no {kind}")
    for trouble in _CHECKS[kind](entries):
        raise ConfigError(f"{source}: {trouble}")


def _of_prices(prices: Sequence[Price]) -> Iterator[str]:
    by_place: dict[tuple[object, ...], list[Price]] = defaultdict(list)
    for price in prices:
        if not is_currency(price.currency):
            yield f"SKU {price.sku!r}: {price.currency!r} is no ISO 4217 code"
        for time in (price.valid_from, price.valid_to):
            if time is not None and time.tzinfo is None:
                yield f"SKU {price.sku!r}: {time} has no zone"
        if (price.valid_from or _EVER) >= (price.valid_to or _NEVER):
            yield f"SKU {price.sku!r}: a price ends before it begins"
        by_place[price.sku, price.channel, price.currency, price.min_quantity, price.promotion].append(price)
    for same in by_place.values():
        if len(same) > 1:
            same.sort(key=lambda price: price.valid_from or _EVER)
            for one, following in pairwise(same):
                if (one.valid_to or _NEVER) > (following.valid_from or _EVER):
                    yield f"SKU {one.sku!r} has two prices at one time"


def _of_customers(customers: Sequence[Customer]) -> Iterator[str]:
    seen: set[str] = set()
    for number, customer in enumerate(customers, start=1):
        if customer.customer_id in seen:
            yield f"entry {number} is a customer for the second time"  # their number is nobody's business here
        seen.add(customer.customer_id)


def _of_rates(rates: Sequence[Rate]) -> Iterator[str]:
    seen: set[tuple[object, ...]] = set()
    for rate in rates:
        if not (is_currency(rate.currency) and is_currency(rate.reporting)):
            yield f"{rate.currency!r} or {rate.reporting!r} is no ISO 4217 code"
        if not rate.rate.is_finite() or rate.rate <= 0:
            yield f"{rate.currency} on {rate.date}: a rate is above zero"
        if (place := (rate.currency, rate.reporting, rate.date)) in seen:
            yield f"{rate.currency} has two rates in {rate.reporting} on {rate.date}"
        seen.add(place)


_CHECKS: dict[Kind, Callable[[Sequence[Any]], Iterator[str]]] = {
    "catalogue": _of_prices,
    "customers": _of_customers,
    "rates": _of_rates,
}
