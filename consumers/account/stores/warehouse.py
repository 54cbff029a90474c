"""The warehouse as the account sees it: Redshift's own rows, read in transactions of one statement."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from consumers.account.stores.sql import Row, SqlStore, Tables
from consumers.warehouse.connection import Session, connect
from consumers.warehouse.trouble import Refused
from runtime.effects import Effect, no_effect
from runtime.errors import ConfigError
from runtime.settings import Warehouse

TABLES = Tables(
    orders="orders", lines="lines", hits="hits", letters="letters_open", duplicates="duplicates", account="account"
)


class Connect(Protocol):
    """How a session is opened."""

    def __call__(self, settings: Warehouse, *, effect: Effect) -> Session: ...


def warehouse(settings: Warehouse, connect: Connect = connect) -> SqlStore:
    """A connection a question: the account is taken once a day, and an idle workgroup shall sleep."""

    def query(name: str, text: str, parameters: Sequence[Any], since: dt.datetime) -> Iterator[Row]:
        with connect(settings, effect=no_effect) as session:
            try:
                yield from session.query(name, text, parameters)
            except Refused as refused:
                raise ConfigError(f"the warehouse: {refused}; run `python -m consumers migrate`") from refused

    return SqlStore("warehouse", query, TABLES)
