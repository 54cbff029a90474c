"""A record processor for AWS's MultiLangDaemon that only counts, for `bench fleet`: what one would write.

One JSON object a line on stdin and stdout. Appends a line `records time` for each batch to the file that
MULTILANG_COUNTS names; a checkpoint every two seconds at most, as our source.
"""

import base64
import json
import os
import sys
import time
from typing import Any

_CHECKPOINT_S = 2.0


def main() -> None:
    saved_s = 0.0
    with open(os.environ["MULTILANG_COUNTS"], "a") as counts:  # noqa: PTH123
        for line in sys.stdin.buffer:
            if not line.strip():
                continue
            message = json.loads(line)
            records = message.get("records")
            if records:
                data = [base64.b64decode(record["data"]) for record in records]
                counts.write(f"{len(data)} {time.time()}\n")
                counts.flush()
                if time.monotonic() >= saved_s + _CHECKPOINT_S:
                    saved_s = time.monotonic()
                    _checkpoint(records[-1])
            elif message["action"] in ("shardEnded", "shutdownRequested"):
                _checkpoint(None)
            _say({"action": "status", "responseFor": message["action"]})


def _checkpoint(record: dict[str, Any] | None) -> None:
    where = record or {}
    said = {key: where.get(key) for key in ("sequenceNumber", "subSequenceNumber")}
    _say({"action": "checkpoint", **said})
    for line in sys.stdin.buffer:
        if line.strip():
            return


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write("\n" + json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
