"""What a MERGE may hold. Source: Redshift Database Developer Guide, "MERGE"."""

from sqlglot import exp

from infra.local.redshift.actions import Unsupported


def mend_values(tree: exp.Merge) -> None:
    """`INSERT VALUES (...)`, without columns: the parser takes VALUES for a function."""
    for insert in tree.args["whens"].find_all(exp.Insert):
        columns = insert.this
        only = columns.expressions[0] if isinstance(columns, exp.Tuple) and len(columns.expressions) == 1 else None
        if isinstance(only, exp.Anonymous) and only.name.lower() == "values" and not insert.args.get("expression"):
            insert.set("this", None)
            insert.set("expression", exp.Tuple(expressions=[value.copy() for value in only.expressions]))


def check_merge(tree: exp.Merge) -> None:
    """Raises Unsupported for what Redshift refuses."""
    if not isinstance(tree.args["using"], exp.Table):
        raise Unsupported("MERGE source must be a table: a subquery or a view is not supported")
    if tree.this.alias:
        raise Unsupported("an alias of the target of a MERGE is not supported", sqlstate="42601")
    if tree.args.get("with_"):
        raise Unsupported("WITH in a MERGE is not supported")
    if tree.args.get("returning"):
        raise Unsupported("RETURNING is not supported")
    _check_source(tree.this, tree.args["using"])
    check_condition(tree.args.get("on"))
    whens = tree.args["whens"].expressions
    if [when.args.get("matched") for when in whens] != [True, False]:
        raise Unsupported("MERGE takes exactly one WHEN MATCHED and one WHEN NOT MATCHED, in this order")
    for when in whens:
        if when.args.get("condition") or when.args.get("source"):
            raise Unsupported("a condition in WHEN [NOT] MATCHED is not supported")
    matched, absent = (when.args["then"] for when in whens)
    deletes = isinstance(matched, exp.Var) and matched.name.upper() == "DELETE"
    if not (deletes or (isinstance(matched, exp.Update) and matched.expressions)):
        raise Unsupported("WHEN MATCHED takes UPDATE SET or DELETE")
    if not (isinstance(absent, exp.Insert) and absent.args.get("expression")):
        raise Unsupported("WHEN NOT MATCHED takes INSERT ... VALUES")


def _check_source(target: exp.Table, source: exp.Table) -> None:
    if (target.db, target.name) == (source.db, source.name):
        raise Unsupported("source and target of a MERGE can't be the same table")


def check_condition(condition: exp.Expr | None) -> None:
    """Raises Unsupported unless it is equalities of columns."""
    parts = list(condition.flatten()) if isinstance(condition, exp.And) else [condition]
    for part in parts:
        part = part.unnest() if part else None
        if not (isinstance(part, exp.EQ) and {type(part.left), type(part.right)} == {exp.Column}):
            raise Unsupported("the condition of a MERGE takes equalities of columns")
