"""The only builder of OpenSearch clients for consumers."""

import logging

from opensearchpy import OpenSearch

from runtime.settings import OpenSearch as OpenSearchSettings


def connect(settings: OpenSearchSettings, *, connections: int = 10) -> OpenSearch:
    """A client for many threads. It never retries by itself: the source offers the same batch again."""
    # The client logs every request, and failed ones with a stack; the sink and the source say what matters.
    logging.getLogger("opensearch").setLevel(logging.CRITICAL)
    return OpenSearch(
        [settings.url],
        timeout=settings.timeout_s,
        maxsize=connections,
        max_retries=0,
        retry_on_timeout=False,
        retry_on_status=(),
    )
