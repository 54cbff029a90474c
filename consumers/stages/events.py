"""What decoding a record gives: an order with its stamp, or what little is known of a record that cannot be read.

The third kind is a heartbeat, see `contract.heartbeat`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from contract.order import Order
from contract.reasons import Reason
from contract.stamp import Stamp


class Fault(NamedTuple):
    """One reason to refuse an event, and where in the event: JSON paths and expected types, never a value."""

    reason: Reason
    at: Sequence[str] = ()


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order of the right shape; nothing else about it has been judged."""

    order: Order
    stamp: Stamp | None  # None for a foreign producer's record
    extra: bytes = b""  # unknown fields as one JSON object


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record that is no order: why, and what its letter may say."""

    fault: Fault
    stamp: Stamp | None = None
    event_type: str = "unknown"  # of a closed list, never the record's own text
    event_id: str | None = None
    order_id: str | None = None
    line: bytes | None = None  # the original line, where it travelled in an envelope
