"""Users and groups.

Source: Redshift Database Developer Guide, "CREATE USER", "ALTER USER", "DROP USER", "CREATE GROUP".
"""

from infra.local.redshift.actions import Plain, Unsupported
from infra.local.redshift.sql.tokens import Cursor, literal, quoted

_SHORTEST_PASSWORD = 8  # characters, with an upper case letter, a lower case letter and a digit
_LONGEST_PASSWORD = 64


def create_user(cursor: Cursor) -> Plain:
    """The statement after CREATE USER."""
    name = quoted(cursor.identifier())
    cursor.accept("with")
    options = _options(cursor)
    if "PASSWORD" not in options:
        raise Unsupported("CREATE USER needs PASSWORD", sqlstate="42601")
    return Plain(sql=f"CREATE ROLE {name} LOGIN {options}", tag="CREATE USER")


def alter_user(cursor: Cursor) -> Plain:
    """The statement after ALTER USER."""
    name = quoted(cursor.identifier())
    cursor.accept("with")
    if cursor.accept("rename", "to"):
        return Plain(sql=f"ALTER ROLE {name} RENAME TO {quoted(cursor.identifier())}", tag="ALTER USER")
    return Plain(sql=f"ALTER ROLE {name} {_options(cursor)}", tag="ALTER USER")


def _options(cursor: Cursor) -> str:
    found: list[str] = []
    while not cursor.done():
        word = cursor.take().text
        if word == "password":
            found.append(f"PASSWORD {_password(cursor)}")
        elif word in ("createdb", "nocreatedb"):
            found.append(word.upper())
        elif word in ("createuser", "nocreateuser"):
            found.append(word.upper().replace("USER", "ROLE"))
        else:
            raise Unsupported(f"the option {word.upper()} of a user is not translated")
    return " ".join(found)


def _password(cursor: Cursor) -> str:
    if cursor.accept("disable"):
        return "NULL"
    password = cursor.string()
    kinds = (str.isupper, str.islower, str.isdigit)
    hashed = password.startswith("md5") and len(password) == 35
    proper = _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD
    if not hashed and not (proper and all(any(map(kind, password)) for kind in kinds)):
        raise Unsupported(
            "password must have 8 to 64 characters, among them an upper case letter, a lower case letter and a digit",
            sqlstate="22023",
        )
    return literal(password)


def create_group(cursor: Cursor) -> Plain:
    """The statement after CREATE GROUP."""
    name = quoted(cursor.identifier())
    users = ""
    cursor.accept("with")
    if cursor.accept("user"):
        listed = [quoted(cursor.identifier())]
        while cursor.accept(","):
            listed.append(quoted(cursor.identifier()))
        users = f" ROLE {', '.join(listed)}"
    cursor.end()
    return Plain(sql=f"CREATE ROLE {name} NOLOGIN{users}", tag="CREATE GROUP")


def drop_users(cursor: Cursor, kind: str) -> Plain:
    """The statement after DROP USER or DROP GROUP."""
    exists = "IF EXISTS " if cursor.accept("if", "exists") else ""
    names = [quoted(cursor.identifier())]
    while cursor.accept(","):
        names.append(quoted(cursor.identifier()))
    cursor.end()
    return Plain(sql=f"DROP ROLE {exists}{', '.join(names)}", tag=f"DROP {kind.upper()}")
