"""OpenSearch, its users and policies. Index templates are live's to put, at each of its starts, as everywhere."""

from pathlib import Path

import msgspec
from aws_cdk import CustomResource, Duration, RemovalPolicy, SecretValue
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_opensearchservice as search
from aws_cdk import aws_secretsmanager as secrets
from constructs import Construct

from infra.aws.stacks.base import Deployment, DeploymentStack, inner_role
from infra.aws.stacks.data import Data
from infra.aws.stacks.network import Network

# A URL takes these as they are; the domain wants one of them.
_NOT_IN_A_URL = "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}"
WRITER, BOARD = "storepulse-writer", "storepulse-board"
_INDICES = ["orders-*", "hits-*", "letters-*", "duplicates"]
ROLES = {
    WRITER: {
        "cluster_permissions": ["cluster_composite_ops", "cluster_monitor", "cluster_manage_index_templates"],
        "index_permissions": [
            {"index_patterns": _INDICES, "allowed_actions": ["crud", "create_index", "manage", "indices_monitor"]}
        ],
    },
    BOARD: {
        "cluster_permissions": ["cluster_composite_ops_ro"],
        "index_permissions": [{"index_patterns": _INDICES, "allowed_actions": ["read"]}],
    },
}


class Search(DeploymentStack):
    """The live store. Its documents can be read again from the lake's days, but not within a minute: it is stateful."""

    def __init__(self, scope: Construct, deployment: Deployment, network: Network, data: Data) -> None:
        super().__init__(scope, "search", deployment, is_stateful=True)
        self._key = data.key_for(self)
        self._network = network
        self.master = self._password("Master")
        self.domain = self._domain()
        passwords = {user: self._password(user.title().replace("-", "")) for user in ROLES}
        # One whole URL a user: what `[opensearch] url` takes.
        self.urls = {user: self._url(user, password) for user, password in passwords.items()}
        self._setup(passwords)

    def _password(self, name: str) -> secrets.Secret:
        return secrets.Secret(
            self,
            f"{name}Password",
            encryption_key=self._key,
            generate_secret_string=secrets.SecretStringGenerator(
                password_length=40, exclude_characters=_NOT_IN_A_URL, require_each_included_type=True
            ),
            removal_policy=self.removal,
        )

    def _url(self, user: str, password: secrets.Secret) -> secrets.Secret:
        # A dynamic reference: CloudFormation puts the password in, and the template never has it.
        text = f"https://{user}:{password.secret_value.unsafe_unwrap()}@{self.domain.domain_endpoint}:443"
        return secrets.Secret(
            self,
            f"{user.title().replace('-', '')}Url",
            encryption_key=self._key,
            secret_string_value=SecretValue.unsafe_plain_text(text),
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _domain(self) -> search.Domain:
        profile, nodes = self.profile, self.profile.search_nodes
        zones = self.inputs.zone_names[:nodes]
        groups = {name: self.log_group(name) for name in ("search-slow", "search-slow-writes", "search")}
        domain = search.Domain(
            self,
            "Domain",
            domain_name=f"storepulse-{profile.name}",
            version=search.EngineVersion.OPENSEARCH_3_5,
            capacity=search.CapacityConfig(
                data_nodes=nodes,
                data_node_instance_type=profile.search_instance,
                master_nodes=profile.search_masters or None,
                master_node_instance_type="m7g.medium.search" if profile.search_masters else None,
                multi_az_with_standby_enabled=False,  # a third of the nodes would idle; replicas are in other zones
            ),
            ebs=search.EbsOptions(volume_size=profile.search_disk_gib, volume_type=ec2.EbsDeviceVolumeType.GP3),
            zone_awareness=search.ZoneAwarenessConfig(enabled=nodes > 1, availability_zone_count=max(2, nodes))
            if nodes > 1
            else search.ZoneAwarenessConfig(enabled=False),
            vpc=self._network.vpc,
            vpc_subnets=[ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, availability_zones=zones)],
            security_groups=[self._network.groups["search"]],
            encryption_at_rest=search.EncryptionAtRestOptions(enabled=True, kms_key=self._key),
            node_to_node_encryption=True,
            enforce_https=True,
            tls_security_policy=search.TLSSecurityPolicy.TLS_1_2_PFS,
            fine_grained_access_control=search.AdvancedSecurityOptions(
                master_user_name="storepulse-master", master_user_password=self.master.secret_value
            ),
            logging=search.LoggingOptions(
                slow_search_log_enabled=True,
                slow_search_log_group=groups["search-slow"],
                slow_index_log_enabled=True,
                slow_index_log_group=groups["search-slow-writes"],
                app_log_enabled=True,
                app_log_group=groups["search"],
                audit_log_enabled=False,
            ),
            suppress_logs_resource_policy=True,
            removal_policy=self.removal,
        )
        self._open(domain, list(groups.values()))
        return domain

    def _open(self, domain: search.Domain, groups: list[logs.LogGroup]) -> None:
        """Who may do what is for the users' roles to say; the network lets nobody else near. By the domain's own
        properties: CDK's own way is a function a property."""
        made = domain.node.default_child
        assert isinstance(made, search.CfnDomain)
        place = self.format_arn(service="es", resource="domain", resource_name=f"storepulse-{self.profile.name}/*")
        allowed = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "es:ESHttp*", "Resource": place}
        made.access_policies = {"Version": "2012-10-17", "Statement": [allowed]}
        lines = {
            "Effect": "Allow",
            "Principal": {"Service": "es.amazonaws.com"},
            "Action": ["logs:PutLogEvents", "logs:CreateLogStream"],
            "Resource": [group.log_group_arn for group in groups],
        }
        policy = logs.CfnResourcePolicy(
            self,
            "LogPolicy",
            policy_name=f"storepulse-{self.profile.name}-search",
            policy_document=self.to_json_string({"Version": "2012-10-17", "Statement": [lines]}),
        )
        made.node.add_dependency(policy)

    def _setup(self, passwords: dict[str, secrets.Secret]) -> None:
        """Users, roles and policies, put by a function inside the network whenever their text changes."""
        role, group = inner_role(self, "SetupRole"), self.log_group("search-setup")
        group.grant_write(role)
        function = lambda_.Function(
            self,
            "Setup",
            runtime=lambda_.Runtime.PYTHON_3_14,
            code=lambda_.Code.from_asset(str(Path(__file__).parents[1] / "search_setup"), exclude=["__pycache__"]),
            handler="handler.handler",
            timeout=Duration.minutes(5),
            vpc=self._network.vpc,
            vpc_subnets=self._network.inner,
            security_groups=[self._network.groups["function"]],
            log_group=group,
            role=role,
        )
        for secret in (self.master, *passwords.values()):
            secret.grant_read(function)
        policies, roles = self.resources.index_policies, ROLES
        CustomResource(
            self,
            "Prepared",
            service_token=function.function_arn,
            resource_type="Custom::StorepulseSearch",
            properties={
                "Endpoint": f"https://{self.domain.domain_endpoint}",
                "Master": self.master.secret_arn,
                "Passwords": {user: secret.secret_arn for user, secret in passwords.items()},
                # Texts: CloudFormation would make a number a text within an object.
                "Roles": msgspec.json.encode(roles, order="sorted").decode(),
                "Policies": msgspec.json.encode(policies, order="sorted").decode(),
            },
        )
