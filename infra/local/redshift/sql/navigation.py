"""Paths into SUPER values: `f.props.a.b[0]`, comparisons and casts of them, and arrays in FROM.

Source: Redshift Database Developer Guide, "Querying semistructured data": navigation, unnesting, dynamic typing, lax
semantics. SUPER is kept as jsonb. What a path means is seen from its form alone: the first name in it that is no
table is the column.
"""

from collections.abc import Collection

from sqlglot import exp

from infra.local.redshift.actions import Unsupported
from infra.local.redshift.sql.calls import call

_SUPER_VALUED = {"rs.at", "rs.json_parse", "jsonb_build_array", "jsonb_build_object"}
_COMPARED = {exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_REFUSED = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.DPipe, exp.Like, exp.ILike, exp.SimilarTo, exp.RegexpLike)


def translate_paths(tree: exp.Expr) -> exp.Expr:
    """Replace paths and what is done with them. Raises Unsupported for what needs a cast first."""
    holder = exp.Paren(this=tree)
    unnested = _translate_from(tree)
    _translate_columns(tree, _tables(tree) | set(unnested), unnested)
    for step in reversed(list(holder.find_all(exp.Bracket, exp.Dot, bfs=True))):
        _translate_step(step)
    for node in reversed(list(holder.find_all(exp.Cast, exp.Predicate, *_REFUSED, exp.Neg, bfs=True))):
        _translate_use(node)
    found: exp.Expr = holder.this.pop()
    return found


def _tables(tree: exp.Expr) -> set[str]:
    return {table.alias_or_name for table in tree.find_all(exp.Table, exp.Subquery, exp.CTE) if table.alias_or_name}


def _translate_from(tree: exp.Expr) -> dict[str, str]:
    """Arrays in FROM become lateral calls. Returns the alias of each, with the alias of its place."""
    unnested: dict[str, str] = {}
    for join in list(tree.find_all(exp.Join)):
        source, place = join.this, ""
        if isinstance(source, exp.AtIndex):
            place = source.expression.name
            source = source.this
        elif not isinstance(source, exp.Unnest):
            continue
        path, alias = _unnested(source)
        if join.side or join.args.get("on"):
            raise Unsupported("an array in FROM with a join condition is not translated")
        columns = [exp.to_identifier(name) for name in (alias, place or "_place")]
        lateral = exp.Lateral(
            this=call("rs.elements", path), alias=exp.TableAlias(this=exp.to_identifier(alias), columns=columns)
        )
        join.set("this", lateral)
        join.set("kind", "CROSS")
        unnested[alias] = place
    return unnested


def _unnested(source: exp.Expr) -> tuple[exp.Expr, str]:
    if isinstance(source, exp.Unnest):
        (path,) = source.expressions
        alias = source.args.get("alias")
        names = alias.columns if alias else []
        if len(names) != 1:
            raise Unsupported("an array in FROM needs one alias")
        return path.copy(), names[0].name
    if isinstance(source, exp.Alias):
        return source.this.copy(), source.alias
    raise Unsupported("an array in FROM needs an alias")


def _translate_columns(tree: exp.Expr, tables: Collection[str], unnested: Collection[str]) -> None:
    for column in list(tree.find_all(exp.Column)):
        parts = [part for part in column.parts if isinstance(part, exp.Identifier)]
        if len(parts) < 2 or isinstance(column.this, exp.Star):
            continue
        first = parts[0].name
        taken = 1 if first not in tables else 2
        if first in unnested:
            taken = 1
        elif first not in tables and len(parts) > 2 and parts[1].name in tables:
            taken = 3  # schema, table, column
        elif first not in tables and len(parts) > 3 and parts[2].name in tables:
            taken = 4  # with the database before
        if taken >= len(parts):
            continue
        found: exp.Expr = exp.column(*[part.copy() for part in reversed(parts[:taken])])
        for part in parts[taken:]:
            found = call("rs.at", found, exp.Literal.string(part.name))
        column.replace(found)


def _translate_step(node: exp.Expr) -> None:
    if isinstance(node, exp.Dot):
        if isinstance(node.expression, exp.Identifier):
            step: exp.Expr = exp.Literal.string(node.expression.name)
            node.replace(call("rs.at", node.this.copy(), step))
        return
    if len(node.expressions) != 1:
        raise Unsupported("a subscript with several values is not supported")
    place = node.expressions[0].copy()
    node.replace(call("rs.at", node.this.copy(), place))


def is_path(node: exp.Expr | None) -> bool:
    """Whether the expression is a SUPER value by its form."""
    node = node.unnest() if node else None
    return isinstance(node, exp.Anonymous) and node.name in _SUPER_VALUED


def _translate_use(node: exp.Expr) -> None:
    sides = [side for side in (node.args.get("this"), node.args.get("expression")) if isinstance(side, exp.Expr)]
    if not any(is_path(side) for side in sides) or _assigns(node):
        return
    if isinstance(node, exp.Cast):
        node.replace(_cast(node))
    elif isinstance(node, exp.EQ | exp.NEQ):
        same = call("rs.same", *map(_super, sides))
        node.replace(exp.Paren(this=exp.Not(this=same)) if isinstance(node, exp.NEQ) else same)
    elif type(node) in _COMPARED:
        compared = call("rs.compared", *map(_super, sides))
        node.replace(type(node)(this=compared, expression=exp.Literal.number(0)))
    elif isinstance(node, exp.In) and not node.args.get("query"):
        node.replace(_in(node))
    elif isinstance(node, exp.Between):
        node.replace(_between(node))
    elif not isinstance(node, exp.Is):
        raise Unsupported(f"{node.key.upper()} of a SUPER value is not translated: cast it first")


def _assigns(node: exp.Expr) -> bool:
    """Whether it is `column = value` in SET."""
    return isinstance(node, exp.EQ) and isinstance(node.parent, exp.Update) and node.arg_key == "expressions"


def _super(value: exp.Expr) -> exp.Expr:
    """The value as SUPER."""
    if is_path(value):
        return value.copy()
    if isinstance(value, exp.Literal) and value.is_string:
        value = exp.cast(value.copy(), "text")
    return call("to_jsonb", value.copy())


def _cast(node: exp.Cast) -> exp.Expr:
    """A value of the wrong type becomes NULL (lax mode)."""
    name = node.to.sql("postgres").lower()
    if name == "jsonb":
        return node.copy()
    text: exp.Expr = call("rs.super_text", node.this.copy())
    if name in ("smallint", "int", "integer", "bigint"):
        text = call("rs.super_whole", node.this.copy())
    if not name.startswith(("varchar", "char")):
        text = call("rs.super_valid", text, exp.Literal.string(name))
    return exp.Cast(this=text, to=node.to.copy())


def _in(node: exp.In) -> exp.Expr:
    value = _super(node.this)
    tests = [call("rs.same", value.copy(), _super(item)) for item in node.expressions]
    return exp.Paren(this=exp.or_(*tests))


def _between(node: exp.Between) -> exp.Expr:
    value = _super(node.this)
    low = call("rs.compared", value, _super(node.args["low"]))
    high = call("rs.compared", value.copy(), _super(node.args["high"]))
    zero = exp.Literal.number(0)
    return exp.Paren(this=exp.and_(exp.GTE(this=low, expression=zero), exp.LTE(this=high, expression=zero.copy())))
