"""The Glue catalogue of the lake's tables, and what its trouble means.

Glue swaps a table's pointer only for whoever names the version that stands (UpdateTable's VersionId), so of two writers
one wins. pyiceberg checks further conditions against that very version; ours is that the memory is unchanged.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.update import TableRequirement, TableUpdate

from consumers.keeper.store import Outrun
from consumers.lake.memory import MemoryUnchanged, changes_memory
from runtime.aws import client
from runtime.aws_errors import naming_outages, one_line
from runtime.effects import Effect, no_effect
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Aws

_CONNECT_S = 5
_REQUEST_S = 20
_S3_ERROR = re.compile(r"AWS Error (\w+) during (\w+)")  # Arrow's text
_DENIED = frozenset({"ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "UNRECOGNIZED_CLIENT"})


class LakeCatalogue(GlueCatalog):
    """Glue as pyiceberg speaks to it, but a lost race raises Outrun and is never tried again by itself."""

    def __init__(self, aws: Aws, effect: Effect = no_effect) -> None:
        credentials = {"s3.access-key-id": aws.access_key_id, "s3.secret-access-key": aws.secret_access_key}
        properties = {
            "s3.endpoint": aws.endpoint,
            "s3.region": aws.region,
            "s3.connect-timeout": str(_CONNECT_S),
            "s3.request-timeout": str(_REQUEST_S),
            **(credentials if aws.access_key_id else {}),
        }
        # One attempt: a swap that is sent again after its answer was lost would find itself outrun by itself.
        glue = client("glue", aws, attempts=1, read_timeout_s=_REQUEST_S)
        super().__init__("lake", client=glue, **{key: value for key, value in properties.items() if value})
        self._effect = effect

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        if any(changes_memory(update) for update in updates):
            requirements = (*requirements, MemoryUnchanged.since(table.metadata))  # type: ignore[arg-type]
        self._effect(f"swap {table.name()[-1]}")
        try:
            return super().commit_table(table, requirements, updates)
        except CommitFailedException as error:
            raise Outrun(one_line(error)) from error


@contextmanager
def naming_trouble() -> Iterator[None]:
    """Turns what the catalogue and its files raise into Outage where waiting helps, else into ConfigError.

    FileNotFoundError and ValueError are left to the caller, who knows what was asked for.
    """
    try:
        with naming_outages():
            yield
    except ClientError as error:
        raise ConfigError(f"Glue refuses: {one_line(error)}; mend the role or [lake] database") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _named(error) from error


def is_of_s3(error: OSError) -> bool:
    """Whether an error of Arrow's is about S3's answers, not about what an object holds."""
    return _S3_ERROR.search(str(error)) is not None


def _named(error: OSError) -> Exception:
    """Arrow's text names the object each time; trouble has one name."""
    found = _S3_ERROR.search(str(error))
    if found is None:
        return Outage(f"S3: {one_line(error)}")
    code, operation = found.groups()
    if code in _DENIED:
        return ConfigError(f"S3 refuses {operation}: {code}; mend the role or the credentials under [aws]")
    return Outage(f"{operation}: {code}")
