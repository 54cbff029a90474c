"""A heartbeat on the stream: what its agent has had acknowledged of one file, cumulative from the file's start.

    {"type":"heartbeat","kind":"order","lines":3,"bytes":1098,"crc_sum":5123456789,"size":1101,"final":true,"_sp":{...}}

`_sp.k` is `heartbeat`, `_sp.f` the file, `_sp.o` the offset up to which all this holds; `_sp.n` and `_sp.c` are 0.
"""

from typing import Literal

import msgspec

from contract.stamp import Stamp


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """As it travels."""

    type: Literal["heartbeat"] = "heartbeat"
    kind: Literal["order", "access"]  # of the file's lines
    lines: int  # acknowledged before the offset
    bytes: int  # of those lines, newlines not counted
    crc_sum: int  # sum of their crc32
    size: int  # bytes in the file when this was sent
    final: bool  # no more lines are expected
    sp: Stamp = msgspec.field(name="_sp")
