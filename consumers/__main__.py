"""`python -m consumers VERB`: what reads the streams."""

import click

from consumers.live_process import run_live
from consumers.settings import LiveSettings
from runtime.command import log_to_stderr, run, stop_on_signals, with_settings


@click.group()
def consumers() -> None:
    """Read the streams into the stores."""


@consumers.command()
@with_settings(LiveSettings)
def live(settings: LiveSettings) -> None:
    """Index orders in OpenSearch as they arrive, until SIGTERM."""
    log_to_stderr()
    run_live(settings, stop_on_signals())


if __name__ == "__main__":
    run(consumers)
