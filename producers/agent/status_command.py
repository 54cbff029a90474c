"""`python -m producers status`: how far the agent is, read from its state folder; the agent does not notice."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from producers.agent.positions import Position, positions
from producers.agent.report import FRESH_S, AgentReport, RoadReport, read_report
from producers.agent.running import globs_of, stream_names
from producers.agent.settings import AgentSettings
from producers.agent.state import Kind
from runtime.clock import SystemClock
from runtime.command import with_settings

_WIDTH = 5_000  # where nobody looks, no path is cut


@click.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
@with_settings(AgentSettings)
def status(settings: AgentSettings, as_json: bool) -> None:
    """Show the files that the agent follows, how far each is sent, and what goes wrong."""
    folder, now = Path(settings.agent.state).absolute(), SystemClock().now()
    report = read_report(folder)
    names = stream_names(settings.streams)
    kinds = []
    for kind, globs in globs_of(settings.agent).items():
        road = next((road for road in report.roads if road.kind == kind), None) if report else None
        kinds.append(_kind(kind, names[kind], positions(folder, kind, globs), road, now))
    is_running = report is not None and _runs(report, now)
    if as_json:
        unwell = report.unwell() if report is not None and is_running else []
        click.echo(msgspec.json.encode({"running": is_running, "unwell": unwell, "agent": report, "kinds": kinds}))
    else:
        _show(report if is_running else None, kinds)


def _kind(kind: Kind, stream: str, files: Sequence[Position], road: RoadReport | None, now: datetime) -> dict[str, Any]:
    lag = sum(position.lag_bytes for position in files if position.condition != "gone")
    since = road.caught_up_at if road else None
    return {
        "kind": kind,
        "stream": stream,
        "lag_bytes": lag,
        # Since when some line waits: at most this long. Unknown where no agent has ever caught up.
        "lag_s": 0.0 if not lag else None if since is None else round((now - since).total_seconds(), 1),
        "files": files,
    }


def _runs(report: AgentReport, now: datetime) -> bool:
    return (
        (now - report.at).total_seconds() < FRESH_S
        and Path(f"/proc/{report.pid}").exists()
        and report.pid != os.getpid()
    )


def _show(report: AgentReport | None, kinds: Sequence[dict[str, Any]]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(
        "agent: " + (f"runs, process {report.pid}, since {report.started_at:%F %T} UTC" if report else "does not run")
    )
    for found in kinds:
        lag_s = found["lag_s"]
        lag = "unknown" if lag_s is None else f"{lag_s:g} s"
        console.print(
            f"\n{found['kind']} -> {found['stream']}: {found['lag_bytes']:,} bytes behind, {lag}", markup=False
        )
        for road in report.roads if report else ():
            if road.kind == found["kind"]:
                _show_road(console, road)
        table = Table("file", "", "sent up to", "size", "behind", box=None, pad_edge=False)
        table.columns[0].overflow = "fold"
        for column in table.columns[2:]:
            column.justify = "right"
        for file in found["files"]:
            numbers = (f"{number:,}" for number in (file.offset, file.size, file.lag_bytes))
            table.add_row(file.path, "" if file.condition == "followed" else file.condition, *numbers)
        if table.row_count:
            console.print(table, markup=False)


def _show_road(console: Console, road: RoadReport) -> None:
    rate = f"{road.lines_a_s:g} lines/s, {road.bytes_a_s:,.0f} bytes/s; {road.lines:,} lines since the start"
    console.print(f"  {road.condition}: {rate}", markup=False)
    for path, why in road.unreadable.items():
        console.print(f"  not read: {path}: {why}", markup=False)
    for trouble in road.errors:
        console.print(f"  {trouble.at:%F %T} {trouble.text}", markup=False)
