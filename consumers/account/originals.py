"""The raw records as the account reads them: which line lies where in the restricted bucket."""

from collections import OrderedDict
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from consumers.account.chains import Link
from consumers.account.emitted import ACCESS, Stretch
from consumers.manifests import Manifest, RawFile
from consumers.spans.raw import RawRecord, read_raw
from consumers.stages.access.decode import decode_access
from consumers.stages.decode import decode
from consumers.stages.identity import identity_of, identity_of_access
from contract.stamp import Stamp
from runtime.objects import Objects

_KEPT = 4  # objects whose lines stay in memory: neighbours of a line lie in the same ones


class Original(NamedTuple):
    """One line among the raw records."""

    offset: int
    bytes: int
    crc: int
    event_id: str  # identity in the stores
    raw: str  # key of the object
    manifest: str  # key


class _Place(NamedTuple):
    """An object that holds lines of a file."""

    manifest_key: str
    shard_id: str
    raw: RawFile


class _Stamped(msgspec.Struct, frozen=True):
    sp: Stamp | None = msgspec.field(default=None, name="_sp")


_stamped = msgspec.json.Decoder(_Stamped)


class Originals:
    """The lines of a few files. `note` what the chains list, then ask for `lines`."""

    def __init__(self, restricted: Objects, files: Collection[str]) -> None:
        self._restricted = restricted
        self._files = frozenset(files)
        self._places: dict[str, list[tuple[int, int, _Place]]] = {}
        self._data: dict[str, list[str]] = {}
        self._read: OrderedDict[str, dict[str, list[Original]]] = OrderedDict()
        self.absent: set[str] = set()  # raw objects that were looked for in vain

    def note(self, link: Link) -> None:
        """Remember which objects of a manifest hold lines of the files."""
        manifest = link.manifest
        if manifest is None:
            return
        for raw in manifest.raw:
            place = _Place(link.key, manifest.shard_id, raw)
            for part in raw.files:
                if part.file_id in self._files:
                    self._places.setdefault(part.file_id, []).append((part.first, part.end, place))
                    self._data[link.key] = _rows_of(manifest)

    def data_of(self, manifest_key: str) -> list[str]:
        """The objects of orders, hits and letters that a manifest lists."""
        return self._data.get(manifest_key, [])

    def lines(self, stretch: Stretch) -> list[Original]:
        """The stretch's lines, by offset; a line delivered twice comes twice. Raises Outage, ConfigError.

        What lies in an object that is absent, or is no object of raw records, is left out: see `absent`.
        """
        found = [
            line
            for first, end, place in self._places.get(stretch.file_id, ())
            if first < stretch.end and end > stretch.start
            for line in self._lines_in(place).get(stretch.file_id, ())
            if stretch.start <= line.offset < stretch.end
        ]
        return sorted(found)

    def _lines_in(self, place: _Place) -> dict[str, list[Original]]:
        key = place.raw.key
        if key not in self._read:
            if len(self._read) == _KEPT:
                self._read.popitem(last=False)
            self._read[key] = self._lines_of(place)
        self._read.move_to_end(key)
        return self._read[key]

    def _lines_of(self, place: _Place) -> dict[str, list[Original]]:
        lines: dict[str, list[Original]] = {}
        try:
            for record in read_raw(self._restricted.get(place.raw.key)):
                stamp = _stamp_of(record.data)
                if stamp is not None and stamp.k != "heartbeat" and stamp.f in self._files:
                    identity = _identity_of(record, place.shard_id, stamp)
                    line = Original(stamp.o, stamp.n, stamp.c, identity, place.raw.key, place.manifest_key)
                    lines.setdefault(stamp.f, []).append(line)
        except (KeyError, ValueError):
            self.absent.add(place.raw.key)
        return lines


def _stamp_of(data: bytes) -> Stamp | None:
    try:
        return _stamped.decode(data).sp
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _identity_of(record: RawRecord, shard_id: str, stamp: Stamp) -> str:
    if stamp.k == ACCESS:
        return identity_of_access(decode_access(record.data), record.data, shard_id, record.position)
    return identity_of(decode(record.data), record.data, shard_id, record.position)


def _rows_of(manifest: Manifest) -> list[str]:
    return [file.key for file in manifest.data if file.table in ("orders", "hits", "letters")]
