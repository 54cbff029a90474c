"""The steps from an empty database to this release's tables, and how they are taken: forward only, once each."""

from collections.abc import Callable, Mapping, Sequence

from consumers.checkouts import checkout_views
from consumers.mended import letters_open
from consumers.warehouse.connection import Session
from consumers.warehouse.schema import SCHEMA, Migration, Schema
from consumers.warehouse.trouble import Refused
from runtime.clock import Clock
from runtime.errors import ConfigError

_SALES_BY_DAY = (
    "SELECT event_date, channel, region, currency, kind, COUNT(*) AS orders, SUM(units) AS units,"
    " SUM(revenue) AS revenue"
    " FROM orders GROUP BY event_date, channel, region, currency, kind"
)


def _view(name: str, text: str) -> Migration:
    return Migration(name=name, statements=(f"CREATE VIEW {name} AS {text}",))


# By version, after the tables and columns that the contract gained with it. A released version's list never changes: a
# database knows its steps by their place.
_VIEWS: Mapping[int, Sequence[Migration]] = {
    0: [_view("sales_by_day", _SALES_BY_DAY)],
    1: [_view(name, text) for name, text in checkout_views("orders", "hits").items()],
    2: [_view("letters_open", letters_open("letters", "orders", "hits", "duplicates"))],
}


def migrations_of(schema: Schema) -> Sequence[Migration]:
    """Every step to the tables of `schema`, in order."""
    later = range(1, schema.version + 1)
    return [
        schema.first(),
        *_VIEWS[0],
        *(step for version in later for step in (*schema.steps(version), *_VIEWS.get(version, ()))),
    ]


MIGRATIONS = migrations_of(SCHEMA)

_CREATE = (
    "CREATE TABLE IF NOT EXISTS migrations (number BIGINT NOT NULL, name VARCHAR(256) NOT NULL,"
    " checksum VARCHAR(64) NOT NULL, applied_at TIMESTAMP NOT NULL, PRIMARY KEY (number))"
)
_IS_THERE = (
    "SELECT COUNT(*) AS tables FROM svv_all_tables WHERE schema_name = CURRENT_SCHEMA() AND table_name = 'migrations'"
)
_APPLIED = "SELECT number, name, checksum FROM migrations ORDER BY number"
_RECORD = "INSERT INTO migrations (number, name, checksum, applied_at) VALUES (?, ?, ?, ?)"


def pending(session: Session, migrations: Sequence[Migration] = MIGRATIONS) -> Sequence[Migration]:
    """What this database has still to take. Ends the transaction.

    Raises ConfigError for a database that is newer than this release, or had other steps than this release has.
    """
    if not session.query("look for migrations", _IS_THERE)[0]["tables"]:
        applied = []
    else:
        applied = session.query("read migrations", _APPLIED)
    session.rollback()
    return migrations[_known(applied, migrations) :]


def require_current(session: Session, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Raises ConfigError unless the database's tables are those of this release."""
    missing = pending(session, migrations)
    if missing:
        raise ConfigError(f"the warehouse lacks {_names(missing)}; run `python -m consumers migrate`")


def migrate(
    session: Session, clock: Clock, say: Callable[[str], None], migrations: Sequence[Migration] = MIGRATIONS
) -> None:
    """Take every step that is missing, each in a transaction of its own; `say` what was done.

    Others may do the same at the same time: each step is taken once. Raises ConfigError for a database that is newer
    than this release, and for a step that the database refuses.
    """
    try:
        session.execute("create migrations", _CREATE)
        session.commit()
    except Refused:  # another made it at the same moment; if not, the lock below says what is wrong
        session.rollback()
    for number, migration in enumerate(migrations, start=1):
        try:
            if _step(session, number, migration, migrations, clock):
                say(f"{number} {migration.name}: done")
        except Refused as refused:
            raise ConfigError(f"the warehouse refuses migration {number} {migration.name}: {refused}") from refused


def _step(session: Session, number: int, migration: Migration, migrations: Sequence[Migration], clock: Clock) -> bool:
    """One migration, whole or not at all. Returns whether there was anything to do."""
    # LOCK comes first: the snapshot of the transaction is taken after it, and so has what the last holder did.
    session.execute("lock migrations", "LOCK migrations")
    if number <= _known(session.query("read migrations", _APPLIED), migrations):
        session.rollback()
        return False
    for statement in migration.statements:
        session.execute(f"migration {number}", statement)
    session.execute("record migration", _RECORD, (number, migration.name, migration.checksum, clock.now()))
    session.commit()
    return True


def _known(applied: Sequence[dict[str, object]], migrations: Sequence[Migration]) -> int:
    """How many of `migrations` the database has taken. Raises ConfigError where it is not of our making."""
    if len(applied) > len(migrations):
        newer = applied[len(migrations)]["name"]
        raise ConfigError(f"the warehouse has migration {newer!r} of a newer release; run that release")
    for row, migration in zip(applied, migrations, strict=False):
        if row["checksum"] != migration.checksum:
            raise ConfigError(
                f"the warehouse took another migration {row['name']!r} than this release's {migration.name!r};"
                " run the release that made it, or name another [warehouse] database"
            )
    return len(applied)


def _names(migrations: Sequence[Migration]) -> str:
    return ", ".join(migration.name for migration in migrations)
