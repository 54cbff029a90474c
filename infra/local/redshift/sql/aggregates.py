"""Aggregates and window functions whose types or forms differ from PostgreSQL's.

Sources: Redshift Database Developer Guide, "Aggregate functions", "Window functions", the page of each.
"""

from collections.abc import Callable

from sqlglot import exp

from infra.local.redshift.actions import Unsupported
from infra.local.redshift.sql.calls import Call, arguments, call
from infra.local.redshift.sql.dialect import APPROXIMATE


def _outermost(node: Call) -> exp.Expr:
    """The call with its WITHIN GROUP and OVER."""
    found: exp.Expr = node
    while isinstance(found.parent, exp.Window | exp.WithinGroup) and found.arg_key == "this":
        found = found.parent
    return found


def _sum(node: Call) -> None:
    """BIGINT of integers; as a window function PostgreSQL's types are Redshift's."""
    node.set("this", "sum" if isinstance(node.parent, exp.Window) else "rs.sum")


def _avg(node: Call) -> None:
    outer = _outermost(node)
    total, count = outer.copy(), outer.copy()
    windowed = isinstance(outer, exp.Window)
    _inner(total).set("this", "sum" if windowed else "rs.sum")
    _inner(count).set("this", "count")
    outer.replace(call("rs.average", total, count))


def _inner(outer: exp.Expr) -> exp.Expr:
    return outer.this if isinstance(outer, exp.Window) else outer


def _spread(node: Call) -> None:
    """Standard deviations and variances are DOUBLE PRECISION whatever they are of."""
    node.set("this", node.name.lower())
    outer = _outermost(node)
    outer.replace(exp.cast(outer.copy(), "double precision"))


def _ratio(node: Call) -> None:
    window = _outermost(node)
    if not isinstance(window, exp.Window) or window.args.get("order") or window.args.get("spec"):
        raise Unsupported("RATIO_TO_REPORT takes an OVER clause of PARTITION BY alone", sqlstate="42601")
    (value,) = arguments(node, 1, 1)
    total = window.copy()
    total.this.set("this", "sum")
    window.replace(call("rs.ratio", value, total))


def _median(node: Call) -> None:
    arguments(node, 1, 1)
    outer = _outermost(node)
    items = outer.copy()
    _inner(items).set("this", "array_agg")
    outer.replace(call("rs.percentile", exp.Literal.number("0.5"), items))


def _percentile(node: Call) -> None:
    (share,) = arguments(node, 1, 1)
    group = node.parent
    if not isinstance(group, exp.WithinGroup):
        raise Unsupported("PERCENTILE_CONT needs WITHIN GROUP (ORDER BY ...)", sqlstate="42601")
    (ordered,) = group.expression.expressions
    value = ordered.this.copy()
    if ordered.args.get("desc"):
        share = exp.Paren(this=exp.Sub(this=exp.Literal.number(1), expression=share))
    outer = _outermost(node)
    items: exp.Expr = call("array_agg", value)
    if isinstance(outer, exp.Window):
        window = outer.copy()
        window.set("this", items)
        items = window
    outer.replace(call("rs.percentile", share, items))


def _percentile_disc(node: Call) -> None:
    if isinstance(_outermost(node), exp.Window):
        raise Unsupported("PERCENTILE_DISC as a window function is not translated")
    node.set("this", "percentile_disc")


def _listagg(node: Call) -> None:
    outer = _outermost(node)
    if isinstance(outer, exp.Window):
        raise Unsupported("LISTAGG as a window function is not translated")
    found = node.expressions
    distinct = isinstance(found[0], exp.Distinct)
    values = list(found[0].expressions) + found[1:] if distinct else list(found)
    if not 1 <= len(values) <= 2:
        raise Unsupported(f"function listagg() does not take {len(values)} arguments", sqlstate="42883")
    delimiter = values[1].copy() if len(values) == 2 else exp.Null()
    value = values[0].copy()
    aggregated: exp.Expr = exp.Distinct(expressions=[value]) if distinct else value
    if isinstance(outer, exp.WithinGroup):
        aggregated = exp.Order(this=aggregated, expressions=[item.copy() for item in outer.expression.expressions])
    outer.replace(call("rs.listagg", call("array_agg", aggregated), exp.cast(delimiter, "text")))


def _count_distinct(node: Call) -> None:
    """An approximate count may be off by 2 %: the exact one is within that."""
    node.set("this", "count")


# Each replaces the call with its WITHIN GROUP and OVER in the tree.
WRAPPED: dict[str, Callable[[Call], None]] = {
    "sum": _sum,
    "avg": _avg,
    **dict.fromkeys(("stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop"), _spread),
    "ratio_to_report": _ratio,
    "median": _median,
    "percentile_cont": _percentile,
    "percentile_disc": _percentile_disc,
    "listagg": _listagg,
    f"{APPROXIMATE} count": _count_distinct,
    f"{APPROXIMATE} percentile_disc": _percentile_disc,
}
