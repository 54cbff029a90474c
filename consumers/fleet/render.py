"""The fleet for people, in 80 columns. What is cut short there is whole in `--json`."""

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from consumers.fleet.picture import ApplicationPicture, FleetPicture, ShardPicture, WorkerPicture, noun
from consumers.fleet.tree import State

_STYLES = {"healthy": "bold green", "wrong": "bold red", "unreachable": "bold yellow"}
_STATE_STYLES = {State.SILENT: "red", State.UNOWNED: "red", State.MISSING: "red", State.WAITS: "dim"}
_DIGITS = 8  # of a sequence number, its last: those of one shard begin alike for days
_SHARD_PREFIX = "shardId-"
_OWNER = 22
_WORKER = 48
_MOST_WORKERS = 20
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3_600, 60


def show_fleet(fleet: FleetPicture, *, everything: bool) -> RenderableType:
    """`everything`: finished shards too, also those that nothing waits for."""
    parts: list[RenderableType] = []
    for application in fleet.applications:
        parts += [*_application(application, everything=everything), Text()]
    wrong = sum(len(each.wrong) for each in fleet.applications)
    away = [each.application for each in fleet.applications if each.unreachable is not None]
    verdicts = {
        "healthy": "healthy",
        "wrong": f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong",
        "unreachable": f"could not be looked at: {', '.join(away)}",
    }
    return Group(*parts, Text(verdicts[fleet.verdict], style=_STYLES[fleet.verdict]))


def print_fleet(fleet: FleetPicture, console: Console, *, everything: bool) -> None:
    """See `show_fleet`."""
    console.print(show_fleet(fleet, everything=everything))


def _application(application: ApplicationPicture, *, everything: bool) -> Iterator[RenderableType]:
    heading = f"{application.application} reads {application.transport} {application.stream}"
    yield Text(heading, style="bold", overflow="fold")
    if application.unreachable is not None:
        yield Text(f"  not looked at: {application.unreachable}", style="yellow")
        return
    if application.workers:
        yield _workers(application.workers)
    shown, hidden = _shown(application.shards, everything=everything)
    if shown:
        yield _shards(shown)
    if hidden:
        yield Text(f"  {hidden} finished {noun(hidden)} that nothing waits for; --all shows", style="dim")
    for note in application.notes:
        yield Text(f"  {note}", style="dim")
    for sentence in application.wrong:
        yield Text(f"  WRONG: {sentence}", style="red")


def _shown(shards: Sequence[ShardPicture], *, everything: bool) -> tuple[list[ShardPicture], int]:
    """Without the finished ones all of whose children are finished or read: a stream that grew has hundreds."""
    waiting = {parent for shard in shards if shard.state == State.WAITS for parent in shard.parents}
    shown = [shard for shard in shards if everything or shard.state != State.FINISHED or shard.shard in waiting]
    return shown, len(shards) - len(shown)


def _workers(workers: Sequence[WorkerPicture]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 1))
    table.add_column("worker", no_wrap=True)
    table.add_column("shards", justify="right")
    table.add_column("lag", justify="right")
    table.add_column("")
    for worker in workers[:_MOST_WORKERS]:
        silent = "" if worker.is_alive else "silent"
        table.add_row(_ends(worker.worker, _WORKER), str(worker.shards), _lag(worker.lag_ms), Text(silent, style="red"))
    if len(workers) > _MOST_WORKERS:
        table.add_row(f"and {len(workers) - _MOST_WORKERS} more", "", "", "")
    return table


def _shards(shards: Sequence[ShardPicture]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 1))
    table.add_column("shard", no_wrap=True, max_width=20)
    table.add_column("owner", no_wrap=True, max_width=_OWNER)
    table.add_column("lag", justify="right", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("checkpoint", justify="right", no_wrap=True)
    table.add_column("age", justify="right", no_wrap=True)
    base = min(shard.depth for shard in shards)
    for shard in shards:
        table.add_row(
            f"{'  ' * (shard.depth - base)}{shard.shard.removeprefix(_SHARD_PREFIX)}",
            _owner(shard),
            _lag(shard.lag_ms),
            _records(shard),
            _checkpoint(shard),
            "" if shard.checkpoint_age_s is None else duration(shard.checkpoint_age_s),
        )
    return table


def _owner(shard: ShardPicture) -> Text:
    if shard.state == State.OWNED:
        return Text(_ends(shard.owner or "", _OWNER))
    if shard.state == State.SILENT:
        return Text(f"silent: {_ends(shard.owner or '', _OWNER - 8)}", style="red")
    more = sorted(shard.parents)[1:] if shard.state == State.WAITS else []
    also = f", {more[0].removeprefix(_SHARD_PREFIX)} too" if more else ""
    return Text(f"({shard.state}{also})", style=_STATE_STYLES.get(State(shard.state), ""))


def _ends(name: str, width: int) -> str:
    """Beginning and end: workers of one fleet differ in the random part that theirs end with."""
    return name if len(name) <= width else f"{name[: width - 9]}…{name[-8:]}"


def _lag(lag_ms: int | None) -> str:
    return "" if lag_ms is None else duration(lag_ms / 1000)


def _records(shard: ShardPicture) -> str:
    if shard.lag_records is None:
        return ""
    return f"{'' if shard.lag_is_counted else '~'}{shard.lag_records:,}"


def _checkpoint(shard: ShardPicture) -> str:
    text = shard.checkpoint or ""
    if not text.isdecimal() or len(text) <= _DIGITS + 1:
        return text
    return f"…{text[-_DIGITS:]}" + (f":{shard.sub_sequence}" if shard.sub_sequence else "")


def duration(seconds: float) -> str:
    """Two figures that matter: `0 s`, `0.4 s`, `42 s`, `3 min`, `5 h`, `2 d`."""
    for unit_s, name in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{seconds:.0f} s"
