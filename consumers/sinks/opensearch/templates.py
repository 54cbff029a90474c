"""Bringing the store's index templates up to date, before anything is written."""

import logging
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError, OpenSearchException, TransportError

from consumers.delivery import Backpressure
from consumers.sinks.opensearch import trouble
from runtime.errors import ConfigError

_log = logging.getLogger(__name__)
_RETRY_S = 1.0  # a node takes seconds to start


def ensure_templates(client: OpenSearch, wanted: dict[str, dict[str, Any]]) -> None:
    """Put the templates whose version differs from the store's, and their new columns into existing indices.

    Doing it again changes nothing. Raises Backpressure while the store is away, and ConfigError where it refuses.
    """
    for name, template in wanted.items():
        try:
            if _version(client, name) != template["_meta"]["version"]:
                _put(client, name, template)
        except TransportError as error:
            if trouble.passes(error):
                raise Backpressure(_RETRY_S, f"OpenSearch: {error.status_code} {trouble.kind_of(error)}") from error
            raise ConfigError(
                f"OpenSearch refuses index template {name} ({error.status_code} {trouble.kind_of(error)}): check the "
                "role's rights, and reindex or delete indices whose columns changed their type"
            ) from error
        except OpenSearchException as error:
            raise Backpressure(_RETRY_S, f"OpenSearch: {type(error).__name__}") from error


def _version(client: OpenSearch, name: str) -> str | None:
    try:
        answer = client.indices.get_index_template(name=name)
    except NotFoundError:
        return None
    meta = answer["index_templates"][0]["index_template"].get("_meta", {})
    version: str | None = meta.get("version")
    return version


def _put(client: OpenSearch, name: str, template: dict[str, Any]) -> None:
    # Existing indices first: the version says that both are done.
    client.indices.put_mapping(
        index=",".join(template["index_patterns"]),
        body=template["template"]["mappings"],
        params={"allow_no_indices": "true", "ignore_unavailable": "true"},
    )
    client.indices.put_index_template(name=name, body=template)
    _log.info("index template %s is at version %s", name, template["_meta"]["version"])
