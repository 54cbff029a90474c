"""Queries of the catalogue alone: clients ask PostgreSQL's and Redshift's system tables in PostgreSQL's own SQL.

They run as they are, but for the backslash escapes of their strings.
"""

from infra.local.redshift.sql.tokens import Cursor, Kind, Token, tokens

_CATALOGUES = ("pg_", "svv_", "svl_", "stl_", "stv_", "sys_", "svcs_")
_SCHEMAS = ("pg_catalog", "information_schema")
_ENDS_OF_FROM = ("where", "group", "having", "order", "limit", "offset", "union", "except", "intersect", "select")


def catalogue_query(sql: str) -> str | None:
    """The query if it is a SELECT of system tables and of nothing else; None for any other."""
    cursor = Cursor(sql)
    if not (cursor.peek("select") or cursor.peek("with") or cursor.peek("(")):
        return None
    found = tokens(sql)
    names = _common_tables(found)
    sources: list[int] = []
    for place, token in enumerate(found[:-1]):
        if _introduces_table(found, place, token):
            sources += _listed(found, place + 1)
    if not any(_is_catalogue(found[place]) for place in sources):
        return None
    if not all(_is_known(found, place, names) for place in sources) or any(_writes(token) for token in found):
        return None
    return _with_escapes(sql, found)


def _listed(found: list[Token], place: int) -> list[int]:
    """Where the tables of one FROM or JOIN stand: the first, and those after commas of the same depth."""
    places, depth = [place], 0
    for here in range(place, len(found)):
        token = found[here]
        if token.kind is Kind.SYMBOL and token.text in "()[]":
            depth += 1 if token.text in "([" else -1
        elif depth == 0 and token.kind is Kind.WORD and token.text in _ENDS_OF_FROM:
            break
        elif depth == 0 and token.kind is Kind.SYMBOL and token.text == "," and here + 1 < len(found):
            places.append(here + 1)
        if depth < 0:
            break
    return places


def _is_known(found: list[Token], place: int, names: set[str]) -> bool:
    """Whether what stands there is no table of a user: of the catalogue or WITH, a subquery, a function's rows."""
    source = found[place]
    called = place + 1 < len(found) and found[place + 1].text == "(" and source.kind is Kind.WORD
    return _is_catalogue(source) or source.text in ("(", "lateral", "only") or source.text in names or called


def _writes(token: Token) -> bool:
    return token.kind is Kind.WORD and token.text in ("insert", "update", "delete", "merge", "into", "table")


def _introduces_table(found: list[Token], place: int, token: Token) -> bool:
    """FROM and JOIN, but not the FROM of EXTRACT, SUBSTRING and TRIM."""
    if token.kind is not Kind.WORD or token.text not in ("from", "join"):
        return False
    depth = 0
    for before in reversed(found[:place]):
        if before.kind is Kind.SYMBOL and before.text in "()":
            depth += 1 if before.text == ")" else -1
            if depth < 0:
                return True
        elif depth == 0 and before.text in ("select", "delete", "from"):
            return True
        elif depth == 0 and before.text in ("extract", "substring", "trim"):
            return False
    return True


def _is_catalogue(source: Token) -> bool:
    return source.kind in (Kind.WORD, Kind.QUOTED) and (source.text in _SCHEMAS or source.text.startswith(_CATALOGUES))


def _common_tables(found: list[Token]) -> set[str]:
    """Names that WITH gives."""
    return {
        before.text
        for before, word, bracket in zip(found, found[1:], found[2:], strict=False)
        if word.text == "as" and bracket.text == "(" and before.kind in (Kind.WORD, Kind.QUOTED)
    }


def _with_escapes(sql: str, found: list[Token]) -> str:
    parts, position = [], 0
    for token in found:
        source = sql[token.start : token.end]
        if token.kind is Kind.STRING and source.startswith("'") and "\\" in source:
            parts += [sql[position : token.start], "E", source]
            position = token.end
    return "".join(parts) + sql[position:]
