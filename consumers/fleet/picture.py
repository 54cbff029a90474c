"""What an application's workers do, as people and programs are told it."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from consumers.fleet.applications import Application
from consumers.fleet.look import Look
from consumers.fleet.tree import WRONG, Node, State
from runtime.settings import Transport

_FEW = 3


class ShardPicture(msgspec.Struct, kw_only=True):
    """One shard, or partition. What was not looked at, or cannot be known, is null."""

    shard: str
    state: str  # of consumers.fleet.tree.State
    depth: int = 0
    parents: list[str] = []
    children: list[str] = []
    owner: str | None = None
    checkpoint: str | None = None  # as the lease table has it; of Kafka, the committed offset
    sub_sequence: int = 0
    checkpoint_age_s: float | None = None  # since the record at the checkpoint arrived at the stream
    lag_ms: int | None = None  # since the oldest record after it arrived; 0: there is none
    lag_records: int | None = None
    lag_is_counted: bool = True  # no: estimated


class WorkerPicture(msgspec.Struct, kw_only=True):
    """One worker."""

    worker: str
    shards: int  # that it is to read now
    lag_ms: int | None = None  # the longest of them
    is_alive: bool = True


class ApplicationPicture(msgspec.Struct, kw_only=True):
    """One application."""

    application: str
    stream: str
    transport: Transport
    path: Literal["live", "cold"]
    workers: list[WorkerPicture] = []
    shards: list[ShardPicture] = []  # each after its first parent
    wrong: list[str] = []  # what is, a sentence each
    notes: list[str] = []  # what is not wrong
    unreachable: str | None = None  # why nothing could be seen


class FleetPicture(msgspec.Struct, kw_only=True):
    """All applications that were looked at."""

    taken_at: dt.datetime
    verdict: Literal["healthy", "wrong", "unreachable"]
    applications: list[ApplicationPicture]

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 something is wrong, 3 not everything could be looked at, and the rest is healthy."""
        return {"healthy": 0, "wrong": 1, "unreachable": 3}[self.verdict]


def fleet_of(applications: list[ApplicationPicture], taken_at: dt.datetime) -> FleetPicture:
    """With the verdict: what is known to be wrong outweighs what is not known."""
    verdict: Literal["healthy", "wrong", "unreachable"] = "healthy"
    if any(each.wrong for each in applications):
        verdict = "wrong"
    elif any(each.unreachable is not None for each in applications):
        verdict = "unreachable"
    return FleetPicture(taken_at=taken_at, verdict=verdict, applications=applications)


def picture_of(
    application: Application, tree: Sequence[Node], looks: Mapping[str, Look], now: dt.datetime
) -> ApplicationPicture:
    """Of an application on Kinesis. `looks` by shard; those that are absent were not looked at."""
    shards = [_shard(node, looks.get(node.shard_id), now) for node in tree]
    picture = ApplicationPicture(
        application=application.name,
        stream=application.stream,
        transport="kinesis",
        path=application.path,
        workers=workers_of(shards),
        shards=shards,
    )
    picture.wrong = [*_unread(tree), *gaps_in(looks), *behind(shards, application.lag_s)]
    return picture


def workers_of(shards: Iterable[ShardPicture]) -> list[WorkerPicture]:
    """Owners of what is to be read now, by name. A worker that lives and holds nothing leaves no trace anywhere."""
    owned: dict[str, list[ShardPicture]] = defaultdict(list)
    for shard in shards:
        if shard.owner is not None and shard.state in (State.OWNED, State.SILENT):
            owned[shard.owner].append(shard)
    return [
        WorkerPicture(
            worker=owner,
            shards=len(held),
            lag_ms=max((shard.lag_ms for shard in held if shard.lag_ms is not None), default=None),
            is_alive=any(shard.state == State.OWNED for shard in held),
        )
        for owner, held in sorted(owned.items())
    ]


def behind(shards: Iterable[ShardPicture], lag_s: float) -> list[str]:
    """A sentence where records have waited longer than `lag_s`."""
    late = [shard for shard in shards if shard.lag_ms is not None and shard.lag_ms > lag_s * 1000]
    if not late:
        return []
    longest = max(late, key=lambda shard: shard.lag_ms or 0)
    return [
        f"{_counted(late)} behind by more than {lag_s:g} s, {longest.shard} the most:"
        f" {(longest.lag_ms or 0) / 1000:,.0f} s"
    ]


def gaps_in(looks: Mapping[str, Look]) -> list[str]:
    """A sentence for each shard whose stream has trimmed what was not read."""
    return [f"{shard_id}: records are lost: {look.gap}" for shard_id, look in looks.items() if look.gap]


def _unread(tree: Sequence[Node]) -> list[str]:
    if all(node.lease is None for node in tree):
        return ["no worker has ever read the stream: there are no leases"]
    about = {
        State.UNOWNED: "without an owner",
        State.SILENT: "whose owner no longer renews its lease",
        State.MISSING: "to be read, but without a lease",
    }
    found = []
    for state in sorted(WRONG):
        shards = [node.shard_id for node in tree if node.state is state]
        if shards:
            found.append(f"{len(shards)} {noun(len(shards))} {about[state]}: {few(shards)}")
    return found


def _counted(shards: Sequence[ShardPicture]) -> str:
    return f"{len(shards)} {noun(len(shards))} {'is' if len(shards) == 1 else 'are'}"


def noun(count: int) -> str:
    """For a count of shards."""
    return "shard" if count == 1 else "shards"


def few(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"{', '.join(names[:_FEW])}{more}"


def _shard(node: Node, look: Look | None, now: dt.datetime) -> ShardPicture:
    lease = node.lease
    found = ShardPicture(
        shard=node.shard_id,
        state=str(node.state),
        depth=node.depth,
        parents=sorted(node.parents),
        children=sorted(node.children),
        owner=lease.owner if lease else None,
        checkpoint=lease.checkpoint.text if lease else None,
        sub_sequence=lease.checkpoint.sub_sequence if lease else 0,
    )
    if look is not None and look.gap is None:
        found.checkpoint_age_s = None if look.checkpoint_at is None else age_s(look.checkpoint_at, now)
        found.lag_ms = 0 if look.waiting_since is None else round(age_s(look.waiting_since, now) * 1000)
        found.lag_records, found.lag_is_counted = look.records, look.is_counted
    return found


def age_s(since: dt.datetime, now: dt.datetime) -> float:
    """Never below 0: the stream's clock is not ours."""
    return max(0.0, round((now - since).total_seconds(), 3))
