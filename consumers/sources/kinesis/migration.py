"""Who else may work on a lease table: workers of KCL 3.x must not, once they have left the way of 2.x.

A 2.x worker takes leases by itself, and so do we. From 3.x on a leader assigns them, and takes back what others took.
While an application moves over, KCL keeps the version in force in a row `Migration3.0`: of the table
`<application>-CoordinatorState`, or of the lease table itself where both are one.
"""

from typing import Any

from botocore.exceptions import ClientError

from consumers.sources.kinesis.leases import KEY, Row
from runtime.aws_errors import code_of
from runtime.errors import ConfigError

_ROW = "Migration3.0"
_ASSIGNED = frozenset({"CLIENT_VERSION_3X", "CLIENT_VERSION_3X_WITH_ROLLBACK"})
_ABSENT = frozenset({"ResourceNotFoundException", "AccessDeniedException"})


def refuse_migrated(dynamodb: Any, application: str) -> None:
    """Raises ConfigError where the leases are assigned, and boto3's own errors.

    A role that may not read the coordinator's table is no reason to stop: a fleet that never met KCL 3.x needs no
    right to a table that never was.
    """
    for table, key in ((f"{application}-CoordinatorState", "key"), (application, KEY)):
        version = _row(dynamodb, table, key).get("cv", {}).get("S")
        if version in _ASSIGNED:
            raise ConfigError(
                f"application {application!r} is led by workers of KCL 3.x ({_ROW}: {version}), which assign its"
                " leases: set their clientVersionConfig back to CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X, or read under"
                " an application name of your own"
            )


def _row(dynamodb: Any, table: str, key: str) -> Row:
    try:
        answer = dynamodb.get_item(TableName=table, Key={key: {"S": _ROW}}, ConsistentRead=True)
    except ClientError as error:
        if code_of(error) in _ABSENT:
            return {}
        raise
    row: Row = answer.get("Item", {})
    return row
