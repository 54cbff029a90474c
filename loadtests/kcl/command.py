"""`python -m loadtests peer-kcl`: one lease table with the Java KCL."""

import sys

import click
from rich.console import Console

from infra.local.settings import LocalSettings
from loadtests.kcl.check import check
from loadtests.kcl.history import Kind
from loadtests.kcl.java import RELEASES
from runtime.command import with_settings


@click.command("peer-kcl")
@click.option("--release", type=click.Choice(RELEASES), multiple=True, default=RELEASES, help="Default: all of them.")
@click.option(
    "--first",
    type=click.Choice(["java", "python"]),
    multiple=True,
    default=["java", "python"],
    help="Who starts first.",
)
@with_settings(LocalSettings)
def peer_kcl(settings: LocalSettings, release: tuple[str, ...], first: tuple[Kind, ...]) -> None:
    """Share a lease table with the Java KCL: joins, a split, kills, stops. Exit code 0 if all went well."""
    if not check(settings, release, first, Console()):
        sys.exit(1)
