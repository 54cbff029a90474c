"""Objects of original records: NDJSON in zstd, one line a record, oldest first, each recoverable byte for byte.

    {"seq":"<decimal>","sub":0,"at":"<RFC 3339, UTC>","record":<the data as it came>}
    {"seq":"<decimal>","sub":0,"at":"<RFC 3339, UTC>","record_b64":"..."}   where it is no JSON, or has line breaks

A refused record has `"reasons":[...],"detail":"..."|null` before its data.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
import pyarrow as pa
from msgspec.json import Decoder, Encoder

from consumers.delivery import Position, Record
from contract.rows import LetterRow

_CHUNK_BYTES = 1 << 18
_VERBATIM = b',"record":'

_encode = Encoder().encode
_skim = Decoder(msgspec.Raw).decode


class RawRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record read back. `reasons` is empty but for a refused one."""

    position: Position
    arrived_at: datetime  # aware UTC
    data: bytes
    reasons: list[str] = []
    detail: str | None = None


class RawWriter:
    """Compresses as it goes: in memory is what the object will hold, and one block of the compressor."""

    def __init__(self) -> None:
        self._sink = pa.BufferOutputStream()
        self._stream = pa.CompressedOutputStream(self._sink, "zstd")
        self._lines: list[bytes] = []  # not yet compressed: a call costs as much as a hundred lines
        self._line_bytes = 0
        self.records = 0

    @property
    def nbytes(self) -> int:
        """Bytes in memory, but for the compressor's block."""
        return int(self._sink.tell()) + self._line_bytes

    def add(self, records: Sequence[Record], refused: Sequence[bool]) -> int:
        """Append records, oldest first. Returns the bytes of their data.

        An object that was not refused has been read as JSON already; an access line may be no JSON, and good.
        """
        together = b"".join([record.data for record in records])
        if together.isascii() and b"\n" not in together and b"\r" not in together:
            lines = list(_plain_lines(records, refused))
        else:
            lines = [
                _line(record, is_refused or record.data[:1] != b"{")
                for record, is_refused in zip(records, refused, strict=True)
            ]
        self._write(lines)
        return len(together)

    def add_letter(self, record: Record, letter: LetterRow) -> None:
        """Append a refused record with its reasons."""
        why = b'"reasons":%b,"detail":%b,' % (_encode(letter.reasons), _encode(letter.detail))
        self._write([_line(record, why=why)])

    def finish(self) -> bytes:
        """The object. Nothing can be added afterwards."""
        self._compress()
        self._stream.close()
        return self._sink.getvalue().to_pybytes()  # type: ignore[no-any-return]

    def _write(self, lines: list[bytes]) -> None:
        self._lines += lines
        self._line_bytes += sum(map(len, lines))
        self.records += len(lines)
        if self._line_bytes >= _CHUNK_BYTES:
            self._compress()

    def _compress(self) -> None:
        self._stream.write(b"".join(self._lines))
        self._lines, self._line_bytes = [], 0


def read_raw(content: bytes) -> Iterator[RawRecord]:
    """The records of an object, in order. Raises ValueError for content that is none."""
    rest = b""
    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(_read, lines)
        except OSError as error:  # Arrow's
            raise ValueError(f"no raw records: {error}") from error
    if rest:
        raise ValueError("no raw records: the last line is cut off")


def _plain_lines(records: Sequence[Record], refused: Sequence[bool]) -> Iterator[bytes]:
    """Of records without line breaks. Those of one aggregate share their number and time: each is written once."""
    known_sequence, known_at, sequence_text, at_text = -1, None, b"", b""
    for record, is_refused in zip(records, refused, strict=True):
        data, at, (sequence, sub_sequence) = record.data, record.arrived_at, record.position
        if is_refused or data[:1] != b"{":
            yield _line(record)
            continue
        if sequence is not known_sequence:
            known_sequence, sequence_text = sequence, b"%d" % sequence
        if at is not known_at:
            known_at, at_text = at, _encode(at)
        yield b'{"seq":"%b","sub":%d,"at":%b,"record":%b}\n' % (sequence_text, sub_sequence, at_text, data)


class _Line(msgspec.Struct, frozen=True, gc=False):
    seq: str
    sub: int
    at: datetime
    reasons: list[str] = []
    detail: str | None = None
    record_b64: bytes | None = None


_line_decoder = Decoder(_Line)


def _line(record: Record, may_be_anything: bool = True, why: bytes = b"") -> bytes:
    sequence, sub_sequence = record.position
    data, at = record.data, _encode(record.arrived_at)
    if _is_one_line(data) and (not may_be_anything or _is_json(data)):
        return b'{"seq":"%d","sub":%d,"at":%b,%b"record":%b}\n' % (sequence, sub_sequence, at, why, data)
    return b'{"seq":"%d","sub":%d,"at":%b,%b"record_b64":%b}\n' % (sequence, sub_sequence, at, why, _encode(data))


def _is_one_line(data: bytes) -> bool:
    """Whether it is UTF-8 without line breaks. Decoders of JSON do not look inside what they skip."""
    if b"\n" in data or b"\r" in data:
        return False
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _is_json(data: bytes) -> bool:
    try:
        _skim(data)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _read(line: bytes) -> RawRecord:
    # Quotes inside the fields before it are escaped, so its first occurrence is the field itself.
    head, verbatim, data = line.partition(_VERBATIM)
    try:
        fields = _line_decoder.decode(head + b"}" if verbatim else line)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no raw record: {error}") from error
    if not verbatim and fields.record_b64 is None:
        raise ValueError("no raw record: neither record nor record_b64")
    return RawRecord(
        position=Position(int(fields.seq), fields.sub),
        arrived_at=fields.at,
        data=data[:-1] if verbatim else bytes(fields.record_b64 or b""),
        reasons=fields.reasons,
        detail=fields.detail,
    )
