"""How the next key comes, and when an old one may go. Pure: what is there comes in, what shall be there goes out."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from consumers.keys.document import SHORTEST_SECRET, in_order
from consumers.keys.ring import LEAD
from contract.identity import IdentityKey
from runtime.errors import ConfigError

# Originals are kept, and letters sent again, for 30 days; a stream holds a record for another 7 before it is read.
KEPT = timedelta(days=37)

Keys = tuple[IdentityKey, ...]


def first_key(now: datetime, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> IdentityKey:
    """Hashes from the very first record on."""
    return IdentityKey(key_id=_new_id(now, random_bytes), secret=random_bytes(SHORTEST_SECRET))


def with_next_key(
    keys: Sequence[IdentityKey],
    now: datetime,
    effective_at: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Keys:
    """`keys` and one more, of a random secret. Raises ConfigError where it would come too soon, or beside another."""
    if effective_at < now + LEAD:
        raise ConfigError(
            f"a key is known {LEAD.total_seconds() / 60:.0f} minutes before it is in force: not before"
            f" {(now + LEAD).isoformat(timespec='seconds')}"
        )
    for key in keys:
        if key.effective_at is not None and key.effective_at > now:
            raise ConfigError(f"key {key.key_id} is on its way: it is in force from {key.effective_at.isoformat()} on")
    following = IdentityKey(
        key_id=_new_id(effective_at, random_bytes), secret=random_bytes(SHORTEST_SECRET), effective_at=effective_at
    )
    return tuple(in_order([*keys, following]))


def without_key(keys: Sequence[IdentityKey], key_id: str, now: datetime) -> Keys:
    """`keys` but one. Raises ConfigError while a record that it hashed can come again."""
    ids = [key.key_id for key in keys]
    if key_id not in ids:
        raise ConfigError(f"there is no key {key_id!r}; there are {', '.join(ids)}")
    place = ids.index(key_id)
    begins = keys[place].effective_at
    if place + 1 == len(keys) and begins is not None and begins > now + LEAD:
        return tuple(keys[:place])  # it will have hashed nothing: every process looks once more before
    successor = keys[place + 1].effective_at if place + 1 < len(keys) else None
    if successor is None or successor > now:
        raise ConfigError(f"key {key_id} is in force")
    if place:
        raise ConfigError(f"key {ids[0]} is older: forget it first")
    if successor + KEPT > now:
        raise ConfigError(
            f"what key {key_id} hashed can come again until {(successor + KEPT).isoformat(timespec='seconds')}"
        )
    return tuple(keys[1:])


def next_midnight(now: datetime, zone: ZoneInfo) -> datetime:
    """The first beginning of a day in the shop's time zone that is far enough ahead: a day then has one key."""
    day = (now + LEAD).astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(day, time(), zone)


def _new_id(at: datetime, random_bytes: Callable[[int], bytes]) -> str:
    return f"k{at:%Y%m%d}-{random_bytes(3).hex()}"
