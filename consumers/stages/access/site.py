"""What paths and user agents mean to one shop: kinds of pages, the order that a path names, probes, scanners, bots.

Rules come from a TOML file; `site.toml` beside this module is the shipped one and says how patterns are written.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from runtime.errors import ConfigError

SHIPPED = Path(__file__).with_name("site.toml")

ORDER = "order_id"
OTHER, CHECKOUT = "other", "checkout"
PageKind = Literal["search", "product", "recommendation", "cart", "checkout"]

Pattern = Annotated[str, Meta(min_length=1, max_length=256)]
Word = Annotated[str, Meta(min_length=2, max_length=64)]

_PIECE = re.compile(r"\*|\{([^{}]*)\}|[^*{]+|\{")
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://[^/]*", re.IGNORECASE)  # as proxies are asked, and scanners ask


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[page]]`: the paths of one kind of page."""

    kind: PageKind
    paths: Annotated[tuple[Pattern, ...], Meta(min_length=1)]


class Probes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[probes]`: paths that only an attacker asks for."""

    paths: tuple[Pattern, ...] = ()


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[scanners]`, `[bots]`: words in user agents."""

    words: tuple[Word, ...] = ()


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    page: tuple[Page, ...] = ()
    probes: Probes = Probes()
    scanners: Words = Words()
    bots: Words = Words()


class Place(NamedTuple):
    """What a path is."""

    page: str  # a PageKind, or OTHER
    order_id: str | None
    is_probe: bool


class Site:
    """One shop's rules, compiled. Pure: the same path or agent has the same meaning each time."""

    def __init__(self, rules: Rules) -> None:
        """Raises ValueError for a pattern that is none, with the pattern."""
        self.version = hashlib.sha256(msgspec.json.encode(rules)).hexdigest()[:16]
        self._pages = [(page.kind, _any_of(page.paths)) for page in rules.page]
        self._probe = _any_of(rules.probes.paths, re.IGNORECASE)
        self._scanner = _Vocabulary(rules.scanners.words)
        self._bot = _Vocabulary(rules.bots.words)

    def place(self, path: str) -> Place:
        """The meaning of a requested path, without its query."""
        if not path.startswith("/"):
            path = _ABSOLUTE.sub("", path, count=1) or "/"
        if "%" in path:
            path = unquote(path)
        is_probe = self._probe.search(path) is not None
        for kind, paths in self._pages:
            if (found := paths.search(path)) is not None:
                order = next((each for each in found.groups() if each), None)
                return Place(kind, order, is_probe)
        return Place(OTHER, None, is_probe)

    def is_scanner(self, agent: str) -> bool:
        return self._scanner.has_word_in(agent.lower())

    def is_bot(self, agent: str) -> bool:
        """Whether a word says so; ua-parser knows more."""
        return self._bot.has_word_in(agent.lower())


class _Vocabulary:
    """Words to look for in lower case, one by one: a tenth of the time that one expression of them all takes."""

    def __init__(self, words: Iterable[str]) -> None:
        lower = [word.lower() for word in words]
        self._anywhere = [word for word in lower if word[0] != "^"]
        self._first = tuple(word[1:] for word in lower if word[0] == "^")

    def has_word_in(self, agent: str) -> bool:
        return agent.startswith(self._first) or any(word in agent for word in self._anywhere)


def load_site(file: str = "") -> Site:
    """The rules of `file`; those of the demo shop where it is empty.

    Raises ConfigError where there is no such file, where it is no TOML, for unknown, missing and mistyped keys, and for
    patterns that are none.
    """
    path = Path(file) if file else SHIPPED
    try:
        return Site(msgspec.toml.decode(path.read_bytes(), type=Rules))
    except OSError as error:
        raise ConfigError(f"rules of the site {path}: {error.strerror}; copy {SHIPPED} and change it") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"rules of the site {path}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"rules of the site {path}: not TOML: {error}") from error
    except ValueError as error:
        raise ConfigError(f"rules of the site {path}: {error}") from error


def _any_of(patterns: Iterable[str], flags: int = 0) -> re.Pattern[str]:
    """Found in a whole path that one of them fits; nowhere, where there are none."""
    return re.compile("|".join(map(_expression, patterns)) or r"(?!)", flags | re.DOTALL)


def _expression(pattern: str) -> str:
    """To be searched for, not matched: a `*` at either end costs nothing then."""
    if pattern[0] not in "/*":
        raise ValueError(f"the path {pattern!r} begins with neither / nor *")
    if pattern.count("{") > 1:
        raise ValueError(f"the path {pattern!r} names more than one order")
    begin = "" if pattern.startswith("*") else r"\A"
    end = "" if pattern.endswith("*") else r"/?\Z"
    middle = pattern.strip("*") if pattern.endswith("*") else pattern.lstrip("*").removesuffix("/")
    return begin + "".join(_piece(piece, pattern) for piece in _PIECE.finditer(middle)) + end


def _piece(piece: re.Match[str], pattern: str) -> str:
    if piece[0] == "*":
        return ".*"
    if piece[0][0] != "{":
        return re.escape(piece[0])
    if piece[1] != ORDER:
        raise ValueError(
            f"the path {pattern!r} has a part {piece[0]!r}; the only one that means something is {{{ORDER}}}"
        )
    return "([^/]+)"
