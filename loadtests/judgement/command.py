"""`python -m loadtests judge FILE`: what the judge of a shop's days makes of a real shop's."""

from datetime import datetime
from pathlib import Path

import click
import msgspec

from loadtests.judgement.verdicts import judge_month, sentences


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), default="2011-11-01", show_default=True)
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), default="2011-11-30", show_default=True)
@click.option("--json", "as_machine", is_flag=True, help="One JSON object instead of text.")
def judge(file: Path, first: datetime, last: datetime, as_machine: bool) -> None:
    """Judge days of the Online Retail export FILE by what the days before have taught, with errors planted beside."""
    found = judge_month(file, first.date(), last.date())
    click.echo(msgspec.json.encode(found).decode() if as_machine else sentences(found))
