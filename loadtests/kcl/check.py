"""Java releases of the KCL and our fleet, on one table and the local parts."""

import contextlib
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.stack import bring_up
from infra.local.supervisor import Supervisor
from loadtests.kcl.history import SHARDS, Finding, History, Kind
from loadtests.kcl.java import java_kcl
from loadtests.kcl.peers import Peers
from runtime.aws import client
from runtime.command import stop_on_signals
from runtime.settings import Aws


def check(settings: LocalSettings, releases: Sequence[str], orders: Sequence[Kind], console: Console) -> bool:
    """Try each release in each order of start, and print what was seen. Whether all of it was good.

    Raises ConfigError where a release cannot be had.
    """
    is_good, stop = True, stop_on_signals()
    kcls = [java_kcl(release, console, stop) for release in releases]
    with tempfile.TemporaryDirectory(prefix="storepulse-peers-") as folder:
        home = Home(root=Path(folder), downloads=Home.of(settings.local).downloads)
        with Supervisor(home, console, stop=stop) as stack:
            aws = bring_up(stack, settings, only=("kinesis", "ministack")).aws
            for kcl in kcls:
                for first in orders:
                    console.print(f"Java {kcl.release}, {first} first ...", highlight=False)
                    stream = f"peers-{uuid.uuid4().hex[:8]}"
                    with Peers(kcl, aws, stream, stop) as peers:
                        found = _found(peers, aws, stream, first, console)
                    console.print(_table(kcl.release, first, found))
                    is_good = is_good and all(finding.is_good for finding in found)
    return is_good


def _found(peers: Peers, aws: Aws, stream: str, first: Kind, console: Console) -> list[Finding]:
    kinesis = client("kinesis", aws)
    kinesis.create_stream(StreamName=stream, ShardCount=SHARDS)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    found: list[Finding] = []
    with contextlib.closing(History(peers, kinesis, stream, first).findings()) as findings:
        for finding in findings:
            found.append(finding)
            console.print(f"  {finding.tried}: {finding.seen}", highlight=False, soft_wrap=True)
            if not finding.is_good:
                console.print(f"  what the processes said is in {peers.keep_logs()}", highlight=False, soft_wrap=True)
                break
    return found


def _table(release: str, first: Kind, found: Sequence[Finding]) -> Table:
    table = Table("tried", "seen", "", title=f"Java KCL {release} and our fleet on one table, {first} first")
    for finding in found:
        table.add_row(finding.tried, finding.seen, "ok" if finding.is_good else "NOT OK")
    return table
