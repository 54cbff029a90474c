"""`python -m consumers rewind`: an application reads again from a time on. It shows what it would do, and does it with
`--write`."""

import datetime as dt
import random
import secrets
import sys
from collections.abc import Sequence

import click
import msgspec
from rich.console import Console
from rich.table import Table

from consumers.fleet.applications import Application, applications_of
from consumers.fleet.look import Looker
from consumers.fleet.picture import few
from consumers.fleet.places import Places
from consumers.fleet.pulse import Pulse, take_pulse
from consumers.fleet.reads import RECORDS_PER_READ, Reads
from consumers.fleet.render import duration
from consumers.fleet.rewind import Outcome, Planner, Rewind, Step, live_shards
from consumers.fleet.settings import FleetSettings
from consumers.fleet.unreachable import naming_the_unreachable
from consumers.sources.kinesis.checkpoints import SHARD_END
from consumers.sources.kinesis.stream import KinesisStream
from consumers.sources.kinesis.table import DynamoDbLeaseTable, TableGone
from runtime.aws import client
from runtime.clock import Clock, SystemClock
from runtime.command import stop_on_signals, with_settings
from runtime.errors import ConfigError
from runtime.outage import Stop
from runtime.when import When

WIDTH = 80  # where nobody looks


@click.command()
@click.option("--application", "name", required=True, help="Its lease table.")
@click.option("--to", "to", type=When(), required=True, help="UTC day or RFC 3339 time of arrival at the stream.")
@click.option("--write", is_flag=True, help="Do it; without this it is only shown.")
@click.option("--force", is_flag=True, help="Also while workers read: they are fenced, and read on from there.")
@click.option("--json", "as_object", is_flag=True, help="One JSON object.")
@with_settings(FleetSettings)
def rewind(settings: FleetSettings, name: str, to: dt.datetime, write: bool, force: bool, as_object: bool) -> None:
    """Send an application back: all that arrived at the stream since --to is read again, and changes nothing that is
    stored already.

    Best between `drain` and `drain --resume`. For live's applications: where cold reads on, its chains of manifests
    say, not its leases.

    Exit code 0: shown, or done. 1: refused, because workers read, or not all was written: run it again. 2: the settings
    or options are wrong. 3: a service could not be reached.
    """
    (application,) = applications_of(settings, [name])
    _require_rewindable(settings, application)
    stop, clock = stop_on_signals(), SystemClock()
    if to > clock.now():
        raise ConfigError(f"--to {to.isoformat()} is in the future")
    with naming_the_unreachable():
        steps, live, outcome = _rewound(settings, application, to, clock, stop, write=write, force=force)
    if as_object:
        click.echo(msgspec.json.encode(_as_object(application, to, steps, live, outcome)))
    else:
        _show(steps, live, outcome, to, _console(), force=force)
    sys.exit(1 if outcome is not None and outcome.refused else 0)


def _require_rewindable(settings: FleetSettings, application: Application) -> None:
    if application.path == "cold":
        raise ConfigError(
            f"{application.name} cannot be rewound: cold reads on where its chains of manifests in S3 end, whatever the"
            " leases say, for a span that is committed is never written twice; to store all that the stream holds"
            " again, give [cold] application another name"
        )
    if settings.streams.transport == "kafka":
        raise ConfigError(
            f"{application.name} is a Kafka group, which Kafka's own tool rewinds: stop its members, then"
            f" kafka-consumer-groups.sh --group {application.name} --topic {application.stream}"
            " --reset-offsets --to-datetime TIME --execute"
        )


