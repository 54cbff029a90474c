"""Firehose: a second way of every record into a bucket of its own, by nothing of ours. A fault in cold cannot touch it.

It holds originals, people's names among them, so it is kept as the restricted bucket is: a key of its own, 30 days.
"""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.aws.stacks.base import Deployment, DeploymentStack
from infra.aws.stacks.data import Data
from infra.resources import ORIGINALS_DAYS

BUFFER_S, BUFFER_MIB = 300, 64  # few, large objects: nobody waits for a backup
ERRORS = "errors/"


class Backup(DeploymentStack):
    """A delivery stream for each stream."""

    def __init__(self, scope: Construct, deployment: Deployment, data: Data) -> None:
        super().__init__(scope, "backup", deployment, is_stateful=True)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=self.inputs.bucket("backup"),
            encryption=s3.BucketEncryption.KMS,
            encryption_key=kms.Key.from_key_arn(self, "Key", data.backup_key.key_arn),
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            server_access_logs_bucket=data.access_logs_for(self),
            server_access_logs_prefix="backup/",
            removal_policy=self.removal,
        )
        self.bucket.add_lifecycle_rule(
            id="age",
            expiration=Duration.days(ORIGINALS_DAYS),
            abort_incomplete_multipart_upload_after=Duration.days(1),
        )
        role = self._role(data)
        group = self.log_group("backup")
        group.grant_write(role)
        for stream in data.streams:
            self._deliver(stream.node.id, stream.stream_arn, role, group, data)

    def _role(self, data: Data) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.PrincipalWithConditions(
                iam.ServicePrincipal("firehose.amazonaws.com"),
                {"StringEquals": {"sts:ExternalId": self.inputs.account}},
            ),
        )
        puts = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        role.add_to_policy(iam.PolicyStatement(actions=puts, resources=[self.bucket.arn_for_objects("*")]))
        looks = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        role.add_to_policy(iam.PolicyStatement(actions=looks, resources=[self.bucket.bucket_arn]))
        reads = ["kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards"]
        role.add_to_policy(iam.PolicyStatement(actions=reads, resources=[stream.stream_arn for stream in data.streams]))
        role.add_to_policy(iam.PolicyStatement(actions=["kms:Decrypt"], resources=[data.key.key_arn]))
        keys = ["kms:Decrypt", "kms:GenerateDataKey"]
        role.add_to_policy(iam.PolicyStatement(actions=keys, resources=[data.backup_key.key_arn]))
        return role

    def _deliver(self, name: str, arn: str, role: iam.Role, group: logs.LogGroup, data: Data) -> None:
        kind = name.removeprefix("Stream").lower()
        lines = logs.LogStream(self, f"{name}Log", log_group=group, log_stream_name=kind)
        S3 = firehose.CfnDeliveryStream
        delivery = S3(
            self,
            name,
            delivery_stream_name=f"storepulse-{self.profile.name}-backup-{kind}",
            delivery_stream_type="KinesisStreamAsSource",
            kinesis_stream_source_configuration=S3.KinesisStreamSourceConfigurationProperty(
                kinesis_stream_arn=arn, role_arn=role.role_arn
            ),
            extended_s3_destination_configuration=S3.ExtendedS3DestinationConfigurationProperty(
                bucket_arn=self.bucket.bucket_arn,
                role_arn=role.role_arn,
                prefix=f"{kind}/!{{timestamp:yyyy-MM-dd}}/",
                error_output_prefix=f"{ERRORS}{kind}/!{{firehose:error-output-type}}/!{{timestamp:yyyy-MM-dd}}/",
                buffering_hints=S3.BufferingHintsProperty(interval_in_seconds=BUFFER_S, size_in_m_bs=BUFFER_MIB),
                compression_format="GZIP",
                encryption_configuration=S3.EncryptionConfigurationProperty(
                    kms_encryption_config=S3.KMSEncryptionConfigProperty(awskms_key_arn=data.backup_key.key_arn)
                ),
                # Firehose opens our aggregates by itself, and joins records as they are: one a line again.
                processing_configuration=S3.ProcessingConfigurationProperty(
                    enabled=True,
                    processors=[
                        S3.ProcessorProperty(
                            type="AppendDelimiterToRecord",
                            parameters=[
                                S3.ProcessorParameterProperty(parameter_name="Delimiter", parameter_value="\\n")
                            ],
                        )
                    ],
                ),
                cloud_watch_logging_options=S3.CloudWatchLoggingOptionsProperty(
                    enabled=True, log_group_name=group.log_group_name, log_stream_name=lines.log_stream_name
                ),
            ),
        )
        delivery.node.add_dependency(role)
