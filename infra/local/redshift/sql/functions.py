"""What each function of Redshift becomes: an allow-list. A name that is not here is refused.

Sources: Redshift Database Developer Guide, "SQL functions reference", "Leader node-only functions",
"Unsupported PostgreSQL functions". Functions of schema rs are in functions.sql.
"""

from collections.abc import Callable

from sqlglot import exp

from infra.local.redshift.actions import Unsupported
from infra.local.redshift.sql.aggregates import WRAPPED
from infra.local.redshift.sql.calls import Call, arguments, call
from infra.local.redshift.sql.dateparts import date_part
from infra.local.redshift.sql.function_names import COMPUTE, FRAMED, LEADER, OURS, SAME, SYNONYMS, WINDOW_ONLY


def translate_calls(tree: exp.Expr, *, tables: bool) -> exp.Expr:
    """Replace every call, innermost first; `tables` says whether the statement reads tables of users.

    Raises Unsupported, naming the function.
    """
    holder = exp.Paren(this=tree)
    for node in reversed(list(tree.find_all(exp.Anonymous, exp.Extract, bfs=True))):
        if isinstance(node, exp.Extract):
            node.replace(_extract(node))
        elif isinstance(node, exp.Anonymous):
            _place_allowed(node, tables=tables)
            _replace(node)
    found: exp.Expr = holder.this.pop()
    return found


def _replace(node: Call) -> None:
    name = node.name.lower()
    if name in WRAPPED:
        WRAPPED[name](node)
    elif name in _REWRITTEN:
        node.replace(_REWRITTEN[name](node))
    elif name in SYNONYMS:
        node.set("this", SYNONYMS[name])
    elif name in OURS:
        node.set("this", f"rs.{name}")
    elif name in SAME or name in LEADER:
        node.set("this", name)
    else:
        raise Unsupported(
            f"function {name}() is not translated", hint="Functions of PostgreSQL alone are refused as Redshift does."
        )


def _place_allowed(node: Call, *, tables: bool) -> None:
    name = node.name.lower()
    window = node.parent if isinstance(node.parent, exp.Window) and node.arg_key == "this" else None
    if name in LEADER and tables:
        raise Unsupported(
            "Specified types or functions (one per INFO message) not supported on Redshift tables.",
            hint=f'Function "{name}()" runs on the leader node only.',
        )
    if name in COMPUTE and not tables:
        raise Unsupported(f"function {name}() runs on compute nodes only: the query has to read a table")
    if name in WINDOW_ONLY and not isinstance(node.find_ancestor(exp.Window, exp.Select), exp.Window):
        raise Unsupported(f"window function {name}() needs an OVER clause", sqlstate="42809")
    if window and window.args.get("order") and name in FRAMED and not window.args.get("spec"):
        raise Unsupported("Aggregate window functions with an ORDER BY clause require a frame clause", sqlstate="42601")


def _moment(value: exp.Expr) -> exp.Expr:
    """A literal where a date or time is expected is a timestamp."""
    if isinstance(value, exp.Literal) and value.is_string:
        return exp.cast(value, "timestamp")
    return value


def _decode(node: Call) -> exp.Expr:
    subject, *rest = arguments(node, 3, 1_000)
    default = rest.pop() if len(rest) % 2 else None
    case = exp.Case(default=default)
    for search, result in zip(rest[::2], rest[1::2], strict=True):
        same = exp.NullSafeEQ(this=subject.copy(), expression=search)
        case.append("ifs", exp.If(this=same, true=result))
    return case


def _nvl2(node: Call) -> exp.Expr:
    value, present, absent = arguments(node, 3, 3)
    known = exp.Not(this=exp.Is(this=value, expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=known, true=present)], default=absent)


def _dated(node: Call) -> exp.Expr:
    """DATEADD, DATEDIFF, DATE_TRUNC and DATE_PART: the part comes first, as a word or a string."""
    name = {"date_add": "dateadd", "date_diff": "datediff", "pgdate_part": "date_part"}.get(
        node.name.lower(), node.name.lower()
    )
    count = 2 if name in ("date_trunc", "date_part") else 3
    part, *rest = arguments(node, count, count)
    return call(f"rs.{name}", exp.Literal.string(date_part(part, name)), *map(_moment, rest))


def _extract(node: exp.Extract) -> exp.Expr:
    """EXTRACT gives integers, without the parts above and below."""
    part = date_part(node.this, "extract")
    if part in ("millisecond", "microsecond"):
        raise Unsupported(f"EXTRACT({part}) is not translated")
    value = call("rs.date_part", exp.Literal.string(part), _moment(node.expression.copy()))
    return exp.cast(call("floor", value), "bigint" if part == "epoch" else "int")


def _convert_timezone(node: Call) -> exp.Expr:
    *source, target, value = arguments(node, 2, 3)
    zone = source[0] if source else exp.Literal.string("UTC")
    return call("rs.convert_timezone", zone, target, _moment(value))


def _months(node: Call) -> exp.Expr:
    value, n = arguments(node, 2, 2)
    return call("rs.add_months", exp.cast(value, "timestamp"), exp.cast(n, "bigint"))


def _last_day(node: Call) -> exp.Expr:
    return call("rs.last_day", exp.cast(arguments(node, 1, 1)[0], "timestamp"))


def _concat(node: Call) -> exp.Expr:
    one, other = arguments(node, 2, 2)
    return exp.Paren(this=exp.DPipe(this=one, expression=other))


def _charindex(node: Call) -> exp.Expr:
    wanted, text = arguments(node, 2, 2)
    return call("strpos", text, wanted)


def _regexp_replace(node: Call) -> exp.Expr:
    """Every match is replaced, where PostgreSQL replaces the first one."""
    text, pattern, *rest = arguments(node, 2, 3)
    new = rest[0] if rest else exp.Literal.string("")
    if not new.is_string or set(new.name) & set("\\$"):
        raise Unsupported("REGEXP_REPLACE with a replacement other than a plain string literal is not translated")
    return call("regexp_replace", text, pattern, new, exp.Literal.string("g"))


def _json_path(node: Call) -> exp.Expr:
    text, *path = arguments(node, 2, 7)
    strict: exp.Expr = exp.false()
    if len(path) > 1 and isinstance(path[-1], exp.Boolean):
        strict = path.pop()
    return call("rs.json_extract_path_text", text, strict, *path)


def _json_element(node: Call) -> exp.Expr:
    text, place, *strict = arguments(node, 2, 3)
    return call("rs.json_extract_array_element_text", text, place, strict[0] if strict else exp.false())


_REWRITTEN: dict[str, Callable[[Call], exp.Expr]] = {
    "decode": _decode,
    "nvl2": _nvl2,
    "dateadd": _dated,
    "date_add": _dated,
    "datediff": _dated,
    "date_diff": _dated,
    "date_trunc": _dated,
    "date_part": _dated,
    "pgdate_part": _dated,
    "convert_timezone": _convert_timezone,
    "add_months": _months,
    "last_day": _last_day,
    "concat": _concat,
    "charindex": _charindex,
    "regexp_replace": _regexp_replace,
    "json_extract_path_text": _json_path,
    "json_extract_array_element_text": _json_element,
}
