"""What the keeper asks of a store of history: the lake, the warehouse. Each remembers by itself what it has taken."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from consumers.manifests import Manifest

Place = tuple[str, str]  # (application, shard id)


class Outrun(Exception):
    """These manifests do not follow what is taken: another keeper was here, or the store was set back meanwhile.

    Nothing was changed; ask `taken` again.
    """


class Discrepancy(Exception):
    """What the store would hold is not what the manifests say: nothing was changed. The text says what and where."""


class HistoryStore(Protocol):
    """Takes manifests, once each, whoever offers them. After an Outage, which any method may raise, ask `taken`."""

    @property
    def name(self) -> str:
        """For people: `lake`, `warehouse`."""
        ...

    def prepare(self) -> None:
        """See that the tables are there and of this release. Raises ConfigError for what the operator has to change."""
        ...

    def taken(self) -> Mapping[Place, int]:
        """The last sequence taken of each shard; a shard of which nothing was taken is absent."""
        ...

    def take(self, manifests: Sequence[Manifest]) -> None:
        """Take all of them or none. Each shard's are in chain order and follow what was taken.

        Raises Outrun, Discrepancy.
        """
        ...
