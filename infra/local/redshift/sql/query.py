"""Queries and changes of rows: SELECT, INSERT, UPDATE, DELETE, MERGE."""

from collections.abc import Iterator

from sqlglot import exp

from infra.local.redshift.actions import Unsupported
from infra.local.redshift.sql.constructs import check_constructs
from infra.local.redshift.sql.datatypes import cast_type
from infra.local.redshift.sql.dialect import parsed, rendered
from infra.local.redshift.sql.functions import translate_calls
from infra.local.redshift.sql.merging import check_merge, mend_values
from infra.local.redshift.sql.navigation import translate_paths
from infra.local.redshift.sql.qualify import translate_qualify

_CATALOGUES = ("pg_", "svv_", "svl_", "stl_", "stv_", "sys_", "svcs_", "information_schema")
_TYPES = {
    exp.DType.SMALLINT: "smallint",
    exp.DType.INT: "integer",
    exp.DType.BIGINT: "bigint",
    exp.DType.FLOAT: "real",
    exp.DType.DOUBLE: "double precision",
    exp.DType.DECIMAL: "decimal",
    exp.DType.BOOLEAN: "boolean",
    exp.DType.DATE: "date",
    exp.DType.TIME: "time",
    exp.DType.TIMETZ: "timetz",
    exp.DType.TIMESTAMP: "timestamp",
    exp.DType.TIMESTAMPTZ: "timestamptz",
    exp.DType.VARCHAR: "varchar",
    exp.DType.NVARCHAR: "nvarchar",
    exp.DType.TEXT: "text",
    exp.DType.CHAR: "char",
    exp.DType.NCHAR: "nchar",
    exp.DType.BPCHAR: "bpchar",
    exp.DType.SUPER: "super",
}


def translated_query(sql: str) -> str:
    """The statement for PostgreSQL. Raises SqlError, Unsupported."""
    tree = parsed(sql)
    check_constructs(tree)
    if isinstance(tree, exp.Merge):
        mend_values(tree)
        check_merge(tree)
    return rendered(translated_tree(tree))


def translated_expression(sql: str) -> str:
    """One expression, as in DEFAULT. Raises SqlError, Unsupported."""
    tree = parsed(f"SELECT {sql}")
    check_constructs(tree)
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1 or tree.args.get("from_"):
        raise Unsupported(f"the expression {sql[:40]} is not translated")
    return rendered(translated_tree(tree).expressions[0])


def translated_tree(tree: exp.Expr) -> exp.Expr:
    _fold(tree)
    tables = any(True for table in _user_tables(tree))
    tree = translate_qualify(tree)
    tree = translate_calls(_words(tree), tables=tables)
    _translate_types(tree)
    return translate_paths(tree)


def _fold(tree: exp.Expr) -> None:
    """Names are folded to lower case, delimited ones too. Source: "Names and identifiers"."""
    for name in tree.find_all(exp.Identifier):
        name.set("this", name.this.lower())


def _words(tree: exp.Expr) -> exp.Expr:
    """Words that the parser takes for columns."""
    for column in list(tree.find_all(exp.Column)):
        if column.table or column.this.args.get("quoted"):
            continue
        if column.name == "sysdate":
            column.replace(exp.Anonymous(this="sysdate"))
        elif column.name == "default" and isinstance(column.parent, exp.EQ | exp.Tuple):
            column.replace(exp.Var(this="DEFAULT"))
    return tree


def _user_tables(tree: exp.Expr) -> Iterator[exp.Table]:
    """The tables that lie on compute nodes. Source: "SQL functions supported on the leader node"."""
    known = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Anonymous):
            continue
        name, schema = table.name.lower(), table.db.lower()
        catalogue = name.startswith(_CATALOGUES) or schema in ("pg_catalog", "information_schema")
        if not catalogue and name not in known:
            yield table


def _translate_types(tree: exp.Expr) -> None:
    for node in list(tree.find_all(exp.Cast)):
        name = _TYPES.get(node.to.this)
        if name is None:
            if node.to.is_type("regclass", "regtype", "oid", "name") or node.to.this == exp.DType.NAME:
                continue
            raise Unsupported(f"the data type {node.to.sql('redshift')} is not translated")
        arguments = [argument.name.lower() for argument in node.to.expressions]
        node.set("to", exp.DataType.build(cast_type(name, arguments), dialect="postgres", udt=True))
