"""Commands of the session and the housekeeping: transactions, SET, LOCK, VACUUM, cursors."""

from collections.abc import Callable

from infra.local.redshift.actions import Plain, Unsupported
from infra.local.redshift.sql.query import translated_expression, translated_query
from infra.local.redshift.sql.tokens import Cursor, Kind, literal, quoted

# Parameters that PostgreSQL has with the same meaning. Source: "Configuration reference".
_SHARED = {"search_path", "timezone", "statement_timeout", "datestyle", "extra_float_digits", "client_encoding"}
_SHARED |= {"application_name"}
# Of Redshift's own, what would change answers and is not translated at this value.
_FIXED = {
    "enable_case_sensitive_identifier": ("off", "false"),
    "enable_case_sensitive_super_attribute": ("off", "false"),
    "navigate_super_null_on_error": ("on", "true"),
    "cast_super_null_on_error": ("on", "true"),
    "parse_super_null_on_error": ("off", "false"),
    "default_geometry_encoding": ("1",),
    "downcast_delimited_varbyte": ("off", "false"),
}
_OWN = {
    *("query_group", "enable_result_cache_for_session", "wlm_query_slot_count", "analyze_threshold_percent"),
    *(
        "mv_enable_aqmv_for_session",
        "enable_vacuum_boost",
        "error_on_nondeterministic_update",
        "describe_field_name_in_uppercase",
    ),
    *("max_cursor_result_set_size", "use_fips_ssl", "json_serialization_enable", "spectrum_query_maxerror"),
    *("auto_analyze", "stored_proc_log_min_messages", "session_authorization_name"),
}


def begin(cursor: Cursor) -> Plain:
    """BEGIN or START TRANSACTION. Every isolation level runs as the one that Redshift has."""
    if not cursor.accept("start", "transaction"):
        cursor.expect("begin")
        cursor.one_of("work", "transaction")
    read_only = False
    while not cursor.done():
        cursor.accept(",")
        if cursor.accept("isolation", "level"):
            _isolation(cursor)
        elif cursor.accept("read", "only"):
            read_only = True
        else:
            cursor.expect("read", "write")
    return Plain(sql="BEGIN READ ONLY" if read_only else "BEGIN")


def _isolation(cursor: Cursor) -> None:
    levels = ("serializable", "snapshot", "read committed", "read uncommitted", "repeatable read")
    if not any(cursor.accept(*level.split()) for level in levels):
        raise cursor.unexpected()


def _ends(word: str, sql: str) -> Callable[[Cursor], Plain]:
    def read(cursor: Cursor) -> Plain:
        cursor.expect(word)
        cursor.one_of("work", "transaction")
        if cursor.accept("to"):
            raise Unsupported("ROLLBACK TO SAVEPOINT is not supported")
        if cursor.accept("prepared"):
            raise Unsupported(f"{word.upper()} PREPARED is not supported")
        cursor.end()
        return Plain(sql=sql)

    return read


