"""What every stack of one deployment is given."""

from dataclasses import dataclass
from typing import Any

from aws_cdk import Environment, RemovalPolicy, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.aws.inputs import Inputs
from infra.aws.profiles import Profile
from infra.resources import Resources


def inner_role(scope: Construct, name: str) -> iam.Role:
    """A role for a function inside the network. AWS's own policy for it would open every log group."""
    role = iam.Role(scope, name, assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    interfaces = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")
    # Lambda asks for them on everything: an interface has no name before it is there.
    role.add_to_policy(iam.PolicyStatement(actions=[f"ec2:{each}" for each in interfaces], resources=["*"]))
    return role


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment's sizes, names and things."""

    profile: Profile
    inputs: Inputs
    resources: Resources

    @property
    def over_kafka(self) -> bool:
        """Whether topics carry the events."""
        return self.inputs.transport == "kafka"


class DeploymentStack(Stack):
    """A stack named storepulse-PROFILE-PART. `is_stateful`: what it holds cannot be made again."""

    def __init__(
        self, scope: Construct, part: str, deployment: Deployment, *, is_stateful: bool = False, **options: Any
    ) -> None:
        name = f"storepulse-{deployment.profile.name}-{part}"
        keeps = is_stateful and deployment.profile.keeps_data
        place = Environment(account=deployment.inputs.account, region=deployment.inputs.region)
        super().__init__(scope, name, env=place, termination_protection=keeps, **options)
        self.deployment = deployment
        self.profile = deployment.profile
        self.inputs = deployment.inputs
        self.resources = deployment.resources
        Tags.of(self).add("project", "storepulse")
        Tags.of(self).add("profile", deployment.profile.name)

    @property
    def removal(self) -> RemovalPolicy:
        """Of what holds data. A failed first creation takes back what it made, or the next would find it in its way."""
        return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if self.profile.keeps_data else RemovalPolicy.DESTROY

    def log_group(self, name: str) -> logs.LogGroup:
        """Logs of one process; they bear no values of events, and may go with their stack."""
        kept = {7: logs.RetentionDays.ONE_WEEK, 90: logs.RetentionDays.THREE_MONTHS}[self.profile.log_days]
        return logs.LogGroup(
            self,
            f"Logs{name.title().replace('-', '')}",
            log_group_name=f"/storepulse/{self.profile.name}/{name}",
            retention=kept,
            removal_policy=RemovalPolicy.DESTROY,
        )
