"""The parts that stand in for AWS, and the order in which a stack comes up."""

import sys
from collections.abc import Collection, Mapping, Sequence

from infra.local import ministack
from infra.local.endpoints import ACCOUNT, NOWHERE, REGION, SECRET, Endpoints, endpoints_of, write_settings
from infra.local.home import Home
from infra.local.kafka import broker
from infra.local.opensearch import node
from infra.local.parts import BEHIND, HttpReady, Part, TcpReady
from infra.local.ports import HOST
from infra.local.prepare import (
    prepare_buckets,
    prepare_files,
    prepare_messages,
    prepare_reference,
    prepare_streams,
    prepare_tables,
    prepare_warehouse,
)
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from runtime.errors import ConfigError
from runtime.settings import Transport, Warehouse

KINESIS = "kinesis"
KAFKA = broker.NAME
REDSHIFT = "redshift"
TRANSPORTS: tuple[Transport, ...] = ("kinesis", "kafka")  # the part that carries the streams has the name of its kind


_QUICK_JAVA = "-XX:TieredStopAtLevel=1"  # the first compiler only: half the CPU to start


def parts_over(transport: Transport) -> tuple[str, ...]:
    """Names of all parts of a stack whose streams go over `transport`."""
    return (transport, ministack.NAME, node.NAME, REDSHIFT)


PARTS = parts_over("kinesis")


def bring_up(
    stack: Supervisor,
    settings: LocalSettings,
    *,
    wanted_ports: Mapping[str, int] | None = None,
    only: Collection[str] | None = None,
    beside: Sequence[Part] = (),
) -> Endpoints:
    """Download, write the settings file, start, make stream, buckets and tables: in this order, to the first trouble.

    `wanted_ports` by part, 0 or absent for a free one; `only` names the parts to start, None: all. `beside` are parts
    that start with them, and so need no more than the settings file for it. Raises ConfigError for what the operator
    has to change, click.Abort when the stack's `stop` is set; there is no settings file then.
    """
    home = stack.home
    only = parts_over(settings.streams.transport) if only is None else only
    refuse_mixing(home, only)
    home.check_space(settings.local.min_free_mib)
    names = [*only, *([node.TRANSPORT] if node.NAME in only else []), *([broker.CONTROLLER] if KAFKA in only else [])]
    chosen = stack.ports_for(names, wanted_ports)
    prepare_files(home)
    parts = _parts(stack, settings, only, chosen)
    password = home.warehouse_password.read_text(encoding="utf-8")
    endpoints = endpoints_of(home, {part.name: part.url for part in parts}, settings, password=password)
    write_settings(home, endpoints.tables())
    try:
        with stack.console.status(f"starting {', '.join(part.name for part in parts)}"):
            stack.start([*parts, *beside])
        if settings.streams.transport in only:
            prepare_streams(endpoints, stack.stop)
        if ministack.NAME in only:
            prepare_buckets(endpoints)
            prepare_tables(endpoints)
            prepare_messages(endpoints)
            prepare_reference(endpoints, stack.say)
        if REDSHIFT in only:
            prepare_warehouse(endpoints, stack.say)
    except BaseException:
        home.settings_file.unlink(missing_ok=True)  # it leads nowhere
        raise
    return endpoints


def refuse_mixing(home: Home, parts: Collection[str]) -> None:
    """Raises ConfigError where the lines that this home holds went another way than they would with these parts.

    The agent would not send them again, and what is in the streams that are left alone would never be read: the
    account could not tell that from a loss.
    """
    for before, now in (TRANSPORTS, TRANSPORTS[::-1]):
        if now in parts and home.has_data_of(before):
            raise ConfigError(
                f"{home.root}: its streams are on {before}; go on with `--stream {before}`, clear it with"
                " `python -m infra.local reset`, or choose another folder with --home"
            )


def _parts(stack: Supervisor, settings: LocalSettings, only: Collection[str], chosen: Mapping[str, int]) -> list[Part]:
    home, parts = stack.home, []
    if KINESIS in only:
        parts.append(_kinesis(home, port=chosen[KINESIS]))
    if KAFKA in only:
        installed = broker.install(home, stack.console, stack.stop)
        ports = {"port": chosen[KAFKA], "controller_port": chosen[broker.CONTROLLER]}
        parts.append(broker.broker(home, installed, java_options=_QUICK_JAVA, **ports))
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
        nice=BEHIND,
    )
