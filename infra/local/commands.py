"""`python -m infra.local VERB`: the stand-ins for AWS on this machine."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec
from rich.console import Console
from rich.table import Column, Table

from infra.local import daemon, ports
from infra.local.home import Home
from infra.local.leftovers import end_leftovers
from infra.local.settings import LocalSettings
from infra.local.stack import PARTS, REDSHIFT, TRANSPORTS, bring_up, parts_over
from infra.local.status import Report, report
from infra.local.supervisor import Supervisor
from runtime.command import stop_on_signals, with_settings
from runtime.errors import ConfigError
from runtime.settings import DEFAULT_FILE, FILE_VARIABLE, Transport, Warehouse

home_option = click.option(
    "--home", type=click.Path(path_type=Path), help="Folder of all local data. Default: [local] home in the settings."
)
stream_option = click.option(
    "--stream", type=click.Choice(TRANSPORTS), help="What carries the streams. Default: [streams] transport."
)
# `up` writes the file that STOREPULSE_SETTINGS may name already.
with_local_settings = with_settings(LocalSettings, default_may_be_absent=True)


@click.group(help=__doc__)
def local() -> None:
    pass


@local.command()
@home_option
@stream_option
@click.option(
    "--port",
    "port_options",
    multiple=True,
    metavar="PART=PORT",
    help=f"One of {', '.join(PARTS)} (or kafka). 0: any free one.",
)
@click.option("--detach", is_flag=True, help="Run in the background; return when all is ready.")
@click.option("--ready-fd", type=int, hidden=True)
@with_local_settings
def up(
    settings: LocalSettings,
    home: Path | None,
    stream: Transport | None,
    port_options: tuple[str, ...],
    detach: bool,
    ready_fd: int | None,
) -> None:
    """Start the parts and keep them running until Ctrl-C; `down` ends it too."""
    place, settings = Home.of(settings.local, home), settings.over(stream)
    wanted = ports.parse(port_options, parts_over(settings.streams.transport))
    if detach:
        file: Path | None = click.get_current_context().params["settings_file"]
        arguments = ["--stream", settings.streams.transport]
        arguments += [word for option in port_options for word in ("--port", option)]
        daemon.start(place, settings, [*arguments, *(["--settings", str(file.absolute())] if file else [])])
        _show(place, report(place))
        return
    with daemon.told(ready_fd) as tell_ready:
        stop = stop_on_signals()
        with Supervisor(place, Console(), stop=stop) as stack:
            bring_up(stack, settings, wanted_ports=wanted)
            if ready_fd is None:
                _show(place, report(place))
                stack.say("Ctrl-C ends it")
            tell_ready()
            stack.wait()
            stack.say("stopping")
            given_up = stack.given_up
    if given_up:
        sys.exit(1)


@local.command()
@home_option
@with_local_settings
def down(settings: LocalSettings, home: Path | None) -> None:
    """Stop a running stack and wait until it has ended."""
    place = Home.of(settings.local, home)
    if daemon.stop(place):
        click.echo(f"{place.root}: stopped")
    elif ended := end_leftovers(place):
        click.echo(f"{place.root}: no stack was running; ended {ended} processes of an earlier one")
    else:
        click.echo(f"{place.root}: nothing was running")


@local.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_local_settings
def status(settings: LocalSettings, home: Path | None, as_json: bool) -> None:
    """Show what runs. Exit code 0 when all parts are ready, else 1."""
    place = Home.of(settings.local, home)
    found = report(place)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        _show(place, found)
    sys.exit(0 if found.ready else 1)


@local.command()
@home_option
@click.argument("part")
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@with_local_settings
def logs(settings: LocalSettings, home: Path | None, part: str, follow: bool) -> None:
    """Print the log file of PART."""
    place = Home.of(settings.local, home)
    path = place.log_of(part)
    if not path.is_file():
        known = sorted(log.stem for log in place.logs.glob("*.log"))
        there = f"there are {', '.join(known)}" if known else "there are none before the first `up`"
        raise ConfigError(f"no log of a part called {part!r}; {there}")
    if follow:
        sys.exit(subprocess.run(["tail", "-n", "+1", "-F", str(path)], check=False).returncode)
    click.echo(path.read_bytes(), nl=False)


@local.command()
@home_option
@with_local_settings
def reset(settings: LocalSettings, home: Path | None) -> None:
    """Delete all local data; downloads stay."""
    place = Home.of(settings.local, home)
    if place.root.is_dir():
        with place.held():
            end_leftovers(place)
            place.clear()
    click.echo(f"{place.root}: data deleted")


def _show(home: Home, found: Report) -> None:
    console = Console()
    if not found.running:
        console.print(f"{found.home}: not running", highlight=False, soft_wrap=True)
        return
    address = Column("address", min_width=max((len(part.url) for part in found.parts), default=0))
    table = Table("part", "state", address, "restarts", "memory MiB", box=None, pad_edge=False)
    for part in found.parts:
        table.add_row(part.name, part.condition, part.url, str(part.restarts), str(part.memory_mib))
    console.print(table)
    for part in found.parts:
        if part.name == REDSHIFT:
            place, known = urlsplit(part.url), Warehouse()
            how = f"psql -h {place.hostname} -p {place.port} -U {known.user} {known.database}"
            how = f"warehouse {how}; password in {home.warehouse_password}"
            console.print(how, highlight=False, soft_wrap=True)
    hint = "" if Path(found.settings_file) == DEFAULT_FILE.absolute() else f"; export {FILE_VARIABLE} with this path"
    console.print(f"settings {found.settings_file}{hint}", highlight=False, soft_wrap=True)
