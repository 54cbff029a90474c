"""What OpenSearch's errors are called, without quoting what they say: their texts repeat values of documents."""

import re

from opensearchpy.exceptions import TransportError

_TYPE = re.compile(r"[a-z_]{1,80}")


def kind_of(error: TransportError) -> str:
    """The error type that the store names, else the client's name for the error, such as ConnectionTimeout."""
    named = error.error
    return named if isinstance(named, str) and _TYPE.fullmatch(named) else type(error).__name__


def passes(error: TransportError) -> bool:
    """Whether to wait and ask again: no connection, no time, no capacity, not yet ready."""
    status = error.status_code
    return not isinstance(status, int) or status == 429 or status >= 500
