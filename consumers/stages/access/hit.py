"""One request as a web server's line tells it, before anything of it is hidden or cut."""

import re
from datetime import datetime

import msgspec

from contract.stamp import Stamp

_METHOD = re.compile(r"[A-Z][A-Z_-]{0,15}")
_PROTOCOL = re.compile(r"HTTP/\d(?:\.\d)?")


class Hit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the line says; None for what it does not."""

    time: datetime  # aware
    request_id: str | None = None
    host: str | None = None
    client: str | None = None  # the first one named; may be anything
    session: str | None = None
    method: str | None = None
    target: str | None = None  # as requested, with its query
    protocol: str | None = None
    status: int | None = None
    sent_bytes: int | None = None
    duration_us: int | None = None
    referrer: str | None = None
    agent: str | None = None
    extra: bytes = b""  # unknown fields as one JSON object


class Request(msgspec.Struct, frozen=True, gc=False):
    """A readable line with its stamp; None for a foreign producer's record."""

    hit: Hit
    stamp: Stamp | None
    line: bytes | None  # the original, where it travelled in an envelope


def said(text: str | None) -> str | None:
    """None for what a log writes where it has nothing to say."""
    return text if text and text != "-" else None


def request_line(text: str) -> tuple[str | None, str | None, str | None]:
    """Method, target and protocol of a request's first line. All None for one that is none, such as a TLS handshake.

    HTTP/0.9 has no protocol; a target may hold spaces, which no standard allows and scanners send.
    """
    method, _, rest = text.partition(" ")
    if not _METHOD.fullmatch(method) or not rest:
        return None, None, None
    target, _, protocol = rest.rpartition(" ")
    return (method, target, protocol) if target and _PROTOCOL.fullmatch(protocol) else (method, rest, None)
