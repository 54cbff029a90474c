"""Text that a row keeps as the shop or a client wrote it, without what names a person. See docs/privacy.md.

What is hidden: this event's own customer and session, e-mail addresses, the last part of IP addresses, passwords in
URLs. All else is kept: nobody can tell from its looks that a word is a name.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from msgspec.json import Decoder, Encoder

from contract.tables import LONGEST_TEXT

# Kept of an address is what Google Analytics has kept: enough for a country, and for nobody's door.
_KEPT_BITS_V6 = 48  # and of IPv4 all but the last number

_LONG_ENOUGH = 6  # characters of an id that is looked for inside longer text: shorter ones stand anywhere by chance

_EMAIL = "[email]"
_STRING_OR_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*+"|-?\d[\d.eE+-]*+')
_USER_INFO = re.compile(r"(?<=://)[^/?#\s@]*@")
_WORD = r"[^\s@%/?#&=:;,<>()\[\]\"']"
_EMAIL_ADDRESS = re.compile(rf"{_WORD}{{1,64}}+(?:@|%40){_WORD}{{1,253}}+")
_MAYBE_ADDRESS = re.compile(r"(?<![\w.])[0-9A-Fa-f.:]{3,60}+(?!\w)")
_PATH_PARAMETERS = re.compile(r";[^/?#]*")  # RFC 3986, 3.3: where servers put sessions that have no cookie

_encode = Encoder().encode
_decode_text = Decoder(str).decode


def stored_extra(extra: bytes, hashes: Mapping[str | None, str | None]) -> str:
    """Unknown fields, one JSON object, as the column holds them: with the hash in place of each known id.

    What no column holds stays in the raw records alone."""
    redacted = _redacted(extra, hashes)
    if len(redacted) > LONGEST_TEXT:
        redacted = _encode({"_omitted_bytes": len(redacted)})
    return redacted.decode()


def without_emails(text: str) -> str:
    """With a mark in place of each e-mail address, the user of a URL left out. `%40` is an `@`, too."""
    if "@" in text:
        text = _USER_INFO.sub("", text)
    elif "%40" not in text:
        return text
    return _EMAIL_ADDRESS.sub(_EMAIL, text)


def path_only(target: str) -> str:
    """Of a target or URL what comes before its query, without parameters: both hold what people type, and sessions."""
    path = target.partition("?")[0].partition("#")[0]
    return _PATH_PARAMETERS.sub("", path) if ";" in path else path


def truncated(address: str) -> str | None:
    """The network that an address lies in; None for what is no address."""
    try:
        known = ip_address(address.strip("[]"))
    except ValueError:
        return None
    known = getattr(known, "ipv4_mapped", None) or known
    kept = _KEPT_BITS_V6 if known.version == 6 else 24
    return str(ip_network((known, kept), strict=False).network_address)


def with_hashes(text: str, hashes: Mapping[str | None, str | None]) -> str:
    """With the hash in place of each id that stands in `text`; a short one has to be all of it."""
    whole = hashes.get(text)
    if whole is not None:
        return whole
    for known, hashed in hashes.items():
        if known and hashed and len(known) >= _LONG_ENOUGH and known in text:
            text = text.replace(known, hashed)
    return text


def _redacted(extra: bytes, hashes: Mapping[str | None, str | None]) -> bytes:
    """Names and values alike, however they are written: with escapes, or as a number. All else byte for byte."""

    def hidden(token: re.Match[bytes]) -> bytes:
        written = token[0]
        text = _decode_text(written) if written[:1] == b'"' else written.decode()
        if written[:1] != b'"':
            hashed = hashes.get(text)
            return written if hashed is None else _encode(hashed)
        shown = _MAYBE_ADDRESS.sub(_address_hidden, without_emails(with_hashes(text, hashes)))
        return written if shown == text else _encode(shown)

    return _STRING_OR_NUMBER.sub(hidden, extra)


def _address_hidden(found: re.Match[str]) -> str:
    """A port, or the end of a sentence, may follow."""
    text = found[0].rstrip(".:")
    for end in (len(text), max(0, text.rfind(":"))):
        if network := truncated(text[:end]):
            return network + found[0][end:]
    return found[0]
