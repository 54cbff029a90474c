"""`python -m dashboards opensearch export | import | diff`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from dashboards.opensearch.objects import saved_objects
from dashboards.opensearch.saved import ndjson
from dashboards.opensearch.service import Service
from dashboards.opensearch.settings import OpenSearchDashboardsSettings
from runtime.command import with_settings
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.whole_file import write_whole

T = TypeVar("T")


@click.group()
def opensearch() -> None:
    """Index patterns, visualisations and dashboards of OpenSearch Dashboards, from the list of figures."""


@opensearch.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
def export(file: Path | None) -> None:
    """Write the saved objects as NDJSON to FILE, or to stdout: what `Import` in Dashboards takes."""
    content = ndjson(saved_objects())
    if file is None:
        click.echo(content, nl=False)
        return
    try:
        write_whole(file, content)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; name another file") from error


@opensearch.command(name="import")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings(OpenSearchDashboardsSettings)
def import_(settings: OpenSearchDashboardsSettings, as_json: bool) -> None:
    """Put them over what is there; again changes nothing. Exit code 1: some were refused, 3: the server is away."""
    objects = saved_objects()
    refused = _asked(lambda: _service(settings).put(objects))
    if as_json:
        click.echo(msgspec.json.encode({"imported": len(objects) - len(refused), "refused": refused}))
    else:
        for each in refused:
            click.echo(f"refused: {each.what}: {each.why}", err=True)
        click.echo(f"{len(objects) - len(refused)} of {len(objects)} objects imported")
    sys.exit(1 if refused else 0)


@opensearch.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings(OpenSearchDashboardsSettings)
def diff(settings: OpenSearchDashboardsSettings, as_json: bool) -> None:
    """Say which objects are missing or differ. Exit code 1: some do, 3: the server is away."""
    objects = saved_objects()
    found = _asked(lambda: _service(settings).differences(objects))
    if as_json:
        click.echo(msgspec.json.encode({"differences": found}))
    else:
        for each in found:
            click.echo(f"{each.what}: {each.how}{': ' + ', '.join(each.details) if each.details else ''}")
        if not found:
            click.echo(f"all {len(objects)} objects are as in the list")
    sys.exit(1 if found else 0)


def _service(settings: OpenSearchDashboardsSettings) -> Service:
    return Service(settings.opensearch_dashboards, settings.aws)


def _asked(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Outage as outage:
        click.echo(f"error: {outage}; check that it runs, and run this again", err=True)
        sys.exit(3)
