"""The account of one machine: what became of every line that the shop wrote to its spool.

`emitted = indexed + refused + duplicates + in flight`, per spool file, in lines and in the sum of their crc32,
counted from the files and from the store's own documents, not from counters that a crash would repeat.
"""

import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from producers.agent.files import FileKey
from producers.agent.state import read_ledger

INDICES = ("orders-*", "letters-*", "duplicates")
_MOST_FILES = 10_000  # buckets of one terms aggregation; OpenSearch allows 65,535 in all


@dataclass(slots=True)
class Tally:
    """Lines, and the sum of their crc32: equal sums mean the same lines, not just as many."""

    lines: int = 0
    crc: int = 0

    def add(self, lines: int, crc: int) -> None:
        self.lines += lines
        self.crc += crc


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the lines of one spool are."""

    emitted: int
    acknowledged: int
    indexed: int
    refused: dict[str, int] = field(default_factory=dict)  # by decisive reason
    duplicates: int
    in_flight: int  # emitted, and in no index
    unmatched: list[str] = field(default_factory=list)  # files whose lines are not exactly the lines found

    @property
    def balances(self) -> bool:
        """Every line was acknowledged and found exactly once."""
        return not self.unmatched and self.in_flight == 0 and self.acknowledged == self.emitted


def emitted_by_path(spool: Path) -> dict[Path, Tally]:
    """The whole lines of each spool file; a last line without its newline was never completed and counts nowhere."""
    tallies: dict[Path, Tally] = {}
    for path in sorted(spool.glob("*.ndjson")):
        tally = tallies[path] = Tally()
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    tally.add(1, zlib.crc32(line[:-1]))
    return tallies


def key_of(path: Path) -> FileKey:
    """What the agent knows a file by, whatever it is called."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def stored_by_file(client: OpenSearch) -> tuple[dict[str, Tally], Counter[str], dict[str, int]]:
    """What OpenSearch holds: a tally per file id, lines per kind of index, and letters per decisive reason."""
    client.indices.refresh(index=",".join(INDICES), ignore_unavailable=True)
    files: dict[str, Tally] = {}
    kinds: Counter[str] = Counter()
    for pattern in INDICES:
        for bucket in _search(client, pattern, "files", "origin.file", crc={"sum": {"field": "origin.crc"}}):
            files.setdefault(bucket["key"], Tally()).add(bucket["doc_count"], round(bucket["crc"]["value"]))
            kinds[pattern] += bucket["doc_count"]
    reasons = {bucket["key"]: bucket["doc_count"] for bucket in _search(client, "letters-*", "reasons", "reason")}
    return files, kinds, reasons


def _search(client: OpenSearch, pattern: str, name: str, by: str, **inner: Any) -> list[dict[str, Any]]:
    aggregation: dict[str, Any] = {"terms": {"field": by, "size": _MOST_FILES}}
    if inner:
        aggregation["aggs"] = inner
    answer = client.search(
        index=pattern,
        body={"size": 0, "query": {"exists": {"field": "origin.file"}}, "aggs": {name: aggregation}},
        params={"ignore_unavailable": "true", "allow_no_indices": "true"},
    )
    buckets: list[dict[str, Any]] = answer.get("aggregations", {}).get(name, {}).get("buckets", [])
    return buckets


def take_account(spool: Path, agent: Path, client: OpenSearch) -> Account:
    """The account of the lines in folder `spool`, sent by the agent whose state is in folder `agent`.

    Raises ConfigError when the agent's state cannot be read, opensearchpy's errors when OpenSearch does not answer.
    """
    ledger = read_ledger(agent)
    ids = {record.key: record.file_id for record in ledger.files}
    stored, kinds, reasons = stored_by_file(client)
    emitted = emitted_by_path(spool)
    unmatched = []
    for path, tally in emitted.items():
        found = stored.pop(ids.get(key_of(path), ""), Tally())
        if found != tally:
            unmatched.append(f"{path.name}: {tally.lines} lines emitted, {found.lines} found")
    unmatched += [
        f"file id {file_id}: {found.lines} lines found, no such spool file" for file_id, found in stored.items()
    ]
    lines = sum(tally.lines for tally in emitted.values())
    return Account(
        emitted=lines,
        acknowledged=ledger.acknowledged_lines,
        indexed=kinds["orders-*"],
        refused=reasons,
        duplicates=kinds["duplicates"],
        in_flight=lines - sum(kinds.values()),
        unmatched=unmatched,
    )
