"""`python -m producers agent`: runs the agent until it is told to stop."""

import sys

import click

from producers.agent.attendant import run_attended
from producers.agent.running import opened, spare_the_collector
from producers.agent.settings import AgentSettings
from runtime.clock import SystemClock
from runtime.command import log_to_stderr, stop_on_signals, with_settings


@click.command(name="agent")
@click.option("--once", is_flag=True, help="Send every complete line, then exit: 0 if all is acknowledged.")
@with_settings(AgentSettings)
def agent(settings: AgentSettings, once: bool) -> None:
    """Follow the spool and the web logs, and send their lines to the streams."""
    log_to_stderr()
    stop = stop_on_signals()
    with opened(settings) as roads:
        spare_the_collector()
        drained = run_attended(roads, settings, stop, SystemClock(), once=once)
    if once and not drained:
        sys.exit(1)