def _rewound(
    settings: FleetSettings,
    application: Application,
    to: dt.datetime,
    clock: Clock,
    stop: Stop,
    *,
    write: bool,
    force: bool,
) -> tuple[list[Step], list[str], Outcome | None]:
    """The plan, the shards that live workers hold, and what was written. Raises Outage, ConfigError."""
    at_once = settings.status.looks_at_once
    kinesis = client("kinesis", settings.aws, attempts=1, connections=at_once)
    stream = KinesisStream(kinesis, application.stream, records_per_read=RECORDS_PER_READ)
    table = DynamoDbLeaseTable(client("dynamodb", settings.aws), application.name)
    shards = stream.shards()
    pulse = _pulse(table, application, clock, stop)
    reads = Reads(stream, random.Random(), stop)
    steps = Planner(Places(reads), Looker(reads), at_once=at_once).plan(shards, pulse.leases, to)
    live = live_shards(pulse.leases, pulse.silent)
    if not write:
        return steps, live, None
    me = f"rewind-{secrets.token_hex(4)}"
    return steps, live, Rewind(table, me).write(steps, live=live, force=force)


def _pulse(table: DynamoDbLeaseTable, application: Application, clock: Clock, stop: Stop) -> Pulse:
    try:
        pulse = take_pulse(table, failover_s=application.fleet.failover_s, clock=clock, stop=stop)
    except TableGone:
        pulse = None
    if pulse is None or not pulse.leases:
        raise ConfigError(
            f"{application.name} has no leases, nothing was read yet: where it begins, [fleet] initial_position says"
        )
    if not pulse.is_certain:
        raise ConfigError("stopped before it was known who reads")
    return pulse


def _show(
    steps: Sequence[Step],
    live: Sequence[str],
    outcome: Outcome | None,
    to: dt.datetime,
    console: Console,
    *,
    force: bool,
) -> None:
    going = [step for step in steps if step.to is not None]
    if going:
        console.print(_table(going))
    for step in steps:
        if step.to is None and (step.lease is None or step.lease.checkpoint.rank is not SHARD_END.rank):
            console.print(f"  {step.shard.shard_id} stays: {step.why}", highlight=False, markup=False)
    console.print(_verdict(going, live, outcome, to, force=force), highlight=False, markup=False, style="bold")


def _verdict(
    going: Sequence[Step], live: Sequence[str], outcome: Outcome | None, to: dt.datetime, *, force: bool
) -> str:
    if outcome is not None and outcome.refused:
        done = f"; {len(outcome.rewound)} of {len(going)} shards were rewound" if outcome.rewound else ""
        return f"refused: {outcome.refused}{done}. `drain` first, or --force"
    if not going:
        return f"nothing to do: nothing that was read has arrived since {to.isoformat()}"
    if outcome is not None:
        return f"rewound to {to.isoformat()}: {few(outcome.rewound)}"
    held = f"; workers read {few(live)}: `drain` first, or --force" if live and not force else ""
    return f"nothing is written yet, --write does it{held}"


def _table(going: Sequence[Step]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 1))
    for name in ("shard", "from", "to"):
        table.add_column(name, no_wrap=True, max_width=20)
    table.add_column("span", justify="right", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    for step in going:
        table.add_row(
            step.shard.shard_id.removeprefix("shardId-"),
            _short(step.lease.checkpoint.text if step.lease else "no lease"),
            _short(step.to.text if step.to else ""),
            _span(step),
            "" if step.records is None else f"{'' if step.is_counted else '~'}{step.records:,}",
        )
    return table


def _short(text: str) -> str:
    return f"…{text[-12:]}" if len(text) > 13 and text.isdecimal() else text


def _span(step: Step) -> str:
    if step.since is None or step.until is None:
        return "to its end"
    return duration(max(0.0, (step.until - step.since).total_seconds()))


def _as_object(
    application: Application, to: dt.datetime, steps: Sequence[Step], live: Sequence[str], outcome: Outcome | None
) -> dict[str, object]:
    return {
        "application": application.name,
        "to": to,
        "held_by_live_workers": live,
        "written": outcome is not None and not outcome.refused,
        "refused": outcome.refused if outcome else None,
        "rewound": outcome.rewound if outcome else [],
        "shards": [
            {
                "shard": step.shard.shard_id,
                "from": step.lease.checkpoint.text if step.lease else None,
                "to": step.to.text if step.to else None,
                "why": step.why,
                "read_again_from": step.since,
                "read_again_until": step.until,
                "records": step.records,
                "records_are_counted": step.is_counted,
            }
            for step in steps
        ],
    }


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)
