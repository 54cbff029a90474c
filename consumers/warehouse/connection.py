"""The only builder of connections to Redshift."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import redshift_connector
from redshift_connector.core import Connection
from redshift_connector.error import Error

from consumers.warehouse.trouble import naming_trouble
from runtime.effects import Effect, no_effect
from runtime.settings import Warehouse

_APPLICATION = "storepulse"  # as the database's own views show it
_ANSWER_MARGIN_S = 30.0  # the database stops a statement by itself; past this, the network has lost the answer
# A peer that is gone without a word is noticed after a minute, though statements may take many.
_KEEPALIVE_IDLE_S, _KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT = 30, 10, 3


class Session:
    """One connection. The first statement begins a transaction; closing without `commit` undoes it. One thread only.

    Parameters are written `?`. Times are aware UTC here and TIMESTAMP there. Each statement has a name, for the effect
    before it. Every method raises Outage when the database is away, ConfigError for what the operator has to change,
    and Refused when the database refuses a statement; after any of them there is nothing left but to close.
    """

    def __init__(self, driver: Connection, place: str, effect: Effect) -> None:
        self._driver = driver
        self._place = place
        self._effect = effect

    def execute(self, name: str, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement. Returns how many rows it touched, -1 where that has no meaning."""
        return int(self._run(name, sql, parameters).rowcount)

    def query(self, name: str, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Run one query. Returns its rows by column name. Raises ValueError where two columns have one name."""
        cursor = self._run(name, sql, parameters)
        names = [column[0] for column in cursor.description or ()]
        if len({*names}) < len(names):
            raise ValueError(f"{name}: a row by column name has no room for {names}")
        with naming_trouble(self._place, name):
            return [dict(zip(names, map(_aware, row), strict=True)) for row in cursor.fetchall()]

    def commit(self) -> None:
        """Make it durable. After an Outage it may or may not be."""
        self._effect("commit")
        with naming_trouble(self._place, "commit"):
            self._driver.commit()
        self._effect("committed")

    def rollback(self) -> None:
        """Undo what was not committed, and go on with this connection."""
        with naming_trouble(self._place, "rollback"):
            self._driver.rollback()

    def close(self) -> None:
        """Raises nothing: what was not committed is undone by the database, now or when it notices."""
        try:
            self._driver.close()
        except (Error, OSError, ValueError):
            return

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, name: str, sql: str, parameters: Sequence[Any]) -> Any:
        self._effect(name)
        with naming_trouble(self._place, name):
            cursor = self._driver.cursor()
            cursor.paramstyle = "qmark"
            # None: the driver then does not look for parameters in the text, where a literal may hold a `?`.
            return cursor.execute(sql, [_naive(value) for value in parameters] if parameters else None)


def connect(settings: Warehouse, *, effect: Effect = no_effect) -> Session:
    """A new connection. Raises Outage while the database is away, ConfigError when it refuses us."""
    place = f"Redshift at {settings.host}:{settings.port}"
    effect("connect")
    with naming_trouble(place, "connect"):
        driver = redshift_connector.connect(
            host=settings.host,
            port=settings.port,
            database=settings.database,
            user=settings.user,
            password=settings.password,
            ssl=settings.tls,
            timeout=math.ceil(settings.timeout_s),
            tcp_keepalive_idle=_KEEPALIVE_IDLE_S,
            tcp_keepalive_interval=_KEEPALIVE_INTERVAL_S,
            tcp_keepalive_count=_KEEPALIVE_COUNT,
            application_name=_APPLICATION,
            # Unnamed statements: each is run once or a few times, and after DDL the driver closes every named one.
            max_prepared_statements=0,
        )
    session = Session(driver, place, effect)
    try:
        with naming_trouble(place, "connect"):
            _limit(driver, settings.longest_statement_s)
    except BaseException:
        session.close()
        raise
    return session


def _limit(driver: Connection, longest_statement_s: float) -> None:
    # The driver leaves the connection's time limit on the socket, where a long COPY would meet it.
    driver._usock.settimeout(longest_statement_s + _ANSWER_MARGIN_S)
    driver.autocommit = True
    driver.cursor().execute(f"SET statement_timeout TO {math.ceil(longest_statement_s * 1000)}")
    driver.autocommit = False


def _naive(value: Any) -> Any:
    return value.astimezone(dt.UTC).replace(tzinfo=None) if isinstance(value, dt.datetime) else value


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) and value.tzinfo is None else value
