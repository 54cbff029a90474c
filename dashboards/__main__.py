"""`python -m dashboards VERB`."""

from typing import Any

import click
import msgspec

from contract.figures_page import document, page
from dashboards.board.serve import serve
from dashboards.board.settings import BoardSettings
from dashboards.cloudwatch.command import cloudwatch
from dashboards.opensearch.command import opensearch
from dashboards.preview.command import preview
from dashboards.quicksight.command import quicksight
from runtime.clock import SystemClock
from runtime.command import log_to_stderr, run, stop_on_signals, with_settings


@click.group()
def dashboards() -> None:
    """What business users look at."""


@dashboards.command()
@with_settings(BoardSettings)
def board(settings: Any) -> None:
    """Serve the live board until stopped."""
    log_to_stderr()
    serve(settings, stop_on_signals(), clock=SystemClock(), started=lambda url: click.echo(f"board: {url}"))


@dashboards.command()
@click.option("--json", "as_json", is_flag=True, help="One object: version, figures.")
def figures(as_json: bool) -> None:
    """Print the list of figures: what each means, and how each store computes it. It is docs/figures.md."""
    click.echo(msgspec.json.encode(document()).decode() if as_json else page(), nl=as_json)


dashboards.add_command(cloudwatch)
dashboards.add_command(opensearch)

dashboards.add_command(quicksight)
dashboards.add_command(preview)

if __name__ == "__main__":
    run(dashboards)
