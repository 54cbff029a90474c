"""The shop: hosts behind a load balancer, each with nginx, the shop and the agent beside it, and a disk that is emptied
before the host goes."""

from aws_cdk import Duration, Fn
from aws_cdk import aws_autoscaling as groups
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.aws.environment import Addresses, environments
from infra.aws.images import image
from infra.aws.stacks.access import Access
from infra.aws.stacks.base import Deployment, DeploymentStack
from infra.aws.stacks.data import Data
from infra.aws.stacks.network import Network
from infra.aws.user_data import HOOK, user_data

NEW_HOST_MIN = 6  # until it has its packages and image and the balancer sends it customers; then the next one goes
HEARTBEAT_S = 300  # above one `drain --timeout 100`; the host renews it while lines wait


class Storefront(DeploymentStack):
    """An auto scaling group of the shop's hosts."""

    def __init__(
        self,
        scope: Construct,
        deployment: Deployment,
        network: Network,
        data: Data,
        access: Access,
        kafka_servers: str = "",
    ) -> None:
        super().__init__(scope, "storefront", deployment)
        self._network = network
        self.role = self._role(access)
        self.group = self._group(kafka_servers)
        self._drain_first()
        self._balance(data)

    @property
    def group_name(self) -> str:
        return f"storepulse-{self.profile.name}-shop"

    def _role(self, access: Access) -> iam.Role:
        role = iam.Role(
            self, "HostRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"), description="hosts of the shop"
        )
        access.give(role, "shop")
        group = self.format_arn(
            service="autoscaling", resource=f"autoScalingGroup:*:autoScalingGroupName/{self.group_name}"
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"],
                resources=[group],
            )
        )
        # Session Manager's four calls: a host has no key and no open port for people. It knows no resources.
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "ssm:UpdateInstanceInformation",
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                resources=["*"],
            )
        )
        return role

    def _group(self, kafka_servers: str) -> groups.AutoScalingGroup:
        source, profile = image(self, "producers"), self.profile
        source.repository.grant_pull(self.role)
        at = Addresses(warehouse_host="", warehouse_role="", kafka_servers=kafka_servers)
        known = environments(self.inputs, profile, at)
        template = ec2.LaunchTemplate(
            self,
            "Host",
            instance_type=ec2.InstanceType(profile.shop_instance),
            machine_image=ec2.MachineImage.latest_amazon_linux2023(cpu_type=ec2.AmazonLinuxCpuType.X86_64),
            role=self.role,
            security_group=self._network.groups["shop"],
            require_imdsv2=True,
            http_put_response_hop_limit=1,  # containers are on the host's own network
            detailed_monitoring=True,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        profile.shop_disk_gib,
                        volume_type=ec2.EbsDeviceVolumeType.GP3,
                        encrypted=True,
                        # A host that is lost without its hook leaves its disk, and on it what was not sent.
                        delete_on_termination=not profile.keeps_data,
                    ),
                )
            ],
            user_data=self._user_data(source.image_uri, known["agent"] | known["storefront"]),
        )
        group = groups.AutoScalingGroup(
            self,
            "Shop",
            auto_scaling_group_name=self.group_name,
            vpc=self._network.vpc,
            vpc_subnets=self._network.inner,
            launch_template=template,
            min_capacity=profile.shop_least,
            max_capacity=profile.shop_most,
            health_checks=groups.HealthChecks.with_additional_checks(
                additional_types=[groups.AdditionalHealthCheckType.ELB], grace_period=Duration.minutes(5)
            ),
            update_policy=groups.UpdatePolicy.rolling_update(
                max_batch_size=1,
                min_instances_in_service=profile.shop_least - 1,
                pause_time=Duration.minutes(NEW_HOST_MIN),
            ),
            group_metrics=[groups.GroupMetrics.all()],
        )
        group.scale_on_cpu_utilization("Cpu", target_utilization_percent=50)  # twice the load fits until a host is up
        return group

    def _user_data(self, uri: str, environment: dict[str, str]) -> ec2.UserData:
        script = ec2.UserData.for_linux()
        registry = Fn.select(0, Fn.split("/", uri))
        lines = user_data(
            region=self.inputs.region, group=self.group_name, image=uri, registry=registry, environment=environment
        )
        script.add_commands(*lines)
        return script

    def _drain_first(self) -> None:
        """A host goes when its disk is empty; when its time is over it goes too, and leaves the disk."""
        groups.CfnLifecycleHook(
            self,
            "Drain",
            auto_scaling_group_name=self.group.auto_scaling_group_name,
            lifecycle_hook_name=HOOK,
            lifecycle_transition="autoscaling:EC2_INSTANCE_TERMINATING",
            heartbeat_timeout=HEARTBEAT_S,
            default_result="CONTINUE",
        )

    def _balance(self, data: Data) -> None:
        self.balancer = balancer = balancing.ApplicationLoadBalancer(
            self,
            "Balancer",
            vpc=self._network.vpc,
            internet_facing=True,
            security_group=self._network.groups["shop_balancer"],
            drop_invalid_header_fields=True,
        )
        balancer.log_access_logs(data.access_logs, "shop")
        self.target = target = balancing.ApplicationTargetGroup(
            self,
            "Hosts",
            vpc=self._network.vpc,
            port=80,
            targets=[self.group],
            health_check=balancing.HealthCheck(path="/health", interval=Duration.seconds(10)),
            deregistration_delay=Duration.seconds(30),
        )
        if self.inputs.certificate:
            certificate = certificates.Certificate.from_certificate_arn(self, "Certificate", self.inputs.certificate)
            balancer.add_listener(
                "Https",
                port=443,
                open=False,
                certificates=[certificate],
                ssl_policy=balancing.SslPolicy.TLS13_RES,
                default_target_groups=[target],
            )
            balancer.add_redirect(open=False)
        else:  # dev alone: `for_deployment` refuses prod without one
            balancer.add_listener("Http", port=80, open=False, default_target_groups=[target])
