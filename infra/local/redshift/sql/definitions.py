"""Definitions other than CREATE TABLE: views, schemas, ALTER TABLE, DROP, COMMENT, GRANT.

Source: Redshift Database Developer Guide, "SQL commands", the synopsis of each.
"""

from sqlglot import exp

from infra.local.redshift.actions import Plain, Unsupported
from infra.local.redshift.sql.datatypes import column_type, read_type
from infra.local.redshift.sql.dialect import parsed
from infra.local.redshift.sql.query import translated_query
from infra.local.redshift.sql.tables import (
    Key,
    create_table,
    declared,
    performed,
    read_attributes,
    read_column_attributes,
    read_key,
)
from infra.local.redshift.sql.tokens import Cursor, literal, quoted
from infra.local.redshift.sql.users import alter_user, create_group, create_user, drop_users

_PRIVILEGES = (
    "select",
    "insert",
    "update",
    "delete",
    "references",
    "truncate",
    "usage",
    "create",
    "all",
    "privileges",
    ",",
)
_UNBOUND = ("with", "no", "schema", "binding")


def create(cursor: Cursor) -> Plain:
    """CREATE of something. Raises Unsupported, naming it, for what Redshift lacks or the front does."""
    cursor.expect("create")
    if cursor.peek("table") or cursor.peek("local") or cursor.peek("temp") or cursor.peek("temporary"):
        return create_table(cursor)
    if cursor.peek("view") or cursor.peek("or", "replace", "view"):
        return _create_view(cursor)
    if cursor.accept("materialized", "view"):
        return _create_materialized_view(cursor)
    if cursor.accept("schema"):
        return _create_schema(cursor)
    if cursor.accept("user"):
        return create_user(cursor)
    if cursor.accept("group"):
        return create_group(cursor)
    words: list[str] = []
    while not cursor.done() and len(words) < 2:
        words.append(cursor.take().text.upper())
    raise Unsupported(f"CREATE {' '.join(words)} is not supported")


def _create_view(cursor: Cursor) -> Plain:
    replace = "OR REPLACE " if cursor.accept("or", "replace") else ""
    cursor.expect("view")
    name = quoted(*cursor.name())
    columns = ""
    if cursor.peek("("):
        columns = " (" + ", ".join(quoted(column) for column in cursor.names()) + ")"
    cursor.expect("as")
    query, unbound = _query_of_view(cursor)
    if unbound:
        for table in parsed(query).find_all(exp.Table):
            if not table.db and table.name not in {cte.alias for cte in parsed(query).find_all(exp.CTE)}:
                raise Unsupported(
                    f"a view WITH NO SCHEMA BINDING needs its tables with their schemas: {table.name}", sqlstate="42601"
                )
    return Plain(sql=f"CREATE {replace}VIEW {name}{columns} AS {translated_query(query)}", tag="CREATE VIEW")


def _query_of_view(cursor: Cursor) -> tuple[str, bool]:
    start = cursor.place
    while not cursor.done():
        if cursor.peek(*_UNBOUND):
            end = cursor.place
            cursor.accept(*_UNBOUND)
            cursor.end()
            return cursor.sql[start:end], True
        cursor.take()
    return cursor.sql[start : cursor.place], False


def _create_materialized_view(cursor: Cursor) -> Plain:
    name = cursor.name()
    refreshed = read_attributes(cursor)
    cursor.expect("as")
    query = translated_query(cursor.sql[cursor.place :])
    if not refreshed:
        return Plain(sql=f"CREATE MATERIALIZED VIEW {quoted(*name)} AS {query}", tag="CREATE MATERIALIZED VIEW")
    view = f"CREATE VIEW {quoted(*name)} AS {query}; COMMENT ON VIEW {quoted(*name)} IS 'auto refresh'"
    return Plain(sql=view, tag="CREATE MATERIALIZED VIEW")


def refresh(cursor: Cursor) -> Plain:
    """REFRESH MATERIALIZED VIEW."""
    cursor.expect("refresh", "materialized", "view")
    name = cursor.name()
    cursor.one_of("restrict", "cascade")
    cursor.end()
    return Plain(sql=performed(f"rs.refresh({literal(quoted(*name))})"), tag="REFRESH MATERIALIZED VIEW")


