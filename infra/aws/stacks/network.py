"""The network: public subnets for the shop's load balancer alone, all else without a way out.

There is no NAT gateway: the services of AWS are reached by endpoints, and nothing else is ever asked for.
"""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.aws.environment import BOARD_PORT
from infra.aws.stacks.base import Deployment, DeploymentStack

# Services that processes or their hosts call, by the name of CDK's constant.
ENDPOINTS = {
    "Kinesis": "KINESIS_STREAMS",  # agents, live, cold, keeper
    "EcrApi": "ECR",  # images
    "EcrDocker": "ECR_DOCKER",
    "Logs": "CLOUDWATCH_LOGS",
    "Metrics": "CLOUDWATCH_MONITORING",
    "Secrets": "SECRETS_MANAGER",
    "Glue": "GLUE",  # the lake's catalogue
    "AutoScaling": "AUTOSCALING",  # the drain hook
    "Ssm": "SSM",  # Session Manager: nobody needs a key to a host
    "SsmMessages": "SSM_MESSAGES",
}
GROUPS = {
    "shop_balancer": "load balancer of the shop",
    "shop": "hosts of the shop",
    "workers": "live, cold and keeper",
    "board_balancer": "load balancer of the board",
    "board": "the board",
    "function": "live as a function, and what prepares OpenSearch",
    "quicksight": "connection of QuickSight",
    "search": "OpenSearch",
    "warehouse": "Redshift",
    "kafka": "Kafka",
    "endpoints": "endpoints of AWS services",
}
RANGE = "10.20.0.0/16"
HTTPS, REDSHIFT, MSK_IAM = 443, 5439, 9098


class Network(DeploymentStack):
    """The VPC and every security group: rules between groups are all here."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, "network", deployment)
        # Zones by name: a look-up would make a synthesis need an account.
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            availability_zones=self.inputs.zone_names,
            nat_gateways=0,
            ip_addresses=ec2.IpAddresses.cidr(RANGE),
            restrict_default_security_group=False,  # needs a function; nothing uses the group
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(name="inner", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=20),
            ],
        )
        self.inner = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.vpc.add_flow_log(
            "Flow",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(self.log_group("network"), self._log_writer()),
        )
        self.groups = {name: self._group(name, about) for name, about in GROUPS.items()}
        self._endpoints()
        self._rules()

    def _log_writer(self) -> iam.Role:
        return iam.Role(self, "FlowRole", assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com"))

    def _group(self, name: str, about: str) -> ec2.SecurityGroup:
        group = name.title().replace("_", "")
        return ec2.SecurityGroup(self, group, vpc=self.vpc, description=f"storepulse: {about}")

    def _endpoints(self) -> None:
        for service in (ec2.GatewayVpcEndpointAwsService.S3, ec2.GatewayVpcEndpointAwsService.DYNAMODB):
            self.vpc.add_gateway_endpoint(service.name.rpartition(".")[2].title(), service=service)
        zones = self.inputs.zone_names[: self.profile.endpoint_zones]
        for name, constant in ENDPOINTS.items():
            self.vpc.add_interface_endpoint(
                name,
                service=getattr(ec2.InterfaceVpcEndpointAwsService, constant),
                subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, availability_zones=zones),
                security_groups=[self.groups["endpoints"]],
                open=False,
            )

    def _rules(self) -> None:
        groups, port = self.groups, ec2.Port.tcp
        # The shop is open to the world: 80 only to send people on to 443, where there is a certificate.
        for number in (80, *([HTTPS] if self.inputs.certificate else [])):
            groups["shop_balancer"].add_ingress_rule(ec2.Peer.any_ipv4(), port(number), "customers of the shop")
        groups["shop"].add_ingress_rule(groups["shop_balancer"], port(80), "nginx")
        inside = ec2.Peer.ipv4(RANGE)
        groups["board_balancer"].add_ingress_rule(inside, port(80), "who is inside, or comes by VPN")
        groups["board"].add_ingress_rule(groups["board_balancer"], port(BOARD_PORT), "the board")
        for name in ("workers", "board", "function"):
            groups["search"].add_ingress_rule(groups[name], port(HTTPS), GROUPS[name])
        for name in ("workers", "quicksight"):
            groups["warehouse"].add_ingress_rule(groups[name], port(REDSHIFT), GROUPS[name])
            # What QuickSight's connection is answered comes in by this rule: its groups are not stateful.
        groups["quicksight"].add_ingress_rule(groups["warehouse"], ec2.Port.all_tcp(), "answers of Redshift")
        for name in ("shop", "workers"):
            groups["kafka"].add_ingress_rule(groups[name], port(MSK_IAM), GROUPS[name])
        for name in ("shop", "workers", "board", "function"):
            groups["endpoints"].add_ingress_rule(groups[name], port(HTTPS), GROUPS[name])
