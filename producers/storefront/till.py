"""Where a sale becomes one: appended to the spool before the shopper reads an order number."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

REMEMBERED = 20_000  # orders, about 1 KiB each: an hour at 5 orders/s, 20 s at 1,000/s


class Spool(Protocol):
    """What takes the orders: `producers.emit.Spool`, or a list in a test."""

    def append(self, event: dict[str, Any]) -> None:
        """Returns once the event is in the spool. Raises OSError where it cannot be."""
        ...


class Till:
    """Takes each order once. Safe to use from several threads."""

    def __init__(self, spool: Spool, *, remembered: int = REMEMBERED) -> None:
        self._spool = spool
        self._remembered = remembered
        self._by_token: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._by_number: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def taken(self, token: str) -> dict[str, Any] | None:
        """The order that `token` has already made, while it is remembered."""
        return self._by_token.get(token)

    def order(self, order_id: str) -> dict[str, Any] | None:
        """The order with that number, while it is remembered."""
        return self._by_number.get(order_id)

    def take(self, token: str, ring_up: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The order of `token`: the one already taken, else `ring_up()` once it is in the spool.

        Raises OSError when the spool does not take it; then there is no order, and the same token may try again.
        """
        with self._lock:
            known = self._by_token.get(token)
            if known is not None:
                return known
            order = ring_up()
            self._spool.append(order)
            self._remember(token, order)
            return order

    def _remember(self, token: str, order: dict[str, Any]) -> None:
        self._by_token[token] = order
        self._by_number[order["order_id"]] = order
        while len(self._by_token) > self._remembered:
            _, oldest = self._by_token.popitem(last=False)
            self._by_number.pop(oldest["order_id"], None)
