"""The only builder of OpenSearch clients for consumers."""

import logging
from urllib.parse import urlsplit

from opensearchpy import OpenSearch

from runtime.errors import ConfigError
from runtime.settings import OpenSearch as OpenSearchSettings
from runtime.settings import masked


def connect(settings: OpenSearchSettings, *, connections: int = 10) -> OpenSearch:
    """A client for many threads. It never retries by itself: the source offers the same batch again.

    Raises ConfigError for a url that is none.
    """
    if not _is_url(settings.url):
        raise ConfigError(f"[opensearch] url {masked(settings.url)!r} is no URL such as http://127.0.0.1:9200")
    # The client logs every request, and failed ones with a stack; the sink and the source say what matters.
    logging.getLogger("opensearch").setLevel(logging.CRITICAL)
    return OpenSearch(
        [settings.url],
        timeout=settings.timeout_s,
        pool_maxsize=connections,
        max_retries=0,
        retry_on_timeout=False,
        retry_on_status=(),
    )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port, or a bracket
        return False
