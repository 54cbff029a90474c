"""Which shard a partition key leads to, foretold: what is packed together shall belong to one shard."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from contract.kpl.aggregate import LARGEST_HASH_KEY, hash_key_of

_KEYS_KNOWN = 1 << 16  # bounded: they are forgotten all at once, and found again


class ShardMap:
    """The open shards of a stream at one moment."""

    def __init__(self, shard_ids: Sequence[str], last_hash_keys: Sequence[int]) -> None:
        """Both in the order of the hash keys; together they cover all of them."""
        self.shard_ids = tuple(shard_ids)
        self._ends = tuple(last_hash_keys)
        self._known: dict[str, int] = {}

    def shards_of(self, keys: Sequence[str]) -> list[int]:
        """For each key the place in `shard_ids` of the shard that it leads to."""
        known = self._known
        try:
            return list(map(known.__getitem__, keys))
        except KeyError:
            return [known[key] if key in known else self._find(key) for key in keys]

    def _find(self, key: str) -> int:
        if len(self._known) == _KEYS_KNOWN:
            self._known.clear()
        place = self._known[key] = bisect_left(self._ends, hash_key_of(key))
        return place


def shard_map(shards: Sequence[Mapping[str, Any]]) -> ShardMap | None:
    """From what ListShards answers. None while the open shards do not cover every hash key once: in a reshard."""
    found = sorted((_range(shard), shard["ShardId"]) for shard in shards if _is_open(shard))
    starts = [first for (first, _), _ in found]
    ends = [last for (_, last), _ in found]
    if not found or starts != [0, *(end + 1 for end in ends[:-1])] or ends[-1] != LARGEST_HASH_KEY:
        return None
    return ShardMap([shard_id for _, shard_id in found], ends)


def _is_open(shard: Mapping[str, Any]) -> bool:
    return "EndingSequenceNumber" not in shard["SequenceNumberRange"]


def _range(shard: Mapping[str, Any]) -> tuple[int, int]:
    keys = shard["HashKeyRange"]
    return int(keys["StartingHashKey"]), int(keys["EndingHashKey"])
