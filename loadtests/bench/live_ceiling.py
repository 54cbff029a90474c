"""What the OpenSearch node takes at most: live's own bulk requests, ready-made, from two threads."""

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import urllib3

from consumers.sinks.opensearch.bulk import BULK_ANSWER

THREADS = 2  # more of them bring the node no further: its two cores are busy then
_HEADERS = {"Content-Type": "application/x-ndjson"}
_STATUS = re.compile(rb'"status":(\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The bulk requests of a folder, each in a file `NUMBER-DOCUMENTS`."""

    files: Sequence[Path]

    @property
    def documents(self) -> int:
        """Of all of them together."""
        return sum(int(file.name.partition("-")[2]) for file in self.files)

    def rate(self, url: str) -> float:
        """Documents a second, from the first request to the last answer. Raises RuntimeError where one is refused."""
        with urllib3.PoolManager(maxsize=THREADS) as pool, ThreadPoolExecutor(THREADS) as threads:
            started_s = time.monotonic()
            for _ in threads.map(lambda file: _send(pool, url, file), self.files):
                pass
            return self.documents / (time.monotonic() - started_s)


def requests_in(folder: Path) -> Requests:
    """All of them, in the order in which live made them."""
    return Requests(files=sorted(folder.iterdir()))


def _send(pool: urllib3.PoolManager, url: str, file: Path) -> None:
    answer = pool.request(
        "POST", f"{url}/_bulk?filter_path={BULK_ANSWER}", body=file.read_bytes(), headers=_HEADERS, timeout=60.0
    )
    statuses = _STATUS.findall(answer.data)
    if answer.status != 200 or any(status != b"201" for status in statuses):
        raise RuntimeError(f"the store refused a ready-made request: {answer.status} {answer.data[:300]!r}")
