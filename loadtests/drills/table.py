"""All drills."""

import dataclasses
import random
from datetime import datetime, timedelta
from typing import Any

import psutil

from consumers.sinks.opensearch.connection import connect
from contract.reasons import Reason
from contract.reference import Price
from infra.local import ministack, pipeline
from infra.local.opensearch import node
from infra.local.stack import PARTS, REDSHIFT
from loadtests.drills import signs
from loadtests.drills.drill import Drill, Load, Order
from loadtests.drills.faults import Rule
from loadtests.drills.ground import Ground
from loadtests.sale.planted import text_of
from producers.reference.publish import publish
from producers.reference.reading import read_entries
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.objects.s3 import S3Objects

# Not ministack: it stands in for S3 and DynamoDB, which keep what they have acknowledged, but it writes its tables to
# disk at SIGTERM only. Killed, it would lose what no caller can be asked to keep: it restarts in good order instead.
KILLED = (
    *(part for part in PARTS if part != ministack.NAME),
    *(pipeline.AGENT, pipeline.LIVE, pipeline.COLD, pipeline.KEEPER, pipeline.BOARD, pipeline.STOREFRONT),
)
_NEW_SKU, _NEW_PRICE = "KT-LATE", 777
_NO_ROOM = 1  # bytes: every write to a file of that size or more is refused by the kernel, as on a full disk
# One key's shard takes 1 MiB a second: 100 orders of 16 KiB are half as much again, and few for the stores.
_HOT_PER_S, _HOT_BYTES = 100.0, 16 << 10


def _killed(name: str) -> Drill:
    return Drill(
        name=f"kill-{name}",
        expected=f"{name} is back by itself; whoever talks to it waits, and nothing is lost",
        sign=signs.restarts(name),
        provoke=lambda ground: ground.kill(name),
        undo=lambda ground: ground.await_back(name),
        hold_s=0.0,  # recovery is timed from the signal
    )


def _away(name: str, part: str, expected: str, *, hold_s: float) -> Drill:
    return Drill(
        name=name,
        expected=expected,
        sign=signs.silence(part),
        provoke=lambda ground: ground.stop(part),
        undo=lambda ground: ground.start(part),
        hold_s=hold_s,
    )


def _failing(name: str, rule: Rule, expected: str) -> Drill:
    return Drill(
        name=name,
        expected=expected,
        sign=signs.refusals(rule.service),
        provoke=lambda ground: ground.fail(rule),
        undo=lambda ground: ground.fail(),
        hold_s=60.0,
    )


def _split(ground: Ground) -> None:
    """On-demand streams are split by AWS alone: this one is provisioned from here on."""
    kinesis = client("kinesis", ground.settings.aws)
    stream = ground.settings.streams.transactions
    described = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    if described["StreamModeDetails"]["StreamMode"] == "ON_DEMAND":
        kinesis.update_stream_mode(StreamARN=described["StreamARN"], StreamModeDetails={"StreamMode": "PROVISIONED"})
        _await_active(kinesis, stream)
    kinesis.update_shard_count(
        StreamName=stream, TargetShardCount=described["OpenShardCount"] * 2, ScalingType="UNIFORM_SCALING"
    )
    _await_active(kinesis, stream)


def _await_active(kinesis: Any, stream: str) -> None:
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def _pause_live(ground: Ground) -> None:
    ground.second_live()
    ground.pause(pipeline.LIVE)


def _resume_live(ground: Ground) -> None:
    ground.go_on(pipeline.LIVE)
    ground.stack.wait(5.0)  # both believe in the same leases for a moment: that is the drill
    ground.end_second_live()


def _room(ground: Ground, name: str, nbytes: int) -> None:
    ground.process(name).rlimit(psutil.RLIMIT_FSIZE, (nbytes, psutil.RLIM_INFINITY))


def _flood_stage(ground: Ground, blocked: bool | None) -> None:
    """What OpenSearch does to its indices by itself once its disk is nearly full."""
    search = connect(ground.settings.opensearch)
    settings = {"index.blocks.read_only_allow_delete": blocked}
    lenient = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    search.indices.put_settings(index="orders-*,letters-*", body=settings, params=lenient)
    search.close()


def _clock_off(order: Order, rng: random.Random) -> Reason | None:
    """A third two hours ahead, a third two hours behind: the latter are late, and stored."""
    turn = rng.randrange(3)
    by = timedelta(hours=(0, 2, -2)[turn])
    order["event_time"] = text_of(datetime.fromisoformat(order["event_time"]) + by)
    return Reason.FUTURE_TIME if turn == 1 else None