def _create_schema(cursor: Cursor) -> Plain:
    exists = "IF NOT EXISTS " if cursor.accept("if", "not", "exists") else ""
    name = quoted(cursor.identifier())
    owner = f" AUTHORIZATION {quoted(cursor.identifier())}" if cursor.accept("authorization") else ""
    cursor.end()
    return Plain(sql=f"CREATE SCHEMA {exists}{name}{owner}")


def drop(cursor: Cursor) -> Plain:
    """DROP TABLE, VIEW, MATERIALIZED VIEW, SCHEMA."""
    cursor.expect("drop")
    people = cursor.one_of("user", "group")
    if people:
        return drop_users(cursor, people)
    kind = next(
        (kind for kind in ("table", "view", "materialized view", "schema") if cursor.accept(*kind.split())), None
    )
    if kind is None:
        raise Unsupported(f"DROP {cursor.take().text.upper()} is not supported")
    exists = cursor.accept("if", "exists")
    names = [cursor.name()]
    while cursor.accept(","):
        names.append(cursor.name())
    how = cursor.one_of("cascade", "restrict") or "restrict"
    cursor.end()
    if kind == "materialized view":
        if len(names) > 1:
            raise cursor.unexpected()
        options = f"{str(exists).lower()}, {str(how == 'cascade').lower()}"
        return Plain(
            sql=performed(f"rs.drop_materialized({literal(quoted(*names[0]))}, {options})"),
            tag="DROP MATERIALIZED VIEW",
        )
    listed = ", ".join(quoted(*name) for name in names)
    return Plain(sql=f"DROP {kind.upper()} {'IF EXISTS ' if exists else ''}{listed} {how.upper()}")


def alter(cursor: Cursor) -> Plain:
    """ALTER TABLE in the forms that Redshift has."""
    cursor.expect("alter")
    if cursor.accept("schema"):
        schema = quoted(cursor.identifier())
        word = cursor.one_of("rename", "owner")
        cursor.expect("to")
        return Plain(sql=f"ALTER SCHEMA {schema} {(word or '').upper()} TO {quoted(cursor.identifier())}")
    if cursor.accept("user"):
        return alter_user(cursor)
    if not cursor.accept("table"):
        raise Unsupported(f"ALTER {cursor.take().text.upper()} is not supported")
    name = cursor.name()
    table = f"ALTER TABLE {quoted(*name)}"
    if cursor.accept("append", "from"):
        return _append(cursor, name)
    if cursor.accept("add"):
        return _add(cursor, name, table)
    if cursor.accept("drop"):
        return _drop_part(cursor, name, table)
    if cursor.accept("rename"):
        return _rename(cursor, table)
    if cursor.accept("owner", "to"):
        return Plain(sql=f"{table} OWNER TO {quoted(cursor.identifier())}")
    if cursor.accept("alter"):
        return _alter_part(cursor, table)
    raise Unsupported(f"ALTER TABLE ... {cursor.take().text.upper()} is not supported")


def _append(cursor: Cursor, target: tuple[str, ...]) -> Plain:
    source = cursor.name()
    option = cursor.one_of("ignoreextra", "filltarget")
    cursor.end()
    names = f"{literal(quoted(*target))}, {literal(quoted(*source))}"
    options = f"{str(option == 'ignoreextra').lower()}, {str(option == 'filltarget').lower()}"
    return Plain(
        sql=performed(f"rs.append({names}, {options})"),
        tag="ALTER TABLE APPEND",
        outside_block="ALTER TABLE APPEND",
    )


def _add(cursor: Cursor, name: tuple[str, ...], table: str) -> Plain:
    key = read_key(cursor)
    if key:
        cursor.end()
        return Plain(sql=declared(name, key), tag="ALTER TABLE")
    cursor.accept("column")
    column = cursor.identifier()
    kind = column_type(*read_type(cursor))
    keys: list[Key] = []
    attributes = read_column_attributes(cursor, column, keys)
    if cursor.peek(","):
        raise Unsupported("ALTER TABLE ADD COLUMN takes one column", sqlstate="42601")
    cursor.end()
    if keys or any(attribute.startswith("GENERATED") for attribute in attributes):
        raise Unsupported("ALTER TABLE ADD COLUMN with a key or IDENTITY is not supported")
    if "NOT NULL" in attributes and not any(attribute.startswith("DEFAULT") for attribute in attributes):
        raise Unsupported("ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression")
    return Plain(sql=f"{table} ADD COLUMN {quoted(column)} {kind} {' '.join(attributes)}")


