"""The suite that every path passes, the scripted one that tests of sources use (`consumers.sources.testing`) too."""

from collections.abc import Collection
from typing import Protocol

import pytest

from consumers.delivery import Backpressure, Batch, Path, Position
from consumers.stages.testing import batch, encoded, order


class Effects(Protocol):
    """A path under test and what it has done."""

    path: Path

    def identities(self) -> Collection[str]:
        """One for each event whose effects are durable."""
        ...

    def trouble_once(self) -> None:
        """The next write meets trouble that passes."""
        ...


def _batch(first: int, count: int) -> Batch:
    numbers = range(first, first + count)
    return batch([encoded(order(event_id=f"e-{n}"), offset=n) for n in numbers], first=first)


class PathConformance:
    """What every path promises. A test class inherits this and brings a fixture `effects`, an `Effects`."""

    def test_what_is_settled_is_durable(self, effects: Effects) -> None:
        effects.path.accept(_batch(1, 3))
        assert effects.path.settle() == Position(3)
        assert sorted(effects.identities()) == ["e-1", "e-2", "e-3"]

    def test_a_position_never_runs_ahead_of_the_batch_nor_back(self, effects: Effects) -> None:
        positions = [effects.path.accept(_batch(first, 2)) for first in (1, 3, 5)]
        known = [position for position in positions if position is not None]
        assert known == sorted(known)
        assert all(position <= Position(6) for position in known)

    def test_what_a_position_covers_is_durable(self, effects: Effects) -> None:
        position = effects.path.accept(_batch(1, 2))
        if position is not None:
            assert len(effects.identities()) >= position.sequence

    def test_after_backpressure_the_same_batch_is_taken_once(self, effects: Effects) -> None:
        effects.trouble_once()
        offered = _batch(1, 2)
        with pytest.raises(Backpressure):
            for _ in range(100):  # a path that spans batches meets its store later
                effects.path.accept(offered)
                effects.path.settle()
        effects.path.accept(offered)
        assert effects.path.settle() == Position(2)
        assert sorted(effects.identities()) == ["e-1", "e-2"]

    def test_a_second_reading_changes_nothing(self, effects: Effects) -> None:
        for _ in range(2):
            effects.path.accept(_batch(1, 2))
            effects.path.settle()
        assert sorted(effects.identities()) == ["e-1", "e-2"]

    def test_nothing_accepted_means_nothing_promised(self, effects: Effects) -> None:
        assert effects.path.settle() in (None, effects.path.resume(None))
