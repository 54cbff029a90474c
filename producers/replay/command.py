"""`python -m producers replay`: an old export into the agent's spool."""

import datetime as dt
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from producers.replay.export import read_export
from producers.replay.job import Job, Pacing, at_full_speed, at_rate, in_step, write
from producers.replay.mapping import load_mapping, shipped_names
from producers.replay.orders import Invoices, invoices_of
from producers.replay.settings import ReplaySettings
from producers.replay.spool import ReplaySpool
from runtime.clock import SystemClock
from runtime.command import stop_on_signals, with_settings
from runtime.errors import ConfigError

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_POSITIVE = click.FloatRange(min=0, min_open=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a replay ended; `--json` prints it."""

    spool: str
    orders: int  # of the job
    lines: int  # order lines of the job
    earlier: int  # orders that were in the spool already
    written: int  # orders appended now
    took_s: float
    finished: bool


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--mapping", "mapping_name", required=True, help=f"{', '.join(shipped_names())}, or a TOML file.")
@click.option("--spool", "folder", type=click.Path(path_type=Path), help="Folder. Default: [agent] spool.")
@click.option("--from", "first", type=_DAY, help="First day, in the shop's time zone.")
@click.option("--to", "last", type=_DAY, help="Last day, included.")
@click.option("--pace", type=_POSITIVE, help="As it happened, this many times as fast (60: an hour in a minute).")
@click.option("--rate", type=_POSITIVE, help="This many orders a second.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N orders of the job.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@with_settings(ReplaySettings)
def replay(
    settings: ReplaySettings,
    file: Path,
    mapping_name: str,
    folder: Path | None,
    first: dt.datetime | None,
    last: dt.datetime | None,
    as_json: bool,
    limit: int | None,
    pace: float | None,
    rate: float | None,
) -> None:
    """Turn an old export FILE (CSV or Parquet) into spool lines, an order a line.

    Stopped or killed, run it again: it goes on where it was. A finished one does nothing. Event ids are the same
    every time, so that orders replayed twice are counted once.
    """
    if pace and rate:
        raise click.UsageError("--pace and --rate exclude each other")
    mapping = load_mapping(mapping_name)
    job = Job(file=file, mapping=mapping, first=first and first.date(), last=last and last.date())
    invoices = invoices_of(read_export(file, mapping), mapping, first=job.first, last=job.last)
    if not invoices.count:
        raise ConfigError(f"{file}: no invoice in it, or none in the days asked for")
    with ReplaySpool((folder or Path(settings.agent.spool)) / job.spool_name()) as spool:
        report = _fill(spool, invoices, limit, pace, rate)
    click.echo(msgspec.json.encode(report).decode() if as_json else _sentence(report))
    if not report.finished:
        sys.exit(1)


def _fill(spool: ReplaySpool, invoices: Invoices, limit: int | None, pace: float | None, rate: float | None) -> Report:
    earlier = spool.lines
    if earlier > invoices.count:
        raise ConfigError(f"spool {spool.path}: holds more lines than the export has invoices; move it away")
    goal = min(limit or invoices.count, invoices.count)
    rest = itertools.islice(invoices.orders(earlier), max(0, goal - earlier))
    clock = SystemClock()
    start_s = clock.monotonic()
    with _progress() as progress:
        bar = progress.add_task("replay", total=goal, completed=min(earlier, goal))
        finished = write(
            rest,
            spool,
            clock=clock,
            wait=stop_on_signals().wait,
            pacing=_pacing(invoices, earlier, pace, rate),
            on_written=lambda orders: progress.advance(bar, orders),
        )
    return Report(
        spool=str(spool.path),
        orders=invoices.count,
        lines=invoices.lines,
        earlier=earlier,
        written=spool.lines - earlier,
        took_s=round(clock.monotonic() - start_s, 3),
        finished=finished,
    )


def _pacing(invoices: Invoices, start: int, pace: float | None, rate: float | None) -> Pacing:
    if rate:
        return at_rate(rate)
    if pace and start < invoices.count:
        return in_step(pace, next(invoices.orders(start)).event_time)
    return at_full_speed


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} orders/s")


def _sentence(report: Report) -> str:
    held = report.earlier + report.written
    if not report.written and report.finished:
        return f"Nothing to do: {report.spool} holds {held:,} of {report.orders:,} orders already."
    end = "Done" if report.finished else "Stopped; run it again to go on"
    took = f"{report.written:,} orders in {report.took_s:,.1f} s"
    return f"{end}: {took}, {held:,} of {report.orders:,} in {report.spool}"
