"""Calls of functions, as the parser keeps them."""

from sqlglot import exp

from infra.local.redshift.actions import Unsupported

Call = exp.Anonymous


def call(name: str, *arguments: exp.Expr) -> Call:
    """A call of a function by its name as PostgreSQL knows it."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def arguments(node: Call, least: int, most: int) -> list[exp.Expr]:
    """Copies of the arguments. Raises Unsupported unless there are `least` to `most`."""
    found = [argument.copy() for argument in node.expressions]
    if not least <= len(found) <= most:
        raise Unsupported(f"function {node.name.lower()}() does not take {len(found)} arguments", sqlstate="42883")
    return found
