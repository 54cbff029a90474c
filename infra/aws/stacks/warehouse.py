"""Redshift Serverless. Its tables are the keeper's to make: `python -m consumers migrate`."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_redshiftserverless as redshift
from aws_cdk import aws_secretsmanager as secrets
from aws_cdk import custom_resources as custom
from constructs import Construct

from infra.aws.stacks.base import Deployment, DeploymentStack
from infra.aws.stacks.data import Data
from infra.aws.stacks.network import Network

DATABASE = USER = "storepulse"
_PATIENCE_S = 900  # of one query: as long as the keeper's statements may take


class Warehouse(DeploymentStack):
    """Namespace, workgroup, and what a day may cost."""

    def __init__(self, scope: Construct, deployment: Deployment, network: Network, data: Data) -> None:
        super().__init__(scope, "warehouse", deployment, is_stateful=True)
        key = data.key_for(self)
        self.password = secrets.Secret(
            self,
            "Password",
            encryption_key=key,
            generate_secret_string=secrets.SecretStringGenerator(
                password_length=40, exclude_punctuation=True, require_each_included_type=True
            ),
            removal_policy=self.removal,
        )
        self.copy_role = self._copy_role(data)
        namespace = redshift.CfnNamespace(
            self,
            "Namespace",
            namespace_name=f"storepulse-{self.profile.name}",
            db_name=DATABASE,
            admin_username=USER,
            admin_user_password=self.password.secret_value.unsafe_unwrap(),  # a dynamic reference
            iam_roles=[self.copy_role.role_arn],
            default_iam_role_arn=self.copy_role.role_arn,
            kms_key_id=key.key_id,
            log_exports=["userlog", "connectionlog", "useractivitylog"],
        )
        namespace.apply_removal_policy(self.removal)
        self.workgroup = redshift.CfnWorkgroup(
            self,
            "Workgroup",
            workgroup_name=f"storepulse-{self.profile.name}",
            namespace_name=namespace.ref,
            base_capacity=self.profile.warehouse_rpu,
            max_capacity=self.profile.warehouse_rpu_most,
            publicly_accessible=False,
            enhanced_vpc_routing=True,  # COPY takes the bucket's endpoint
            subnet_ids=network.vpc.select_subnets(subnet_type=network.inner.subnet_type).subnet_ids,
            security_group_ids=[network.groups["warehouse"].security_group_id],
            config_parameters=[
                redshift.CfnWorkgroup.ConfigParameterProperty(parameter_key=key, parameter_value=value)
                for key, value in (
                    ("enable_case_sensitive_identifier", "false"),
                    ("require_ssl", "true"),
                    ("max_query_execution_time", str(_PATIENCE_S)),
                )
            ],
        )
        self.workgroup.apply_removal_policy(self.removal)
        self._limit(self.workgroup)

    @property
    def host(self) -> str:
        """Where the keeper connects."""
        return self.workgroup.attr_workgroup_endpoint_address

    def _copy_role(self, data: Data) -> iam.Role:
        """By which COPY reads the lake's rows and its own manifests, and nothing else."""
        role = iam.Role(
            self,
            "CopyRole",
            assumed_by=iam.PrincipalWithConditions(
                iam.ServicePrincipal("redshift-serverless.amazonaws.com"),
                {"StringEquals": {"aws:SourceAccount": self.inputs.account}},
            ),
        )
        role.assume_role_policy.add_statements(  # type: ignore[union-attr]
            iam.PolicyStatement(
                actions=["sts:AssumeRole"],
                principals=[iam.ServicePrincipal("redshift.amazonaws.com")],
                conditions={"StringEquals": {"aws:SourceAccount": self.inputs.account}},
            )
        )
        lake = f"arn:{Aws.PARTITION}:s3:::{self.inputs.bucket('lake')}"
        statements = {
            "s3:ListBucket": [lake],
            "s3:GetBucketLocation": [lake],
            "s3:GetObject": [f"{lake}/data/*", f"{lake}/copy/*"],
            "kms:Decrypt": [data.key.key_arn],
        }
        for action, resources in statements.items():
            role.add_to_policy(iam.PolicyStatement(actions=[action], resources=resources))
        return role

    def _caller(self) -> tuple[iam.Role, logs.LogGroup]:
        role = iam.Role(self, "LimitRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        group = self.log_group("warehouse-limit")
        group.grant_write(role)
        return role, group

    def _limit(self, workgroup: redshift.CfnWorkgroup) -> None:
        """CloudFormation knows no usage limits: calls make, change and delete them with the stack."""
        arn = workgroup.attr_workgroup_workgroup_arn
        limit = {
            "resourceArn": arn,
            "usageType": "serverless-compute",
            "amount": self.profile.warehouse_rpu_hours_day,
            "period": "daily",
            "breachAction": "deactivate",
        }
        found = custom.PhysicalResourceId.from_response("usageLimit.usageLimitId")
        reference = custom.PhysicalResourceIdReference()

        def call(action: str, parameters: object, identity: custom.PhysicalResourceId | None) -> custom.AwsSdkCall:
            return custom.AwsSdkCall(
                service="redshift-serverless", action=action, parameters=parameters, physical_resource_id=identity
            )

        changed = {"usageLimitId": reference, "amount": limit["amount"], "breachAction": "deactivate"}
        role, group = self._caller()
        custom.AwsCustomResource(
            self,
            "UsageLimit",
            on_create=call("createUsageLimit", limit, found),
            on_update=call("updateUsageLimit", changed, found),
            on_delete=call("deleteUsageLimit", {"usageLimitId": reference}, None),
            install_latest_aws_sdk=False,
            log_group=group,
            role=role,
            policy=custom.AwsCustomResourcePolicy.from_statements(
                [
                    iam.PolicyStatement(
                        actions=[
                            "redshift-serverless:CreateUsageLimit",
                            "redshift-serverless:UpdateUsageLimit",
                            "redshift-serverless:DeleteUsageLimit",
                        ],
                        # Limits have no names before they are there.
                        resources=[f"arn:{Aws.PARTITION}:redshift-serverless:{self.region}:{self.account}:*"],
                    )
                ]
            ),
        )
