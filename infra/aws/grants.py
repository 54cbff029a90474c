"""What each process may do: one table, from the calls in its code. docs/fleet.md, letters.md and privacy.md say why.

Actions by kind of thing; `infra.aws.stacks.access` knows which ARNs a kind is in a deployment.
"""

from collections.abc import Mapping
from typing import Literal

Thing = Literal[
    "streams", "topics", "live leases", "cold leases", "keeper lease", "lake", "restricted", "restricted letters",
    "reference", "catalogue", "identity", "metrics",
]  # fmt: skip
Grants = Mapping[Thing, tuple[str, ...]]

_READ_STREAM = ("kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:DescribeStreamSummary")
_WRITE_STREAM = ("kinesis:PutRecords", "kinesis:DescribeStreamSummary", "kinesis:ListShards")
# No CreateTable: the tables are there. DeleteItem is for leases of finished shards.
_LEASES = (
    "dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
)  # fmt: skip
_LAKE_TABLES = (
    "glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable", "glue:DeleteTable",
)  # fmt: skip
_CLAIMS = ("s3:PutObject", "s3:DeleteObject")  # of attempts
_READ = ("s3:GetObject", "s3:ListBucket")
_WRITE = (*_READ, "s3:PutObject", "s3:DeleteObject")
# Over Kafka: as a member of a group, and as a sender.
_CONSUME = (
    "kafka-cluster:Connect", "kafka-cluster:DescribeTopic", "kafka-cluster:DescribeTopicDynamicConfiguration",
    "kafka-cluster:ReadData", "kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup",
)  # fmt: skip
_SEND = (
    "kafka-cluster:Connect", "kafka-cluster:DescribeTopic", "kafka-cluster:DescribeTopicDynamicConfiguration",
    "kafka-cluster:WriteData", "kafka-cluster:WriteDataIdempotently",
)  # fmt: skip

GRANTS: Mapping[str, Grants] = {
    "live": {
        "streams": _READ_STREAM,
        "topics": _CONSUME,
        "live leases": _LEASES,
        "reference": _READ,
        "identity": ("secretsmanager:GetSecretValue",),
        "metrics": ("cloudwatch:PutMetricData",),
    },
    "cold": {
        "streams": _READ_STREAM,
        "topics": _CONSUME,
        "cold leases": _LEASES,
        "lake": _WRITE,
        "restricted": _WRITE,
        "reference": _READ,
        "identity": ("secretsmanager:GetSecretValue",),
        "metrics": ("cloudwatch:PutMetricData",),
    },
    "keeper": {
        "streams": _WRITE_STREAM,  # letters that are sent again
        "topics": _SEND,
        "keeper lease": _LEASES,
        "lake": _WRITE,
        "restricted": _READ,
        "restricted letters": _CLAIMS,
        "reference": _READ,
        "catalogue": _LAKE_TABLES,
        "metrics": ("cloudwatch:PutMetricData",),
    },
    # What people run by hand: migrate, account, letters, status, drain, rewind, identity.
    "operator": {
        "streams": tuple(dict.fromkeys((*_READ_STREAM, *_WRITE_STREAM))),
        "topics": tuple(dict.fromkeys((*_CONSUME, *_SEND))),
        "live leases": _LEASES,
        "cold leases": _LEASES,
        "keeper lease": ("dynamodb:GetItem",),
        "lake": _WRITE,
        "restricted": _READ,
        "restricted letters": _CLAIMS,
        "reference": _READ,
        "catalogue": _LAKE_TABLES,
        "identity": ("secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"),
    },
    "board": {},
    "function": {
        "reference": _READ,
        "identity": ("secretsmanager:GetSecretValue",),
    },
    "shop": {
        "streams": _WRITE_STREAM,
        "topics": _SEND,
        "metrics": ("cloudwatch:PutMetricData",),
    },
}  # fmt: skip

HEALTH = "Storepulse/Health"
NAMESPACES = {
    "live": ("Storepulse/Fleet",),
    "cold": ("Storepulse/Fleet",),
    "keeper": (HEALTH,),
    "shop": ("KinesisProducerLibrary", HEALTH),
}
