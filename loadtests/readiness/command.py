"""`python -m loadtests readiness`: whether the planned peak fits, and what breaks first."""

import sys
from dataclasses import asdict
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loadtests.bench.command import measured_now
from loadtests.bench.results import read
from loadtests.readiness.limits import PeakPlan
from loadtests.readiness.measured import BENCHES, capacities_of
from loadtests.readiness.sample import EventSample, lines_of_export, sample_of, typical
from loadtests.readiness.stream import MOST_SHARDS, Step
from loadtests.readiness.verdict import Readiness, assess
from runtime.errors import ConfigError

_RATE = click.FloatRange(min=1, max=1e7)
_COUNT = click.IntRange(min=1, max=10_000)


@click.command()
@click.option("--peak", type=_RATE, required=True, help="Orders/s that are planned for.")
@click.option("--from", "start", type=_RATE, help="Orders/s before the step, the 30-day peak. Default: a tenth.")
@click.option(
    "--step-s", type=click.FloatRange(min=0, max=86_400), default=30.0, show_default=True, help="Of the rise."
)
@click.option(
    "--hold-s", type=click.FloatRange(min=0, max=18_000), default=600.0, show_default=True, help="At the peak."
)
@click.option(
    "--shards", type=click.IntRange(min=1, max=MOST_SHARDS), help="Of the stream. Default: as --from has made."
)
@click.option(
    "--warm", type=_RATE, multiple=True, help="Warm throughput, orders/s; several: compared, the largest holds."
)
@click.option("--hosts", type=_COUNT, default=1, show_default=True, help="Of the shop, an agent each.")
@click.option("--live-workers", type=_COUNT, default=1, show_default=True)
@click.option("--cold-workers", type=_COUNT, default=1, show_default=True)
@click.option("--nodes", type=_COUNT, default=1, show_default=True, help="Of OpenSearch with primary shards.")
@click.option("--fan-out", is_flag=True, help="Live reads by fan-out; cold alone polls.")
@click.option("--plain", is_flag=True, help="Each event a record by itself ([agent] aggregate = false).")
@click.option(
    "--sample", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A spool file of real orders."
)
@click.option("--mapping", help="The sample is an export that `producers replay` takes with this mapping.")
@click.option(
    "--cadence-s", type=click.FloatRange(min=1), default=15.0, show_default=True, help="[keeper] warehouse_cadence."
)
@click.option("--headroom", type=click.FloatRange(min=1), default=1.25, show_default=True, help="Times the peak.")
@click.option("--measure", is_flag=True, help="Measure our parts here and now instead of docs/benchmarks.json.")
@click.option("--json", "as_machine", is_flag=True, help="One JSON object instead of text.")
def readiness(
    peak: float,
    start: float | None,
    step_s: float,
    hold_s: float,
    shards: int | None,
    warm: tuple[float, ...],
    hosts: int,
    live_workers: int,
    cold_workers: int,
    nodes: int,
    fan_out: bool,
    plain: bool,
    sample: Path | None,
    mapping: str | None,
    cadence_s: float,
    headroom: float,
    measure: bool,
    as_machine: bool,
) -> None:
    """Hold a planned peak against the stream, the agents, the consumers, OpenSearch and the warehouse.

    Exit code 0 if it fits with its headroom, 1 if it does not or a part was not measured.
    """
    start = peak / 10 if start is None else start
    if start > peak:
        raise ConfigError(f"--from {start:g} is above --peak {peak:g}: a step leads up")
    plan = PeakPlan(
        step=Step(start=start, peak=peak, step_s=step_s, hold_s=hold_s),
        shards=shards or 0,
        headroom=headroom,
        hosts=hosts,
        live_workers=live_workers,
        cold_workers=cold_workers,
        nodes=nodes,
        polling_readers=1 if fan_out else 2,
        cadence_s=cadence_s,
    )
    events = _sample(sample, mapping, aggregate=not plain)
    capacities = capacities_of(measured_now(BENCHES) if measure else read(), aggregate=not plain)
    found = assess(plan, events, capacities, warm=warm)
    click.echo(msgspec.json.encode(asdict(found)).decode()) if as_machine else _show(found, measure)
    if not found.fits:
        sys.exit(1)


def _sample(file: Path | None, mapping: str | None, *, aggregate: bool) -> EventSample:
    if file is None:
        if mapping:
            raise ConfigError("--mapping says how --sample FILE is read: name the export too")
        return typical(aggregate=aggregate)
    if mapping:
        return sample_of(lines_of_export(file, mapping), aggregate=aggregate)
    with file.open("rb") as lines:
        return sample_of(lines, aggregate=aggregate)


def _show(found: Readiness, is_measured: bool) -> None:
    console = Console()
    console.print(_parts(found))
    console.print(_options(found))
    skew = found.hottest_shard / found.even_share - 1
    console.print(f"the hottest shard gets {found.hottest_shard:.1%} of all events, {skew:.0%} above an even share")
    if found.first and found.first.rate:
        console.print(f"\nfirst to break: {found.first.part}, at {found.first.rate:,.0f}/s: {found.first.breaks}")
    for limit in found.short:
        console.print(f"- {limit.part}: {escape(limit.advice)}")
    if found.unknown:
        names = ", ".join(limit.part for limit in found.unknown)
        why = "never measured; --measure, or `python -m loadtests bench all --write` once"
        console.print(f"- {names}: {'could not be measured here; stderr says why' if is_measured else why}")
    console.print(
        "[green]the peak fits[/]"
        if found.fits
        else "[red]THE PEAK DOES NOT FIT[/]"
        if found.short
        else "[red]NOT KNOWN: parts were not measured[/]"
    )


def _parts(found: Readiness) -> Table:
    shown = Table(title=f"{found.peak:,.0f} orders/s, {found.wanted:,.0f} with headroom", title_justify="left")
    for column in ("part", "takes/s", "source"):
        shown.add_column(column, justify="right" if column == "takes/s" else "left")
    for limit in found.limits:
        is_enough = limit.rate is not None and limit.rate >= found.wanted
        rate = "not known" if limit.rate is None else f"{limit.rate:,.0f}"
        shown.add_row(limit.part, f"[{'green' if is_enough else 'red'}]{rate}[/]", limit.source)
    return shown


def _options(found: Readiness) -> Table:
    shown = Table(title="the stream during the step", title_justify="left")
    for column in ("stream", "shards", "takes/s", "throttles at", "for", "longest wait", "shards then"):
        shown.add_column(column, justify="left" if column == "stream" else "right")
    for option in found.options:
        step = option.step
        first = "never" if step.at_rate is None else f"{step.at_rate:,.0f}/s after {step.at_s:.0f} s"
        shown.add_row(
            option.name,
            str(option.shards),
            f"{option.holds_up_to:,.0f}",
            first,
            f"{'' if step.is_over else 'over '}{step.lasts_s:,.0f} s",
            f"{step.longest_wait_s:,.0f} s",
            str(step.shards_after),
        )
    return shown
