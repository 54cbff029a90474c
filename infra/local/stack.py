"""The parts that stand in for AWS, and the order in which a stack comes up."""

import sys
from collections.abc import Collection, Mapping, Sequence

from infra.local import ministack
from infra.local.endpoints import ACCOUNT, NOWHERE, REGION, SECRET, Endpoints, endpoints_of, write_settings
from infra.local.home import Home
from infra.local.opensearch import node
from infra.local.parts import HttpReady, Part, TcpReady
from infra.local.ports import HOST
from infra.local.prepare import prepare_buckets, prepare_files, prepare_stream, prepare_warehouse
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from runtime.settings import Warehouse

KINESIS = "kinesis"
REDSHIFT = "redshift"
PARTS = (KINESIS, ministack.NAME, node.NAME, REDSHIFT)


def bring_up(
    stack: Supervisor,
    settings: LocalSettings,
    *,
    wanted_ports: Mapping[str, int] | None = None,
    only: Collection[str] = PARTS,
    beside: Sequence[Part] = (),
) -> Endpoints:
    """Download, write the settings file, start, make stream, buckets and tables: in this order, to the first trouble.

    `wanted_ports` by part, 0 or absent for a free one; `only` names the parts to start. `beside` are parts that start
    with them, and so need no more than the settings file for it. Raises ConfigError for what the operator has to
    change, click.Abort when the stack's `stop` is set; there is no settings file then.
    """
    home = stack.home
    home.check_space(settings.local.min_free_mib)
    names = [*only, *([node.TRANSPORT] if node.NAME in only else [])]
    chosen = stack.ports_for(names, wanted_ports)
    prepare_files(home)
    parts = _parts(stack, settings, only, chosen)
    password = home.warehouse_password.read_text(encoding="utf-8")
    endpoints = endpoints_of(home, {part.name: part.url for part in parts}, settings, password=password)
    write_settings(home, endpoints.tables())
    try:
        with stack.console.status(f"starting {', '.join(part.name for part in parts)}"):
            stack.start([*parts, *beside])
        if KINESIS in only:
            prepare_stream(endpoints)
        if ministack.NAME in only:
            prepare_buckets(endpoints)
        if REDSHIFT in only:
            prepare_warehouse(endpoints, stack.say)
    except BaseException:
        home.settings_file.unlink(missing_ok=True)  # it leads nowhere
        raise
    return endpoints


def _parts(stack: Supervisor, settings: LocalSettings, only: Collection[str], chosen: Mapping[str, int]) -> list[Part]:
    home, parts = stack.home, []
    if KINESIS in only:
        parts.append(_kinesis(home, port=chosen[KINESIS]))
    if ministack.NAME in only:
        parts.append(ministack.ministack(home, port=chosen[ministack.NAME], region=REGION))
    if node.NAME in only:
        installed = node.install(home, stack.console, stack.stop)
        transport = chosen[node.TRANSPORT]
        parts.append(node.node(home, installed, settings.local, port=chosen[node.NAME], transport_port=transport))
    if REDSHIFT in only:
        s3 = f"http://{HOST}:{chosen[ministack.NAME]}" if ministack.NAME in only else NOWHERE
        parts.append(_redshift(home, port=chosen[REDSHIFT], s3_endpoint=s3))
    return parts


def _kinesis(home: Home, *, port: int) -> Part:
    url = f"http://{HOST}:{port}"
    command = [sys.executable, "-m", "infra.local.kinesis", "--port", str(port), "--data", str(home.data_of(KINESIS))]
    command += ["--region", REGION, "--account-id", ACCOUNT]
    return Part(name=KINESIS, command=command, ready=HttpReady(url=f"{url}/health"), url=url)


def _redshift(home: Home, *, port: int, s3_endpoint: str) -> Part:
    found = Warehouse()
    command = [sys.executable, "-m", "infra.local.redshift", "--port", str(port), "--data", str(home.data_of(REDSHIFT))]
    command += ["--database", found.database, "--user", found.user, "--password-file", str(home.warehouse_password)]
    command += ["--s3-endpoint", s3_endpoint, "--region", REGION, "--access-key-id", ACCOUNT]
    return Part(
        name=REDSHIFT,
        command=command,
        environ={"REDSHIFT_S3_SECRET_ACCESS_KEY": SECRET},
        ready=TcpReady(port=port),
        url=f"redshift://{HOST}:{port}",
        grace_s=30.0,  # PostgreSQL writes a checkpoint before it ends
    )
