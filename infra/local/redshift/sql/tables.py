"""CREATE TABLE. Source: Redshift Database Developer Guide, "CREATE TABLE", "CREATE TABLE AS"."""

from dataclasses import dataclass, field

from infra.local.redshift.actions import Plain, Unsupported
from infra.local.redshift.sql.datatypes import column_type, read_type
from infra.local.redshift.sql.query import translated_expression, translated_query
from infra.local.redshift.sql.tokens import Cursor, literal, quoted

_ENDS_OF_DEFAULT = (
    *("identity", "generated", "encode", "distkey", "sortkey", "collate", "not", "null", "unique", "primary"),
    *("references", "default", "check", "constraint"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A declared key: `kind` is p(rimary), u(nique) or f(oreign)."""

    kind: str
    columns: tuple[str, ...]
    table: tuple[str, ...] = ()  # that a foreign key refers to
    references: tuple[str, ...] = ()  # its columns


@dataclass(slots=True)
class _Definition:
    """A table as it is read."""

    parts: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)


def create_table(cursor: Cursor) -> Plain:
    """The statement after CREATE. Distribution, sort keys and encodings are read and dropped: they change no answer."""
    cursor.accept("local")
    temporary = cursor.one_of("temporary", "temp") is not None
    cursor.expect("table")
    exists = cursor.accept("if", "not", "exists")
    name = cursor.name()
    temporary = temporary or name[-1].startswith("#")
    head = f"CREATE {'TEMPORARY ' if temporary else ''}TABLE {'IF NOT EXISTS ' if exists else ''}{quoted(*name)}"
    if cursor.peek("(") and not _is_column_names(cursor):
        definition = _definition(cursor)
        read_attributes(cursor)
        cursor.end()
        statements = [f"{head} ({', '.join(definition.parts)})"]
        statements += [declared(name, key, only_if_new=exists) for key in definition.keys]
        return Plain(sql="; ".join(statements), tag="CREATE TABLE")
    columns = ""
    if cursor.peek("("):
        columns = " (" + ", ".join(quoted(column) for column in cursor.names()) + ")"
    read_attributes(cursor)
    cursor.expect("as")
    if exists:
        raise Unsupported("CREATE TABLE AS takes no IF NOT EXISTS", sqlstate="42601")
    return Plain(sql=f"{head}{columns} AS {translated_query(cursor.sql[cursor.place :])}", tag="SELECT")


def _is_column_names(cursor: Cursor) -> bool:
    """Whether the parentheses hold names alone, as in CREATE TABLE AS."""
    mark = cursor.mark()
    cursor.expect("(")
    while True:
        cursor.identifier()
        if cursor.accept(","):
            continue
        found = cursor.peek(")")
        cursor.back(mark)
        return found


def _definition(cursor: Cursor) -> _Definition:
    found = _Definition()
    cursor.expect("(")
    while True:
        if cursor.accept("like"):
            found.parts.append(f"LIKE {quoted(*cursor.name())}")
            if cursor.one_of("including", "excluding") == "including":
                found.parts[-1] += " INCLUDING DEFAULTS"
                cursor.expect("defaults")
            else:
                cursor.accept("defaults")
        elif key := read_key(cursor):
            found.keys.append(key)
        else:
            _column(cursor, found)
        if not cursor.accept(","):
            break
    cursor.expect(")")
    return found


def read_key(cursor: Cursor) -> Key | None:
    """A table constraint, if one comes next. Raises Unsupported for those that Redshift lacks."""
    if cursor.accept("constraint"):
        cursor.identifier()
    if cursor.accept("primary", "key"):
        return Key(kind="p", columns=cursor.names())
    if cursor.accept("unique"):
        return Key(kind="u", columns=cursor.names())
    if cursor.accept("foreign", "key"):
        columns = cursor.names()
        cursor.expect("references")
        return _reference(cursor, columns)
    if cursor.peek("check", "(") or cursor.peek("exclude"):
        raise Unsupported(f"{cursor.take().text.upper()} constraints are not supported")
    return None


def _reference(cursor: Cursor, columns: tuple[str, ...]) -> Key:
    table = cursor.name()
    names = cursor.names() if cursor.peek("(") else ()
    return Key(kind="f", columns=columns, table=table, references=names)


def _column(cursor: Cursor, found: _Definition) -> None:
    name = cursor.identifier()
    parts = [quoted(name), column_type(*_checked_type(cursor, name))]
    keys: list[Key] = []
    parts += read_column_attributes(cursor, name, keys)
    found.parts.append(" ".join(parts))
    found.keys += keys


def _checked_type(cursor: Cursor, name: str) -> tuple[str, tuple[str, ...]]:
    kind, arguments = read_type(cursor)
    if kind in ("serial", "bigserial", "smallserial", "json", "jsonb", "uuid", "bytea", "money", "xml"):
        raise Unsupported(f'Column "{name}" has unsupported type "{kind}".')
    if cursor.peek("["):
        raise Unsupported(f'Column "{name}" has unsupported type "{kind}[]".')
    return kind, arguments


def read_column_attributes(cursor: Cursor, name: str, keys: list[Key]) -> list[str]:
    """What follows a column's type, for PostgreSQL; its keys are added to `keys`."""
    parts: list[str] = []
    while True:
        if cursor.accept("default"):
            parts.append(f"DEFAULT {_default(cursor)}")
        elif cursor.accept("identity"):
            parts.append(_identity(cursor, "ALWAYS"))
        elif cursor.accept("generated", "by", "default", "as", "identity"):
            parts.append(_identity(cursor, "BY DEFAULT"))
        elif cursor.accept("encode"):
            cursor.identifier()
        elif cursor.accept("collate", "case_sensitive"):
            continue
        elif cursor.accept("collate"):
            raise Unsupported(f"COLLATE {cursor.identifier().upper()} is not translated")
        elif cursor.one_of("distkey", "sortkey", "null"):
            continue
        elif cursor.accept("not", "null"):
            parts.append("NOT NULL")
        elif cursor.accept("unique"):
            keys.append(Key(kind="u", columns=(name,)))
        elif cursor.accept("primary", "key"):
            keys.append(Key(kind="p", columns=(name,)))
        elif cursor.accept("references"):
            keys.append(_reference(cursor, (name,)))
        elif cursor.peek("check"):
            raise Unsupported("CHECK constraints are not supported")
        else:
            return parts


def _identity(cursor: Cursor, kind: str) -> str:
    cursor.expect("(")
    seed = cursor.number()
    cursor.expect(",")
    step = cursor.number()
    cursor.expect(")")
    least = min(int(seed), 0) if int(step) > 0 else None
    bounds = f"MINVALUE {least}" if least is not None else f"MAXVALUE {max(int(seed), -1)}"
    return f"GENERATED {kind} AS IDENTITY (START WITH {seed} INCREMENT BY {step} {bounds})"


def _default(cursor: Cursor) -> str:
    start = cursor.place
    end = start
    while not cursor.done() and not cursor.peek(",") and not cursor.peek(")"):
        if end > start and any(cursor.peek(word) for word in _ENDS_OF_DEFAULT):
            break
        if cursor.peek("("):
            cursor.skip_parentheses()
        else:
            cursor.take()
        end = cursor.place
    return translated_expression(cursor.sql[start:end])


def read_attributes(cursor: Cursor) -> bool:
    """Step over a table's attributes. Returns whether AUTO REFRESH YES was among them."""
    refreshed = False
    while True:
        if cursor.accept("backup"):
            _one_of(cursor, "yes", "no")
        elif cursor.accept("diststyle"):
            _one_of(cursor, "auto", "even", "key", "all")
        elif cursor.accept("distkey"):
            cursor.names()
        elif cursor.accept("encode"):
            cursor.expect("auto")
        elif cursor.accept("auto", "refresh"):
            refreshed = _one_of(cursor, "yes", "no") == "yes"
        elif cursor.one_of("compound", "interleaved") or cursor.peek("sortkey"):
            cursor.expect("sortkey")
            if not cursor.accept("auto"):
                cursor.names()
        else:
            return refreshed


def _one_of(cursor: Cursor, *words: str) -> str:
    found = cursor.one_of(*words)
    if found is None:
        raise cursor.unexpected()
    return found


def declared(name: tuple[str, ...], key: Key, *, only_if_new: bool = False) -> str:
    """The statement that notes a key down, for clients that ask for it."""
    arguments = [literal(quoted(*name)), literal(key.kind), _array(key.columns)]
    if key.kind == "f":
        arguments += [literal(quoted(*key.table)), _array(key.references) if key.references else "NULL"]
    created = ""
    if only_if_new:
        created = f" FROM pg_class WHERE oid = {literal(quoted(*name))}::regclass AND xmin = pg_current_xact_id()::xid"
    return performed(f"rs.declare_key({', '.join(arguments)}){created}")


def performed(call: str) -> str:
    """A statement that calls a function of ours for its effect, without a row."""
    return f"DO {literal(f'BEGIN PERFORM {call}; END')}"


def _array(names: tuple[str, ...]) -> str:
    return "ARRAY[" + ", ".join(literal(name) for name in names) + "]::text[]"
