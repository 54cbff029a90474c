"""Requests as the rows that every store holds."""

from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network

from consumers.stages.access.hit import Hit
from consumers.stages.origin import origin_of
from consumers.stages.rows import ShopFacts, stored_extra
from contract.rows import HitRow
from contract.stamp import Stamp
from contract.tables import HITS

# What Google Analytics has kept of an address: enough for a country, and for nobody's door.
_KEPT_BITS_V4, _KEPT_BITS_V6 = 24, 48


def hit_row(hit: Hit, stamp: Stamp | None, event_id: str, arrived_at: datetime, shop: ShopFacts) -> HitRow:
    """The row of a request. Identity stops here: the session leaves as a keyed hash, the address truncated."""
    session, key = hit.session, shop.key
    hashed = key.hash_of("session", session) if session else None
    return HitRow(
        event_id=event_id,
        event_time=hit.time,
        event_date=hit.time.astimezone(shop.zone).date(),
        arrived_at=arrived_at,
        request_id=_fitting(hit.request_id, "request_id"),
        host=_fitting(hit.host, "host"),
        address=truncated(hit.client) if hit.client else None,
        session=hashed,
        identity_key_id=key.key_id if session else None,
        method=_fitting(hit.method, "method"),
        path=_fitting(_without_query(hit.target), "path"),
        protocol=_fitting(hit.protocol, "protocol"),
        status=hit.status,
        sent_bytes=hit.sent_bytes,
        duration_us=hit.duration_us,
        referrer=_fitting(_without_query(hit.referrer), "referrer"),
        agent=_fitting(hit.agent, "agent"),
        origin=origin_of(stamp),
        extra=stored_extra(hit.extra, {session: hashed}) if hit.extra else None,
    )


@lru_cache(maxsize=1 << 16)
def truncated(client: str) -> str | None:
    """The network that the address lies in; None for what is no address, such as a name or a socket."""
    try:
        address = ip_address(client.strip("[]"))
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    bits = _KEPT_BITS_V4 if isinstance(address, IPv4Address) else _KEPT_BITS_V6
    return str(ip_network((address, bits), strict=False).network_address)


def _without_query(target: str | None) -> str | None:
    """Queries hold what people type: addresses, names, tokens of password resets."""
    return target.partition("?")[0].partition("#")[0] if target else None


_LONGEST = {column.name: column.longest for column in HITS.columns}


def _fitting(text: str | None, column: str) -> str | None:
    """The text as the column holds it: without NUL, which no VARCHAR holds, and cut to its length."""
    if not text:
        return None
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    longest = _LONGEST[column]
    if len(text) * 4 <= longest or len(text.encode()) <= longest:
        return text
    return text.encode()[:longest].decode(errors="ignore")