def _drop_part(cursor: Cursor, name: tuple[str, ...], table: str) -> Plain:
    if cursor.accept("constraint"):
        constraint = cursor.identifier()
        cursor.one_of("restrict", "cascade")
        cursor.end()
        where = f"table_oid = {literal(quoted(*name))}::regclass AND name = {literal(constraint)}"
        return Plain(sql=f"DELETE FROM rs.declared_keys WHERE {where}", tag="ALTER TABLE")
    cursor.accept("column")
    column = quoted(cursor.identifier())
    how = cursor.one_of("restrict", "cascade") or "restrict"
    cursor.end()
    return Plain(sql=f"{table} DROP COLUMN {column} {how.upper()}")


def _rename(cursor: Cursor, table: str) -> Plain:
    if cursor.accept("to"):
        sql = f"{table} RENAME TO {quoted(cursor.identifier())}"
    else:
        cursor.accept("column")
        old = quoted(cursor.identifier())
        cursor.expect("to")
        sql = f"{table} RENAME COLUMN {old} TO {quoted(cursor.identifier())}"
    cursor.end()
    return Plain(sql=sql)


def _alter_part(cursor: Cursor, table: str) -> Plain:
    if cursor.one_of("diststyle", "distkey", "sortkey", "compound", "encode"):
        return Plain(sql=f"{table} SET WITHOUT CLUSTER", tag="ALTER TABLE")
    cursor.accept("column")
    column = quoted(cursor.identifier())
    if cursor.accept("encode"):
        return Plain(sql=f"{table} SET WITHOUT CLUSTER", tag="ALTER TABLE")
    if not cursor.accept("type"):
        raise Unsupported(f"ALTER COLUMN ... {cursor.take().text.upper()} is not supported")
    kind = column_type(*read_type(cursor))
    cursor.end()
    if not kind.startswith("varchar"):
        raise Unsupported(f"ALTER COLUMN TYPE to {kind} is not supported: only the size of a VARCHAR can change")
    return Plain(sql=f"{table} ALTER COLUMN {column} TYPE {kind}", outside_block="ALTER TABLE ALTER COLUMN")


def comment(cursor: Cursor) -> Plain:
    """COMMENT ON."""
    cursor.expect("comment", "on")
    kind = cursor.one_of("table", "column", "view", "schema", "database")
    if kind is None:
        raise Unsupported(f"COMMENT ON {cursor.take().text.upper()} is not supported")
    name = quoted(*cursor.name())
    cursor.expect("is")
    text = "NULL" if cursor.accept("null") else literal(cursor.string())
    cursor.end()
    return Plain(sql=f"COMMENT ON {kind.upper()} {name} IS {text}")


def grant(cursor: Cursor) -> Plain:
    """GRANT and REVOKE of privileges on tables and schemas."""
    word = cursor.take().text
    privileges = []
    while not cursor.accept("on"):
        privilege = cursor.one_of(*_PRIVILEGES)
        if privilege is None:
            raise Unsupported(f"{word.upper()} of this privilege is not translated")
        privileges.append(privilege.upper())
    kind = "SCHEMA" if cursor.accept("schema") else "TABLE"
    every = cursor.accept("all", "tables", "in", "schema")
    if kind == "TABLE" and not every:
        cursor.accept("table")
    names = [quoted(*cursor.name())]
    while cursor.accept(","):
        names.append(quoted(*cursor.name()))
    direction = "to" if word == "grant" else "from"
    cursor.expect(direction)
    receivers = [_receiver(cursor)]
    while cursor.accept(","):
        receivers.append(_receiver(cursor))
    cursor.end()
    target = f"ALL TABLES IN SCHEMA {', '.join(names)}" if every else f"{kind} {', '.join(names)}"
    listed = ", ".join(receivers)
    return Plain(sql=f"{word.upper()} {' '.join(privileges)} ON {target} {direction.upper()} {listed}")


def _receiver(cursor: Cursor) -> str:
    cursor.one_of("group", "role", "user")
    name = cursor.identifier()
    return "PUBLIC" if name == "public" else quoted(name)
