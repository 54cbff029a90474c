"""The exit code of commands whose services are away."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from runtime.outage import Outage

EXIT_UNREACHABLE = 3


@contextmanager
def naming_the_unreachable() -> Iterator[None]:
    """An Outage becomes one line on stderr and exit code 3."""
    try:
        yield
    except Outage as outage:
        click.echo(f"error: {outage}; run this again once it answers", err=True)
        sys.exit(EXIT_UNREACHABLE)
