"""Requests as the rows that every store holds.

Agents, paths, addresses and times repeat, from line to line and all day long: what is made of one is remembered, which
changes no verdict.
"""

import re
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

from consumers.stages.access.agents import UNNAMED, Client, client_of
from consumers.stages.access.hit import Hit
from consumers.stages.access.remembered import Remembered
from consumers.stages.access.site import CHECKOUT, OTHER, Site
from consumers.stages.access.visits import BY_COOKIE, BY_VISIT, MINUTES, visit_of
from consumers.stages.origin import origin_of
from consumers.stages.redacted import path_only, stored_extra, truncated, with_hashes, without_emails
from consumers.stages.rows import ShopFacts
from contract.rows import HitRow
from contract.stamp import Stamp
from contract.tables import HITS

_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!\Z)|\Z)){4}", re.ASCII)

# Entries: some MiB on real logs, 20 MiB each at the very worst.
_AGENTS = _TARGETS = _REFERRERS = 1 << 13
_ADDRESSES, _VISITS = 1 << 15, 1 << 14
_DAYS = 1 << 12

_MINUTES_A_DAY = 24 * 60

_FLAGS = ("probe", "scanner", "checkout_error")
_FLAGGED = [[name for bit, name in enumerate(_FLAGS) if number >> bit & 1] for number in range(1 << len(_FLAGS))]
_USUAL = frozenset({None, "GET", "POST", "HEAD", "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"})  # they fit
_CLASSES: dict[int | None, str] = {status: f"{status // 100}xx" for status in range(100, 600)}


class _Target(NamedTuple):
    path: str | None  # as the column holds it
    page: str
    order_id: str | None
    is_probe: bool


class _Address(NamedTuple):
    truncated: str | None
    whole: str | None  # in one way of writing; None for what is no address


_NO_TARGET = _Target(None, OTHER, None, False)
_NO_ADDRESS = _Address(None, None)


class HitRows:
    """Makes rows of requests, by one shop's rules."""

    def __init__(self, shop: ShopFacts, site: Site) -> None:
        self._key, self._key_id, self._zone, self._site = shop.key, shop.key.key_id, shop.zone, site
        self._agents = Remembered(self._agent, _AGENTS)
        self._targets = Remembered(self._target, _TARGETS)
        self._referrers = Remembered(_referrer, _REFERRERS)
        self._addresses = Remembered(_address, _ADDRESSES)
        self._visits = Remembered(self._visit, _VISITS)
        self._days = Remembered(self._day, _DAYS)

    def row(self, hit: Hit, stamp: Stamp | None, event_id: str, arrived_at: datetime) -> HitRow:
        """The row of a request. Identity stops here: the session leaves as a keyed hash, the address truncated."""
        agent, (browser, os, device, is_bot, is_scanner) = self._agents[hit.agent]
        path, page, order_id, is_probe = self._targets[hit.target]
        truncated, whole = self._addresses[hit.client]
        time, cookie, status, method, protocol = hit.time, hit.session, hit.status, hit.method, hit.protocol
        minute = time.toordinal() * _MINUTES_A_DAY + time.hour * 60 + time.minute  # of UTC, from the year 0
        session = kind = None
        referrer = self._referrers[hit.referrer]
        if cookie:
            session, kind = self._key.hash_of("session", cookie), BY_COOKIE
            if path and cookie in path:
                path = with_hashes(path, {cookie: session})
            if referrer and cookie in referrer:
                referrer = with_hashes(referrer, {cookie: session})
        elif whole is not None:
            session, kind = self._visits[whole, agent, minute // MINUTES], BY_VISIT
        failed = page == CHECKOUT and status is not None and 500 <= status < 600
        return HitRow(
            event_id=event_id,
            event_time=time,
            event_date=self._days[minute],
            arrived_at=arrived_at,
            request_id=_fitting(hit.request_id, "request_id") if hit.request_id else None,
            host=_fitting(hit.host, "host") if hit.host else None,
            address=truncated,
            session=session,
            session_kind=kind,
            identity_key_id=self._key_id if session else None,
            method=method if method in _USUAL else _fitting(method, "method"),
            path=path,
            page=page,
            order_id=order_id,
            protocol=protocol if protocol in _USUAL else _fitting(protocol, "protocol"),
            status=status,
            status_class=_CLASSES.get(status),
            sent_bytes=hit.sent_bytes,
            duration_us=hit.duration_us,
            referrer=referrer,
            agent=agent,
            browser=browser,
            os=os,
            device=device,
            is_bot=is_bot,
            flags=_FLAGGED[is_probe | is_scanner << 1 | failed << 2],
            origin=origin_of(stamp),
            extra=stored_extra(hit.extra, {cookie: session}) if hit.extra else None,
        )

    def _agent(self, agent: str | None) -> tuple[str | None, Client]:
        """As the column holds it, and what it says."""
        name = _fitting(agent, "agent")
        return name, client_of(name, self._site) if name else UNNAMED

    def _target(self, target: str | None) -> _Target:
        path = _fitting(path_only(target), "path") if target else None
        if path is None:
            return _NO_TARGET
        page, order_id, is_probe = self._site.place(path)
        return _Target(path, page, _fitting(order_id, "order_id"), is_probe)

    def _visit(self, visit: tuple[str, str | None, int]) -> str:
        address, agent, half_hour = visit
        return visit_of(address, agent or "", half_hour, self._key)

    def _day(self, minute: int) -> date:
        """The shop's day of a minute of UTC: every zone has been whole minutes away from it since 1972."""
        begin = datetime.fromordinal(minute // _MINUTES_A_DAY).replace(tzinfo=UTC)
        return (begin + timedelta(minutes=minute % _MINUTES_A_DAY)).astimezone(self._zone).date()


def _address(client: str | None) -> _Address:
    """The network that the address lies in, and the whole of it; none for what is no address, such as a name."""
    if not client:
        return _NO_ADDRESS
    if _IPV4.fullmatch(client):
        return _Address(client[: client.rindex(".")] + ".0", client)
    try:
        address = ip_address(client.strip("[]"))
    except ValueError:
        return _NO_ADDRESS
    address = getattr(address, "ipv4_mapped", None) or address
    return _Address(truncated(str(address)), str(address))


def _referrer(referrer: str | None) -> str | None:
    return _fitting(path_only(referrer), "referrer") if referrer else None


_LONGEST = {column.name: column.longest for column in HITS.columns}


def _fitting(text: str | None, column: str) -> str | None:
    """The text as the column holds it: without e-mail addresses, without NUL, which no VARCHAR holds, cut to length."""
    if not text:
        return None
    text = without_emails(text)
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    longest = _LONGEST[column]
    if len(text) * 4 <= longest or len(text.encode()) <= longest:
        return text
    return text.encode()[:longest].decode(errors="ignore")
