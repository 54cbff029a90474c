"""Requests as the rows that every store holds.

Agents, paths, addresses and times repeat, from line to line and all day long: what is made of one is remembered. The
caches change no verdict. Each is bounded in entries, and holds no text longer than `_LONGEST_CACHED`.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import NamedTuple, TypeVar

from consumers.stages.access.agents import UNNAMED, Client, client_of
from consumers.stages.access.hit import Hit
from consumers.stages.access.site import OTHER, Site
from consumers.stages.access.visits import BY_COOKIE, BY_VISIT, half_hour_of, visit_of
from consumers.stages.rows import ShopFacts, stored_extra
from contract.rows import HitRow, Origin
from contract.stamp import Stamp
from contract.tables import HITS

# What Google Analytics has kept of an address: enough for a country, and for nobody's door.
_KEPT_BITS_V4, _KEPT_BITS_V6 = 24, 48

_LONGEST_CACHED = 512  # characters of a key
_AGENTS = _PATHS = _REFERRERS = 1 << 13  # entries: 20 MiB each at the very worst, a hundredth of it on real logs
_ADDRESSES = _VISITS = 1 << 15
_TIMES = 1 << 12

_FLAGS = ("probe", "scanner", "checkout_error")
_FLAGGED = [[name for bit, name in enumerate(_FLAGS) if number >> bit & 1] for number in range(1 << len(_FLAGS))]
_CLASSES = {status: f"{status // 100}xx" for status in range(100, 600)}

T = TypeVar("T")


class _Agent(NamedTuple):
    name: str | None  # as the column holds it
    client: Client


class _Target(NamedTuple):
    path: str | None  # as the column holds it
    page: str
    order_id: str | None
    is_probe: bool


class _Address(NamedTuple):
    truncated: str | None
    whole: str | None  # in one way of writing; None for what is no address


class _Moment(NamedTuple):
    day: date  # in the shop's time zone
    half_hour: int


_NO_AGENT = _Agent(None, UNNAMED)
_NO_TARGET = _Target(None, OTHER, None, False)
_NO_ADDRESS = _Address(None, None)


class HitRows:
    """Makes rows of requests, by one shop's rules."""

    def __init__(self, shop: ShopFacts, site: Site) -> None:
        self._key, self._zone, self._site = shop.key, shop.zone, site
        self._agent = _remembering(self._read_agent, _AGENTS)
        self._target = _remembering(self._read_target, _PATHS)
        self._referrer = _remembering(_referrer, _REFERRERS)
        self._address = _remembering(_read_address, _ADDRESSES)
        self._visit = lru_cache(_VISITS)(self._read_visit)
        self._moment = lru_cache(_TIMES)(self._read_moment)

    def row(self, hit: Hit, stamp: Stamp | None, event_id: str, arrived_at: datetime) -> HitRow:
        """The row of a request. Identity stops here: the session leaves as a keyed hash, the address truncated."""
        day, half_hour = self._moment(hit.time)
        agent, client = self._agent(hit.agent) if hit.agent else _NO_AGENT
        path, page, order_id, is_probe = self._target(hit.target) if hit.target else _NO_TARGET
        truncated, whole = self._address(hit.client) if hit.client else _NO_ADDRESS
        cookie, status = hit.session, hit.status
        session, kind = None, None
        if cookie:
            session, kind = self._key.hash_of("session", cookie), BY_COOKIE
        elif whole is not None:
            session, kind = self._visit(whole, agent and agent[:_LONGEST_CACHED], half_hour), BY_VISIT
        failed = page == "checkout" and status is not None and 500 <= status < 600
        return HitRow(
            event_id=event_id,
            event_time=hit.time,
            event_date=day,
            arrived_at=arrived_at,
            request_id=_fitting(hit.request_id, "request_id") if hit.request_id else None,
            host=_fitting(hit.host, "host") if hit.host else None,
            address=truncated,
            session=session,
            session_kind=kind,
            identity_key_id=self._key.key_id if session else None,
            method=_fitting(hit.method, "method") if hit.method else None,
            path=path,
            page=page,
            order_id=order_id,
            protocol=_fitting(hit.protocol, "protocol") if hit.protocol else None,
            status=status,
            status_class=_CLASSES.get(status) if status else None,
            sent_bytes=hit.sent_bytes,
            duration_us=hit.duration_us,
            referrer=self._referrer(hit.referrer) if hit.referrer else None,
            agent=agent,
            browser=client.browser,
            os=client.os,
            device=client.device,
            is_bot=client.is_bot,
            flags=_FLAGGED[is_probe | client.is_scanner << 1 | failed << 2],
            origin=None if stamp is None else Origin(file=stamp.f, offset=stamp.o, bytes=stamp.n, crc=stamp.c),
            extra=stored_extra(hit.extra, {cookie: session}) if hit.extra else None,
        )

    def _read_agent(self, agent: str) -> _Agent:
        name = _fitting(agent, "agent")
        return _Agent(name, client_of(name, self._site) if name else UNNAMED)

    def _read_target(self, target: str) -> _Target:
        path = _fitting(_without_query(target), "path")
        if path is None:
            return _NO_TARGET
        page, order_id, is_probe = self._site.place(path)
        return _Target(path, page, _fitting(order_id, "order_id"), is_probe)

    def _read_visit(self, address: str, agent: str | None, half_hour: int) -> str:
        return visit_of(address, agent or "", half_hour, self._key)

    def _read_moment(self, time: datetime) -> _Moment:
        return _Moment(time.astimezone(self._zone).date(), half_hour_of(time))


def _remembering(read: Callable[[str], T], entries: int) -> Callable[[str], T]:
    """`read`, asked once for each of the newest texts. A long one is read each time: memory stays bounded."""
    remembered = lru_cache(entries)(read)
    return lambda text: remembered(text) if len(text) <= _LONGEST_CACHED else read(text)


def _read_address(client: str) -> _Address:
    """The network that the address lies in, and the whole of it; none for what is no address, such as a name."""
    try:
        address = ip_address(client.strip("[]"))
    except ValueError:
        return _NO_ADDRESS
    address = getattr(address, "ipv4_mapped", None) or address
    bits = _KEPT_BITS_V4 if isinstance(address, IPv4Address) else _KEPT_BITS_V6
    return _Address(str(ip_network((address, bits), strict=False).network_address), str(address))


def _without_query(target: str) -> str:
    """Queries hold what people type: addresses, names, tokens of password resets."""
    return target.partition("?")[0].partition("#")[0]


def _referrer(referrer: str) -> str | None:
    return _fitting(_without_query(referrer), "referrer")


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
