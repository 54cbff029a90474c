"""Gives a role what `infra.aws.grants` says of its process, on this deployment's things and no others."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.aws.environment import names_of
from infra.aws.grants import GRANTS, NAMESPACES, Thing
from infra.aws.stacks.base import Deployment
from infra.aws.stacks.data import Data


class Access:
    """Grants for the roles of one deployment. `cluster`: ARN of Kafka's, where it carries the events."""

    def __init__(self, deployment: Deployment, data: Data, cluster: str | None = None) -> None:
        self._deployment = deployment
        self._data = data
        self._cluster = cluster

    def give(self, role: iam.IRole, process: str) -> None:
        """All that `process` needs. Policies are made in the stack of the role."""
        for thing, actions in GRANTS[process].items():
            self._give(role, process, thing, actions)
        for key in self._keys(process):
            role.add_to_principal_policy(
                iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key])
            )

    def _give(self, role: iam.IRole, process: str, thing: Thing, actions: tuple[str, ...]) -> None:
        if thing == "metrics":
            role.add_to_principal_policy(
                iam.PolicyStatement(
                    actions=list(actions),
                    resources=["*"],  # it knows no resources; the condition bounds it
                    conditions={"StringEquals": {"cloudwatch:namespace": list(NAMESPACES[process])}},
                )
            )
            return
        if "s3:ListBucket" in actions:
            listing = iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self._bucket(thing)])
            role.add_to_principal_policy(listing)
            actions = tuple(action for action in actions if action != "s3:ListBucket")
        things = self._arns(thing)
        if things:
            role.add_to_principal_policy(iam.PolicyStatement(actions=list(actions), resources=things))

    def _bucket(self, holds: str) -> str:
        return f"arn:{Aws.PARTITION}:s3:::{self._deployment.inputs.bucket(holds)}"

    def _arns(self, thing: Thing) -> list[str]:
        """By their names, which are fixed: an export would tie the stacks together for good."""
        data, names = self._data, names_of(self._deployment.inputs)
        tables = {
            "live leases": (names.live.application, names.live.access_application),
            "cold leases": (names.cold.application, names.cold.access_application),
            "keeper lease": (names.keeper.lease_table,),
        }
        if thing in tables:
            return [data.format_arn(service="dynamodb", resource="table", resource_name=name) for name in tables[thing]]
        if thing == "streams":
            streams = () if self._cluster else self._deployment.resources.streams
            return [
                data.format_arn(service="kinesis", resource="stream", resource_name=stream.name) for stream in streams
            ]
        if thing == "topics":
            return self._topics()
        if thing == "restricted letters":
            return [f"{self._bucket('restricted')}/letters-sent/*"]
        if thing == "catalogue":
            name = self._deployment.resources.database
            kinds = ("catalog", f"database/{name}", f"table/{name}/*")
            return [data.format_arn(service="glue", resource=kind) for kind in kinds]
        if thing == "identity":
            return [data.identity.ref]
        return [f"{self._bucket(thing)}/*"]

    def _topics(self) -> list[str]:
        if self._cluster is None:
            return []
        # The cluster's id is not known before it is there; its name is, and is once an account.
        name = f"storepulse-{self._deployment.profile.name}"
        inside = [self._data.format_arn(service="kafka", resource=f"{kind}/{name}/*") for kind in ("topic", "group")]
        return [self._cluster, *(f"{prefix}/storepulse-*" for prefix in inside)]

    def _keys(self, process: str) -> list[str]:
        wanted = {"live": 1, "cold": 2, "keeper": 2, "operator": 2, "function": 1, "shop": 1}.get(process, 0)
        return [self._data.key.key_arn, self._data.restricted_key.key_arn][:wanted]
