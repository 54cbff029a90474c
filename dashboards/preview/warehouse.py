"""Asking the warehouse: one connection, read only by what is sent over it."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redshift_connector
from redshift_connector.error import Error

from dashboards.preview.page import Ask
from runtime.errors import ConfigError
from runtime.settings import Warehouse


@contextmanager
def warehouse(settings: Warehouse) -> Iterator[Ask]:
    """A function from a statement to its rows. Raises ConfigError where the warehouse is away or refuses."""
    place = f"Redshift at {settings.host}:{settings.port}"
    try:
        connection = redshift_connector.connect(
            host=settings.host,
            port=settings.port,
            database=settings.database,
            user=settings.user,
            password=settings.password,
            ssl=settings.tls,
            timeout=math.ceil(settings.timeout_s),
        )
    except (Error, OSError) as error:
        raise ConfigError(
            f"{place} does not answer: {error}; is it up (`make up`), and is [warehouse] right?"
        ) from error

    def ask(text: str) -> Sequence[Sequence[Any]]:
        try:
            cursor = connection.cursor()
            cursor.execute(text)
            return list(cursor.fetchall())
        except (Error, OSError) as error:
            raise ConfigError(
                f"{place} refuses a query: {error}; `python -m consumers migrate` makes its tables"
            ) from error

    try:
        yield ask
    finally:
        connection.close()
