"""Live, cold, keeper and board on Fargate; live and cold grow with their lag."""

from itertools import pairwise

from aws_cdk import Duration
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecr_assets as assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secrets
from constructs import Construct

from contract.health import FLEET
from infra.aws.environment import BOARD_PORT, Addresses, environments, names_of
from infra.aws.images import image
from infra.aws.profiles import Tasks
from infra.aws.stacks.access import Access
from infra.aws.stacks.base import Deployment, DeploymentStack
from infra.aws.stacks.data import Data
from infra.aws.stacks.network import Network
from infra.aws.stacks.search import BOARD, WRITER, Search
from infra.aws.stacks.warehouse import Warehouse

_GROWING = ("live", "cold")
STOP_S = 90  # a worker settles and releases within seconds; a span's last objects take some more


class Services(DeploymentStack):
    """The processes behind the streams. Nothing here holds data: it may be deleted and made again."""

    def __init__(
        self,
        scope: Construct,
        deployment: Deployment,
        network: Network,
        data: Data,
        access: Access,
        search: Search,
        warehouse: Warehouse,
        kafka_servers: str = "",
    ) -> None:
        super().__init__(scope, "services", deployment)
        self._network = network
        self._access = access
        self._data = data
        at = Addresses(
            warehouse_host=warehouse.host, warehouse_role=warehouse.copy_role.role_arn, kafka_servers=kafka_servers
        )
        self._environments = environments(self.inputs, self.profile, at)
        self._secrets: dict[str, dict[str, secrets.ISecret]] = {
            "live": {"STOREPULSE_OPENSEARCH_URL": search.urls[WRITER]},
            "cold": {},
            "keeper": {
                "STOREPULSE_OPENSEARCH_URL": search.urls[WRITER],
                "STOREPULSE_WAREHOUSE_PASSWORD": warehouse.password,
            },
            "board": {"STOREPULSE_OPENSEARCH_URL": search.urls[BOARD]},
        }
        self._secrets["operator"] = self._secrets["keeper"]
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=f"storepulse-{self.profile.name}",
            vpc=network.vpc,
            container_insights_v2=ecs.ContainerInsights.ENABLED,
        )
        consumers = image(self, "consumers")
        names = names_of(self.inputs)
        profile = self.profile
        live = self._service("live", profile.live, consumers, ["live"])
        cold = self._service("cold", profile.cold, consumers, ["cold"])
        keeper = self._service("keeper", profile.keeper, consumers, ["keeper"])
        self._task("operator", profile.keeper, consumers, ["--help"])  # `aws ecs run-task` says what it is to do
        board = self._service("board", profile.board, image(self, "dashboards"), ["board"])
        # One after the other, as docs/deploy.md has it: who reads first knows what will be written.
        for earlier, later in pairwise((keeper, cold, live, board)):
            later.node.add_dependency(earlier)
        if not deployment.over_kafka:  # groups have no lag of ours in CloudWatch
            self._follow(live, profile.live, (names.live.application, names.live.access_application), profile.lag_s)
            # A span is open for 20 s, so cold is behind by twice that when all is well.
            self._follow(cold, profile.cold, (names.cold.application, names.cold.access_application), 6 * profile.lag_s)
        self._show(board)

    def _task(
        self, name: str, tasks: Tasks, source: assets.DockerImageAsset, command: list[str]
    ) -> ecs.FargateTaskDefinition:
        role = iam.Role(
            self, f"{name.title()}Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"), description=name
        )
        self._access.give(role, name)
        definition = ecs.FargateTaskDefinition(
            self,
            f"{name.title()}Task",
            family=f"storepulse-{self.profile.name}-{name}",
            cpu=tasks.cpu,
            memory_limit_mib=tasks.memory_mib,
            task_role=role,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.X86_64, operating_system_family=ecs.OperatingSystemFamily.LINUX
            ),
        )
        definition.add_container(
            name,
            image=ecs.ContainerImage.from_docker_image_asset(source),
            command=command,
            environment=self._environments[name],
            secrets={key: ecs.Secret.from_secrets_manager(secret) for key, secret in self._secrets[name].items()},
            logging=ecs.LogDrivers.aws_logs(stream_prefix=name, log_group=self.log_group(name)),
            stop_timeout=Duration.seconds(STOP_S),
            port_mappings=[ecs.PortMapping(container_port=BOARD_PORT)] if name == "board" else None,
        )
        return definition

    def _service(
        self, name: str, tasks: Tasks, source: assets.DockerImageAsset, command: list[str]
    ) -> ecs.FargateService:
        group = "board" if name == "board" else "workers"
        is_alone = tasks.most == 1
        return ecs.FargateService(
            self,
            name.title(),
            cluster=self.cluster,
            service_name=name,
            task_definition=self._task(name, tasks, source, command),
            # Not of those that grow: on a sale day a deployment would take their tasks away. They begin with one.
            desired_count=None if name in _GROWING and not self.deployment.over_kafka else tasks.least,
            vpc_subnets=self._network.inner,
            security_groups=[self._network.groups[group]],
            # Leases make two versions at once harmless; one that never starts is taken back.
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            min_healthy_percent=0 if is_alone else 100,
            max_healthy_percent=200,
            enable_execute_command=False,
        )

    def _follow(self, service: ecs.FargateService, tasks: Tasks, applications: tuple[str, str], lag_s: int) -> None:
        """A task more while the furthest shard is behind, two where it is far. Fewer by CPU alone: a lag of nothing
        says that there are tasks enough, not that there are too many."""
        target = service.auto_scale_task_count(min_capacity=tasks.least, max_capacity=tasks.most)
        target.scale_on_cpu_utilization("Cpu", target_utilization_percent=60, scale_in_cooldown=Duration.minutes(15))
        for each, application in zip(("Orders", "Hits"), applications, strict=True):
            target.scale_on_metric(
                f"Lag{each}",
                metric=_lag(application),
                scaling_steps=[
                    scaling.ScalingInterval(lower=lag_s * 1000, change=1),  # the metric is in ms
                    scaling.ScalingInterval(lower=lag_s * 6000, change=2),
                ],
                adjustment_type=scaling.AdjustmentType.CHANGE_IN_CAPACITY,
                evaluation_periods=3,
                cooldown=Duration.minutes(3),
            )

    def _show(self, board: ecs.FargateService) -> None:
        """The board behind a load balancer that only the network's inside reaches: the page has no log-in."""
        balancer = balancing.ApplicationLoadBalancer(
            self,
            "BoardBalancer",
            vpc=self._network.vpc,
            internet_facing=False,
            vpc_subnets=self._network.inner,
            security_group=self._network.groups["board_balancer"],
            idle_timeout=Duration.minutes(10),  # pages hold a stream of events open
            drop_invalid_header_fields=True,
        )
        balancer.log_access_logs(self._data.access_logs, "board")
        listener = balancer.add_listener("Http", port=80, open=False)
        listener.add_targets(
            "Board",
            port=BOARD_PORT,
            protocol=balancing.ApplicationProtocol.HTTP,
            targets=[board],
            health_check=balancing.HealthCheck(path="/health", interval=Duration.seconds(15)),
            deregistration_delay=Duration.seconds(10),
        )


def _lag(application: str) -> cloudwatch.Metric:
    """The lag of an application's furthest shard (ms)."""
    return cloudwatch.Metric(
        namespace=FLEET,
        metric_name="Lag",
        dimensions_map={"Application": application},
        statistic="Maximum",
        period=Duration.minutes(1),
    )
