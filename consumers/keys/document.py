"""The document that holds the keys of customer hashes. Nothing that it holds is ever part of an error."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from consumers.stages.facts import ALWAYS
from contract.identity import IdentityKey
from runtime.errors import ConfigError

SHORTEST_SECRET = 32  # bytes, as the hash's own output
_LONGEST_ID = 64  # characters; it is stored with every row
_FORM = '{"keys": [{"key_id": ..., "secret": base64, "effective_at": time with zone}, ...]}'


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: list[IdentityKey]


_many, _one = msgspec.json.Decoder(_Document), msgspec.json.Decoder(IdentityKey)


def parse_keys(body: bytes, where: str) -> tuple[IdentityKey, ...]:
    """The keys by the time from which they hash, the first one first: it hashes what arrived before it, too.

    A document may be one key alone. Raises ConfigError, which begins with `where` and never quotes `body`.
    """
    try:
        keys = _read(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ConfigError(f"{where} is no JSON {_FORM}") from None
    if faults := _faults(keys):
        raise ConfigError(f"{where}: {'; '.join(faults)}")
    return tuple(in_order(keys))


def document_of(keys: Iterable[IdentityKey]) -> bytes:
    """As `parse_keys` reads it."""
    return msgspec.json.format(msgspec.json.encode(_Document(in_order(keys))), indent=2)


def in_order(keys: Iterable[IdentityKey]) -> list[IdentityKey]:
    """By the time from which they hash."""
    return sorted(keys, key=lambda key: key.effective_at or ALWAYS)


def _read(body: bytes) -> Sequence[IdentityKey]:
    try:
        return _many.decode(body).keys
    except msgspec.ValidationError:
        return [_one.decode(body)]


def _faults(keys: Sequence[IdentityKey]) -> list[str]:
    """What is wrong with them, by their numbers: an id may be anything that was pasted there."""
    if not keys:
        return ["it holds no key"]
    faults = []
    for number, key in enumerate(keys, start=1):
        if not 0 < len(key.key_id) <= _LONGEST_ID or not key.key_id.isprintable():
            faults.append(f"key {number}: its key_id is not 1 to {_LONGEST_ID} characters")
        if len(key.secret) < SHORTEST_SECRET:
            faults.append(f"key {number}: its secret is shorter than {SHORTEST_SECRET} bytes")
        if key.effective_at is not None and key.effective_at.tzinfo is None:
            faults.append(f"key {number}: its effective_at has no zone")
    if faults:
        return faults
    once = (
        ("key_id", [key.key_id for key in keys]),
        ("secret", [key.secret for key in keys]),
        ("effective_at", [key.effective_at for key in keys]),
    )
    return [f"two keys have the same {name}" for name, values in once if max(Counter(values).values()) > 1]
