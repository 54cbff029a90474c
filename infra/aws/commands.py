"""`python -m infra.aws VERB`: storepulse on AWS."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from infra.aws.inputs import Inputs, for_deployment, for_synth, inputs
from infra.aws.profiles import PROFILES, Profile
from runtime.errors import ConfigError

OUT = Path("build/aws")


@click.group(help=__doc__)
def aws() -> None:
    pass


def _for_deployment(command: Callable[..., Any]) -> Callable[..., Any]:
    profile = click.option("--profile", "profile_name", type=click.Choice(sorted(PROFILES)), required=True)
    context = click.option(
        "-c",
        "context",
        multiple=True,
        metavar="KEY=VALUE",
        help="account, region, suffix, email, ... Default: STOREPULSE_DEPLOY_KEY.",
    )
    return profile(context(command))


@aws.command()
@_for_deployment
@click.option("--out", type=click.Path(path_type=Path), default=OUT, help="Folder of the templates.")
@click.option("--unchecked", is_flag=True, help="Without cdk-nag, which takes most of the time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def synth(profile_name: str, context: tuple[str, ...], out: Path, unchecked: bool, as_json: bool) -> None:
    """Write the templates. Needs no account, no network, no docker."""
    profile = PROFILES[profile_name]
    chosen = for_synth(inputs(context, os.environ), profile, _say)
    assembly, stacks = synthesise(profile, chosen, out, checked=not unchecked)
    if as_json:
        click.echo(msgspec.json.encode({"profile": profile.name, "assembly": str(assembly), "stacks": stacks}))
    else:
        click.echo(f"{assembly}: {len(stacks)} stacks")


@aws.command()
@_for_deployment
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def preflight(profile_name: str, context: tuple[str, ...], as_json: bool) -> None:
    """Ask AWS what would stop a deployment. Exit code 0 when nothing would, else 1."""
    from infra.aws.preflight import preflight as look

    profile = PROFILES[profile_name]
    chosen = for_deployment(inputs(context, os.environ), profile)
    found = look(profile, chosen, _clients(chosen))
    if as_json:
        click.echo(msgspec.json.encode({"findings": [each._asdict() for each in found]}))
    else:
        for each in found:
            click.echo(f"{each.what}: {each.remedy}")
        click.echo("nothing was changed" if found else "nothing stands in the way")
    sys.exit(1 if found else 0)


@aws.command()
@_for_deployment
def diff(profile_name: str, context: tuple[str, ...]) -> None:
    """Show what a deployment would change."""
    from infra.aws.deploying import diff as show

    profile = PROFILES[profile_name]
    chosen = for_deployment(inputs(context, os.environ), profile)
    _refuse(profile, chosen)
    assembly, _ = synthesise(profile, chosen, OUT)
    sys.exit(show(assembly))


@aws.command()
@_for_deployment
@click.option("--yes", is_flag=True, help="Ask nobody about wider rights.")
def deploy(profile_name: str, context: tuple[str, ...], yes: bool) -> None:
    """Deploy stack by stack, after a preflight; say where it stopped. Exit code 0 only if all of it is deployed."""
    from infra.aws.deploying import cli
    from infra.aws.deploying import deploy as bring
    from infra.aws.preflight import lacks

    profile = PROFILES[profile_name]
    chosen = for_deployment(inputs(context, os.environ), profile)
    cli()
    _refuse(profile, chosen)
    assembly, stacks = synthesise(profile, chosen, OUT)
    _say(f"to account {chosen.account}, {chosen.region}, in this order: {', '.join(stacks)}")
    clients = _clients(chosen)
    sys.exit(bring(assembly, stacks, _say, approve=yes, lacks=lambda stack: lacks(stack, clients)))


@aws.command()
@_for_deployment
@click.option("--yes", is_flag=True, help="Do not ask.")
def destroy(profile_name: str, context: tuple[str, ...], yes: bool) -> None:
    """Take a deployment away that may be thrown away, with all its data."""
    from infra.aws.deploying import cli
    from infra.aws.deploying import destroy as take_away

    profile = PROFILES[profile_name]
    if profile.keeps_data:
        raise ConfigError(f"{profile.name} keeps its data: take its stacks away by hand, as docs/deploy.md says")
    chosen = for_deployment(inputs(context, os.environ), profile)
    cli()
    if not yes:
        click.confirm(f"delete every stack and all data of {profile.name} in account {chosen.account}?", abort=True)
    assembly, _ = synthesise(profile, chosen, OUT, checked=False)
    sys.exit(take_away(assembly))


def synthesise(profile: Profile, chosen: Inputs, out: Path, *, checked: bool = True) -> tuple[Path, list[str]]:
    """The folder of the templates, and the stacks in the order of their needs.

    Raises ConfigError where cdk-nag finds what nobody has acknowledged.
    """
    node = Path(sys.executable).with_name("node")
    if node.exists():
        os.environ.setdefault("JSII_NODE", str(node))  # read when the CDK is imported
    from infra.aws.application import application

    folder = (out / profile.name).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    app = application(profile, chosen, folder, checked=checked)
    try:
        assembly = app.synth()
    except RuntimeError as error:
        raise ConfigError(f"cdk-nag: {error}") from error
    return folder, [stack.stack_name for stack in assembly.stacks]


def _clients(chosen: Inputs) -> Callable[[str], Any]:
    from runtime.aws import client
    from runtime.settings import Aws

    return lambda service: client(service, Aws(region=chosen.region))


def _refuse(profile: Profile, chosen: Inputs) -> None:
    from infra.aws.preflight import preflight as look

    found = look(profile, chosen, _clients(chosen))
    if found:
        raise ConfigError("nothing was changed: " + "; ".join(f"{each.what} ({each.remedy})" for each in found))


def _say(text: str) -> None:
    click.echo(text, err=True)