def lock(cursor: Cursor) -> Plain:
    """LOCK: always ACCESS EXCLUSIVE. Source: "LOCK"."""
    cursor.expect("lock")
    cursor.accept("table")
    names = [quoted(*cursor.name())]
    while cursor.accept(","):
        names.append(quoted(*cursor.name()))
    if cursor.peek("in"):
        raise Unsupported(
            "LOCK ... IN ... MODE is not supported: the mode is always ACCESS EXCLUSIVE", sqlstate="42601"
        )
    cursor.end()
    return Plain(sql=f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")


def truncate(cursor: Cursor) -> Plain:
    """TRUNCATE, which commits the transaction that it runs in. Source: "TRUNCATE"."""
    cursor.expect("truncate")
    cursor.accept("table")
    name = quoted(*cursor.name())
    cursor.end()
    return Plain(sql=f"TRUNCATE TABLE {name}", commits=True)


def vacuum(cursor: Cursor) -> Plain:
    """VACUUM. Source: "VACUUM"."""
    cursor.expect("vacuum")
    needs_table = ""
    for words in ("full", "sort only", "delete only", "reindex", "recluster"):
        if cursor.accept(*words.split()):
            needs_table = words if words in ("reindex", "recluster") else ""
            break
    name = quoted(*cursor.name()) if not cursor.done() and not cursor.peek("boost") else ""
    if cursor.accept("to"):
        cursor.number()
        cursor.expect("percent")
        if needs_table:
            raise Unsupported(f"VACUUM {needs_table.upper()} with a threshold is not supported", sqlstate="42601")
    boost = cursor.accept("boost")
    cursor.end()
    if (needs_table or boost) and not name:
        raise Unsupported(f"VACUUM {needs_table.upper() or 'BOOST'} needs a table", sqlstate="42601")
    return Plain(sql=f"VACUUM {name}".rstrip(), outside_block="VACUUM")


def analyze(cursor: Cursor) -> Plain:
    """ANALYZE. Source: "ANALYZE"."""
    cursor.expect("analyze")
    if cursor.peek("compression"):
        raise Unsupported("ANALYZE COMPRESSION is not translated")
    cursor.accept("verbose")
    if cursor.done():
        return Plain(sql="ANALYZE")
    name = quoted(*cursor.name())
    columns = ""
    if cursor.peek("("):
        columns = " (" + ", ".join(quoted(column) for column in cursor.names()) + ")"
    if cursor.one_of("predicate", "all"):
        cursor.expect("columns")
    cursor.end()
    return Plain(sql=f"ANALYZE {name}{columns}")


def assign(cursor: Cursor) -> Plain:
    """SET of a parameter. Raises Unsupported for a value that would change answers."""
    cursor.expect("set")
    local = cursor.one_of("session", "local") == "local"
    if cursor.accept("characteristics", "as", "transaction") or cursor.accept("transaction"):
        if cursor.accept("isolation", "level"):
            _isolation(cursor)
        cursor.accept("read", "write")
        cursor.end()
        return Plain(sql="SET TRANSACTION READ WRITE")
    if cursor.accept("time", "zone"):
        name = "timezone"
    else:
        name = ".".join(cursor.name())
        if name != "seed" and not cursor.accept("="):
            cursor.expect("to")
    values = [_value(cursor)]
    while cursor.accept(","):
        values.append(_value(cursor))
    cursor.end()
    if name in _SHARED:
        scope = "LOCAL " if local else ""
        return Plain(sql=f"SET {scope}{name} TO {', '.join(_assigned(value) for value in values)}")
    if name in _FIXED:
        if values[0].lower() not in (*_FIXED[name], "default"):
            raise Unsupported(f"SET {name} TO {values[0]} is not translated")
    elif name not in _OWN:
        raise Unsupported(f'unrecognized configuration parameter "{name}"', sqlstate="42704")
    return Plain(sql=f"SET {'LOCAL ' if local else ''}rs.{name} TO {literal(', '.join(values))}")


def _value(cursor: Cursor) -> str:
    token = cursor.token
    if token is not None and (token.kind is Kind.NUMBER or token.text == "-"):
        return cursor.number()
    return cursor.take().text


def _assigned(value: str) -> str:
    return "DEFAULT" if value == "default" else literal(value)


def reset(cursor: Cursor) -> Plain:
    """RESET of a parameter."""
    cursor.expect("reset")
    name = ".".join(cursor.name())
    cursor.end()
    if name == "all" or name in _SHARED:
        return Plain(sql=f"RESET {name}")
    if name not in _OWN | set(_FIXED):
        raise Unsupported(f'unrecognized configuration parameter "{name}"', sqlstate="42704")
    return Plain(sql=f"RESET rs.{name}")


def show(cursor: Cursor) -> Plain:
    """SHOW of a parameter."""
    cursor.expect("show")
    name = ".".join(cursor.name())
    cursor.end()
    if name in _SHARED or name in ("server_version", "server_encoding", "transaction_isolation"):
        return Plain(sql=f"SHOW {name}")
    if name not in _OWN | set(_FIXED):
        raise Unsupported(f"SHOW {name.upper()[:40]} is not translated")
    value = f"coalesce(nullif(current_setting({literal('rs.' + name)}, true), ''), {literal(_default(name))})"
    return Plain(sql=f"SELECT {value} AS {quoted(name)}", tag="SHOW")


def _default(name: str) -> str:
    return _FIXED[name][0] if name in _FIXED else "default"


def declare(cursor: Cursor) -> Plain:
    """DECLARE of a cursor. Source: "DECLARE"."""
    cursor.expect("declare")
    name = quoted(cursor.identifier())
    cursor.expect("cursor")
    cursor.expect("for")
    return Plain(sql=f"DECLARE {name} CURSOR FOR {translated_query(cursor.sql[cursor.place :])}")


def fetch(cursor: Cursor) -> Plain:
    """FETCH forward from a cursor. Source: "FETCH"."""
    cursor.expect("fetch")
    how = "NEXT"
    if cursor.accept("all") or cursor.accept("forward", "all"):
        how = "ALL"
    elif cursor.accept("forward") or cursor.accept("next"):
        token = cursor.token
        how = f"FORWARD {cursor.number()}" if token and token.kind is Kind.NUMBER else "NEXT"
    elif cursor.token and cursor.token.kind is Kind.NUMBER:
        how = f"FORWARD {cursor.number()}"
    cursor.accept("from")
    name = quoted(cursor.identifier())
    cursor.end()
    return Plain(sql=f"FETCH {how} FROM {name}")


def close(cursor: Cursor) -> Plain:
    """CLOSE of a cursor."""
    cursor.expect("close")
    name = quoted(cursor.identifier())
    cursor.end()
    return Plain(sql=f"CLOSE {name}")


def explain(cursor: Cursor) -> Plain:
    """EXPLAIN; the plan is PostgreSQL's."""
    cursor.expect("explain")
    if cursor.peek("analyze"):
        raise Unsupported("EXPLAIN ANALYZE is not supported", sqlstate="42601")
    verbose = "VERBOSE " if cursor.accept("verbose") else ""
    return Plain(sql=f"EXPLAIN {verbose}{translated_query(cursor.sql[cursor.place :])}")


def prepare(cursor: Cursor) -> Plain:
    """PREPARE of a statement; its parameters' types are read as PostgreSQL's of the same name."""
    cursor.expect("prepare")
    if cursor.peek("transaction"):
        raise Unsupported("PREPARE TRANSACTION is not supported")
    name = quoted(cursor.identifier())
    types = ""
    if cursor.peek("("):
        start = cursor.place
        cursor.skip_parentheses()
        types = " " + cursor.sql[start : cursor.place].rstrip()
    cursor.expect("as")
    return Plain(sql=f"PREPARE {name}{types} AS {translated_query(cursor.sql[cursor.place :])}")


def execute(cursor: Cursor) -> Plain:
    """EXECUTE of a prepared statement."""
    cursor.expect("execute")
    name = quoted(cursor.identifier())
    values: list[str] = []
    if cursor.accept("("):
        while True:
            start = cursor.place
            while not (cursor.peek(",") or cursor.peek(")")):
                if cursor.peek("("):
                    cursor.skip_parentheses()
                else:
                    cursor.take()
            values.append(translated_expression(cursor.sql[start : cursor.place]))
            if not cursor.accept(","):
                break
        cursor.expect(")")
    cursor.end()
    return Plain(sql=f"EXECUTE {name}" + (f" ({', '.join(values)})" if values else ""))


def deallocate(cursor: Cursor) -> Plain:
    """DEALLOCATE of a prepared statement."""
    cursor.expect("deallocate")
    cursor.accept("prepare")
    name = cursor.identifier()
    cursor.end()
    return Plain(sql="DEALLOCATE ALL" if name == "all" else f"DEALLOCATE {quoted(name)}")


COMMANDS: dict[str, Callable[[Cursor], Plain]] = {
    "begin": begin,
    "start": begin,
    "commit": _ends("commit", "COMMIT"),
    "end": _ends("end", "COMMIT"),
    "rollback": _ends("rollback", "ROLLBACK"),
    "abort": _ends("abort", "ROLLBACK"),
    "lock": lock,
    "truncate": truncate,
    "vacuum": vacuum,
    "analyze": analyze,
    "analyse": analyze,
    "set": assign,
    "reset": reset,
    "show": show,
    "declare": declare,
    "fetch": fetch,
    "close": close,
    "explain": explain,
    "prepare": prepare,
    "execute": execute,
    "deallocate": deallocate,
}
