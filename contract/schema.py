"""The order as JSON Schema, for whoever writes a storefront in any language. Generated from `contract.order`."""

from typing import Any

import msgspec

from contract.order import Line, Order

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ABOUT = (
    "One line of the spool: a sale or a return. Further fields are welcome at every level and kept; `_sp` is reserved."
    " What a schema cannot say: the total is the sum of its parts, not every line is free, the date exists, `quantity`"
    " and `schema_version` are written without a point, brackets nest 100 deep at most, and a line has 1 MiB at most."
)


def order_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of an order. Narrower than the decoder: what has a reason of its own is refused."""
    _, components = msgspec.json.schema_components((Order, Line), ref_template="#/$defs/{name}")
    order, line = (_open(components[name]) for name in ("Order", "Line"))
    order["properties"]["_sp"] = {"description": "Reserved for the agent.", "not": {}}
    return {"$schema": _DIALECT, **order, "title": "Order", "description": _ABOUT, "$defs": {"Line": line}}


def published() -> str:
    """The schema as the file that is published."""
    return msgspec.json.format(msgspec.json.encode(order_schema()), indent=2).decode() + "\n"


def _open(struct: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _meant(field) for name, field in struct["properties"].items()}
    return {**struct, "properties": properties, "additionalProperties": True}


def _meant(field: dict[str, Any]) -> dict[str, Any]:
    """Where the contract names the type that is meant, the others that the decoder takes are left out."""
    return {key: value for key, value in field.items() if key != "anyOf"} if "type" in field else field
