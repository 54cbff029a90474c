"""What `python -m dashboards cloudwatch` is told: which parts are deployed, by name."""

from dataclasses import dataclass, fields
from typing import Any

from dashboards.cloudwatch.deployed import RUNBOOKS, Deployed
from runtime.settings import Aws, setting

_PLAIN = ("account", "page_topic", "ticket_topic", "runbooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatch:
    """`[cloudwatch]`: names of what is watched, commas between several; an empty one has no alarms."""

    account: str = setting("", "AWS account, 12 digits: metrics of OpenSearch carry it, and the alarms' own addresses")
    page_topic: str = setting("", "ARN of the SNS topic that wakes somebody; empty: nobody")
    ticket_topic: str = setting("", "ARN of the SNS topic for what can wait for the morning; empty: nobody")
    runbooks: str = setting(RUNBOOKS, "address of the folder of runbooks, as alarms' texts name it")
    live: str = setting("storepulse-live-transactions,storepulse-live-access", "applications of live")
    cold: str = setting("storepulse-cold-transactions,storepulse-cold-access", "applications of cold")
    stream: str = setting("", "Kinesis streams")
    domain: str = setting("", "OpenSearch domain")
    workgroup: str = setting("", "Redshift Serverless workgroup")
    table: str = setting("", "DynamoDB tables of leases")
    function: str = setting("", "Lambda functions")
    queue: str = setting("", "SQS queues of what the functions gave up")
    delivery: str = setting("", "Firehose streams of the raw backup")
    balancer: str = setting("", "load balancer: app/NAME/ID, the end of its ARN")
    targets: str = setting("", "its target group: targetgroup/NAME/ID")
    cluster: str = setting("", "ECS cluster")
    service: str = setting("", "its services")
    hosts: str = setting("", "auto scaling group of the shop's hosts, its group metrics enabled")

    def deployed(self, aws: Aws) -> Deployed:
        """The same, as names."""
        names: dict[str, Any] = {
            field.name: tuple(part.strip() for part in getattr(self, field.name).split(",") if part.strip())
            for field in fields(self)
            if field.name not in _PLAIN
        }
        plain = {name: getattr(self, name) for name in _PLAIN}
        return Deployed(region=aws.region, **plain, **names)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchSettings:
    """All that `python -m dashboards cloudwatch` reads."""

    aws: Aws = Aws()
    cloudwatch: CloudWatch = CloudWatch()
