"""From an order to its line, or to the field that keeps it from ever being one."""

import json
from typing import Any

from .rules import first_fault

LONGEST = 1 << 20  # bytes: no record of the stream holds more


def line_of(order: Any) -> bytes:
    """The order as one line of the spool, its newline included. Raises ValueError: the field, and why."""
    if not isinstance(order, dict):
        raise ValueError(f"order: must be a dict, not {type(order).__name__}")
    if "_sp" in order:
        raise ValueError("_sp: this name is reserved for the agent")
    try:
        text = _encode(order)
        line = text.encode()
    except (TypeError, ValueError, RecursionError):
        raise ValueError("{}: {}".format(*_field_at_fault(order))) from None
    fault = first_fault(order, text)
    if fault is not None:
        raise ValueError(f"{fault.field}: {fault.why}")
    if len(line) > LONGEST:
        raise ValueError(f"order: {len(line)} bytes as JSON, more than the {LONGEST} that a record may have")
    return line + b"\n"


def _encode(value: Any) -> str:
    # Not ASCII-escaped: half a surrogate pair, which strict readers refuse, then fails here and not at the far end.
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _why_not(value: Any) -> str | None:
    """Why `value` can never be JSON in UTF-8; None if it can."""
    try:
        _encode(value).encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no UTF-8"
    except RecursionError:
        return "is nested too deeply"
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def _field_at_fault(order: dict[str, Any]) -> tuple[str, str]:
    """The innermost field to blame, as `lines[0].unit_price`, and why."""
    value: Any = order
    field, why = "", _why_not(order) or ""
    while True:
        parts: list[tuple[str, Any]] = []
        if isinstance(value, dict):
            parts = [(f"{field}.{key}" if field else str(key), part) for key, part in value.items()]
        elif isinstance(value, (list, tuple)):
            parts = [(f"{field}[{number}]", part) for number, part in enumerate(value)]
        if field and ("Circular" in why or "deeply" in why):
            return field, why  # the top-level field says enough, and going down would not end
        for name, part in parts:
            inner = _why_not(part)
            if inner is not None:
                field, value, why = name, part, inner
                break
        else:
            return field or "order", why
