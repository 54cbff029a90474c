"""The record by which a letter is sent again: the same line and identity, the attempt counted, mended or not."""

import json
import zlib
from dataclasses import dataclass, replace

import msgspec

from consumers.delivery import Position
from consumers.letters.letter import Kind, Letter
from consumers.letters.merge_patch import Json, merged
from consumers.letters.selection import Place, Selection, Unselectable, replaced
from consumers.stages.access.decode import decode_access
from consumers.stages.decode import decode
from consumers.stages.envelope import Opened, opened
from consumers.stages.identity import identity_of, identity_of_access
from consumers.stages.shape import is_too_deep
from contract.reasons import Reason

# Kinesis takes 1 MiB of data and partition key by default (MaxRecordSizeInKiB); so does the agent.
RECORD_LIMIT = 1 << 20

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_KEYS = 1 << 14


class Unsendable(Exception):
    """This letter cannot be sent like this. The text says why, and never quotes the event."""


class Unselected(Exception):
    """The selection selects nothing in this event: the mend is not about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """What an operator changes: a merge patch (RFC 7396) on the event, or on each object that is selected in it."""

    patch: dict[str, Json]
    selection: Selection | None = None
    encoding: str = "utf-8"  # of lines that are not UTF-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object of the event, before and after."""

    place: Place
    before: Json
    after: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent:
    """A record to be put on the stream."""

    data: bytes
    key: str  # partition key
    attempt: int
    changes: tuple[Change, ...] = ()


def resent(letter: Letter, data: bytes, mend: Mend | None, attempt: int) -> Resent:
    """The record that carries the letter once more. `data`: the refused record.

    Raises Unsendable, Unselected.
    """
    if letter.stamp is None and letter.kind == "access":
        raise Unsendable("no agent sent it: a second hit could not be told from the first")
    if mend is None:
        made = Resent(data=_unchanged(letter, data, attempt), key=_key_of(letter), attempt=attempt)
    else:
        made = _mended(letter, data, mend, attempt)
    if _identity_of(made.data, letter.kind) != letter.letter_id:
        made = replace(made, data=_identified(letter, made.data))
    size = len(made.data) + len(made.key)
    if size > RECORD_LIMIT:
        raise Unsendable(f"{size:,} bytes: a stream's record holds {RECORD_LIMIT:,}")
    return made


def document_of(letter: Letter, data: bytes, encoding: str = "utf-8") -> dict[str, Json]:
    """The event that a patch is applied to: without the agent's stamp; empty for what is no JSON object.

    Raises Unsendable for a line that cannot be read in this encoding, and for one that no JSON writer can write.
    """
    envelope = opened(data)
    text = _text_of(envelope, encoding) if envelope else data.decode(errors="replace")
    if is_too_deep(text.encode(errors="replace")):
        raise Unsendable("it is nested too deeply")
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    if envelope is None and letter.stamp is not None:
        document.pop("_sp", None)
    return document


def _unchanged(letter: Letter, data: bytes, attempt: int) -> bytes:
    """The bytes of the record but for the attempt in its stamp."""
    envelope = opened(data)
    if envelope is not None and envelope.fault.reason is Reason.OVERSIZE:
        raise Unsendable("the line is too long to travel: it lies in the agent's `refused` file")
    if letter.stamp is None:
        try:
            _fields(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Unsendable("no agent sent it, and it is no JSON object: nothing can hold its identity") from None
        return data
    fields = _fields(data)
    written = b'"_sp":' + bytes(fields["_sp"])
    stamp = _encode(msgspec.structs.replace(letter.stamp, a=attempt))
    start = data.rfind(written)
    if start >= 0:  # as the agent writes it
        return data[:start] + b'"_sp":' + stamp + data[start + len(written) :]
    return _encode({**fields, "_sp": msgspec.Raw(stamp)})


def _mended(letter: Letter, data: bytes, mend: Mend, attempt: int) -> Resent:
    document = document_of(letter, data, mend.encoding)
    own = document.get("event_id")
    try:
        places = mend.selection.places(document) if mend.selection else [()]
    except Unselectable as error:
        raise Unsendable(str(error)) from error
    if not places:
        raise Unselected
    changes = []
    for place in places:
        before = _at(document, place)
        after = merged(before, mend.patch)
        if after != before or _written(after) != _written(before):  # 1, 1.0 and true are equal to Python
            changes.append(Change(place=place, before=before, after=after))
            document = replaced(document, place, after)
    if not changes:
        raise Unsendable("the patch changes nothing in it")
    if (own is None or isinstance(own, str)) and document.get("event_id") != own:
        raise Unsendable("the patch changes event_id, which is its identity: leave it out")
    if "_sp" in document:
        raise Unsendable("it brings an `_sp` of its own, which is the agent's field: patch it with null")
    if letter.stamp is not None:
        document = {**document, "_sp": msgspec.to_builtins(msgspec.structs.replace(letter.stamp, a=attempt))}
    return Resent(data=_written(document), key=_key_of(letter), attempt=attempt, changes=tuple(changes))


def _identified(letter: Letter, data: bytes) -> bytes:
    """With the letter's identity for an event that has none of its own, or whose bytes gave it."""
    if opened(data) is not None:  # no object yet: refused again under the identity that its line gives
        return data
    try:
        fields = _fields(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data
    stamp = fields.pop("_sp", None)
    fields["event_id"] = msgspec.Raw(_encode(letter.letter_id))
    return _encode(fields if stamp is None else {**fields, "_sp": stamp})


def _identity_of(data: bytes, kind: Kind) -> str:
    """As the judge will find it, wherever it comes to lie: nothing but the event and its line may make it."""
    if kind == "access":
        return identity_of_access(decode_access(data), data, "", Position(0))
    return identity_of(decode(data), data, "", Position(0))


def _key_of(letter: Letter) -> str:
    """A truncated hash of the line's name: hides it among others, and spreads over the shards."""
    return f"{zlib.crc32(letter.name.encode()) % _KEYS:x}"


def _text_of(envelope: Opened, encoding: str) -> str:
    if envelope.fault.reason is Reason.OVERSIZE:
        return ""
    try:
        return envelope.line.decode(encoding)
    except UnicodeDecodeError:
        raise Unsendable(f"the line is not {encoding}: name its --encoding, such as cp1252") from None


def _at(document: Json, place: Place) -> Json:
    for part in place:
        document = document[part]
    return document


def _written(document: Json) -> bytes:
    try:
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise Unsendable("it holds a number that no JSON reader takes") from None
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can write
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
