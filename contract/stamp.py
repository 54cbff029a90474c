"""`_sp`, the reserved object that the agent puts into every event: where the line came from."""

from typing import Literal

import msgspec

STREAM_KINDS = ("order", "access", "heartbeat")


class Stamp(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One line's origin. (f, o) names the line for good: a file id is never used twice."""

    k: Literal["order", "access", "heartbeat"]  # kind of the file's lines
    f: str  # file id: instance id + a random part
    o: int  # offset of the line's first byte in the file
    n: int  # bytes of the line, its newline not counted
    c: int  # crc32 of those bytes
    h: str = ""  # host/path, for people
    t: str = ""  # read at, RFC 3339 UTC; its day decides on the line's index
    a: int = 0  # attempt: 0 as the agent sent it, 1.. when a letter is sent again
