"""Which constructs of SQL a statement may hold: an allow-list of the parser's nodes.

Sources: Redshift Database Developer Guide, "SQL commands" (the synopsis of each), "Unsupported PostgreSQL features".
"""

from collections.abc import Callable

from sqlglot import exp

from infra.local.redshift.actions import Unsupported
from infra.local.redshift.sql.function_names import LEADER, SESSION

_ALLOWED: frozenset[type[exp.Expr]] = frozenset(
    {
        *(exp.Select, exp.From, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset),
        *(exp.Join, exp.With, exp.CTE, exp.Subquery, exp.Table, exp.TableAlias, exp.Alias, exp.Union, exp.Except),
        *(exp.Intersect, exp.Distinct, exp.Qualify, exp.Window, exp.WindowSpec, exp.WithinGroup, exp.Exists),
        *(exp.Rollup, exp.Cube, exp.GroupingSets, exp.Star, exp.Column, exp.Identifier, exp.Dot, exp.Bracket),
        *(exp.Literal, exp.Boolean, exp.Null, exp.Parameter, exp.Var, exp.Paren, exp.Tuple, exp.Case, exp.If),
        *(exp.Anonymous, exp.Cast, exp.DataType, exp.DataTypeParam, exp.Extract, exp.Interval, exp.AtTimeZone),
        *(exp.Trim, exp.Substring, exp.StrPosition, exp.CurrentDate, exp.CurrentUser, exp.SessionUser),
        *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In, exp.Between),
        *(exp.Like, exp.ILike, exp.SimilarTo, exp.RegexpLike, exp.RegexpILike, exp.Escape, exp.Any, exp.All),
        *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Pow, exp.Neg, exp.DPipe, exp.BitwiseAnd, exp.BitwiseOr),
        *(exp.BitwiseNot, exp.BitwiseLeftShift, exp.BitwiseRightShift, exp.Sqrt, exp.Cbrt, exp.Abs),
        *(exp.Insert, exp.Update, exp.Delete, exp.Schema, exp.Values, exp.Merge, exp.Whens, exp.When),
        *(exp.Unnest, exp.AtIndex),
    }
)
_SYSTEM_COLUMNS = frozenset(("ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"))  # PostgreSQL's
_NAMES: dict[type[exp.Expr], str] = {
    exp.ByteString: "an E'' string",
    exp.RawString: "a dollar-quoted string",
    exp.Array: "an array constructor",
    exp.CurrentTimestamp: "CURRENT_TIMESTAMP (use GETDATE() or SYSDATE)",
    exp.CurrentTime: "CURRENT_TIME",
    exp.Fetch: "FETCH FIRST (use LIMIT)",
    exp.Filter: "FILTER after an aggregate",
    exp.IgnoreNulls: "IGNORE NULLS",
    exp.Into: "SELECT INTO",
    exp.JSONExtract: "the operator ->",
    exp.JSONExtractScalar: "the operator ->>",
    exp.Lateral: "LATERAL",
    exp.Lock: "SELECT ... FOR UPDATE or FOR SHARE",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
    exp.OnConflict: "INSERT ... ON CONFLICT",
    exp.Returning: "RETURNING",
    exp.TableSample: "TABLESAMPLE",
}


def check_constructs(tree: exp.Expr) -> None:
    """Raises Unsupported, naming the first construct that is refused."""
    for node in tree.walk():
        if type(node) not in _ALLOWED:
            name = _NAMES.get(type(node), type(node).__name__.upper())
            raise Unsupported(f"{name} is not supported")
        check = _CHECKS.get(type(node))
        if check:
            check(node)


def _refuse(node: exp.Expr, **clauses: str) -> None:
    for argument, name in clauses.items():
        if node.args.get(argument):
            raise Unsupported(f"{name} is not supported")


def _select(node: exp.Expr) -> None:
    _refuse(
        node,
        windows="a WINDOW clause",
        locks="SELECT ... FOR UPDATE or FOR SHARE",
        exclude="SELECT * EXCLUDE",
        into="SELECT INTO",
        laterals="LATERAL",
        connect="CONNECT BY",
        sample="TABLESAMPLE",
        hint="a hint",
        match="MATCH_RECOGNIZE",
    )


