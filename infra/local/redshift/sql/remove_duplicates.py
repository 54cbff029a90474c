"""MERGE ... REMOVE DUPLICATES, the simplified form. Source: Redshift Database Developer Guide, "MERGE"."""

from infra.local.redshift.actions import Plain, Unsupported
from infra.local.redshift.sql.constructs import check_constructs
from infra.local.redshift.sql.dialect import parsed, rendered
from infra.local.redshift.sql.merging import check_condition
from infra.local.redshift.sql.query import translated_tree
from infra.local.redshift.sql.tokens import Cursor, quoted


def is_simplified(sql: str) -> bool:
    """Whether it is MERGE ... REMOVE DUPLICATES."""
    cursor = Cursor(sql)
    while not cursor.done():
        if cursor.accept("remove", "duplicates"):
            cursor.end()
            return True
        cursor.take()
    return False


def simplified_merge(sql: str) -> Plain:
    """MERGE ... REMOVE DUPLICATES: matched rows of the target give way to the source's."""
    cursor = Cursor(sql)
    cursor.expect("merge", "into")
    target = cursor.name()
    cursor.expect("using")
    if cursor.peek("("):
        raise Unsupported("MERGE source must be a table: a subquery or a view is not supported")
    source = cursor.name()
    alias = source[-1]
    if not cursor.peek("on"):
        cursor.accept("as")
        alias = cursor.identifier()
    if target == source:
        raise Unsupported("source and target of a MERGE can't be the same table")
    cursor.expect("on")
    start = cursor.place
    while not cursor.peek("remove", "duplicates"):
        cursor.take()
    named = f"{quoted(*source)} AS {quoted(alias)}"
    condition = _condition(sql[start : cursor.place], f"{quoted(*target)}, {named}")
    matches = (
        f"SELECT 1 FROM {quoted(*target)}, {named} WHERE {condition}"
        f" GROUP BY {quoted(target[-1])}.ctid HAVING count(*) > 1"
    )
    return Plain(
        sql=f"WITH gone AS (DELETE FROM {quoted(*target)} USING {named} WHERE {condition})"
        f" INSERT INTO {quoted(*target)} SELECT {quoted(alias)}.* FROM {named}"
        f" WHERE rs.no_multiple_matches((SELECT count(*) FROM ({matches}) AS several))",
        tag="MERGE",
    )


def _condition(sql: str, tables: str) -> str:
    tree = parsed(f"SELECT 1 FROM {tables} WHERE {sql}")
    check_constructs(tree)
    check_condition(tree.args["where"].this)
    return rendered(translated_tree(tree).args["where"].this)
