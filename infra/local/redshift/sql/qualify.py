"""QUALIFY, which PostgreSQL lacks: a filter on window functions becomes a condition around the query.

Source: Redshift Database Developer Guide, "QUALIFY clause".
"""

from sqlglot import exp

from infra.local.redshift.actions import Unsupported

_OUTSIDE = ("order", "limit", "offset", "with_")  # belong to the result, so to the query around
_INNER, _ROW = "_qualified", "_row"


def translate_qualify(tree: exp.Expr) -> exp.Expr:
    """Replace every QUALIFY, innermost first. Raises Unsupported."""
    holder = exp.Paren(this=tree)
    for select in reversed(list(holder.find_all(exp.Select, bfs=True))):
        if select.args.get("qualify"):
            select.replace(_around(select))
    found: exp.Expr = holder.this.pop()
    return found


def _around(select: exp.Select) -> exp.Select:
    condition = select.args["qualify"].this
    if select.args.get("distinct"):
        raise Unsupported("QUALIFY with DISTINCT is not translated")
    _check_alias(select)
    inner = select.copy()
    inner.set("qualify", None)
    outer = exp.Select()
    for clause in _OUTSIDE:
        if inner.args.get(clause):
            outer.set(clause, inner.args[clause].pop())
    if outer.args.get("order"):
        _check_order(outer.args["order"], inner)
    outer.set("expressions", _columns(inner))
    inner.append("expressions", exp.alias_(_resolved(condition, select), _ROW))
    return outer.from_(inner.subquery(_INNER)).where(exp.column(_ROW, table=_INNER))


def _check_alias(select: exp.Select) -> None:
    """ "QUALIFY clause", Note: right after FROM, the relation needs an alias, or QUALIFY would be read as one."""
    clauses = ("where", "group", "having", "joins")
    source = select.args["from_"].this if select.args.get("from_") else None
    if source is not None and not source.alias and not any(select.args.get(clause) for clause in clauses):
        raise Unsupported(
            "syntax error at QUALIFY: directly after FROM, the relation must have an alias", sqlstate="42601"
        )


def _columns(inner: exp.Select) -> list[exp.Expr]:
    """What the query around shows of the query inside."""
    found: list[exp.Expr] = []
    for place, shown in enumerate(list(inner.expressions)):
        if shown.is_star:
            found += _stars(inner, shown)
        else:
            name = shown.output_name or f"_column{place}"
            inner_name = f"_shown{place}"
            value = shown.this if isinstance(shown, exp.Alias) else shown
            shown.replace(exp.alias_(value.copy(), inner_name))
            found.append(exp.alias_(exp.column(inner_name, table=_INNER), name))
    return found


def _stars(inner: exp.Select, star: exp.Expr) -> list[exp.Expr]:
    """`*` cannot leave the condition's column out: whole rows are passed and taken apart around."""
    if isinstance(star, exp.Column):
        tables = [star.table]
    else:
        joins = inner.args.get("joins") or []
        if any(join.args.get("using") or join.method for join in joins):
            raise Unsupported("QUALIFY with SELECT * and USING or NATURAL is not translated")
        tables = [source.alias_or_name for source in (inner.args["from_"].this, *(join.this for join in joins))]
    found: list[exp.Expr] = []
    for table in tables:
        name = f"_row_{table}"
        if not any(shown.alias == name for shown in inner.expressions):
            inner.append("expressions", exp.alias_(exp.column(table), name))
        row = exp.Paren(this=exp.column(name, table=_INNER))
        found.append(exp.Dot(this=row, expression=exp.Star()))
    star.pop()
    return found


def _check_order(order: exp.Expr, inner: exp.Select) -> None:
    """Around the query only what it shows can be sorted by."""
    shown = {item.output_name for item in inner.expressions if not item.is_star}
    star = any(item.is_star for item in inner.expressions)
    for ordered in order.expressions:
        value = ordered.this
        if isinstance(value, exp.Column) and (star or value.name in shown):
            value.set("table", None)
        elif not (isinstance(value, exp.Literal) and not value.is_string):
            raise Unsupported("QUALIFY with ORDER BY an expression that the query does not show is not translated")


def _resolved(condition: exp.Expr, select: exp.Select) -> exp.Expr:
    """The condition may use the names that the query gives to its columns."""
    aliases = {item.alias: item.this for item in select.expressions if isinstance(item, exp.Alias)}

    def replaced(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table and node.name in aliases:
            return exp.Paren(this=aliases[node.name].copy())
        return node

    return condition.copy().transform(replaced)
