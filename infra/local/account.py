"""The account of one machine: what became of every line that the shop wrote to its spool.

`emitted = indexed + refused + duplicates + in flight`, per spool file, in lines and in the sum of their crc32,
counted from the files and from the store's own documents, not from counters that a crash would repeat.
"""

import threading
import zlib
from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from opensearchpy import OpenSearch, OpenSearchException

from producers.agent.files import FileKey, not_followed, scan
from producers.agent.spool import SUFFIX
from producers.agent.state import Ledger, read_ledger
from runtime.settings import OpenSearch as Store

ORDERS, LETTERS, DUPLICATES = "orders-*", "letters-*", "duplicates"
_MOST_FILES = 10_000  # buckets of one terms aggregation; OpenSearch allows 65,535 in all
_LOOK_S = 0.5


class Tally(NamedTuple):
    """Lines, and the sum of their crc32: equal sums mean the same lines, not just as many."""

    lines: int = 0
    crc: int = 0

    def plus(self, lines: int, crc: int) -> "Tally":
        return Tally(self.lines + lines, self.crc + crc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the lines of one spool are."""

    emitted: int
    deleted: int = 0  # of those: in files that are gone since, so that only their number could be compared
    acknowledged: int
    indexed: int
    refused: dict[str, int] = field(default_factory=dict)  # by decisive reason
    duplicates: int
    in_flight: int  # emitted, and in no index; below 0 if more was found than emitted
    unmatched: list[str] = field(default_factory=list)  # files whose lines are not exactly the lines found
    unread: list[str] = field(default_factory=list)  # files in the spool whose names nobody reads; not counted

    @property
    def balances(self) -> bool:
        """Every line was acknowledged and found exactly once."""
        return not self.unmatched and self.in_flight == 0 and self.acknowledged == self.emitted


class Stored(NamedTuple):
    """What OpenSearch holds of lines that an agent sent."""

    files: dict[str, Tally]  # by file id
    kinds: Counter[str]  # documents by pattern of indices
    refused: dict[str, int]  # letters by decisive reason


def store_of(store: Store) -> OpenSearch:
    """A client for the account's few questions."""
    return OpenSearch([store.url], timeout=store.timeout_s)


def take_account(spool: Path, agent: Path, client: OpenSearch) -> Account:
    """The account of the lines in folder `spool`, sent by the agent whose state is in folder `agent`.

    Raises ConfigError when the agent's state cannot be read, opensearchpy's errors when OpenSearch does not answer
    in full. Places are looked at against the stream's direction: what moves meanwhile counts as in flight.
    """
    stored = stored_lines(client)
    ledger = read_ledger(agent)
    ids = {record.key: record.file_id for record in ledger.files}
    emitted = emitted_lines(spool, followed=ids)
    left = dict(stored.files)
    unmatched = []
    for key, (path, tally) in emitted.items():
        found = left.pop(ids.get(key, ""), Tally())
        if found != tally:
            same = " (not the same ones)" if found.lines == tally.lines else ""
            unmatched.append(f"{path.name}: {tally.lines} lines emitted, {found.lines} found{same}")
    deleted = _take_deleted(left, ledger)
    unmatched += [
        f"file id {file_id}: {found.lines} lines found, no such spool file" for file_id, found in left.items()
    ]
    lines = deleted + sum(tally.lines for _, tally in emitted.values())
    return Account(
        emitted=lines,
        deleted=deleted,
        acknowledged=ledger.acknowledged_lines,
        indexed=stored.kinds[ORDERS],
        refused=stored.refused,
        duplicates=stored.kinds[DUPLICATES],
        in_flight=lines - stored.kinds.total(),
        unmatched=unmatched,
        unread=not_followed(spool, SUFFIX, ids.__contains__) if spool.exists() else [],
    )


def _take_deleted(left: dict[str, Tally], ledger: Ledger) -> int:
    """Take out of `left` the files that the agent sent and that are gone since. Returns their lines."""
    sent = {record.file_id: record.acknowledged_lines for record in ledger.files}
    gone = [file_id for file_id, found in left.items() if sent.get(file_id) == found.lines]
    forgotten = [file_id for file_id in left if file_id not in sent]
    if sum(left[file_id].lines for file_id in forgotten) == ledger.forgotten_lines:
        gone += forgotten
    return sum(left.pop(file_id).lines for file_id in gone)


def settled_account(
    take: Callable[[], Account], *, within_s: float, stop: threading.Event, hopeless: Callable[[], bool] = lambda: False
) -> Account:
    """The account once it balances; as it is when the time is over, `stop` is set, or waiting has become `hopeless`.

    An OpenSearch that does not answer is waited for; what it raised last is raised if it never did.
    """
    account: Account | None = None
    trouble: OpenSearchException | None = None
    for look in range(max(1, round(within_s / _LOOK_S))):
        if look and (hopeless() or stop.wait(_LOOK_S)):
            break
        try:
            account = take()
        except OpenSearchException as error:
            trouble = error
        if account and account.balances:
            break
    if account is None and trouble:
        raise trouble
    assert account
    return account


def emitted_lines(spool: Path, *, followed: Container[FileKey]) -> dict[FileKey, tuple[Path, Tally]]:
    """The whole lines of each file that an agent that has `followed` those would read, by device and inode.

    A last line without its newline was never completed and counts nowhere.
    """
    emitted: dict[FileKey, tuple[Path, Tally]] = {}
    for found in scan(spool, SUFFIX, followed.__contains__) if spool.exists() else ():
        tally = Tally()
        with Path(found.path).open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    tally = tally.plus(1, zlib.crc32(line[:-1]))
        emitted[found.key] = Path(found.path), tally
    return emitted


def stored_lines(client: OpenSearch) -> Stored:
    """What OpenSearch holds. A record that no agent has sent has no origin, and counts nowhere."""
    client.indices.refresh(index=f"{ORDERS},{LETTERS},{DUPLICATES}", ignore_unavailable=True)
    files: dict[str, Tally] = {}
    kinds: Counter[str] = Counter()
    for pattern in (ORDERS, LETTERS, DUPLICATES):
        for bucket in _buckets(client, pattern, "origin.file", crc={"sum": {"field": "origin.crc"}}):
            lines, crc = bucket["doc_count"], round(bucket["crc"]["value"])  # doubles are exact up to 2 million lines
            files[bucket["key"]] = files.get(bucket["key"], Tally()).plus(lines, crc)
            kinds[pattern] += lines
    refused = {bucket["key"]: bucket["doc_count"] for bucket in _buckets(client, LETTERS, "reason")}
    return Stored(files, kinds, refused)


def _buckets(client: OpenSearch, pattern: str, by: str, **inner: Any) -> list[dict[str, Any]]:
    groups = {"terms": {"field": by, "size": _MOST_FILES}, "aggs": inner}
    answer = client.search(
        index=pattern,
        body={"size": 0, "query": {"exists": {"field": "origin.file"}}, "aggs": {"groups": groups}},
        params={
            "ignore_unavailable": "true",
            "allow_no_indices": "true",
            "allow_partial_search_results": "false",  # an error rather than a sum that lacks a shard
        },
    )
    buckets: list[dict[str, Any]] = answer.get("aggregations", {}).get("groups", {}).get("buckets", [])
    return buckets
