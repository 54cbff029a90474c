"""The process of one shard that only counts: what the daemon itself costs. Argument: the folder to count in.

It decodes with the product's own code, which is faster than AWS's amazon_kclpy, so the daemon looks no worse for it.
"""

import os
import sys
import time
from pathlib import Path

from consumers.delivery import Position
from consumers.sources.kcl import protocol
from consumers.sources.kcl.wire import DaemonGone, stdio

_CHECKPOINT_S = 2.0  # as live does


def count(folder: Path) -> None:
    """Until the daemon hangs up. A file a process in `folder` holds how many records came, as 8 bytes."""
    wire, conversation = stdio(), protocol.Conversation()
    counted, last, next_save_s = 0, None, 0.0
    file = os.open(folder / f"{os.getpid()}", os.O_CREAT | os.O_WRONLY)

    def save(position: Position | None) -> None:
        wire.send(protocol.checkpoint(position))
        conversation.checkpointed(wire.receive())

    try:
        while True:
            action = conversation.action(wire.receive())
            if isinstance(action, protocol.ProcessRecords) and action.records:
                counted += len(action.records)
                os.pwrite(file, counted.to_bytes(8, "big"), 0)
                end = action.records[-1]
                last = protocol.position_of(end.sequence_number, end.sub_sequence_number)
                if time.monotonic() >= next_save_s:
                    save(last)
                    next_save_s = time.monotonic() + _CHECKPOINT_S
            elif isinstance(action, protocol.ShutdownRequested) and last is not None:
                save(last)
            elif isinstance(action, protocol.ShardEnded):
                save(None)
            wire.send(protocol.status(action))
    except DaemonGone:
        return


def counted_in(folder: Path) -> int:
    """By all processes."""
    return sum(int.from_bytes(file.read_bytes(), "big") for file in folder.iterdir())


if __name__ == "__main__":
    count(Path(sys.argv[1]))
