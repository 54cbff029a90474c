"""Python's cycle collector in a process that reads records."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_OBJECTS = 50_000  # between two looks: five full answers of the stream


@contextmanager
def little_to_collect() -> Iterator[None]:
    """Records come ten thousand at a time and hold no cycles: to look through them for some took half of a read."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
