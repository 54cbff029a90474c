"""Who else may work on a lease table: workers of KCL 3.x must not, once they have left the way of 2.x.

A 2.x worker takes leases by itself, and so do we. From 3.x on a leader assigns them, and takes back what others took.
While an application moves over, KCL keeps the version in force in a row `Migration3.0`: of the table
`<application>-CoordinatorState`, or of the lease table itself where both are one.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from consumers.sources.kinesis.leases import KEY, Row
from runtime.aws_errors import code_of
from runtime.errors import ConfigError

_ROW = "Migration3.0"
_COORDINATOR_KEY = "key"
_VERSION = "cv"
_ASSIGNED = frozenset({"CLIENT_VERSION_3X", "CLIENT_VERSION_3X_WITH_ROLLBACK"})
_ABSENT = frozenset({"ResourceNotFoundException", "AccessDeniedException"})


def coordinator_row(dynamodb: Any, application: str) -> Row | None:
    """The row of the application's coordinator table, where there is one.

    A role that may not read the table is no reason to stop: it is named after nobody else's application, so that a
    fleet that never met KCL 3.x needs no right to a table that never was.
    """
    try:
        answer = dynamodb.get_item(
            TableName=f"{application}-CoordinatorState", Key={_COORDINATOR_KEY: {"S": _ROW}}, ConsistentRead=True
        )
    except ClientError as error:
        if code_of(error) in _ABSENT:
            return None
        raise
    row: Mapping[str, Any] | None = answer.get("Item")
    return row


def refuse_migrated(row: Row, application: str) -> None:
    """Raises ConfigError where `row` says that leases are assigned; any other row passes."""
    version = row.get(_VERSION, {}).get("S")
    if _ROW in (row.get(KEY, {}).get("S"), row.get(_COORDINATOR_KEY, {}).get("S")) and version in _ASSIGNED:
        raise ConfigError(
            f"application {application!r} is led by workers of KCL 3.x ({_ROW}: {version}), which assign its leases:"
            " set their clientVersionConfig back to CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X, or read under an"
            " application name of your own"
        )
