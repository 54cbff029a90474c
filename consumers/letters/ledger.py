"""What was sent again, in the restricted bucket: an object an attempt, so that two operators never send the same one.

An attempt is claimed by putting its object unless there is one, before its record is put on the stream; afterwards the
object is put again with the time. A crash in between leaves a claim that was not sent: whoever comes next sends the
very record that the claim holds, which counts once however often it arrives. An order id is claimed in the same way, so
that two letters of one order are never on their way together.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import msgspec

from consumers.letters.letter import Letter
from runtime.errors import ConfigError
from runtime.objects import Objects

_ATTEMPTS = "letters-sent/attempts"
_ORDERS = "letters-sent/orders"
_FOREIGN = "foreign"  # no agent's file: those are under "lines"

_encode = msgspec.json.Encoder().encode
T = TypeVar("T")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One sending of one letter. Holds the event: personal data, as all in this bucket."""

    name: str  # see Letter.name
    letter_id: str
    attempt: int  # 1..
    order_id: str | None
    stream: str
    key: str  # partition key
    record: bytes
    by: str  # user@host, or the keeper
    at: datetime  # of the claim, aware UTC
    reasons: list[str]  # that it was refused for before
    patch: dict[str, object] | None = None  # None: sent as it was
    selection: str | None = None  # JMESPath
    before_sha256: str  # of the record that was refused
    after_sha256: str  # of `record`
    sent_at: datetime | None = None  # acknowledged by the stream; None: nobody knows


class _Holder(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    attempt: int
    at: datetime


class Ledger:
    """Every method may raise Outage, ConfigError."""

    def __init__(self, restricted: Objects) -> None:
        self._restricted = restricted

    def attempts(self, letters: Iterable[Letter]) -> dict[str, list[int]]:
        """By name of the line, the attempts that were claimed, in order: of these letters' files, a listing each."""
        found: dict[str, list[int]] = {}
        names = {_folder_of(letter): letter.name for letter in letters}
        for file in sorted({folder.rpartition("/")[0] for folder in names}):
            for key in self._restricted.keys(f"{file}/"):
                folder, _, attempt = key.removesuffix(".json").rpartition("/")
                if folder in names:
                    found.setdefault(names[folder], []).append(int(attempt))
        return found

    def read(self, letter: Letter, attempt: int) -> Attempt | None:
        """None for one that was never claimed."""
        try:
            return self._decoded(_key_of(letter, attempt), Attempt)
        except KeyError:
            return None

    def claim(self, letter: Letter, attempt: Attempt) -> Attempt:
        """The one that stands there now: this one, or whoever was faster's."""
        key = _key_of(letter, attempt.attempt)
        if self._restricted.put_if_absent(key, _encode(attempt)):
            return attempt
        return self._decoded(key, Attempt)

    def sent(self, letter: Letter, attempt: Attempt, at: datetime) -> None:
        """The stream has acknowledged it."""
        self._restricted.put(_key_of(letter, attempt.attempt), _encode(msgspec.structs.replace(attempt, sent_at=at)))

    def claim_order(self, order_id: str, attempt: Attempt, refused: Mapping[str, int]) -> str:
        """The line that may be sent for this order: the attempt's own, unless another one holds the order.

        `refused`: by name, the newest attempt that was refused again: that one holds nothing any more.
        """
        folder, number = f"{_ORDERS}/{_hash(order_id)}", 0
        mine = _encode(_Holder(name=attempt.name, attempt=attempt.attempt, at=attempt.at))
        while True:
            key = f"{folder}/{number:06d}.json"
            if self._restricted.put_if_absent(key, mine):
                return attempt.name
            holder = self._decoded(key, _Holder)
            is_mine = (holder.name, holder.attempt) == (attempt.name, attempt.attempt)
            if is_mine or refused.get(holder.name, 0) < holder.attempt:
                return holder.name
            number += 1

    def _decoded(self, key: str, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(self._restricted.get(key), type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise ConfigError(f"{key} is none that this release reads: upgrade, or restore the object") from None


def _key_of(letter: Letter, attempt: int) -> str:
    return f"{_folder_of(letter)}/{attempt:06d}.json"


def _folder_of(letter: Letter) -> str:
    if letter.stamp is None:
        return f"{_ATTEMPTS}/{_FOREIGN}/{_hash(letter.name)}"
    return f"{_ATTEMPTS}/lines/{quote(letter.stamp.f, safe='')}/{letter.stamp.o:019d}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
