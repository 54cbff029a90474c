"""Bringing the store's index templates up to date, before anything is written."""

import logging
from typing import Any

import msgspec
from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError, OpenSearchException, TransportError

from consumers.sinks.opensearch import trouble
from runtime.errors import ConfigError
from runtime.outage import Outage

_log = logging.getLogger(__name__)


class _Meta(msgspec.Struct, frozen=True):
    version: str | None = None


class _Template(msgspec.Struct, frozen=True):
    meta: _Meta = msgspec.field(default=_Meta(), name="_meta")


class _Found(msgspec.Struct, frozen=True):
    index_template: _Template


class _Answer(msgspec.Struct, frozen=True):
    index_templates: list[_Found]


def ensure_templates(client: OpenSearch, wanted: dict[str, dict[str, Any]]) -> None:
    """Put the templates whose version differs from the store's, and their new columns into existing indices.

    Doing it again changes nothing. Raises Outage while the store is away, and ConfigError where it refuses.
    """
    for name, template in wanted.items():
        try:
            if _version(client, name) != template["_meta"]["version"]:
                _put(client, name, template)
        except TransportError as error:
            if trouble.passes(error):
                raise Outage(f"OpenSearch: {error.status_code} {trouble.kind_of(error)}") from error
            raise ConfigError(
                f"OpenSearch refuses index template {name} ({error.status_code} {trouble.kind_of(error)}): check "
                "[opensearch] url and the role's rights, and reindex or delete indices whose columns changed their type"
            ) from error
        except OpenSearchException as error:
            raise Outage(f"OpenSearch: {type(error).__name__}") from error


def _version(client: OpenSearch, name: str) -> str | None:
    try:
        answer = client.indices.get_index_template(name=name)
        (found,) = msgspec.convert(answer, _Answer).index_templates
    except NotFoundError:
        return None
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise Outage("OpenSearch: an answer that is not its own") from error
    return found.index_template.meta.version


def _put(client: OpenSearch, name: str, template: dict[str, Any]) -> None:
    # Existing indices first: the version says that both are done.
    client.indices.put_mapping(
        index=",".join(template["index_patterns"]),
        body=template["template"]["mappings"],
        params={"allow_no_indices": "true", "ignore_unavailable": "true"},
    )
    client.indices.put_index_template(name=name, body=template)
    _log.info("index template %s is at version %s", name, template["_meta"]["version"])
