"""Files that are whole or not there, also after a power cut."""

import os
from collections.abc import Iterable
from pathlib import Path

from runtime.effects import Effect


def replace(path: Path, content: Iterable[bytes], effect: Effect, name: str) -> None:
    """Make `content` the file at `path`: durable on return, the old file or the new one at any moment before.

    Raises OSError; a left-over `.tmp` is overwritten by the next call.
    """
    temporary = path.with_name(path.name + ".tmp")
    effect(f"{name}: write")
    with temporary.open("wb") as file:
        for chunk in content:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    effect(f"{name}: rename")
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
