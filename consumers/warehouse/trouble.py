"""What the driver's errors ask for: wait (Outage), tell the operator (ConfigError), or give this work up (Refused)."""

import re
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from redshift_connector.error import Error

from runtime.errors import ConfigError
from runtime.outage import Outage

# SQLSTATEs that pass by themselves: connection, transaction rolled back (deadlock, serialisation), resources, locks,
# an operator's or a timer's intervention. https://www.postgresql.org/docs/8.0/errcodes-appendix.html
_PASSING = ("08", "40", "53", "55", "57")
_UNDEFINED_DATABASE = "3D000"
_NO_PRIVILEGE = "42501"
# Redshift says many things with the one state XX000; its words tell them apart.
_PASSING_WORDS = re.compile(
    r"slow ?down|status 50\d|internal ?error|service ?unavailable|request ?timeout|timed out"
    r"|serializable isolation|concurrent transaction|connection (reset|refused|closed)",
    re.IGNORECASE,
)
_ROLE_WORDS = re.compile(
    r"not authorized|unauthorized|access ?denied|status 403|invalid credentials|IAM role|get credentials", re.IGNORECASE
)
_LONGEST_TEXT = 500  # characters of the database's words that are worth a line


class Refused(Exception):
    """The database refuses a statement, and would again. The text is one line: the database's own words."""


@contextmanager
def naming_trouble(place: str, doing: str) -> Iterator[None]:
    """Turns what the driver raises into Outage, ConfigError or Refused, in one line without any secret.

    `place` is the database's address, `doing` the statement's name, both for people.
    """
    try:
        yield
    except Error as error:
        raise _named(error, place, doing) from error
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(f"{place}: {error.strerror}; mend [warehouse] host or tls") from error
    except (OSError, EOFError, struct.error, IndexError) as error:  # the last two: an answer cut short
        raise Outage(f"{place}: {_why(error)}") from error
    except (ValueError, AttributeError) as error:  # the driver's words for a socket that it has closed
        if "closed file" in str(error) or "NoneType" in str(error):
            raise Outage(f"{place}: connection lost") from error
        raise


def _named(error: Error, place: str, doing: str) -> Exception:
    first = error.args[0] if error.args else ""
    if isinstance(first, Mapping):
        return _answered(first, place, doing)
    cause = next((part for part in error.args if isinstance(part, BaseException)), None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ConfigError(f"{place}: {cause.strerror}; mend [warehouse] host or tls")
    if "SSL" in str(first):
        return ConfigError(f"{place} does without encryption; set [warehouse] tls = false, or name the right host")
    return Outage(f"{place}: {'connection lost' if cause is None else _why(cause)}")


def _answered(answer: Mapping[str, Any], place: str, doing: str) -> Exception:
    """What an ErrorResponse asks for; its fields are named by letters: C the state, M the message, D the detail."""
    state = str(answer.get("C", ""))
    words = one_line(" ".join(str(answer[field]) for field in ("M", "D") if answer.get(field)))
    if state.startswith("28"):
        return ConfigError(f"{place}: {words}; mend [warehouse] user or password")
    if state == _UNDEFINED_DATABASE:
        return ConfigError(f"{place}: {words}; mend [warehouse] database")
    if state == _NO_PRIVILEGE:
        return ConfigError(f"{place}: {words}; [warehouse] user must own the tables")
    if state.startswith(_PASSING) or (state.startswith("XX") and _PASSING_WORDS.search(words)):
        return Outage(f"{place}: {words}")
    if state.startswith("XX") and _ROLE_WORDS.search(words):
        return ConfigError(f"{place}: {words}; mend [warehouse] iam_role or its policy")
    return Refused(f"{doing}: {words} ({state})")


def one_line(words: str) -> str:
    """What the database says, as one line of bounded length."""
    return " ".join(words.split())[:_LONGEST_TEXT]


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "connection lost"
