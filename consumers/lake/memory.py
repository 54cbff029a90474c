"""What a table has taken of each shard: table properties, so that they change with the rows or not at all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import SetPropertiesUpdate, ValidatableTableRequirement

from consumers.keeper.store import Discrepancy, Outrun, Place
from consumers.manifests import START, Manifest

_PREFIX = "storepulse.taken/"  # then application/shard, neither of which has a slash: they are parts of keys


def memory_of(properties: Mapping[str, str]) -> dict[Place, int]:
    """The last sequence taken of each shard."""
    memory = {}
    for key, value in properties.items():
        if key.startswith(_PREFIX):
            application, _, shard_id = key.removeprefix(_PREFIX).partition("/")
            memory[application, shard_id] = int(value)
    return memory


def as_properties(memory: Mapping[Place, int]) -> dict[str, str]:
    """The inverse of `memory_of`."""
    return {f"{_PREFIX}{application}/{shard_id}": str(last) for (application, shard_id), last in memory.items()}


def taken_by_all(memories: Iterable[Mapping[Place, int]]) -> dict[Place, int]:
    """The last sequence of each shard that tables with these memories have all taken."""
    each = list(memories)
    everywhere = set.intersection(*map(set, each)) if each else set()
    return {place: min(memory[place] for memory in each) for place in everywhere}


def not_yet_taken(memory: Mapping[Place, int], manifests: Sequence[Manifest]) -> list[Manifest]:
    """Those of `manifests` that a table with this memory has not taken, in order.

    Raises Outrun for a chain that begins after the memory's end, and Discrepancy for one that does not fit it.
    """
    ends = dict(memory)
    fresh = []
    for manifest in manifests:
        place = (manifest.application, manifest.shard_id)
        end = ends.get(place, START)
        if manifest.last <= end:
            continue
        if manifest.previous > end:
            raise Outrun(f"{'/'.join(place)} is taken up to {end}, not up to {manifest.previous}")
        if manifest.previous < end:
            raise Discrepancy(f"{'/'.join(place)} is taken up to {end}, where no manifest of its chain ends")
        ends[place] = manifest.last
        fresh.append(manifest)
    return fresh


class MemoryUnchanged(ValidatableTableRequirement):
    """A condition of a commit: the memory is still what it was when the files were chosen."""

    type: str = "storepulse-memory-unchanged"
    taken: dict[str, str]

    @classmethod
    def since(cls, metadata: TableMetadata) -> "MemoryUnchanged":
        return cls(taken=as_properties(memory_of(metadata.properties)))

    def validate(self, base_metadata: TableMetadata | None) -> None:  # type: ignore[override]
        if base_metadata is None or as_properties(memory_of(base_metadata.properties)) != self.taken:
            raise CommitFailedException("another keeper has taken manifests")


def changes_memory(update: Any) -> bool:
    """Whether a commit's update is about memory."""
    return isinstance(update, SetPropertiesUpdate) and any(key.startswith(_PREFIX) for key in update.updates)