def _late_sku(order: Order, rng: random.Random) -> Reason | None:
    """A quarter buys what no published catalogue has yet. Accepted in the end."""
    if rng.random() < 0.25:
        line = {"sku": _NEW_SKU, "quantity": 1, "unit_price": _NEW_PRICE}
        order["lines"].append(line)
        order["total"] += _NEW_PRICE
    return None


def _padded(order: Order, rng: random.Random) -> Reason | None:
    """With a field that no schema knows, which is stored as it is."""
    order["remarks"] = "-" * _HOT_BYTES
    return None


def _publish_late(ground: Ground) -> None:
    """In force two minutes later, and the keeper sends again what was refused."""
    settings = ground.settings
    objects = S3Objects(client("s3", settings.aws), settings.reference.bucket, setting="[reference] bucket")
    entries = [entry for entry in read_entries(ground.home.catalogue, "catalogue") if entry.sku != _NEW_SKU]
    added = Price(sku=_NEW_SKU, currency="GBP", price=_NEW_PRICE)
    publish("catalogue", [*entries, added], objects, SystemClock())


_LATE_LIST = Drill(
    name="late-catalogue",
    expected="orders for an unknown SKU are letters; once the catalogue is in force the keeper sends them again",
    sign=signs.mended(share=0.2),
    undo=_publish_late,
    hold_s=10.0,
    recover_s=420.0,
    load=Load(alter=_late_sku),
)

DRILLS = {
    drill.name: drill
    for drill in (
        *map(_killed, KILLED),
        _away("opensearch-away", node.NAME, "live waits and the board says so; cold goes on", hold_s=60.0),
        _away(
            "ministack-restarting",
            ministack.NAME,
            "what needs S3 or DynamoDB waits; leases are found again",
            hold_s=10.0,
        ),
        _failing("s3-away", Rule(service="s3", fault="away"), "cold, keeper and COPY wait; live goes on"),
        _failing(
            "dynamodb-throttled",
            Rule(service="dynamodb", fault="throttle", share=0.8),
            "leases are renewed on a later try; at worst they change hands",
        ),
        _away("redshift-restarting", REDSHIFT, "the lake goes on filling; the warehouse catches up", hold_s=15.0),
        Drill(
            name="split-under-load",
            expected="children are read after their parents, whoever holds them",
            sign=signs.shards(),
            provoke=_split,
        ),
        Drill(
            name="worker-paused",
            expected="another worker takes over; the one that wakes up stops without a checkpoint",
            sign=signs.leases_taken(),
            provoke=_pause_live,
            undo=_resume_live,
            hold_s=30.0,
            short_s=20.0,
        ),
        Drill(
            name="agents-disk-full",
            expected="the agent cannot write its checkpoints, and goes on; once there is room it says what was",
            sign=signs.said(pipeline.AGENT, "disk: well again", is_of_the_end=True),  # its log was on the full disk
            provoke=lambda ground: _room(ground, pipeline.AGENT, _NO_ROOM),
            undo=lambda ground: _room(ground, pipeline.AGENT, psutil.RLIM_INFINITY),
            hold_s=30.0,
        ),
        Drill(
            name="opensearchs-disk-full",
            expected="OpenSearch blocks writing; live waits until there is room",
            sign=signs.said(pipeline.LIVE, "cluster_block_exception"),
            provoke=lambda ground: _flood_stage(ground, True),
            undo=lambda ground: _flood_stage(ground, None),
            hold_s=30.0,
        ),
        Drill(
            name="clock-off",
            expected="what is ahead is refused as future_time; what is behind is stored, flagged as late",
            sign=signs.letters(reason=Reason.FUTURE_TIME, share=0.25),
            load=Load(alter=_clock_off),
        ),
        Drill(
            name="poison-flood",
            expected="30 % are letters, each for its reason; the others do not notice",
            sign=signs.letters(share=0.25),
            load=Load(planted=0.3, times=2.0),
        ),
        Drill(
            name="hot-key",
            expected="one shard gets more than it takes, and throttles; the rest waits on the agent's disk",
            sign=signs.throttles(),
            load=Load(customer_id="C-7", per_s=_HOT_PER_S, alter=_padded),
        ),
        _LATE_LIST,
    )
}

SHORT = ("opensearch-away", "s3-away", "worker-paused")


def short(drill: Drill) -> Drill:
    """The same, in less time."""
    return dataclasses.replace(drill, hold_s=min(drill.hold_s, drill.short_s))
