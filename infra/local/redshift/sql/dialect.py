"""The parser of queries: sqlglot's Redshift grammar, with every function call kept as it was written.

sqlglot maps functions to a common meaning and back; what a function means is decided in `functions` instead.
"""

from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.parsers.redshift import RedshiftParser

from infra.local.redshift.errors import SqlError
from infra.local.redshift.sql.tokens import SYNTAX_ERROR, literal

# Calls whose arguments have a grammar of their own, and the CASE expression.
_SPECIAL = ("CAST", "CONVERT", "EXTRACT", "POSITION", "SUBSTRING", "TRIM")
_KEYWORDS = ("ANY", "CASE")
APPROXIMATE = "approximate"


class _Parser(RedshiftParser):
    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS = {name: RedshiftParser.FUNCTION_PARSERS[name] for name in _SPECIAL}  # noqa: RUF012
    NO_PAREN_FUNCTION_PARSERS = {  # noqa: RUF012
        **{name: RedshiftParser.NO_PAREN_FUNCTION_PARSERS[name] for name in _KEYWORDS},
        "APPROXIMATE": lambda self: self._parse_approximate(),
    }

    def _parse_approximate(self) -> exp.Expr | None:
        call = self._parse_function()
        if call is None:
            self._retreat(self._index - 1)
            return None
        inner = call.find(exp.Anonymous)
        if inner is not None:
            inner.set("this", f"{APPROXIMATE} {inner.name}")
        return call


class _Dialect(Redshift):
    Parser = _Parser


def parsed(sql: str) -> exp.Expr:
    """The one statement of `sql`. Raises SqlError."""
    try:
        found = [tree for tree in _Dialect().parse(sql, error_level=ErrorLevel.IMMEDIATE) if tree is not None]
    except SqlglotError as error:
        raise SqlError(SYNTAX_ERROR, f"syntax error: {_first_line(error)}") from error
    except RecursionError as error:
        raise SqlError("54001", "the statement is too deeply nested") from error
    if len(found) != 1:
        raise SqlError(SYNTAX_ERROR, "cannot insert multiple commands into a prepared statement")
    return found[0]


def rendered(tree: exp.Expr) -> str:
    """The tree as PostgreSQL reads it: all names delimited, so that its own reserved words do no harm."""
    for string in list(tree.find_all(exp.Literal)):
        if string.is_string and "\\" in string.name:
            string.replace(exp.Var(this=literal(string.name)))
    return tree.sql(
        dialect=Postgres, identify=True, normalize_functions="lower", unsupported_level=ErrorLevel.RAISE, comments=False
    )


def _first_line(error: SqlglotError) -> str:
    text = str(error).splitlines()[0]
    return text.replace("\x1b[4m", "").replace("\x1b[0m", "")[:200]
