"""MSK Serverless in place of Kinesis: `-c transport=kafka`. Its topics are the operator's to make, see README.md."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_msk as msk
from aws_cdk import custom_resources as custom
from constructs import Construct

from infra.aws.stacks.base import Deployment, DeploymentStack
from infra.aws.stacks.network import Network


class Kafka(DeploymentStack):
    """The cluster, with IAM for a log-in: it knows no other. Encrypted by AWS's key at rest and TLS on its way."""

    def __init__(self, scope: Construct, deployment: Deployment, network: Network) -> None:
        super().__init__(scope, "kafka", deployment, is_stateful=True)
        self.cluster = msk.CfnServerlessCluster(
            self,
            "Cluster",
            cluster_name=f"storepulse-{self.profile.name}",
            client_authentication=msk.CfnServerlessCluster.ClientAuthenticationProperty(
                sasl=msk.CfnServerlessCluster.SaslProperty(iam=msk.CfnServerlessCluster.IamProperty(enabled=True))
            ),
            vpc_configs=[
                msk.CfnServerlessCluster.VpcConfigProperty(
                    subnet_ids=network.vpc.select_subnets(subnet_type=network.inner.subnet_type).subnet_ids,
                    security_groups=[network.groups["kafka"].security_group_id],
                )
            ],
        )
        self.cluster.apply_removal_policy(self.removal)
        asked = custom.AwsSdkCall(
            service="Kafka",
            action="getBootstrapBrokers",
            parameters={"ClusterArn": self.cluster.attr_arn},
            physical_resource_id=custom.PhysicalResourceId.of("brokers"),
        )
        # CloudFormation does not tell a serverless cluster's address.
        role = iam.Role(self, "AddressRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        group = self.log_group("kafka-address")
        group.grant_write(role)
        found = custom.AwsCustomResource(
            self,
            "Brokers",
            on_create=asked,
            on_update=asked,
            install_latest_aws_sdk=False,
            log_group=group,
            role=role,
            policy=custom.AwsCustomResourcePolicy.from_statements(
                [iam.PolicyStatement(actions=["kafka:GetBootstrapBrokers"], resources=[self.cluster.attr_arn])]
            ),
        )
        self.servers = found.get_response_field("BootstrapBrokerStringSaslIam")
        self.arn = self.cluster.attr_arn
