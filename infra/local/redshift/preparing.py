"""What the front puts into a new PostgreSQL: Redshift's catalogue, the database, its first user."""

import hashlib
from pathlib import Path

from infra.local.redshift.accounts import verifier
from infra.local.redshift.backend import Backend, Upstream
from infra.local.redshift.errors import BackendError, StartError
from infra.local.redshift.postgres import SUPERUSER

_FUNCTIONS = Path(__file__).with_name("functions.sql")
_SCRIPTS = Path(__file__).with_name("system")
_TEMPLATE = "template1"  # a database that is created later has the catalogue from here
_MARK = "redshift_system"  # a schema of ours whose comment says which catalogue is installed


def prepare(upstream: Upstream, *, database: str, user: str, password: str) -> None:
    """Bring every database up to this version's catalogue; make the user, with this password, and its database."""
    try:
        _prepare(upstream, database, user, password)
    except BackendError as error:
        raise StartError(f"the database cannot be prepared (deleting --data starts afresh): {error.message}") from error


def _prepare(upstream: Upstream, database: str, user: str, password: str) -> None:
    server = upstream.connect(user=SUPERUSER, database="postgres")
    try:
        _make_user(server, user, password)
        there = [name for (name,) in server.query("select datname from pg_database where datallowconn") if name]
        for name in sorted(there, key=lambda name: name != _TEMPLATE):
            if name != "postgres":
                _install(upstream, name)
        if database not in there:
            _run(server, "create database %I owner %I", database, user)
    finally:
        server.close()


def _make_user(server: Backend, user: str, password: str) -> None:
    if user == SUPERUSER:
        raise StartError(f"--user {user}: the name is reserved")
    if not server.query("select 1 from pg_roles where rolname = $1", user):
        _run(server, "create role %I login createdb createrole", user)
        _run(server, "grant pg_read_all_stats, pg_signal_backend to %I", user)
    _run(server, "alter role %I password %L", user, verifier(user, password))


def _install(upstream: Upstream, database: str) -> None:
    """All or nothing; nothing when this very catalogue is there."""
    sources = [path.read_text() for path in (_FUNCTIONS, *sorted(_SCRIPTS.glob("*.sql")))]
    version = hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]
    with_superuser = upstream.connect(user=SUPERUSER, database=database)
    try:
        found = with_superuser.query(
            "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = $1", _MARK
        )
        if found and found[0][0] == version:
            return
        with_superuser.script("begin; set local allow_system_table_mods = on; set local client_min_messages = warning")
        for source in sources:
            with_superuser.script(source)
        _run(with_superuser, f"comment on schema {_MARK} is %L", version)
        with_superuser.script("commit")
    finally:
        with_superuser.close()


def _run(backend: Backend, template: str, *values: str) -> None:
    """Run a definition, which takes no parameters: PostgreSQL itself puts the values in."""
    places = ", ".join(f"${number}::text" for number in range(1, len(values) + 1))
    made = backend.query(f"select format('{template}', {places})", *values)[0][0]
    backend.script(made or "")
