"""What cannot be made again: streams, buckets, lease tables, keys, the catalogue's database, the key of identities."""

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secrets
from constructs import Construct

from infra.aws.environment import IDENTITY_SECRET
from infra.aws.stacks.base import Deployment, DeploymentStack
from infra.resources import Bucket, Holds

COPY_DAYS = 2  # a manifest of COPY serves one statement of 15 minutes
COLD_AFTER_DAYS = 90  # queries of closed quarters are rare; Instant Retrieval answers at once, as Athena has to be
NONCURRENT_DAYS = 14  # a deletion by mistake is noticed within two weeks
LOGS_DAYS = 400  # who reached what, for a year and a month


class Data(DeploymentStack):
    """Streams, buckets, tables."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, "data", deployment, is_stateful=True)
        self.key = self._key("Key", "streams, lake, reports and secrets")
        # CloudWatch publishes alarms by its own principal, to topics under this key.
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.inputs.account}},
            )
        )
        self.restricted_key = self._key("RestrictedKey", "originals: raw records and letters")
        self.backup_key = self._key("BackupKey", "Firehose's copy of the originals")
        self.access_logs = self._access_logs()
        self.buckets = {bucket.holds: self._bucket(bucket) for bucket in self.resources.buckets}
        self._lake_lifecycle(self.buckets["lake"])
        self.streams = [] if deployment.over_kafka else self._streams()
        self.tables = {table.name: self._table(table.name, table.key) for table in self.resources.tables}
        self.database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(name=self.resources.database),
        )
        self.database.apply_removal_policy(self.removal)
        # Empty: `python -m consumers identity rotate --create` puts the first key in, and no template ever has it.
        self.identity = secrets.CfnSecret(
            self,
            "Identity",
            name=IDENTITY_SECRET,
            description="keys of customer hashes: docs/privacy.md",
            kms_key_id=self.key.key_arn,
        )
        self.identity.apply_removal_policy(self.removal)

    def _key(self, name: str, about: str) -> kms.Key:
        return kms.Key(
            self, name, description=f"storepulse: {about}", enable_key_rotation=True, removal_policy=self.removal
        )

    def _streams(self) -> list[kinesis.Stream]:
        return [
            kinesis.Stream(
                self,
                f"Stream{stream.name.rpartition('-')[2].title()}",
                stream_name=stream.name,
                stream_mode=kinesis.StreamMode.ON_DEMAND,
                retention_period=Duration.hours(stream.retention_h),
                encryption=kinesis.StreamEncryption.KMS,
                encryption_key=self.key,
                removal_policy=self.removal,
            )
            for stream in self.resources.streams
        ]

    def _table(self, name: str, key: str) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            "".join(part.title() for part in name.split("-")),
            table_name=name,
            partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=self.removal,
            deletion_protection=self.profile.keeps_data,
        )

    def _access_logs(self) -> s3.Bucket:
        """Who reached which bucket; S3 writes it with its own key, for it takes no other."""
        bucket = s3.Bucket(
            self,
            "AccessLogs",
            bucket_name=self.inputs.bucket("access-logs"),
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=self.removal,
        )
        glacier = s3.Transition(storage_class=s3.StorageClass.GLACIER, transition_after=Duration.days(COLD_AFTER_DAYS))
        bucket.add_lifecycle_rule(id="age", expiration=Duration.days(LOGS_DAYS), transitions=[glacier])
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["s3:PutObject"],
                principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
                resources=[bucket.arn_for_objects("*")],
                conditions={"StringEquals": {"aws:SourceAccount": self.inputs.account}},
            )
        )
        return bucket

    def _bucket(self, shape: Bucket) -> s3.Bucket:
        """Originals are never versioned: what privacy has deleted must be gone."""
        is_restricted = shape.holds == "restricted"
        bucket = s3.Bucket(
            self,
            f"Bucket{shape.holds.title()}",
            bucket_name=shape.name,
            versioned=not is_restricted,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.restricted_key if is_restricted else self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=self.access_logs,
            server_access_logs_prefix=f"{shape.holds}/",
            removal_policy=self.removal,
        )
        bucket.add_lifecycle_rule(id="parts", abort_incomplete_multipart_upload_after=Duration.days(1))
        if shape.expires_days:
            bucket.add_lifecycle_rule(id="age", expiration=Duration.days(shape.expires_days))
        if not is_restricted:
            bucket.add_lifecycle_rule(id="replaced", noncurrent_version_expiration=Duration.days(NONCURRENT_DAYS))
        if shape.holds == "reports":
            bucket.add_lifecycle_rule(id="cold", transitions=[_instant()])
        return bucket

    def _lake_lifecycle(self, lake: s3.Bucket) -> None:
        """`copy/` is of one statement, `data/` is kept; `lake/` and `manifests/` are small and asked often."""
        lake.add_lifecycle_rule(id="copy", prefix="copy/", expiration=Duration.days(COPY_DAYS))
        lake.add_lifecycle_rule(id="cold", prefix="data/", transitions=[_instant()])

    def key_for(self, scope: Construct) -> kms.IKey:
        """The key as another stack sees it: what that stack grants it writes into its own roles, never into ours."""
        return kms.Key.from_key_arn(scope, "SharedKey", self.key.key_arn)

    def access_logs_for(self, scope: Construct) -> s3.IBucket:
        """Likewise the bucket of access logs, which lets every bucket of the account write."""
        return s3.Bucket.from_bucket_name(scope, "SharedAccessLogs", self.access_logs.bucket_name)

    def bucket(self, holds: Holds) -> s3.Bucket:
        """The bucket that holds it."""
        return self.buckets[holds]


def _instant() -> s3.Transition:
    return s3.Transition(
        storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, transition_after=Duration.days(COLD_AFTER_DAYS)
    )
