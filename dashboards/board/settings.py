"""The board's settings."""

from dataclasses import dataclass

from runtime.settings import OpenSearch, Reference, Shop, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Where the page is served, and how often it looks."""

    host: str = setting("127.0.0.1", "address to listen on; the page has no log-in, so this machine only")
    port: int = setting(8081, "port to listen on; 0: any free one")
    refresh_s: float = setting(0.25, "pause between two looks at the newest minutes while someone watches", unit="s")
    patience_s: float = setting(5.0, "longest wait for one answer of OpenSearch", unit="s")
    viewers: int = setting(200, "open pages at most; one more is asked to come back later")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSettings:
    """All that `python -m dashboards board` reads."""

    board: Board = Board()
    opensearch: OpenSearch = OpenSearch()
    shop: Shop = Shop()
    reference: Reference = Reference()
