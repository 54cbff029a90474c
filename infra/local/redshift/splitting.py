"""A text of several statements as its statements."""

import re

# What may hide a semicolon: strings (with Redshift's backslashes), names, comments (block ones nest), dollar quotes.
_TOKEN = re.compile(
    r"""
    (?P<string>'(?:[^'\\]|\\.|'')*(?:'|$))
    | (?P<name>"(?:[^"]|"")*(?:"|$))
    | (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<dollar>(?<![\w$])\$(?:[^\W\d]\w*)?\$)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_EDGE = re.compile(r"/\*|\*/")


def split(sql: str) -> list[str]:
    """The statements of `sql` without their semicolons; those of nothing but space and comments are left out."""
    statements: list[str] = []
    start, place, blank = 0, 0, True
    while found := _TOKEN.search(sql, place):
        blank = blank and not sql[place : found.start()].strip()
        place = found.end()
        if found["block"]:
            place = _block_end(sql, place)
        elif found["dollar"]:
            closing = sql.find(found[0], place)
            place = len(sql) if closing < 0 else closing + len(found[0])
            blank = False
        elif found["end"]:
            if not blank:
                statements.append(sql[start : found.start()].strip())
            start, blank = place, True
        elif not found["line"]:
            blank = False
    if not blank or sql[place:].strip():
        statements.append(sql[start:].strip())
    return statements


def _block_end(sql: str, place: int) -> int:
    depth = 1
    while depth and (edge := _EDGE.search(sql, place)):
        depth += 1 if edge[0] == "/*" else -1
        place = edge.end()
    return len(sql) if depth else place
