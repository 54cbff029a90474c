"""Lines in the common and combined formats of Apache and nginx, vhost first or not, with lists of forwarded addresses.

The formats: https://httpd.apache.org/docs/2.4/mod/mod_log_config.html and
https://nginx.org/en/docs/http/ngx_http_log_module.html.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from consumers.stages.access.hit import Hit, request_line, said
from consumers.stages.access.remembered import Remembered

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SECONDS = {f"{second:02}": timedelta(seconds=min(second, 59)) for second in range(61)}  # 60 is a leap second
_MINUTE = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.ASCII)
# Nearly every line: one address, no escapes, a whole request. It only ever says what the patterns below would say.
_ORDINARY = re.compile(
    r'([0-9a-f.:]++) [^ \["]++ [^ \[]++ \[([^ ]{17}):(\d\d) ([+-]\d{4})\]'
    r' "([A-Z][A-Z_-]{0,15}) ([^ "\\]++) (HTTP/\d(?:\.\d)?)" (\d{3}) (\d{1,18}|-) "([^"\\]*+)" "([^"\\]*+)"',
    re.ASCII,
)
# What follows the time. Quoted text holds no bare quote: Apache writes it as \", nginx as \x22.
_REST = re.compile(
    r'\] "((?:[^"\\]|\\.)*+)" (\d{3}|-)(?: (\d{1,18}|-))?(?: "((?:[^"\\]|\\.)*+)" "((?:[^"\\]|\\.)*+)"| ?$)',
    re.ASCII | re.DOTALL,
)
_FIRST_NAMED = re.compile(r'"?([^\s,"]+)')
_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*|unix:),?", re.ASCII)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}

_ordinary = _ORDINARY.match


def combined(line: str) -> Hit | None:
    """The request of one line; None for a line of another kind. What follows the user agent is not looked at."""
    found = _ordinary(line)
    if found is None:
        return any_combined(line)
    client, at, second, zone, method, target, protocol, status, size, referrer, agent = found.groups()
    minute, seconds = _minutes[at, zone], _SECONDS.get(second)
    if minute is None or seconds is None:
        return None
    return Hit(
        time=minute + seconds,
        client=client,
        method=method,
        target=target,
        protocol=protocol,
        status=int(status),
        sent_bytes=int(size) if size != "-" else None,
        referrer=referrer if referrer and referrer != "-" else None,
        agent=agent if agent and agent != "-" else None,
    )


def any_combined(line: str) -> Hit | None:
    """As `combined`, for lines of any shape: the whole of what it promises, at three times the cost."""
    before, bracket, rest = line.partition(" [")
    found = _REST.match(rest, 26) if bracket else None
    time = _time_of(rest[:26]) if found else None
    if found is None or time is None:
        return None
    request, status, size, referrer, agent = found.groups()
    host, client = _named(before)
    method, target, protocol = request_line(_unescaped(request))
    return Hit(
        time=time,
        host=host,
        client=client,
        method=method,
        target=target,
        protocol=protocol,
        status=int(status) if status != "-" else None,
        sent_bytes=int(size) if size and size != "-" else None,
        referrer=said(_unescaped(referrer)) if referrer else None,
        agent=said(_unescaped(agent)) if agent else None,
    )


def _named(before: str) -> tuple[str | None, str | None]:
    """Virtual host and first client of what stands before the time: `[host ]client[, client]... identity user`."""
    words = before.split(" ")
    if len(words) > 3 and words[0][:1] != '"' and not _ADDRESS.fullmatch(words[0]):
        host, before = words[0], before[len(words[0]) + 1 :]
    else:
        host = ""
    client = _FIRST_NAMED.match(before)
    return said(host.rpartition(":")[0] or host), said(client[1]) if client else None


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(escape: re.Match[str]) -> str:
    byte, letter = escape.groups()
    return chr(int(byte, 16)) if byte else _ESCAPED.get(letter, letter)


def _time_of(text: str) -> datetime | None:
    """UTC of such as `07/Mar/2004:16:05:49 -0800`; None for any other text."""
    if text[17:18] != ":" or text[20:21] != " ":
        return None
    minute, second = _minutes[text[:17], text[21:]], _SECONDS.get(text[18:20])
    return None if minute is None or second is None else minute + second


def _minute_of(minute_and_zone: tuple[str, str]) -> datetime | None:
    """UTC of such as `07/Mar/2004:16:05`, `-0800`; None where every time zone could not express it."""
    text, zone = minute_and_zone
    found = _MINUTE.fullmatch(f"{text} {zone}")
    if found is None or found[2] not in _MONTHS or not 2 <= int(found[3]) <= 9998:
        return None
    day, _, year, hour, minute, sign, zone_hours, zone_minutes = found.groups()
    ahead = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        zone_of = timezone(-ahead if sign == "-" else ahead)
        at = datetime(int(year), _MONTHS.index(found[2]) + 1, int(day), int(hour), int(minute), tzinfo=zone_of)
    except ValueError:
        return None
    return at.astimezone(UTC)


# A busy shop has hundreds of lines a second, and those of a quiet one lie in few minutes.
_minutes = Remembered(_minute_of, 4_096)
