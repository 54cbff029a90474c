"""A shard's chain of manifests in the lake's bucket: each lies under the last sequence of the one before it."""

from collections import deque
from collections.abc import Iterator, Sequence

import msgspec

from consumers.manifests import START, Manifest, chain_prefix, manifest_key
from contract.tables import VERSION
from runtime.errors import ConfigError
from runtime.objects import Objects

_NEAR = 1 << 20  # sequence numbers; see `_listed`
_FARTHER = 1 << 8

_decoder = msgspec.json.Decoder(Manifest)
_encode = msgspec.json.Encoder().encode


class Chain:
    """One shard's. Every method may raise Outage, and ConfigError for a chain that is not whole: never a guess."""

    def __init__(self, objects: Objects, application: str, shard_id: str) -> None:
        self._objects = objects
        self._application = application
        self._shard_id = shard_id

    def after(self, sequence: int = START) -> Iterator[Manifest]:
        """The manifests that follow the one whose last is `sequence`, in chain order, as far as the chain goes."""
        while True:
            try:
                manifest = self._read(sequence)
            except KeyError:
                return
            yield manifest
            sequence = manifest.last

    def end(self, hint: int | None = None) -> Manifest | None:
        """The last manifest; None for a shard without any. `hint`: the last of any of its manifests, near the end.

        A hint beyond the last is a ConfigError: whoever read on there would leave a gap.
        """
        last = self._listed(START if hint is None else hint)
        if hint is not None and (last is None or last.last < hint):
            raise ConfigError(
                f"the checkpoint of {self._shard_id} is {hint}, but no manifest under {self._prefix} goes so far: mend"
                " [lake] bucket, or delete the lease table to take in all that the stream still holds"
            )
        return last

    def check(self, sequence: int) -> None:
        """See that the chain ends at `sequence`, or goes on there. Else a ConfigError: who waits there never ends."""
        last = self._listed(sequence)
        end = START if last is None else last.last
        if end != sequence and next(self.after(sequence), None) is None:
            raise ConfigError(
                f"{self._prefix} ends at {end}, but was taken up to {sequence}, where no manifest of it goes on:"
                " restore what is missing, or mend [lake] bucket"
            )

    def append(self, manifest: Manifest) -> Manifest:
        """Put it, unless its place is taken. Returns the one that stands there: this one, or another worker's."""
        if self._objects.put_if_absent(self._key_after(manifest.previous), _encode(manifest)):
            return manifest
        return self._read(manifest.previous)

    def _listed(self, near: int) -> Manifest | None:
        """The last manifest of all. Keys list forwards only, so this looks from a little before `near` on, then from
        further back: years of manifests need not be listed. START: from the first one on.
        """
        step = _NEAR
        while True:
            start = near - step if near != START else START
            found = self._objects.keys(self._prefix, self._key_after(start) if start > START else "")
            keys = deque(found, maxlen=2)
            if keys:
                return self._linked(keys)
            if start <= START:
                return None
            step *= _FARTHER

    def _linked(self, keys: Sequence[str]) -> Manifest:
        """The last of these, which the one before it leads to. In: keys in order, at least one."""
        last = self._read(_previous_of(keys[-1]))
        if len(keys) > 1 and self._read(_previous_of(keys[-2])).last != last.previous:
            raise ConfigError(f"no manifest leads from {keys[-2]} to {keys[-1]}: restore what is missing")
        return last

    @property
    def _prefix(self) -> str:
        return chain_prefix(self._application, self._shard_id)

    def _key_after(self, sequence: int) -> str:
        return manifest_key(self._application, self._shard_id, sequence)

    def _read(self, previous: int) -> Manifest:
        """Raises KeyError where there is none."""
        key = self._key_after(previous)
        content = self._objects.get(key)
        try:
            manifest = _decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise ConfigError(f"{key} is no manifest that this release reads: upgrade, or restore the object") from None
        place = (manifest.application, manifest.shard_id, manifest.previous)
        if place != (self._application, self._shard_id, previous) or manifest.last <= previous:
            raise ConfigError(f"{key} is out of place, it says {place} to {manifest.last}: restore the object")
        return manifest


def shards_of(objects: Objects, application: str) -> list[str]:
    """Shards that have a chain, in order. Raises Outage."""
    return list(objects.folders(chain_prefix(application, "").rstrip("/") + "/"))


def _decode(content: bytes) -> Manifest:
    manifest = _decoder.decode(content)
    if manifest.version > VERSION:  # older ones stay in the chain for good
        raise msgspec.ValidationError
    return manifest


def _previous_of(key: str) -> int:
    name = key.rpartition("/")[2].removesuffix(".json")
    if not (name.isascii() and name.isdecimal()):
        raise ConfigError(f"{key} is no manifest's name: move it away")
    return int(name)
