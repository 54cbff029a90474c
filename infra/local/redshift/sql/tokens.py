"""Redshift SQL as tokens, for the statements whose grammar is read by hand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from infra.local.redshift.errors import SqlError

SYNTAX_ERROR = "42601"


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    QUOTED = auto()  # a delimited identifier
    STRING = auto()
    NUMBER = auto()
    PARAMETER = auto()  # $1
    SYMBOL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token; `text` is a word in lower case, a string without quotes and escapes, else the source."""

    kind: Kind
    text: str
    start: int
    end: int


_PATTERN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*)
    |(?P<comment>/\*)
    |(?P<string>[eE]?'(?:[^'\\]|''|\\.)*')
    |(?P<dollar>\$(?P<label>[A-Za-z_]\w*)?\$.*?\$(?P=label)?\$)
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<parameter>\$\d+)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>[^\W\d][\w$]*|\#[^\W\d][\w$]*)
    |(?P<symbol>::|<>|!=|<=|>=|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)
_DOLLAR = re.compile(r"\$(\w*)\$(.*?)\$\1\$", re.DOTALL)
_ESCAPE = re.compile(r"''|\\([0-7]{1,3}|.)", re.DOTALL)
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def tokens(sql: str) -> list[Token]:
    """Comments and blanks are dropped. Raises SqlError for a string or comment without its end."""
    return list(_tokens(sql))


def _tokens(sql: str) -> Iterator[Token]:
    position = 0
    while position < len(sql):
        dollar = _DOLLAR.match(sql, position) if sql[position] == "$" else None
        if dollar:
            yield Token(kind=Kind.STRING, text=dollar[2], start=position, end=dollar.end())
            position = dollar.end()
            continue
        match = _PATTERN.match(sql, position)
        assert match
        end = _comment_end(sql, position) if match.lastgroup == "comment" else match.end()
        token = _token(match.lastgroup or "", sql[position:end], position, end)
        if token:
            yield token
        position = end


def _token(group: str, source: str, start: int, end: int) -> Token | None:
    if group in ("blank", "comment"):
        return None
    if group == "string":
        body = source[source.index("'") + 1 : -1]
        return Token(kind=Kind.STRING, text=_ESCAPE.sub(_unescaped, body), start=start, end=end)
    if group == "quoted":
        return Token(kind=Kind.QUOTED, text=source[1:-1].replace('""', '"').lower(), start=start, end=end)
    if source in ("'", '"'):
        raise SqlError(SYNTAX_ERROR, "unterminated quoted string or identifier")
    kind = {"word": Kind.WORD, "number": Kind.NUMBER, "parameter": Kind.PARAMETER}.get(group, Kind.SYMBOL)
    return Token(kind=kind, text=source.lower() if kind is Kind.WORD else source, start=start, end=end)


def _unescaped(match: re.Match[str]) -> str:
    """Redshift keeps the backslash escapes of PostgreSQL 8.0 in ordinary strings."""
    if match[0] == "''":
        return "'"
    if match[1][0] in "01234567":
        return chr(int(match[1], 8))
    return _CONTROL.get(match[1], match[1])


def _comment_end(sql: str, start: int) -> int:
    depth, position = 0, start
    while position < len(sql):
        if sql.startswith("/*", position):
            depth, position = depth + 1, position + 2
        elif sql.startswith("*/", position):
            depth, position = depth - 1, position + 2
            if depth == 0:
                return position
        else:
            position += 1
    raise SqlError(SYNTAX_ERROR, "unterminated /* comment")


class Cursor:
    """Walks over the tokens of one statement. Its errors are those of a parser."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._tokens = tokens(sql)
        while self._tokens and self._tokens[-1].text == ";" and self._tokens[-1].kind is Kind.SYMBOL:
            self._tokens.pop()
        self._at = 0

    @property
    def token(self) -> Token | None:
        """The next token, None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    @property
    def place(self) -> int:
        """Where the next token starts in the source."""
        return self.token.start if self.token else len(self.sql.rstrip().rstrip(";"))

    def done(self) -> bool:
        return self.token is None

    def mark(self) -> int:
        """A place to return to, see `back`."""
        return self._at

    def back(self, mark: int) -> None:
        self._at = mark

    def take(self) -> Token:
        """The next token, whatever it is."""
        token = self.token
        if token is None:
            raise SqlError(SYNTAX_ERROR, "syntax error at end of input")
        self._at += 1
        return token

    def peek(self, *words: str) -> bool:
        """Whether these words or symbols come next, in a row."""
        ahead = self._tokens[self._at : self._at + len(words)]
        return len(ahead) == len(words) and all(
            token.kind in (Kind.WORD, Kind.SYMBOL) and token.text == word
            for token, word in zip(ahead, words, strict=True)
        )

    def accept(self, *words: str) -> bool:
        """Step over these words if they come next."""
        if self.peek(*words):
            self._at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise self.unexpected()

    def one_of(self, *words: str) -> str | None:
        """Step over one of these words if it comes next, and say which."""
        return next((word for word in words if self.accept(word)), None)

    def identifier(self) -> str:
        """A name, folded to lower case as Redshift folds delimited ones too."""
        token = self.take()
        if token.kind not in (Kind.WORD, Kind.QUOTED):
            raise self.unexpected(token)
        return token.text

    def name(self) -> tuple[str, ...]:
        """A name of up to three parts."""
        parts = [self.identifier()]
        while self.accept("."):
            parts.append(self.identifier())
        if len(parts) > 3:
            raise SqlError(SYNTAX_ERROR, f"improper qualified name (too many dotted names): {'.'.join(parts)}")
        return tuple(parts)

    def names(self) -> tuple[str, ...]:
        """A list of plain names in parentheses."""
        self.expect("(")
        found = [self.identifier()]
        while self.accept(","):
            found.append(self.identifier())
        self.expect(")")
        return tuple(found)

    def string(self) -> str:
        token = self.take()
        if token.kind is not Kind.STRING:
            raise self.unexpected(token)
        return token.text

    def number(self) -> str:
        """A number with its sign."""
        sign = "-" if self.accept("-") else ""
        token = self.take()
        if token.kind is not Kind.NUMBER:
            raise self.unexpected(token)
        return sign + token.text

    def skip_parentheses(self) -> None:
        """Step over what stands in parentheses, nested ones included; the first is next."""
        self.expect("(")
        depth = 1
        while depth:
            token = self.take()
            if token.kind is Kind.SYMBOL:
                depth += {"(": 1, ")": -1}.get(token.text, 0)

    def end(self) -> None:
        """Raises SqlError if anything is left."""
        if not self.done():
            raise self.unexpected()

    def unexpected(self, token: Token | None = None) -> SqlError:
        token = token or self.token
        if token is None:
            return SqlError(SYNTAX_ERROR, "syntax error at end of input")
        shown = "'...'" if token.kind is Kind.STRING else self.sql[token.start : token.end][:40]  # it may be a secret
        return SqlError(SYNTAX_ERROR, f'syntax error at or near "{shown}"')


def quoted(*name: str) -> str:
    """A name as PostgreSQL reads it, whatever words are reserved there."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)


def literal(text: str) -> str:
    """A string as PostgreSQL reads it, and Redshift too: where backslashes escape and where they do not."""
    written = "'" + text.replace("'", "''") + "'"
    return "E" + written.replace("\\", "\\\\") if "\\" in text else written
