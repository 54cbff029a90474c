"""Live's stages for the access stream as a Lambda function: docs/lambda.md. Off unless `-c function=on`."""

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.aws.environment import Addresses, environments
from infra.aws.images import image
from infra.aws.stacks.access import Access
from infra.aws.stacks.base import Deployment, DeploymentStack, inner_role
from infra.aws.stacks.data import Data
from infra.aws.stacks.network import Network
from infra.aws.stacks.search import WRITER, Search

TIMEOUT_S, MEMORY_MIB, BATCH = 60, 1536, 1_000  # docs/lambda.md


class Function(DeploymentStack):
    """The function, its event source, and where word of what failed goes."""

    def __init__(
        self, scope: Construct, deployment: Deployment, network: Network, data: Data, access: Access, search: Search
    ) -> None:
        super().__init__(scope, "function", deployment)
        key = data.key_for(self)
        role = inner_role(self, "Role")
        access.give(role, "function")
        environment = environments(self.inputs, self.profile, Addresses(warehouse_host="", warehouse_role=""))
        source, logs = image(self, "function"), self.log_group("function")
        source.repository.grant_pull(role)
        logs.grant_write(role)
        function = lambda_.DockerImageFunction(
            self,
            "Access",
            function_name=f"storepulse-{self.profile.name}-access",
            code=lambda_.DockerImageCode.from_ecr(source.repository, tag_or_digest=source.image_tag),
            role=role.without_policy_updates(),
            timeout=Duration.seconds(TIMEOUT_S),
            memory_size=MEMORY_MIB,
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[network.groups["function"]],
            log_group=logs,
            environment={
                **environment["function"],
                # Lambda takes no secrets: a dynamic reference, which no template shows, and the function's own key.
                "STOREPULSE_OPENSEARCH_URL": search.urls[WRITER].secret_value.unsafe_unwrap(),
            },
            environment_encryption=key,
        )
        (queue,) = self.resources.queues
        failures = sqs.Queue(
            self,
            "Failures",
            queue_name=queue.name,
            retention_period=Duration.seconds(queue.retention_s),
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
        )
        (stream,) = (each for each in data.streams if each.node.id == "StreamAccess")
        reads = ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
        describes = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary"]
        role.add_to_policy(iam.PolicyStatement(actions=[*reads, *describes], resources=[stream.stream_arn]))
        role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[failures.queue_arn]))
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Records",
            event_source_arn=stream.stream_arn,
            function_name=function.function_name,
            starting_position="TRIM_HORIZON",
            batch_size=BATCH,
            maximum_batching_window_in_seconds=1,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            maximum_retry_attempts=-1,  # anything else gives records up
            maximum_record_age_in_seconds=-1,
            parallelization_factor=1,
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=failures.queue_arn)
            ),
        )
        mapping.node.add_dependency(role)
