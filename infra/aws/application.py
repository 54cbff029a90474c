"""The CDK application: every stack of one deployment. Synthesises without docker, an account or a network."""

from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from dashboards.cloudwatch import Deployed
from infra.aws.acknowledged import acknowledge
from infra.aws.environment import names_of
from infra.aws.figures import watched
from infra.aws.inputs import Inputs
from infra.aws.profiles import Profile
from infra.aws.stacks.access import Access
from infra.aws.stacks.analytics import Analytics
from infra.aws.stacks.backup import Backup
from infra.aws.stacks.base import Deployment, DeploymentStack
from infra.aws.stacks.data import Data
from infra.aws.stacks.function import Function
from infra.aws.stacks.kafka import Kafka
from infra.aws.stacks.network import Network
from infra.aws.stacks.notifications import Notifications
from infra.aws.stacks.observability import Observability
from infra.aws.stacks.search import Search
from infra.aws.stacks.services import Services
from infra.aws.stacks.storefront import Storefront
from infra.aws.stacks.warehouse import Warehouse
from infra.resources import PAGES, TICKETS, resources

# Written down by the CDK's tools; pinned, so that a template does not change with who makes it.
CONTEXT = {
    "aws:cdk:enable-path-metadata": False,
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,  # access lists are off on every bucket
    "@aws-cdk/aws-iam:minimizePolicies": True,
}


def application(
    profile: Profile,
    inputs: Inputs,
    out: Path,
    *,
    checked: bool = True,
) -> App:
    """The application, not synthesised yet.

    `checked`: by cdk-nag too; then a finding that nobody has acknowledged makes the synthesis raise.
    """
    app = App(outdir=str(out), context=CONTEXT, analytics_reporting=False, tree_metadata=False)
    deployment = Deployment(profile=profile, inputs=inputs, resources=resources(names_of(inputs)))
    network = Network(app, deployment)
    data = Data(app, deployment)
    kafka = Kafka(app, deployment, network) if deployment.over_kafka else None
    servers = kafka.servers if kafka else ""
    access = Access(deployment, data, kafka.arn if kafka else None)
    search = Search(app, deployment, network, data)
    warehouse = Warehouse(app, deployment, network, data)
    shop = Storefront(app, deployment, network, data, access, servers)
    services = Services(app, deployment, network, data, access, search, warehouse, servers)
    shop.add_dependency(services)  # who reads has to know what new hosts write
    Analytics(app, deployment, network, data)
    has_function = inputs.function == "on" and not kafka
    if has_function:
        Function(app, deployment, network, data, access, search)
    has_backup = profile.originals_backup and not kafka
    if has_backup:
        Backup(app, deployment, data)
    topics = Notifications(app, deployment, data).topics
    known = deployment.resources
    backups = tuple(f"storepulse-{profile.name}-backup-{kind}" for kind in ("transactions", "access"))
    alarms, dashboard = watched(
        Deployed(
            region=inputs.region,
            account=inputs.account,
            page_topic=topics[PAGES].topic_arn,
            ticket_topic=topics[TICKETS].topic_arn,
            stream=() if kafka else tuple(stream.name for stream in known.streams),
            domain=(f"storepulse-{profile.name}",),
            workgroup=(f"storepulse-{profile.name}",),
            table=tuple(table.name for table in known.tables),
            function=(f"storepulse-{profile.name}-access",) if has_function else (),
            queue=tuple(queue.name for queue in known.queues) if has_function else (),
            delivery=backups if has_backup else (),
            balancer=(shop.balancer.load_balancer_full_name,),
            targets=(shop.target.target_group_full_name,),
            cluster=(services.cluster.cluster_name,),
            service=("live", "cold", "keeper", "board"),
            hosts=(shop.group_name,),
        )
    )
    Observability(app, deployment, alarms, dashboard)
    for stack in app.node.children:
        assert isinstance(stack, DeploymentStack)
        acknowledge(stack)
    if checked:
        Validations.of(app).add_plugins(AwsSolutionsChecks(verbose=True))
    return app
