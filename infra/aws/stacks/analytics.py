"""Who asks the stores: Athena over the lake with a limit in bytes, its views, QuickSight's way to Redshift."""

from aws_cdk import Duration
from aws_cdk import aws_athena as athena
from aws_cdk import aws_iam as iam
from aws_cdk import aws_quicksight as quicksight
from aws_cdk import aws_s3 as s3
from constructs import Construct

from consumers.lake.views import VIEWS, athena_ddl
from infra.aws.stacks.base import Deployment, DeploymentStack
from infra.aws.stacks.data import Data
from infra.aws.stacks.network import Network

ANSWERS_DAYS = 7  # an answer is asked for again, not kept
_GIB = 1 << 30


class Analytics(DeploymentStack):
    """Athena's workgroup, named queries, QuickSight's connection."""

    def __init__(self, scope: Construct, deployment: Deployment, network: Network, data: Data) -> None:
        super().__init__(scope, "analytics", deployment)
        self._workgroup(data)
        self._quicksight(network)

    def _workgroup(self, data: Data) -> None:
        answers = s3.Bucket(
            self,
            "Answers",
            bucket_name=self.inputs.bucket("athena"),
            encryption=s3.BucketEncryption.KMS,
            encryption_key=data.key_for(self),
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            server_access_logs_bucket=data.access_logs_for(self),
            server_access_logs_prefix="athena/",
            removal_policy=self.removal,
        )
        answers.add_lifecycle_rule(
            id="age",
            expiration=Duration.days(ANSWERS_DAYS),
            abort_incomplete_multipart_upload_after=Duration.days(1),
        )
        workgroup = athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=f"storepulse-{self.profile.name}",
            recursive_delete_option=not self.profile.keeps_data,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                bytes_scanned_cutoff_per_query=self.profile.athena_gib * _GIB,
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=answers.s3_url_for_object("answers/"),
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_KMS", kms_key=data.key.key_arn
                    ),
                ),
            ),
        )
        database = self.resources.database
        for number, (view, statement) in enumerate(zip(VIEWS, athena_ddl(database), strict=True), start=1):
            query = athena.CfnNamedQuery(
                self,
                f"View{view.title().replace('_', '')}",
                database=database,
                name=f"{number:02} {view}",  # to be run in this order, once
                description="Leaves out what came twice.",
                query_string=statement,
                work_group=workgroup.name,
            )
            query.node.add_dependency(workgroup)

    def _quicksight(self, network: Network) -> None:
        role = iam.Role(
            self,
            "QuickSightRole",
            assumed_by=iam.ServicePrincipal("quicksight.amazonaws.com"),
            description="QuickSight's network interfaces in the VPC",
        )
        subnets = network.vpc.select_subnets(subnet_type=network.inner.subnet_type)
        places = [self.format_arn(service="ec2", resource="subnet", resource_name=each) for each in subnets.subnet_ids]
        groups = [
            self.format_arn(
                service="ec2", resource="security-group", resource_name=network.groups["quicksight"].security_group_id
            )
        ]
        interfaces = self.format_arn(service="ec2", resource="network-interface", resource_name="*")
        changes = ["ec2:CreateNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "ec2:DeleteNetworkInterface"]
        role.add_to_policy(iam.PolicyStatement(actions=changes, resources=[interfaces, *places, *groups]))
        looks = ["ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"]  # Describe calls know no resources
        role.add_to_policy(iam.PolicyStatement(actions=looks, resources=["*"]))
        if not self.inputs.quicksight_user:
            return  # no subscription: the connection could not be made
        connection = quicksight.CfnVPCConnection(
            self,
            "QuickSight",
            aws_account_id=self.account,
            vpc_connection_id=f"storepulse-{self.profile.name}",
            name=f"storepulse-{self.profile.name}",
            role_arn=role.role_arn,
            security_group_ids=[network.groups["quicksight"].security_group_id],
            subnet_ids=subnets.subnet_ids,
        )
        connection.node.add_dependency(role)
