"""What shows that a fault was in force: a drill whose fault never happened has proven nothing."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil
from botocore.exceptions import BotoCoreError, ClientError
from opensearchpy import OpenSearchException

from consumers.sinks.opensearch.connection import connect
from consumers.sources.kinesis.table import DynamoDbLeaseTable, TableGone
from contract.reasons import Reason
from loadtests.drills.ground import SECOND_LIVE, Ground
from loadtests.proof import costs
from loadtests.sale.day import NAMESPACE
from runtime.aws import client
from runtime.errors import ConfigError
from runtime.outage import Outage

# What hands and eyes meet on a ground where things fail on purpose.
TROUBLE = (ConfigError, Outage, ClientError, BotoCoreError, OpenSearchException, psutil.Error, OSError)
_THROTTLED = "ProvisionedThroughputExceededException"
_KNOCK_S = 1.0
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A number that grows because of the fault, and of nothing else in the drill."""

    what: str  # is counted
    count: Callable[[Ground], int]  # may raise any of TROUBLE
    is_of_the_end: bool = False  # seen only after the fault was ended; else it has to be seen before
    share: float = 0.0  # fewer than that of the drill's lines are none
    within_s: float = 60.0  # longest wait for it

    def times(self, ground: Ground, before: int, *, lines: int = 0) -> int:
        """How much more than `before`, as soon as it is some, or the wait is over: 0. Raises nothing of TROUBLE."""
        for _ in range(1 + round(self.within_s / _LOOK_S)):
            try:
                more = self.count(ground) - before
            except TROUBLE:
                more = 0  # not to be told just now
            if more > 0 and more >= self.share * lines:
                return more
            if ground.stack.wait(_LOOK_S):
                break
        return 0


def refusals(service: str) -> Sign:
    """By the gateway."""
    return Sign(what=f"requests to {service} refused", count=lambda ground: ground.refused().get(service, 0))


def restarts(part: str) -> Sign:
    """By the supervisor."""
    return Sign(what=f"restarts of {part}", count=lambda ground: ground.part(part).restarts, is_of_the_end=True)


def silence(part: str) -> Sign:
    """Of a part that was stopped: whoever knocks at its port is refused."""

    def refused(ground: Ground) -> int:
        stopped = ground.stopped(part)
        if stopped is None:
            return 0
        place = urlsplit(stopped.url)
        try:
            socket.create_connection((place.hostname, place.port), _KNOCK_S).close()
        except ConnectionRefusedError:
            return 1
        return 0

    return Sign(what=f"connections to {part} refused", count=refused)


def shards() -> Sign:
    """Open ones of the stream of orders."""

    def opened(ground: Ground) -> int:
        kinesis = client("kinesis", ground.settings.aws)
        described = kinesis.describe_stream_summary(StreamName=ground.settings.streams.transactions)
        return int(described["StreamDescriptionSummary"]["OpenShardCount"])

    return Sign(what="more shards open", count=opened)


def leases_taken() -> Sign:
    """By the second worker, while the first one stands still."""

    def taken(ground: Ground) -> int:
        settings = ground.settings
        table = DynamoDbLeaseTable(client("dynamodb", settings.aws), settings.live.application)
        try:
            leases = table.read_all()
        except TableGone:  # nobody has read yet
            return 0
        return sum((lease.owner or "").startswith(f"{SECOND_LIVE}-") for lease in leases)

    return Sign(what=f"leases taken over by {SECOND_LIVE}", count=taken)


def said(part: str, text: str, *, is_of_the_end: bool = False) -> Sign:
    """In the log of a part that lives on."""

    def lines(ground: Ground) -> int:
        log = ground.home.log_of(part).read_text(encoding="utf-8", errors="replace")
        return sum(text in line for line in log.splitlines())

    return Sign(what=f"lines of {part}'s log with {text!r}", count=lines, is_of_the_end=is_of_the_end)


def letters(*, reason: Reason | None = None, share: float) -> Sign:
    """In OpenSearch; `reason` None: for any."""
    query = {"term": {"reason": str(reason)}} if reason else {"match_all": {}}
    what = f"letters for {reason}" if reason else "letters"
    return Sign(what=what, count=lambda ground: _found(ground, query), is_of_the_end=True, share=share)


def mended(*, share: float) -> Sign:
    """Letters that were sent again and accepted."""
    query = {"exists": {"field": "mended_at"}}
    return Sign(what="letters mended", count=lambda ground: _found(ground, query), is_of_the_end=True, share=share)


def throttles() -> Sign:
    """By the agent's own count, which goes to CloudWatch once a minute."""

    def refused(ground: Ground) -> int:
        counted = costs.agent([], client("cloudwatch", ground.settings.aws), NAMESPACE, ground.since).refused
        return (counted or {}).get(_THROTTLED, 0)

    return Sign(what="entries throttled", count=refused, is_of_the_end=True, within_s=75.0)


def _found(ground: Ground, query: dict[str, Any]) -> int:
    search = connect(ground.settings.opensearch)
    lenient = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    try:
        search.indices.refresh(index="letters-*", params=lenient)
        return int(search.count(index="letters-*", body={"query": query}, params=lenient)["count"])
    finally:
        search.close()
