"""What OpenSearch's errors are called, without quoting what they say: their texts repeat values of documents."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from opensearchpy.exceptions import OpenSearchException, TransportError

from runtime.errors import ConfigError
from runtime.outage import Outage

_TYPE = re.compile(r"[a-z_]{1,80}")


def kind_of(error: TransportError) -> str:
    """The error type that the store names, else the client's name for the error, such as ConnectionTimeout."""
    named = error.error
    return named if isinstance(named, str) and _TYPE.fullmatch(named) else type(error).__name__


def passes(error: TransportError) -> bool:
    """Whether to wait and ask again: no connection, no time, no capacity, not yet ready."""
    status = error.status_code
    return not isinstance(status, int) or status == 429 or status >= 500


@contextmanager
def naming_outages() -> Iterator[None]:
    """Turns what the client raises into Outage where waiting helps, and into ConfigError where it does not."""
    try:
        yield
    except TransportError as error:
        if passes(error):
            raise Outage(f"OpenSearch: {error.status_code} {kind_of(error)}") from error
        raise ConfigError(
            f"OpenSearch refuses ({error.status_code} {kind_of(error)}): check [opensearch] url and the role's rights"
        ) from error
    except OpenSearchException as error:
        raise Outage(f"OpenSearch: {type(error).__name__}") from error
