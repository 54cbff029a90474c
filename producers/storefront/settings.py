"""Settings of the storefront."""

from dataclasses import dataclass

from runtime.settings import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Storefront:
    """Where the shop listens, what it sells and where it writes."""

    host: str = setting("127.0.0.1", "address to listen on; the loopback by default, a web server stands in front")
    port: int = setting(8080, "TCP port; 0: a free one, printed at start")
    spool: str = setting(".storepulse/spool", "folder that orders are appended to")
    access_log: str = setting(".storepulse/access/storefront.log", "file that requests are appended to, made if absent")
    catalogue: str = setting("", "NDJSON file of products; empty: the demo catalogue that ships with the shop")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorefrontSettings:
    """All that `python -m producers storefront` reads."""

    storefront: Storefront = Storefront()