def _group(node: exp.Expr) -> None:
    _refuse(node, all="GROUP BY ALL", totals="WITH TOTALS")


def _set_operation(node: exp.Expr) -> None:
    if isinstance(node, exp.Except | exp.Intersect) and not node.args.get("distinct"):
        raise Unsupported(f"{node.key.upper()} ALL is not supported")
    _refuse(node, by_name="BY NAME", on="a set operation by name", locks="FOR UPDATE")


def _distinct(node: exp.Expr) -> None:
    _refuse(node, on="SELECT DISTINCT ON")
    if isinstance(node.parent, exp.Anonymous) and node.parent.name.lower() != "listagg" and len(node.expressions) > 1:
        raise Unsupported("DISTINCT of several columns in an aggregate is not supported")


def _values(node: exp.Expr) -> None:
    if not isinstance(node.parent, exp.Insert):
        raise Unsupported("a VALUES list as a table is not supported")


def _table(node: exp.Expr) -> None:
    _refuse(
        node, pivots="PIVOT", only="ONLY", sample="TABLESAMPLE", version="time travel", ordinality="WITH ORDINALITY"
    )
    call = node.this if isinstance(node.this, exp.Anonymous) else None
    if not isinstance(node.this, exp.Identifier) and not (call and call.name.lower() in LEADER | SESSION):
        raise Unsupported("a function as a table is not supported")


def _column(node: exp.Expr) -> None:
    _refuse(node, join_mark="the outer join operator (+)")
    if node.name.lower() in _SYSTEM_COLUMNS:
        raise Unsupported(f'column "{node.name}" does not exist', sqlstate="42703")


def _substring(node: exp.Expr) -> None:
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and start.is_string:
        raise Unsupported("SUBSTRING by a pattern is not supported: use REGEXP_SUBSTR")


def _insert(node: exp.Expr) -> None:
    _refuse(
        node,
        conflict="INSERT ... ON CONFLICT",
        returning="RETURNING",
        overwrite="INSERT OVERWRITE",
        alternative="INSERT OR",
        by_name="BY NAME",
    )
    if isinstance(node.this, exp.Table) and node.this.alias:
        raise Unsupported("an alias of the table of an INSERT is not supported")


def _change(node: exp.Expr) -> None:
    _refuse(node, returning="RETURNING", order="ORDER BY in a change", limit="LIMIT in a change")


def _join(node: exp.Expr) -> None:
    kind, method = node.args.get("kind") or "", node.args.get("method") or ""
    if kind in ("SEMI", "ANTI", "ASOF", "STRAIGHT") or method == "ASOF":
        raise Unsupported(f"{kind or method} JOIN is not supported")


def _cte(node: exp.Expr) -> None:
    if node.args.get("materialized") is not None:
        raise Unsupported("MATERIALIZED in WITH is not supported")
    if not isinstance(node.this, exp.Query):
        raise Unsupported("a change of rows in WITH is not supported")


def _window(node: exp.Expr) -> None:
    if isinstance(node.args.get("alias"), exp.Identifier):
        raise Unsupported("a WINDOW clause is not supported")
    spec = node.args.get("spec")
    if spec and (spec.args.get("kind") or "").upper() not in ("ROWS",):
        raise Unsupported("a window frame other than ROWS is not supported")
    if spec and spec.args.get("exclude"):
        raise Unsupported("EXCLUDE in a window frame is not supported")


_CHECKS: dict[type[exp.Expr], Callable[[exp.Expr], None]] = {
    exp.Select: _select,
    exp.Group: _group,
    exp.Except: _set_operation,
    exp.Intersect: _set_operation,
    exp.Union: _set_operation,
    exp.Distinct: _distinct,
    exp.Values: _values,
    exp.Table: _table,
    exp.Column: _column,
    exp.Substring: _substring,
    exp.Insert: _insert,
    exp.Update: _change,
    exp.Delete: _change,
    exp.Join: _join,
    exp.CTE: _cte,
    exp.Window: _window,
}
