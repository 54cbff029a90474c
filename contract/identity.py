"""Who an event is: stable ids, content hashes and the keyed hash that stands for a person."""

import datetime as dt
import hashlib
from functools import lru_cache

import msgspec

from contract.stamp import Stamp

_BLOCK = 64  # bytes of SHA-256's


class IdentityKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The secret behind customer hashes. `key_id` is stored beside each hash so that the key can be rotated."""

    key_id: str
    secret: bytes  # at least 32 bytes; never printed, see __repr__
    effective_at: dt.datetime | None = None  # aware; hashes what arrives from then on. None: from the very first

    def __repr__(self) -> str:
        return f"IdentityKey(key_id={self.key_id!r}, secret=***)"

    def hash_of(self, kind: str, value: str) -> str:
        """HMAC-SHA256 of `value`, 128 bits in hex. `kind` keeps customer "7" apart from session "7"."""
        inner, outer = _keyed(self.secret)
        within, around = inner.copy(), outer.copy()
        within.update(f"{kind}:{value}".encode())
        around.update(within.digest())
        return around.hexdigest()[:32]


@lru_cache(maxsize=4)
def _keyed(secret: bytes) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """Both halves of HMAC (RFC 2104) with the key in them: half the time of copying an `hmac` object, for each id."""
    key = (hashlib.sha256(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in key)), hashlib.sha256(bytes(byte ^ 0x5C for byte in key))


def event_id_of_line(stamp: Stamp, line: bytes) -> str:
    """Identity of a line that brings no `event_id`: a hash of file id, offset and bytes."""
    digest = hashlib.sha256(f"{stamp.f}:{stamp.o}:".encode() + line).hexdigest()
    return f"line:{digest[:32]}"


def event_id_of_record(shard_id: str, sequence: int, sub_sequence: int) -> str:
    """Identity of a foreign producer's record without id or stamp; its retries cannot be recognised."""
    return f"record:{shard_id}:{sequence}:{sub_sequence}"


def content_hash(content: bytes) -> str:
    """128 bits of SHA-256 over an event's own content: equal for a true repeat, different for a conflict."""
    return hashlib.sha256(content).hexdigest()[:32]
