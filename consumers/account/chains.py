"""A look along the chains of manifests: what should be in the buckets, whether or not it is."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import islice
from typing import NamedTuple

import msgspec

from consumers.manifests import START, Manifest, chain_prefix, manifest_key
from contract.tables import VERSION
from runtime.objects import Objects

_NO_PLACE = 10**64  # keys have 64 digits
AT_ONCE = 64  # manifests read at the same time, and held in memory

_decode = msgspec.json.Decoder(Manifest).decode


class Link(NamedTuple):
    """A place in a chain."""

    key: str
    manifest: Manifest | None  # None: absent, or not readable
    trouble: str = ""  # why there is none


def links_since(
    objects: Objects, application: str, shard_id: str, since: dt.datetime, pool: Executor, taken: int = START
) -> Iterator[Link]:
    """A shard's manifests whose records arrived at `since` or later, in order, and the places where one should be.

    `taken`: the last sequence that a store has taken: the chain reaches so far. Raises Outage, ConfigError.
    """
    chain = _Places(objects, application, shard_id)
    first, start = chain.first_since(since, taken)
    expected: int | None = start  # unknown after a manifest that cannot be read
    waiting = chain.from_place(first)
    while chunk := list(islice(waiting, AT_ONCE)):
        for place, link in zip(chunk, pool.map(chain.read, chunk), strict=True):
            if expected is not None and expected < place:
                yield Link(chain.key(expected), None, "absent, though the chain goes on behind it")
            yield link
            expected = link.manifest.last if link.manifest else None
    if expected is not None and expected < taken:
        yield Link(chain.key(expected), None, "absent, though a store has taken it")


class _Places:
    """The places of one chain: each is the last sequence of the manifest before."""

    def __init__(self, objects: Objects, application: str, shard_id: str) -> None:
        self._objects = objects
        self._application = application
        self._shard_id = shard_id
        self._prefix = chain_prefix(application, shard_id)

    def key(self, place: int) -> str:
        return manifest_key(self._application, self._shard_id, place)

    def from_place(self, place: int) -> Iterator[int]:
        """All that are taken, from this one on."""
        for key in self._objects.keys(self._prefix, self.key(place - 1) if place > START else ""):
            yield int(key[len(self._prefix) :].removesuffix(".json"))

    def read(self, place: int) -> Link:
        return _read(self._objects, self.key(place))

    def first_since(self, since: dt.datetime, taken: int) -> tuple[int, int]:
        """From where on to list the manifests whose records arrived at `since` or later, and where the first should be.

        Numbers grow with time, and keys sort like numbers: the years before are halved, not listed.
        """
        low = self._next(START)
        if low is None or not self._is_old(low, since):
            return START, START
        beyond = self._next(taken)
        # The manifest at `low` is old; those at `high` and after it, if any, are not.
        high = taken if beyond is None or not self._is_old(beyond, since) else _NO_PLACE
        following = self._next(low + 1)
        while following is not None and following < high:
            middle = max((low + high) // 2, low + 1)
            found = self._next(middle)
            if found is None or found >= high:
                high = middle
            elif self._is_old(found, since):
                low, following = found, self._next(found + 1)
            else:
                high = found
        last_old = self.read(low).manifest
        return low + 1, last_old.last if last_old else low

    def _next(self, place: int) -> int | None:
        return next(self.from_place(place), None)

    def _is_old(self, place: int, since: dt.datetime) -> bool:
        manifest = self.read(place).manifest
        return manifest is not None and manifest.last_arrived_at < since


def _read(objects: Objects, key: str) -> Link:
    try:
        manifest = _decode(objects.get(key))
    except KeyError:
        return Link(key, None, "absent")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Link(key, None, "no manifest that this release reads")
    if manifest.version > VERSION:
        return Link(key, None, "of a newer release")
    return Link(key, manifest)


class Missing(NamedTuple):
    """An object that a manifest lists and its bucket does not hold."""

    key: str
    manifest: str  # key
    table: str  # of contract.tables, or `raw` or `letters`


def missing_objects(
    links: Sequence[tuple[str, Manifest]], lake: Objects, restricted: Objects | None
) -> Iterator[Missing]:
    """The objects of these manifests that are absent, a listing for each shard, table and day.

    `restricted` None: originals are not looked at.
    """
    wanted: dict[tuple[bool, str], dict[str, Missing]] = {}
    for key, manifest in links:
        for in_lake, missing in _listed(key, manifest):
            folder = missing.key[: missing.key.rindex(manifest.span_id)]
            wanted.setdefault((in_lake, folder), {})[missing.key] = missing
    for (in_lake, folder), objects in wanted.items():
        bucket = lake if in_lake else restricted
        if bucket is None:
            continue
        there = _those_there(bucket, folder, sorted(objects))
        yield from (missing for key, missing in sorted(objects.items()) if key not in there)


def _those_there(bucket: Objects, folder: str, wanted: Sequence[str]) -> set[str]:
    """Span ids are random, so that a folder is listed whole; of a few objects each is asked for."""
    if len(wanted) <= 3:
        return {key for key in wanted if key in islice(bucket.keys(key), 1)}
    looked_for = set(wanted)
    return {key for key in bucket.keys(folder) if key in looked_for}


def _listed(key: str, manifest: Manifest) -> Iterator[tuple[bool, Missing]]:
    for data in manifest.data:
        yield True, Missing(data.key, key, data.table)
    for what, files in (("raw", manifest.raw), ("letters", manifest.letters)):
        for file in files:
            yield False, Missing(file.key, key, what)


def chunks(links: Iterable[Link], size: int) -> Iterator[list[Link]]:
    """Runs of at most `size`."""
    waiting = iter(links)
    while chunk := list(islice(waiting, size)):
        yield chunk
