"""What a user agent says of itself: browser, operating system, kind of device, whether a person may be behind it.

Names of browsers and systems are those of ua-parser and its rules, in their compiled form; kinds of devices are ours.
"""

import re
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

from ua_parser import Domain
from ua_parser.loaders import load_builtins
from ua_parser.regex import Resolver

from consumers.stages.access.site import Site

# ua-parser's own name for what it does not know, and for crawlers.
_UNKNOWN, _CRAWLER = "Other", "Spider"

_TV_SYSTEMS = {"GoogleTV", "tvOS", "ATV OS X", "Roku", "WebTV", "FireHbbTV", "Web0S", "Chromecast SmartSpeaker"}
_TV_WORDS = ("hbbtv", "netcast", "inettv", "smart-tv", "smarttv", "apple tv", "appletv", "googletv", "android tv")
_TV_MODELS = ("bravia", "crkey", "chromecast", "; aft")  # Sony's, Google's, Amazon's
_CONSOLE = re.compile(r"PlayStation|Xbox|Nintendo|Wii\b")
_WEARABLE = re.compile(r"Watch")
_TABLET = re.compile(r"^(?:iPad|Kindle|PlayBook|HP TouchPad)|Tablet", re.I)
_DESKTOP_SYSTEMS = {
    *("Windows", "Mac OS X", "Mac OS", "Linux", "Ubuntu", "Debian", "Fedora", "Red Hat", "Gentoo", "Mandriva", "SUSE"),
    *("CentOS", "Arch Linux", "Linux Mint", "Chrome OS", "FreeBSD", "OpenBSD", "NetBSD", "BSD", "Solaris"),
}
_TABLET_SYSTEMS = {"BlackBerry Tablet OS", "WeTab", "webOS"}
_PHONE_SYSTEMS = {"iOS", "Windows Phone", "Windows Mobile", "Symbian OS", "BlackBerry OS", "KaiOS", "HarmonyOS"}
_NO_PHONES = {None, "Apple"}  # brands that a desktop system has


class Client(NamedTuple):
    """What the agent says it is."""

    browser: str | None
    os: str | None
    device: str | None  # desktop, phone, tablet, tv, console, wearable; None for a bot and for what is unknown
    is_bot: bool
    is_scanner: bool


UNNAMED = Client(None, None, None, False, False)


def client_of(agent: str, site: Site) -> Client:
    """What `agent` says. Linear in its length. Raises nothing."""
    found = _resolver()(agent, Domain.ALL)
    browser, os = _named(found.user_agent), _named(found.os)
    device = _named(found.device)
    is_scanner = site.is_scanner(agent)
    is_bot = device == _CRAWLER or is_scanner or site.is_bot(agent)
    kind = None if is_bot else _kind(agent, os, device, found.device.brand if found.device else None)
    return Client(browser, os, kind, is_bot, is_scanner)


def rules_version() -> str:
    """Of ua-parser's rules: another one may name an agent otherwise."""
    return version("ua-parser-builtins")


@cache
def _resolver() -> Resolver:
    """Half a second and 30 MiB, once a process."""
    return Resolver(load_builtins())


def _named(family: object) -> str | None:
    name: str | None = getattr(family, "family", None)
    return None if name == _UNKNOWN else name


def _kind(agent: str, os: str | None, device: str | None, brand: str | None) -> str | None:
    """The kind of device. A television's agent often names a phone's system, and a tablet's always does: they first."""
    name = device or ""
    lower = agent.lower()
    if os in _TV_SYSTEMS or any(word in lower for word in (*_TV_WORDS, *_TV_MODELS)):
        return "tv"
    if _CONSOLE.search(name):
        return "console"
    if os == "WatchOS" or _WEARABLE.search(name):
        return "wearable"
    if os in _TABLET_SYSTEMS or _TABLET.search(name):
        return "tablet"
    if os == "Android":  # browsers on phones say Mobile, those on tablets do not: Google's own rule; apps follow none
        return "tablet" if "AppleWebKit" in agent and "Mobile" not in agent else "phone"
    if os in _DESKTOP_SYSTEMS and brand in _NO_PHONES:
        return "desktop"
    return "phone" if device or os in _PHONE_SYSTEMS else None
