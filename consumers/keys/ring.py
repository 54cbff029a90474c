"""Which key hashes a record: the one in force when it arrived, however late it is read."""

import hmac
import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from consumers.keys.document import parse_keys
from consumers.keys.places import Place
from consumers.reference.known import Known
from consumers.stages.facts import ALWAYS, NEVER
from consumers.stages.rows import ShopFacts
from contract.identity import IdentityKey
from runtime.clock import Clock
from runtime.errors import ConfigError

_log = logging.getLogger(__name__)

# Between a key's coming and its first hash: longer than a poll, ten looks that fail and a slow function together.
LEAD = timedelta(minutes=10)


class KeyRing:
    """The shop's keys through time: a `Shop`. `at` and `key_ids` are for any thread, `look` for one.

    A key is in its document ten minutes before it is in force: who looks at it knows all that hash until then. Where
    no look succeeds for longer, the keys that are known go on, and that is `stale`.
    """

    def __init__(self, place: Place, zone: ZoneInfo, clock: Clock) -> None:
        self._place = place
        self._zone = zone
        self._clock = clock
        self._lock = threading.Lock()
        self._shops: tuple[ShopFacts, ...] = ()  # by time; replaced as a whole
        self._known = Known(LEAD, clock)

    def look(self) -> None:
        """Take in what is new. Raises Outage, ConfigError: what is known stays."""
        now = self._clock.now()
        keys = parse_keys(self._place.read(), f"[identity] key {self._place.name}")
        known = {shop.key.key_id for shop in self._shops}
        if self._shops:
            _require_kept(self.at(now).key, keys, self._place.name)
        with self._lock:
            self._known.looked(now)
            self._shops = _shops(keys, self._zone)
        for key in keys:
            if key.key_id not in known:
                since = f"from {key.effective_at.isoformat()} on" if key.effective_at else "from the first record on"
                _log.info("identity key %s hashes what arrives %s", key.key_id, since)

    @property
    def is_stale(self) -> bool:
        """Whether a newer key may be in force by now."""
        return self._known.is_stale

    def at(self, arrived_at: datetime) -> ShopFacts:
        for shop in reversed(self._shops):
            if shop.since <= arrived_at:
                return shop
        raise RuntimeError("no look has succeeded yet")

    def key_ids(self, first: datetime, last: datetime) -> str:
        """`(stale)` behind them: a newer one may have been missed."""
        with self._lock:
            ids = ",".join(shop.key.key_id for shop in self._shops if shop.since <= last and first < shop.until)
            missed = self._known.missed_since(first, last)
        return ids if missed is None else f"{ids} (stale)"


def _shops(keys: Sequence[IdentityKey], zone: ZoneInfo) -> tuple[ShopFacts, ...]:
    """Each key with the time that it hashes; the first one also what arrived before it."""
    begins = [ALWAYS, *(key.effective_at or ALWAYS for key in keys[1:])]
    ends = [*begins[1:], NEVER]
    return tuple(
        ShopFacts(key=key, zone=zone, since=since, until=until)
        for key, since, until in zip(keys, begins, ends, strict=True)
    )


def _require_kept(now: IdentityKey, keys: Sequence[IdentityKey], place: str) -> None:
    """Raises ConfigError where the key in force is gone, or is another one: every customer would be a new one."""
    for key in keys:
        if key.key_id == now.key_id and hmac.compare_digest(key.secret, now.secret):
            return
    raise ConfigError(f"[identity] key {place} no longer holds key {now.key_id}, which is in force: put it back")
