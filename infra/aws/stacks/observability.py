"""Alarms and the dashboard: those that `dashboards.cloudwatch` makes of the list of figures, as they are."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import CfnResource
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.aws.stacks.base import Deployment, DeploymentStack


class Observability(DeploymentStack):
    """`alarms`: bodies of PutMetricAlarm. `dashboard`: the body of PutDashboard, JSON."""

    def __init__(
        self,
        scope: Construct,
        deployment: Deployment,
        alarms: Sequence[Mapping[str, Any]],
        dashboard: str,
    ) -> None:
        super().__init__(scope, "observability", deployment)
        for alarm in alarms:
            CfnResource(self, _identifier(alarm["AlarmName"]), type="AWS::CloudWatch::Alarm", properties=dict(alarm))
        cloudwatch.CfnDashboard(
            self, "Dashboard", dashboard_name=f"storepulse-{self.profile.name}", dashboard_body=dashboard
        )


def _identifier(name: str) -> str:
    return "".join(part.title() for part in name.split("-"))
